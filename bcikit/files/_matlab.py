"""What is in a MATLAB file, as plain values: arrays, text, lists (cells) and `Fields` (structs), read when asked for.

Versions 5 to 7.2 are read here, 7.3 by h5py. Nothing in a file is executed. SciPy reads the former too, but a damaged byte,
or cells in cells in a file of 0.5 MB, end its process with a fault of memory (decision 004); and here what nobody asked for
stays unread. Format: MathWorks, MAT-File Format (2023). Sparse matrices, functions and objects of MATLAB 7 are refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ._contents import contents

HEADER = 128  # bytes; the last four are version and byte order
VERSIONS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # 5 to 7.2
NEWER = b"\x00\x02IM"  # 7.3, which is HDF5 behind a header
MATRIX, COMPRESSED = 14, 15  # types of an element
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # of numbers
CELL, STRUCT, OBJECT, TEXT, NUMBERS = 1, 2, 3, 4, range(6, 16)  # classes of a matrix
DEEPEST = 32  # levels of cells and structs in each other
MOST = 4 << 30  # bytes, unpacked
MANY = 100_000  # values of a 7.3 file, where each is read by itself


class Fields(Mapping[str, Any]):
    """A struct; its fields are made plain, or read, when asked for."""

    def __init__(self, names: Iterable[str], get: Callable[[str], Any]) -> None:
        self.names, self.get_ = tuple(names), get

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return self.get_(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def newer(path: Path) -> bool:
    """Whether the file is of version 7.3."""
    return contents(path, HEADER)[124:] == NEWER


@contextmanager
def opened(path: Path, wanted: Sequence[str] = (), keep: bool = False) -> Iterator[Fields]:
    """The variables of a file; of an older one only the `wanted`, but the names of all. keep: until another file is kept,
    since its next part will be asked for. Raises FileTrouble, WrongUse."""
    try:
        if newer(path):
            h5py = _h5py()
            with h5py.File(path, "r") as file:
                newest = _Newer(file)
                yield Fields([n for n in file if not n.startswith("#")], lambda n: newest.stored(file, n))
        else:
            stat = path.stat()
            get = _older if keep else _older.__wrapped__
            names, found = get(path, frozenset(wanted), (stat.st_mtime_ns, stat.st_size))
            yield Fields(names, found.__getitem__)
    except (FileTrouble, WrongUse):
        raise
    except Exception as error:  # both libraries raise whatever comes
        why = " ".join(str(error).split()) or type(error).__name__
        raise FileTrouble(f"{path} is not a MATLAB file that can be read.", f"It is cut or damaged: {why[:200]}.") from None


def sound(path: Path) -> None:
    """Walk through all of a file of version 5 to 7.2, for other readers, whose process a damaged one would end. Raises
    FileTrouble."""
    if not newer(path):
        with opened(path) as names:
            every = tuple(names)
        with opened(path, every) as found:
            _walk(found)


def _walk(value: Any) -> None:
    for one in value.values() if isinstance(value, Fields) else value if isinstance(value, list) else ():
        _walk(one)


# -- versions 5 to 7.2: elements behind and in each other, each a type, a size, and its bytes


@lru_cache(maxsize=1)
def _older(path: Path, wanted: frozenset[str], _stamp: tuple[int, int]) -> tuple[list[str], dict[str, Any]]:
    """The names of all variables, and the bytes of those that are wanted, unpacked, as values."""
    raw = memoryview(contents(path))
    order = VERSIONS.get(bytes(raw[124:HEADER]))
    if order is None:
        raise FileTrouble(
            f"{path} is not a MATLAB file of version 5 or later.",
            "Its header says something else.",
            "In MATLAB, save it anew: save(NAME, '-v7')",
        )
    names, found, size = [], {}, 0
    for kind, body in _elements(raw[HEADER:], order):
        if kind == COMPRESSED:
            inflate = zlib.decompressobj()
            begin = inflate.decompress(body, 1024)
            name = _head(memoryview(begin)[8:], order)[2]
            if name in wanted:
                begin += inflate.decompress(inflate.unconsumed_tail, MOST - size)
                if inflate.unconsumed_tail or not inflate.eof:
                    raise FileTrouble(f"{path}: {name} is cut, or unpacks to more than {MOST >> 30} GiB.", "It is not read.")
                _, body = next(_elements(memoryview(begin), order))
                size += len(begin)
        elif kind == MATRIX:
            name = _head(body, order)[2]
        else:
            raise ValueError(f"an element is of kind {kind}")
        names.append(name)
        if name in wanted:
            found[name] = _value(body, order)
    return [n for n in names if n], found


def _elements(raw: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """(type, its bytes) of elements that lie behind each other."""
    at = 0
    while at + 8 <= len(raw):
        kind, n = struct.unpack_from(f"{order}II", raw, at)
        begin = at + 8
        if kind >> 16:  # a small one: its size in the upper half, its bytes in place of the size
            kind, n, begin = kind & 0xFFFF, kind >> 16, at + 4
        if begin + n > len(raw):
            raise ValueError("it ends before its time")
        yield kind, raw[begin : begin + n]
        at = begin + n if kind == COMPRESSED else begin + n + -(begin + n) % 8


def _head(body: memoryview, order: str) -> tuple[int, tuple[int, ...], str, int]:
    """(class, shape, name) of a matrix, and where what it holds begins. It may be cut behind that."""
    at, parts = 0, []
    for _ in range(3):
        kind, n = struct.unpack_from(f"{order}II", body, at)
        small = kind >> 16
        begin, n = (at + 4, small) if small else (at + 8, n)
        parts.append(bytes(body[begin : begin + n]))
        at = begin + n + -(begin + n) % 8
    flags, shape, name = parts
    its = struct.unpack(f"{order}{len(shape) // 4}i", shape)
    return struct.unpack_from(f"{order}I", flags)[0] & 0xFF, its, name.decode("latin1"), at


def _value(body: memoryview, order: str, level: int = 0) -> Any:
    """What a matrix holds. The arrays are views of its bytes."""
    if level > DEEPEST:
        raise ValueError(f"cells and structs lie more than {DEEPEST} levels deep in each other")
    if not body:
        return np.empty(0)
    kind, shape, _, at = _head(body, order)
    parts = list(_elements(body[at:], order))
    if kind == CELL:
        return [_value(part, order, level + 1) for _, part in parts]
    if kind in (STRUCT, OBJECT):
        return _structs([part for _, part in parts[kind == OBJECT :]], order, level)
    if kind == TEXT:
        return _text(parts[0] if parts else (2, memoryview(b"")), shape, order)
    if kind not in NUMBERS:
        raise ValueError(f"a matrix is of class {kind}, which holds no plain numbers")
    a = np.frombuffer(parts[0][1], order + TYPES[parts[0][0]])
    return a.reshape(shape, order="F")


def _structs(parts: Sequence[memoryview], order: str, level: int) -> Any:
    """A struct, or a list of them: the length of a field's name, the names, and the fields of one after the other."""
    (length,) = struct.unpack(f"{order}I", parts[0])
    text = bytes(parts[1])
    names = [text[k : k + length].split(b"\0")[0].decode("latin1") for k in range(0, len(text), max(length, 1))]
    each = [dict(zip(names, parts[k : k + len(names)], strict=True)) for k in range(2, len(parts), max(len(names), 1))]

    def fields(one: Mapping[str, memoryview]) -> Fields:
        return Fields(one, lambda name: _value(one[name], order, level + 1))

    its = [fields(one) for one in each]
    return its[0] if len(its) == 1 else its


