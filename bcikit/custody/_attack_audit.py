"""The audit: having done what it does not tell."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..core.errors import BciError
from ..core.stream import Chunk
from ..ethics import audit, keys
from ..ethics.verify import verify
from .attack import S1, Field, case, raw_stream, sent

CHUNK = Chunk(np.zeros((1, 4), np.float32), 0, 0.0)


def _lived(f: Field) -> tuple[tuple[int, str], ...]:
    """Something to tell; and the receipt that the person keeps."""
    for _ in range(3):
        f.allow("view")
        _out, permit = sent(f, raw_stream(), [CHUNK] * 20, "view")
        permit.close()
        with suppress(BciError):
            f.gate().check("lsl", S1)
    f.consent.revoke("S1")
    (g,) = f.consent.grant("S1", "research", ["view"])
    said = json.loads(f.consent.receipts("S1")[g.id])["receipt"]["bcikit"]["audit"]
    return ((int(said[0]), str(said[1])),)


def _found(f: Field, anchors: tuple[tuple[int, str], ...] = (), home: Path | None = None) -> str:
    return "" if verify(home or f.home, keys.public(f.home), anchors).problems else "it verifies"


def _lines(f: Field) -> list[bytes]:
    return (f.home / "audit.jsonl").read_bytes().splitlines(True)


def _put(f: Field, lines: list[bytes], forge: bool = False) -> None:
    (f.home / "audit.jsonl").write_bytes(b"".join(lines))
    if forge:  # the count, as far as one without the device's key can
        last = json.loads(lines[-1])["hash"] if lines else audit.START
        said = json.loads((f.home / "audit.head").read_text())
        said[:3] = [len(lines), last, sum(map(len, lines))]
        (f.home / "audit.head").write_text(json.dumps(said))


_EDITS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line edited": lambda x: [*x[:2], x[2].replace(b'"what"', b'"whet"'), *x[3:]],
    "a refusal deleted": lambda x: [line for line in x if b'"refuse"' not in line],
    "the revocation deleted": lambda x: [line for line in x if b'"revoke"' not in line],
    "two lines swapped": lambda x: [*x[:1], x[2], x[1], *x[3:]],
    "a line doubled": lambda x: [*x[:3], *x[2:]],
    "cut in half": lambda x: x[: len(x) // 2],
    "the last line cut off": lambda x: x[:-1],
    "everything cut off": lambda x: [],
    "a flipped bit": lambda x: [bytes([x[0][0]]) + bytes([x[0][1] ^ 1]) + x[0][2:], *x[1:]],
    "a line added": lambda x: [*x, x[-1]],
}
for _name, _change in _EDITS.items():
    for _forge in (False, True):

        @case("audit", f"{_name}{', the count forged to fit' if _forge else ''}")
        def _(f: Field, change: Callable[[list[bytes]], list[bytes]] = _change, forge: bool = _forge) -> str:
            anchors = _lived(f)
            _put(f, change(_lines(f)), forge)
            return _found(f, anchors)


@case("audit", "written anew with other keys")
def _(f: Field) -> str:
    anchors, key = _lived(f), keys.public(f.home)
    other = f.folder / "other"
    audit.note(other, 1.0, "open")
    for name in ("audit.jsonl", "audit.head"):
        shutil.copy(other / name, f.home / name)
    return "" if verify(f.home, key, anchors).problems else "it verifies"


@case("audit", "rolled back as a whole, with its signatures")
def _(f: Field) -> str:
    f.allow("view")
    old = {name: (f.home / name).read_bytes() for name in ("audit.jsonl", "audit.head")}
    anchors = _lived(f)
    for name, raw in old.items():
        (f.home / name).write_bytes(raw)
    return _found(f, anchors)


@case("audit", "forked: the one branch shown to the holder of the other's receipt")
def _(f: Field) -> str:
    f.allow("view")
    fork = shutil.copytree(f.home, f.folder / "fork")
    anchors = _lived(f)
    audit.note(fork, 1.0, "open")
    found = _found(f, anchors, fork)
    shutil.rmtree(fork)
    return found


@case("audit", "records of sends edited")
def _(f: Field) -> str:
    _lived(f)
    path = next((f.home / "sends").iterdir())
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)
    return _found(f)


@case("audit", "records of sends removed")
def _(f: Field) -> str:
    _lived(f)
    next((f.home / "sends").iterdir()).unlink()
    return _found(f)


@case("audit", "going on with an audit that was cut")
def _(f: Field) -> str:
    _lived(f)
    _put(f, _lines(f)[:-2])
    try:
        f.gate().check("view", S1)
    except BciError:
        return ""
    return "it opened"


@case("audit", "going on with an audit that was deleted")
def _(f: Field) -> str:
    _lived(f)
    (f.home / "audit.jsonl").unlink()
    try:
        f.gate().check("view", S1)
    except BciError:
        return ""
    return "it opened"


@case("audit", "a torn last line")
def _(f: Field) -> str:
    anchors = _lived(f)
    with (f.home / "audit.jsonl").open("ab") as file:
        file.write(b'{"n":')
    f.gate().check("view", S1)
    told = any(line["what"] == "torn" for line in audit.lines(f.home))
    return "" if told and not verify(f.home, keys.public(f.home), anchors).problems else "it is not told, or does not verify"


@case("audit", "two writers at once")
def _(f: Field) -> str:
    code = (
        "import time\nfrom bcikit.ethics import audit; from bcikit.ethics.home import home\n"
        "for i in range(50): audit.note(home(), time.time(), 'open')"
    )
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    if any(c.wait(60) for c in children):
        return "a writer failed"
    v = verify(f.home, keys.public(f.home))
    return "" if not v.problems and v.lines - v.heads == 100 else "the chain broke"


@case("audit", "a disk that is full")
def _(f: Field) -> str:
    f.allow("view")
    code = (
        "import os, resource, signal\nfrom bcikit import BciError; from bcikit.ethics.gate import Gate\n"
        "from bcikit.custody.attack import S1; from bcikit.ethics.home import home\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nn = os.path.getsize(home() / 'audit.jsonl') + 50\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))\n"
        "try: Gate().check('view', S1); print('opened')\nexcept BciError: print('refused')\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return (
        "" if out.stdout.strip() == "refused" and not verify(f.home, keys.public(f.home)).problems else "it opened, or tore"
    )
