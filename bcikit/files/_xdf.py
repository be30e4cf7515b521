"""The chunks that an XDF file is made of: taken apart without losing a complete one, and put together.

Format: XDF 1.0 (https://github.com/sccn/xdf/wiki/Specifications).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from ..core.errors import FileTrouble

MAGIC = b"XDF:"
DAMAGE, FILE, HEADER, SAMPLES, OFFSET, BOUNDARY, FOOTER = range(7)  # the first is not in the format: see `walk`
BORDER = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")  # the specification's boundary, searched for after damage
HEADER_MAX = 5_000_000  # bytes of one XML header: more is an attack or a fault


_NOT_XML = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Place = tuple[int, int, int, int]  # of a chunk: tag, stream id or 0, begin and end of its content

# -- reading chunks


def walk(raw: bytes) -> tuple[list[Place], list[str]]:
    """All complete chunks, and notes on what was not. After damage, itself a place with the tag DAMAGE, it goes on behind
    the next boundary."""
    found, notes = [], []
    at = len(MAGIC)
    while at < len(raw):
        n = raw[at]
        begin = at + 1 + n
        end = begin + int.from_bytes(raw[at + 1 : begin], "little") if n in (1, 4, 8) else 0
        tag = int.from_bytes(raw[begin : begin + 2], "little")
        own = 4 if tag in (HEADER, SAMPLES, OFFSET, FOOTER) else 0
        if begin + 2 + own <= end <= len(raw) and FILE <= tag <= FOOTER:
            found.append((tag, int.from_bytes(raw[begin + 2 : begin + 2 + own], "little"), begin + 2 + own, end))
            at = end
            continue
        border = raw.find(BORDER, at)
        if border < 0:
            notes.append(f"the file ends inside a chunk: its last {len(raw) - at} bytes are left out")
            break
        notes.append(f"{border - at} damaged bytes at {at} are left out")
        found.append((DAMAGE, -1, at, border))
        at = border + len(BORDER)
    return found, notes


def number(raw: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer: (its value, where it ends). Raises ValueError."""
    n = raw[at] if at < len(raw) else 0
    if n not in (1, 4, 8) or at + 1 + n > len(raw):
        raise ValueError("no length stands here")
    return int.from_bytes(raw[at + 1 : at + 1 + n], "little"), at + 1 + n


def samples(content: bytes, dtype: np.dtype, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A chunk of numbers as the Writer writes it: (data (rows, columns), the stamps that stand in it). Raises ValueError."""
    n, at = number(content, 0)
    width = dtype.itemsize * columns
    if len(content) - at == n * (9 + width):  # each sample has its stamp
        rows = np.frombuffer(content, [("flag", "u1"), ("time", "<f8"), ("row", dtype, (columns,))], n, at)
        if (rows["flag"] == 8).all():
            return rows["row"].copy(), rows["time"].copy()
    if n > 2 and len(content) - at == n * (1 + width) + 16 and content[at] == content[-width - 9] == 8:
        last = len(content) - width
        middle = np.frombuffer(content, [("flag", "u1"), ("row", dtype, (columns,))], n - 2, at + 9 + width)
        if not middle["flag"].any():
            data = np.empty((n, columns), dtype)
            data[0] = np.frombuffer(content, dtype, columns, at + 9)
            data[1:-1] = middle["row"]
            data[-1] = np.frombuffer(content, dtype, columns, last)
            return data, np.array(
                struct.unpack("<d", content[at + 1 : at + 9]) + struct.unpack("<d", content[last - 8 : last])
            )
    raise ValueError("its length is not what its samples need")


def texts(content: bytes) -> list[tuple[float, str]]:
    """A chunk of one-channel text, each with its stamp. Raises ValueError."""
    n, at = number(content, 0)
    out = []
    for _ in range(n):
        if content[at : at + 1] != b"\x08":
            raise ValueError("a text without its stamp")
        (time,) = struct.unpack_from("<d", content, at + 1)
        length, at = number(content, at + 9)
        out.append((time, content[at : at + length].decode("utf-8", "replace")))
        at += length
    return out


def header(path: Path, raw: bytes, begin: int, end: int) -> dict[str, Any]:
    """A header's or footer's XML as nested dicts; what repeats is a list. Raises FileTrouble."""
    text = raw[begin:end]
    if len(text) > HEADER_MAX:
        raise FileTrouble(f"{path} has a header of {len(text) / 1e6:.1f} MB.", f"At most {HEADER_MAX / 1e6:g} MB are read.")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise FileTrouble(f"{path} has a header that defines entities.", "No recorder writes that; it is not read.")
    try:
        tree = _dict(ElementTree.fromstring(text.decode("utf-8", "replace")))
    except (ElementTree.ParseError, RecursionError) as error:
        raise FileTrouble(f"{path} has a damaged stream header.", str(error)) from None
    return tree if isinstance(tree, dict) else {}


def _dict(node: ElementTree.Element) -> Any:
    if not len(node):
        return node.text or ""
    out: dict[str, Any] = {}
    for child in node:
        value = _dict(child)
        if child.tag in out:
            out[child.tag] = [*out[child.tag], value] if isinstance(out[child.tag], list) else [out[child.tag], value]
        else:
            out[child.tag] = value
    return out


# -- writing chunks


def _length(n: int) -> bytes:
    return (
        b"\x01" + bytes([n])
        if n < 256
        else b"\x04" + n.to_bytes(4, "little")
        if n < 2**32
        else b"\x08" + n.to_bytes(8, "little")
    )


def chunk(tag: int, content: bytes, stream: int | None = None) -> bytes:
    body = tag.to_bytes(2, "little") + (b"" if stream is None else stream.to_bytes(4, "little")) + content
    return _length(len(body)) + body


def packed(data: np.ndarray, times: np.ndarray) -> bytes:
    """The content of a Samples chunk: as many stamps as rows, or those of the first and the last."""
    n = len(data)
    row = np.dtype((data.dtype.newbyteorder("<"), (data.shape[1],)))
    if len(times) == n:
        out = np.empty(n, [("flag", "u1"), ("time", "<f8"), ("row", row)])
        out["flag"], out["time"], out["row"] = 8, times, data
        return _length(n) + out.tobytes()
    out = np.zeros(n - 1, [("row", row), ("flag", "u1")])
    out["row"], out["flag"][-1] = data[:-1], 8
    first, last = (struct.pack("<d", t) for t in times)
    return b"".join((_length(n), b"\x08", first, out.tobytes(), last, np.asarray(data[-1], row.base).tobytes()))


def packed_texts(items: list[tuple[float, str]]) -> bytes:
    parts = [_length(len(items))]
    for time, text in items:
        said = text.encode("utf-8", "replace")
        parts += [b"\x08", struct.pack("<d", time), _length(len(said)), said]
    return b"".join(parts)


def xml(name: str, value: Any) -> str:
    """Plain values as XML; a list repeats its element."""
    if isinstance(value, list):
        return "".join(xml(name, v) for v in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(xml(k, v) for k, v in value.items())}</{name}>"
    return f"<{name}>{escape(_NOT_XML.sub('�', str(value)))}</{name}>"
