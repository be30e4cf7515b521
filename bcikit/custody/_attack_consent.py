"""Consent and time: making what was not allowed look allowed, or what was taken back last."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BciError, NotConsented
from ..core.label import Label
from ..core.stream import Chunk
from ..ethics import keys, store
from ..ethics.consent import Consent
from ..ethics.gate import Gate, Permit
from ..ethics.judge import judge
from .attack import S1, Field, Out, case, raw_stream

YEAR = 365 * 86_400.0
CHUNK = Chunk(np.zeros((1, 4), np.float32), 0, 0.0)


def opens(f: Field, kind: str = "view", label: Label = S1) -> str:
    """Whether the Gate opens."""
    try:
        f.gate().check(kind, label)
    except BciError:
        return ""
    return "it opened"


def sql(f: Field, change: str) -> None:
    with closing(sqlite3.connect(f.home / "consent.db")) as db:
        db.executescript(change)


def edit_receipts(home: Path, old: str, new: str) -> bool:
    """Edit what is sealed in the receipts, as one who holds the machine could; whether anything was changed."""
    changed = False
    with closing(sqlite3.connect(home / "consent.db")) as db, db:
        for one, tag, sealed in db.execute("SELECT id, tag, body FROM receipts").fetchall():
            text = keys.unseal(tag, sealed, home).decode()
            changed |= old in text
            sealed = keys.seal(tag, text.replace(old, new).encode(), home)
            db.execute("UPDATE receipts SET body = ? WHERE id = ?", (sealed, one))
    return changed


def at_rest(home: Path) -> Path:
    """The consents, all in the one file, which nobody has open."""
    store.rest(home / "consent.db")
    return home / "consent.db"


# -- the store


@case("consent", "no grant at all")
def _(f: Field) -> str:
    return opens(f) or opens(f, "lsl")


@case("consent", "a grant that the operator types for the network")
def _(f: Field) -> str:
    with suppress(NotConsented):
        f.consent.grant("S1", "research", ["network"])
    return opens(f, "network")


@case("consent", "a grant for the network with a guessed passphrase")
def _(f: Field) -> str:
    f.consent.enrol("S1", "an orange horse")
    for guess in ("password", "an orange", "an orange horse ", "AN ORANGE HORSE"):
        with suppress(NotConsented):
            f.consent.grant("S1", "research", ["network"], passphrase=guess)
    return opens(f, "network")


@case("consent", "the person's key replaced by one of the operator's")
def _(f: Field) -> str:
    f.consent.enrol("S1", "an orange horse")
    with suppress(NotConsented):
        f.consent.enrol("S1", "the operator's")
    with suppress(NotConsented):
        f.consent.grant("S1", "research", ["network"], passphrase="the operator's")
    return opens(f, "network")


@case("consent", "a minor's grant typed by the operator")
def _(f: Field) -> str:
    f.consent.enrol("S1", "guardian's words", guardian="G1")
    with suppress(NotConsented):
        f.allow("view")
    return opens(f)


for _name, _old, _new in (
    ("a sink changed", '["view"]', '["record"]'),
    ("the name changed", '"S1"', '"S2"'),
    ("the time stretched", '"not_after": 1', '"not_after": 9'),
    ("called signed by the person", '"operator"', '"person"'),
    ("the level lowered", '"RAW"', '"SIGNAL"'),
    ("the nonce changed", '"nonce": "', '"nonce": "0'),
    ("the device changed", '"audience": "', '"audience": "0'),
):

    @case("consent", f"a receipt edited: {_name}")
    def _(f: Field, old: str = _old, new: str = _new) -> str:
        f.allow("view")
        if not edit_receipts(f.home, old, new):
            return "the case itself failed: nothing was edited"
        s2 = replace(S1, subjects=frozenset({"S2"}))
        return opens(f) or opens(f, "record") or opens(f, "view", s2) or opens(f, "lsl")


@case("consent", "a sink added to what stands")
def _(f: Field) -> str:
    f.allow("view")
    sql(f, """UPDATE state SET body = replace(body, '["view"]', '["view", "record"]')""")
    return opens(f) or opens(f, "record")


@case("consent", "a receipt with the signature of something else")
def _(f: Field) -> str:
    f.allow("view")
    sql(f, "UPDATE receipts SET signature = (SELECT signature FROM state)")
    return opens(f)


@case("consent", "flipped bits of the signed state")
def _(f: Field) -> str:
    f.allow("view")
    with closing(sqlite3.connect(f.home / "consent.db")) as db:
        ((body, _signature),) = db.execute("SELECT body, signature FROM state").fetchall()
    for _try in range(60):
        hurt = bytearray(body, "ascii")
        hurt[int(f.rng.integers(len(hurt)))] ^= 1 << int(f.rng.integers(7))
        with closing(sqlite3.connect(f.home / "consent.db")) as db, db:
            db.execute("UPDATE state SET body = ?", (hurt.decode("ascii", "replace"),))
        if hurt != body.encode() and opens(f):
            return "a flipped bit"
    return ""


@case("consent", "a replayed receipt after it was taken back")
def _(f: Field) -> str:
    f.allow("view")
    with closing(sqlite3.connect(f.home / "consent.db")) as db:
        rows = db.execute("SELECT * FROM receipts").fetchall()
    f.consent.revoke("S1")
    with closing(sqlite3.connect(f.home / "consent.db")) as db, db:
        db.executemany("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?)", rows)
    return opens(f)


@case("consent", "the store as it was before the revocation")
def _(f: Field) -> str:
    f.allow("view")
    old = at_rest(f.home).read_bytes()
    f.consent.revoke("S1")
    at_rest(f.home).write_bytes(old)
    return opens(f)


@case("consent", "the store deleted after a revocation")
def _(f: Field) -> str:
    f.allow("view")
    f.consent.revoke("S1")
    at_rest(f.home).unlink()
    return opens(f) or opens(f, "view", replace(S1, recorded=True))


@case("consent", "a store of another device")
def _(f: Field) -> str:
    other = Consent(f.folder / "other")
    other.grant("S1", "research", ["view"])
    shutil.copy(at_rest(f.folder / "other"), f.home / "consent.db")
    return opens(f)


@case("consent", "the key of the device readable by others")
def _(f: Field) -> str:
    f.allow("view")
    (f.home / "device.key").chmod(0o644)
    return opens(f)


@case("consent", "a subject whose name looks like another's")
def _(f: Field) -> str:
    f.allow("view")
    return opens(f, "view", replace(S1, subjects=frozenset({"Ѕ1"}))) or opens(
        f, "view", replace(S1, subjects=frozenset({"S1 "}))
    )


# -- time


class _Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@case("time", "the clock put back a year after a grant ran out")
def _(f: Field) -> str:
    clock = _Clock(1.8e9)
    Consent(f.home, clock).grant("S1", "research", ["view"], days=30)
    clock.now += 31 * 86_400
    Gate(f.home, wall=clock).consent.now()
    clock.now -= YEAR
    with suppress(NotConsented):
        Gate(f.home, wall=clock).check("view", S1)
        return "it opened"
    return ""


@case("time", "a grant that begins in the future")
def _(f: Field) -> str:
    clock = _Clock(1.8e9)
    consent = Consent(f.home, clock)
    consent.grant("S1", "research", ["view"])
    (g,) = consent.grants()
    facts = replace(consent.facts(["S1"]), grants=(replace(g, when=g.when + 1e6),))
    with suppress(NotConsented):
        judge("view", S1, "research", facts)
        return "it opened"
    return ""


@case("time", "a label that has run out, or never will for nonsense")
def _(f: Field) -> str:
    f.allow("view")
    ends: tuple[Any, ...] = (time.time() - 1, float("nan"), float("inf"), "never")
    return next((far for end in ends if (far := opens(f, "view", replace(S1, expires=end)))), "")


# -- revocation


@case("revocation", "a sink that goes on after it")
def _(f: Field) -> str:
    f.allow("effector")
    out = Out("effector")
    permit = f.open(out, raw_stream())
    permit.send(CHUNK)
    f.consent.revoke("S1")
    with suppress(NotConsented):
        permit.send(CHUNK)
    return "" if len(out.got) == 1 and out.safe_said else "a chunk"


@case("revocation", "saturated senders in threads")
def _(f: Field) -> str:
    late = 0
    for _turn in range(10):
        f.allow("view")
        outs = [Out("view") for _ in range(3)]
        permits = [f.open(out, raw_stream()) for out in outs]

        def pump(permit: Permit) -> None:
            with suppress(BciError):
                while True:
                    permit.send(CHUNK)

        threads = [threading.Thread(target=pump, args=(p,)) for p in permits]
        for t in threads:
            t.start()
        time.sleep(float(f.rng.uniform(0, 0.02)))
        f.consent.revoke("S1")
        at_return = sum(len(out.got) for out in outs)
        for t in threads:
            t.join(10)
        late += sum(len(out.got) for out in outs) - at_return
    return f"{late} chunks" if late else ""


@case("revocation", "while a send blocks")
def _(f: Field) -> str:
    class Slow(Out):
        def send(self, c: Chunk) -> None:
            time.sleep(0.05)
            super().send(c)

    f.allow("view")
    out = Slow("view")
    permit = f.open(out, raw_stream())
    thread = threading.Thread(target=lambda: permit.send(CHUNK))
    thread.start()
    time.sleep(0.01)
    f.consent.revoke("S1")
    at_return = len(out.got)
    thread.join()
    return "a chunk" if len(out.got) != at_return else ""


_SENDER = (
    "import os, sys\nfrom bcikit.custody._attack_consent import CHUNK, S1, raw_stream\n"
    "from bcikit import NotConsented, Sink\n"
    "from bcikit.ethics.gate import Gate\nimport time\n"
    "class O(Sink):\n    kind = 'view'\n    def send(self, c): os.write(1, b'%.9f\\n' % time.monotonic())\n"
    "p = Gate().open(O(), raw_stream())\n"
    "try:\n    while True: p.send(CHUNK)\nexcept NotConsented: pass\n"
)


@case("revocation", "a sender in another process")
def _(f: Field) -> str:
    f.allow("view")
    with (f.folder / "out").open("wb") as out:
        child = subprocess.Popen([sys.executable, "-c", _SENDER], stdout=out, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while (f.folder / "out").stat().st_size < 2000 and time.monotonic() < until:
            time.sleep(0.005)
        f.consent.revoke("S1")
        returned = time.monotonic()
        child.wait(20)
    finally:
        child.kill()
        child.wait()
    sends = [float(x) for x in (f.folder / "out").read_text().split()]
    late = sum(t > returned for t in sends)
    return "nothing was sent at all" if not sends else f"{late} chunks" if late else ""


@case("revocation", "killed in the middle of it")
def _(f: Field) -> str:
    code = "from bcikit.ethics.consent import Consent\nprint('go', flush=True)\n"
    code += "Consent().revoke('S1')\nprint('done', flush=True)"
    for _turn in range(4):
        f.allow("view")
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(float(f.rng.uniform(0, 0.03)))
        child.send_signal(signal.SIGKILL)
        done = "done" in child.stdout.read()
        child.wait()
        child.stdout.close()
        f.consent.grants()  # can be read
        if done and opens(f):
            return "a grant that was taken back"
    return ""


@case("revocation", "grants and revocations in a storm")
def _(f: Field) -> str:
    def storm() -> None:
        for _ in range(10):
            with suppress(BciError):
                f.allow("view")
                f.consent.revoke("S1")

    threads = [threading.Thread(target=storm) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    f.consent.revoke("S1")
    return opens(f)


@case("revocation", "the counter of revocations put back")
def _(f: Field) -> str:
    f.allow("view")
    old = (f.home / "consent.epoch").read_bytes()
    f.consent.revoke("S1")
    (f.home / "consent.epoch").write_bytes(old)
    return opens(f)


@case("revocation", "everything removed while a sink is open")
def _(f: Field) -> str:
    f.allow("view")
    out = Out("view")
    permit = f.open(out, raw_stream())
    shutil.rmtree(f.home)
    until = time.monotonic() + 2
    with suppress(BciError, OSError):
        while time.monotonic() < until:
            permit.send(CHUNK)
            time.sleep(0.01)
        return "it went on for two seconds"
    return ""