def _text(part: tuple[int, memoryview], shape: Sequence[int], order: str) -> str:
    """A line for each row."""
    kind, raw = part
    codec = {16: "utf-8", 17: "utf-16", 18: "utf-32"}.get(kind)
    ends = "-le" if order == "<" else "-be"
    if codec:
        letters = list(bytes(raw).decode(codec + (ends if kind > 16 else "")))
    else:
        letters = [chr(c) for c in np.frombuffer(raw, order + TYPES[kind])]
    rows = shape[0] if len(shape) > 1 and shape[0] > 0 else 1
    return "\n".join("".join(letters[k::rows]) for k in range(rows))


# -- version 7.3


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise WrongUse("MATLAB 7.3 files need the library h5py.", do="pip install 'bcikit[files]'") from error
    return h5py


class _Newer:
    """A file in HDF5. What lies in other files is not followed, and what refers to itself not without end."""

    def __init__(self, file: Any) -> None:
        self.file, self.left = file, MANY

    def stored(self, parent: Any, name: str, level: int = 0) -> Any:
        """What is held under a name."""
        link = parent.get(name, getlink=True)
        if type(link).__name__ == "ExternalLink":
            raise ValueError(f"{name} lies in another file")
        return self.value(parent[name], level)

    def value(self, node: Any, level: int) -> Any:
        self.left -= 1
        if level > DEEPEST or self.left < 0:
            raise ValueError(f"cells and structs lie more than {DEEPEST} levels deep in each other, or are more than {MANY}")
        if not hasattr(node, "dtype"):
            return Fields(node, lambda n: self.stored(node, n, level + 1))
        if node.external or node.is_virtual:
            raise ValueError(f"{node.name} lies in another file")
        if node.size * node.dtype.itemsize > MOST:
            raise ValueError(f"{node.name} unpacks to more than {MOST >> 30} GiB")
        if node.attrs.get("MATLAB_empty", 0):
            return np.empty(0)
        if node.dtype.kind == "O":
            return [self.value(self.file[ref], level + 1) for ref in node[()].T.ravel(order="F")]
        a = node[()].T  # MATLAB's axes come the other way round
        if node.attrs.get("MATLAB_class") == b"char":
            return "\n".join("".join(map(chr, row)) for row in np.atleast_2d(a))
        return a
