"""Files and models: bombs, traversal, pickles under other names, headers that lie, numbers that are none; and labels."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.find import parts
from ..core.label import DECLASSIFIERS
from ..decode._model import FORMAT, fingerprint, load
from ..ethics import keys
from ..files.read import read
from ..files.sealed import LENGTH, MAGIC
from ..files.xdf import Writer
from .attack import S1, Field, case, raw_stream

_hooked: list[str] = []
_armed = False


class _Bomb:
    """What a pickle would run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def _unpickled(f: Field, make: Callable[[Path], None], name: str, load_it: Callable[[Path], Any] = read) -> str:
    """Whether loading a hostile file looked up anything for a pickle (an audit event of Python's), or ran it."""
    global _armed
    if not _armed:
        sys.addaudithook(lambda event, args: _hooked.append(event) if event == "pickle.find_class" else None)
        _armed = True
    (path := f.folder / name).parent.mkdir(exist_ok=True)
    make(path)
    _hooked.clear()
    with suppress(BciError):
        load_it(path)
    return "a pickle was looked into" if _hooked or (f.folder / "ran").exists() else ""


for _suffix in (".xdf", ".npy", ".npz", ".csv", ".edf", ".fif", ".txt", ".sealed", ".set", ".bdf", ".vhdr"):

    @case("files", f"a pickle named {_suffix}")
    def _(f: Field, suffix: str = _suffix) -> str:
        return _unpickled(f, lambda p: _write(p, pickle.dumps(_Bomb(f.folder / "ran"))), f"x{suffix}", _read)


def _write(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)


def _read(path: Path) -> None:
    """Any error of a reader that is told in our words, or of the library that it uses, is a refusal."""
    with suppress(BciError, ValueError, OSError, KeyError, RuntimeError, IndexError, TypeError, NotImplementedError):
        read(path)


@case("files", "a pickle inside of an array file")
def _(f: Field) -> str:
    def make(path: Path) -> None:
        np.save(path, np.array([_Bomb(f.folder / "ran")], dtype=object), allow_pickle=True)

    return _unpickled(f, make, "x.npy", _read)


@case("files", "a pickle inside of an archive of arrays")
def _(f: Field) -> str:
    def make(path: Path) -> None:
        np.savez(path, data=np.array([_Bomb(f.folder / "ran")], dtype=object))

    return _unpickled(f, make, "x.npz", _read)


@case("files", "an archive that unpacks a thousandfold")
def _(f: Field) -> str:
    path = f.folder / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 8)})
        z.writestr("data.npy", head.getvalue() + bytes(10**6))
    return _answered(path)


@case("files", "a compressed file that unpacks a thousandfold")
def _(f: Field) -> str:
    path = f.folder / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 10**7))
    return _answered(path)


def _answered(path: Path) -> str:
    """Whether the file is told to be none, in words."""
    try:
        read(path)
    except (BciError, ValueError):
        return ""
    return "it was taken for a recording"


for _name, _raw in {
    "a length beyond the file": b"XDF:\x08" + b"\xff" * 8 + b"\x02\x00",
    "a header of gigabytes": MAGIC + LENGTH.pack(2**31 - 1) + b"{",
    "a header that names another folder's key": MAGIC + LENGTH.pack(38) + b'{"key": "0000", "tags": ["../../../x"]}',
    "XML that grows": b'XDF:\x01\xff\x01\x00<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
}.items():

    @case("files", f"a recording: {_name}")
    def _(f: Field, raw: bytes = _raw) -> str:
        (path := f.folder / "x.xdf").write_bytes(raw)
        return _answered(path)


def _recorded(f: Field) -> Path:
    path = f.folder / "r.sealed"
    writer = Writer(path, raw_stream(), sealed=True)
    for i in range(5):
        c = f.raw()
        writer.write(c.but(first=250 * i))
    writer.close()
    return path


@case("files", "a recording of somebody who was erased")
def _(f: Field) -> str:
    path = _recorded(f)
    keys.destroy("S1")
    return _answered(path)


@case("files", "a recording opened with another device's keys")
def _(f: Field) -> str:
    path = _recorded(f)
    shutil.rmtree(f.home / "keys")
    (f.home / "root.key").unlink()
    return _answered(path)


@case("files", "a frame of a recording replaced by an earlier one")
def _(f: Field) -> str:
    path = _recorded(f)
    raw = path.read_bytes()
    at = len(MAGIC) + LENGTH.size + LENGTH.unpack_from(raw, len(MAGIC))[0]
    ends = [at]
    while ends[-1] < len(raw):
        ends.append(ends[-1] + LENGTH.size + (LENGTH.unpack_from(raw, ends[-1])[0] & 0x7FFFFFFF))
    a, b, c, d = ends[1], ends[2], ends[3], ends[4]
    path.write_bytes(raw[:c] + raw[a:b] + raw[d:])
    return _answered(path)


@case("files", "samples readable in an encrypted recording")
def _(f: Field) -> str:
    path = f.folder / "r.sealed"
    writer, c = Writer(path, raw_stream(), sealed=True), f.raw()
    writer.write(c)
    writer.close()
    raw, plain = path.read_bytes(), c.data.tobytes()
    return "samples" if any(plain[i : i + 12] in raw for i in range(0, 400, 12)) or b"subjects" in raw else ""


@case("files", "a file over one that is there, through a link")
def _(f: Field) -> str:
    (target := f.folder / "precious").write_bytes(b"x")
    (link := f.folder / "r.xdf").symlink_to(target)
    with suppress(BciError):
        Writer(link, raw_stream()).close()
    return "it was written over" if target.read_bytes() != b"x" else ""


# -- models


def _model(f: Field, said: dict[str, Any], arrays: bytes) -> Path:
    (folder := f.folder / "model").mkdir()
    (folder / "model.json").write_text(json.dumps(said))
    (folder / "arrays.safetensors").write_bytes(arrays)
    return folder


def _loaded(folder: Path) -> str:
    try:
        load(folder)
    except BciError:
        return ""
    return "it was loaded"


def _hostile_models(f: Field) -> dict[str, tuple[dict[str, Any], bytes]]:
    from safetensors.numpy import save

    def said(arrays: bytes, **more: Any) -> dict[str, Any]:
        whole = {"format": FORMAT, "rate_hz": 250.0, "channels": [], "recipe": {}, "learned": {}} | more
        return {**whole, "sha256": fingerprint(whole, arrays)}

    empty = save({})
    huge = struct.pack("<Q", 2**60) + b"{}"
    shape = {"__array__": "a0", "shape": [2**40]}
    one = save({"a0": np.zeros(3, np.float32)})
    evil = {"__class__": "os:system", "vars": {}}
    return {
        "a pickle for its arrays": (said(pickle.dumps(1)), pickle.dumps(_Bomb(f.folder / "ran"))),
        "an oversized header": (said(huge), huge),
        "a class from outside of the list": (
            said(empty, learned={"stages": [evil]}, recipe={"stage": "pipeline", "stages": []}),
            empty,
        ),
        "a shape of terabytes": (said(one, recipe={"stage": "notch"}, learned={"x_": shape}), one),
        "a stage that is a module": (said(empty, recipe={"stage": "os.system"}), empty),
        "a recipe nested without end": (said(empty, recipe=_nested(400)), empty),
        "arrays of another model": (said(empty), one),
        "a format of the future": (said(empty, format=99), empty),
    }


def _nested(n: int) -> dict[str, Any]:
    recipe: dict[str, Any] = {"stage": "notch"}
    for _ in range(n):
        recipe = {"stage": "pipeline", "stages": [recipe]}
    return recipe


for _name in (
    "a pickle for its arrays",
    "an oversized header",
    "a class from outside of the list",
    "a shape of terabytes",
    "a stage that is a module",
    "a recipe nested without end",
    "arrays of another model",
    "a format of the future",
):

    @case("models", f"a model: {_name}")
    def _(f: Field, name: str = _name) -> str:
        said, arrays = _hostile_models(f)[name]
        folder = _model(f, said, arrays)
        looked = _unpickled(f, lambda p: None, "model", load)
        return looked or _loaded(folder)


# -- labels


@case("labels", "through every stage there is")
def _(f: Field) -> str:
    """Each stage's own examples, on its own input, with a person's label: nothing of it is lost."""
    lost = []
    for name, cls in parts("stage").items():
        for example in cls.examples():
            stage, given = example if isinstance(example, tuple) else (example, None)
            stream = raw_stream() if given is None else given.stream.but(label=S1)
            try:
                out = stage.start(stream).label
            except BciError:
                continue
            registered = type(stage).__module__ in DECLASSIFIERS
            if out.subjects != S1.subjects or out.simulated or out.recorded or not out.inferences >= S1.inferences:
                lost.append(name)
            elif out.purposes != S1.purposes or (out.level > S1.level and not registered):
                lost.append(name)
    return ", ".join(lost)


@case("labels", "joined in every order")
def _(f: Field) -> str:
    other = replace(S1, subjects=frozenset({"S2"}), purposes=frozenset({"education"}), inferences=frozenset({"speech"}))
    for a, b in ((S1, other), (other, S1)):
        j = a.join(b)
        if j.subjects != {"S1", "S2"} or j.purposes or j.inferences != {"speech"} or j.level != min(a.level, b.level):
            return f"{j}"
    return ""
