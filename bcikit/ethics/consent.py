"""Who allowed what, for how long: grants, signed with this device's key so that an edited file allows nothing.

    consent.json   all grants and revocations, one signed document, replaced as a whole
    consent.epoch  a counter that each revocation raises, watched by every running permit; and the latest time seen
    consent.lock   held by whoever changes the document

The order within `revoke` (document, counter, wait for sends under way, disk) leaves no moment at which a crash brings a
revoked grant back: a document older than the counter allows nothing, a newer one raises the counter.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakSet

from ..core.errors import BciError, NotConsented, WrongUse, nearest
from ..core.label import Label
from . import audit, keys
from .home import home as default_home
from .home import made, replace_file, settle

try:
    import fcntl
except ImportError:  # Windows: a revocation waits out the longest send instead (see `drain`)
    fcntl = None  # type: ignore[assignment]

LOCAL = ("view", "record", "effector", "train")
LEAVING = ("lsl", "network", "export", "model")  # a model file carries what was learnt of a person, and is made to travel
SINKS = LOCAL + LEAVING
PURPOSES = ("research", "personal", "education", "clinical")
DAYS = 365.0  # how long a grant lasts where nothing else is said
SEND_S = 0.005  # the longest that one send may take
DRAIN_S = 2.0  # how long a revocation waits for a send that breaks that rule before it says so
ME = "me"


class Running(Protocol):
    """An open permit: told of a revocation in its own process, so that its sink closes before `revoke` returns."""

    def look(self) -> None: ...


running: WeakSet[Running] = WeakSet()

_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")  # DATASET/PERSON too
_EPOCH = struct.Struct("<Qd")  # revocations so far; the latest time seen


@dataclass(frozen=True)
class Grant:
    """subject allows sinks for a purpose. when, expires: seconds since 1970. by: `self` (asked at this terminal) or
    `operator` (typed by whoever runs the program, who answers for it)."""

    subject: str
    purpose: str
    sinks: tuple[str, ...]
    when: float
    expires: float
    by: str


def command(subject: str, purpose: str, sinks: Iterable[str]) -> str:
    """The command line that grants it."""
    return f"bcikit consent grant {subject} --purpose {purpose}" + "".join(f" --sink {s}" for s in sinks)


class Epoch:
    """The counter of revocations, shared by all processes of this user."""

    def __init__(self, home: Path) -> None:
        self._fd = os.open(made(home) / "consent.epoch", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(self._fd).st_size < _EPOCH.size:
                os.ftruncate(self._fd, _EPOCH.size)
            self._map = mmap.mmap(self._fd, _EPOCH.size)
        except BaseException:
            os.close(self._fd)
            raise

    def count(self) -> int:
        return int.from_bytes(self._map[:8], "little")

    def set_count(self, count: int) -> None:
        self._map[:8] = count.to_bytes(8, "little")

    def seen(self) -> float:
        return float(_EPOCH.unpack(self._map[:])[1])

    def see(self, when: float) -> None:
        self._map[8:] = struct.pack("<d", when)

    def there(self) -> bool:
        """Whether the file still is the one that others would raise: False once it was removed."""
        return os.fstat(self._fd).st_nlink > 0

    def enter(self) -> None:
        """A send begins: from here to `leave` no revocation returns."""
        if fcntl:
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def leave(self) -> None:
        if fcntl:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def drain(self) -> bool:
        """Wait until no send is under way anywhere; False where one does not end."""
        if not fcntl:
            time.sleep(10 * SEND_S)
            return True
        until = time.monotonic() + DRAIN_S
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    return False
                time.sleep(0.0002)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
                return True

    def flush(self) -> None:
        self._map.flush()

    def close(self) -> None:
        self._map.close()
        os.close(self._fd)


class Consent:
    """The consents kept under `home` ($BCIKIT_HOME by default). wall: what tells the time of day."""

    def __init__(self, home: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self.home = home or default_home()
        self._wall = wall

    # -- asking

    def grants(self) -> tuple[Grant, ...]:
        """What is allowed at this moment. Raises NotConsented where the document was edited, cut or rolled back."""
        kept, now = self._read()
        return tuple(g for g in kept["grants"] if g.when <= now < g.expires)

    def covering(self, subject: str, purpose: str, sink: str) -> Grant | None:
        """The grant that allows it the longest, or None."""
        found = [g for g in self.grants() if g.subject == subject and g.purpose == purpose and sink in g.sinks]
        return max(found, key=lambda g: g.expires, default=None)

    def revoked(self) -> frozenset[str]:
        """Everyone who ever took back a local sink: not even a replay of their recordings goes without a new grant."""
        return frozenset(self._read()[0]["revoked"])

    def label(self, subject: str) -> Label:
        """The label of a live stream of this person: for what purposes it may be used."""
        checked_subject(subject)
        return Label(
            subjects=frozenset({subject}), purposes=frozenset(g.purpose for g in self.grants() if g.subject == subject)
        )

    def now(self) -> float:
        """The time of day, never earlier than it was seen before: a clock put back makes no grant live longer."""
        epoch = Epoch(self.home)
        try:
            now = max(self._wall(), epoch.seen())
            epoch.see(now)
        finally:
            epoch.close()
        return now

    # -- changing

    def grant(
        self, subject: str, purpose: str, sinks: Iterable[str], days: float = DAYS, by: str = "operator"
    ) -> tuple[Grant, ...]:
        """Allow it. Each leaving sink becomes a grant of its own, never bundled with others."""
        checked_subject(subject)
        sinks = tuple(dict.fromkeys(sinks))
        for given, known, what in ((sinks, SINKS, "sink"), ((purpose,), PURPOSES, "purpose")):
            for name in given:
                if name not in known:
                    raise WrongUse(
                        f"There is no {what} {name!r}.", f"There are {', '.join(known)}.", nearest(name, list(known))
                    )
        if not sinks:
            raise WrongUse("This grant names no sink.", do=command(subject, purpose, ["view"]))
        if not 0 < days <= 3660:
            raise WrongUse(f"A grant cannot last {days:g} days.", "It can last more than 0 and at most 3660.")
        with self._changing(forgive=True) as (kept, now, _):
            local = tuple(s for s in sinks if s in LOCAL)
            bundles = ([local] if local else []) + [(s,) for s in sinks if s in LEAVING]
            new = tuple(Grant(subject, purpose, bundle, now, now + days * 86400, by) for bundle in bundles)
            kept["grants"] += new
            for g in new:
                audit.note(self.home, now, "grant", **asdict(g))
        return new

    def revoke(self, subject: str, purpose: str | None = None, sinks: Iterable[str] = ()) -> tuple[Grant, ...]:
        """Take back all grants of a subject, or those for a purpose or with one of the sinks. When it has returned,
        nothing leaves through them any more, in this process or another. Returns what was taken back."""
        checked_subject(subject)
        sinks = set(sinks)
        with self._changing(forgive=False) as (kept, now, epoch):
            gone, left = [], []
            for g in kept["grants"]:
                taken = g.sinks if g.subject == subject and purpose in (None, g.purpose) else ()
                taken = tuple(s for s in taken if not sinks or s in sinks)
                rest = tuple(s for s in g.sinks if s not in taken)
                gone += [replace(g, sinks=taken)] if taken else []
                left += [replace(g, sinks=rest)] if rest else []
            kept["grants"] = left
            if not sinks or sinks & set(LOCAL):
                kept["revoked"][subject] = now
            kept["epoch"] = epoch.count() + 1
            audit.note(self.home, now, "revoke", subject=subject, purpose=purpose, sinks=sinks, grants=len(gone))
        for permit in tuple(running):
            permit.look()
        return tuple(gone)

    # -- the document

    def _read(self) -> tuple[dict[str, Any], float]:
        now = self.now()
        epoch = Epoch(self.home)
        try:
            kept = self._document(epoch)
            if now < kept["seen"]:
                now = kept["seen"]
            return kept, now
        finally:
            epoch.close()

    def _document(self, epoch: Epoch) -> dict[str, Any]:
        """What is kept, verified. A document newer than the counter raises it: its revocation was cut short."""
        path = self.home / "consent.json"
        void = "All grants in it are void."
        mend = "Give them anew: bcikit consent grant SUBJECT --purpose research --sink view"
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            if epoch.count():
                raise NotConsented(f"{path} is missing, though something was revoked.", void, mend) from None
            return {"epoch": 0, "seen": 0.0, "grants": [], "revoked": {}}
        try:
            signed = json.loads(text)
            body = signed["body"]
            if not keys.verify(_bytes(body), "consent", signed["signature"], self.home):
                raise ValueError("not signed")
            kept: dict[str, Any] = {
                "epoch": int(body["epoch"]),
                "seen": float(body["seen"]),
                "grants": [Grant(**{**g, "sinks": tuple(g["sinks"])}) for g in body["grants"]],
                "revoked": dict(body["revoked"]),
            }
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise NotConsented(
                f"{path} was edited or damaged: this device did not sign what it says.", void, mend
            ) from error
        if kept["epoch"] < epoch.count():
            raise NotConsented(f"{path} is older than the last revocation.", void, mend)
        if kept["epoch"] > epoch.count():
            epoch.set_count(kept["epoch"])
        return kept

    @contextmanager
    def _changing(self, forgive: bool) -> Iterator[tuple[dict[str, Any], float, Epoch]]:
        """The document to change, written and signed at the end. forgive: begin anew where it can no longer be read,
        keeping the bad one beside it."""
        path = made(self.home) / "consent.json"
        epoch = Epoch(self.home)
        lock = turnstile(self.home)
        try:
            now = self.now()
            try:
                kept = self._document(epoch)
            except NotConsented:
                if not forgive:
                    self._stop(epoch, epoch.count() + 1)
                    raise
                if path.exists():
                    os.replace(path, path.with_name("consent.json.void"))
                kept = {"epoch": epoch.count() + 1, "seen": 0.0, "grants": [], "revoked": {}}
            now = kept["seen"] = max(now, kept["seen"])
            yield kept, now, epoch
            body = {**kept, "grants": [asdict(g) for g in kept["grants"]]}
            signature = keys.sign(_bytes(body), "consent", self.home)
            replace_file(path, json.dumps({"body": body, "signature": signature}, indent=1).encode())
            if kept["epoch"] != epoch.count():
                self._stop(epoch, kept["epoch"])
            epoch.flush()
            settle(self.home)
        finally:
            os.close(lock)
            epoch.close()

    def _stop(self, epoch: Epoch, count: int) -> None:
        epoch.set_count(count)
        if not epoch.drain():
            raise BciError(
                "The grant is taken back, but a sink is still inside its last send.",
                f"It has been for {DRAIN_S:g} s; a send may take {SEND_S * 1000:g} ms.",
                "End that program.",
            )


def turnstile(home: Path) -> int:
    """Waits until no one is changing the document, and keeps others from it until the descriptor is closed."""
    fd = os.open(made(home) / "consent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl:
        fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _bytes(body: Any) -> bytes:
    return json.dumps(body, sort_keys=True, ensure_ascii=True, default=asdict).encode()


def checked_subject(subject: str) -> None:
    """Raises WrongUse where a subject's name is not one: plain letters, so that no two look alike."""
    if not _SUBJECT.fullmatch(subject):
        raise WrongUse(
            f"{subject!r} cannot name a subject.",
            "It is 1 to 100 plain letters, digits, '.', '_', '-' and '/', best a pseudonym.",
            "For example S1.",
        )


def ask_first_use(kinds: Iterable[str], home: Path | None = None, purpose: str = "research") -> str:
    """The person at the terminal, who is asked once, in one short page, for all local sinks; then known as `me`.

    kinds: of the sinks wanted; leaving ones are never asked for here. Raises NotConsented, with the command that grants
    it, where there is no terminal or the answer is not yes."""
    kinds = tuple(dict.fromkeys(kinds))
    consent = Consent(home)
    wanted = [k for k in kinds if k in LOCAL and not consent.covering(ME, purpose, k)]
    if not wanted:
        return ME
    do = command(ME, purpose, wanted)
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotConsented(
            "Nobody has said that these signals may be used.",
            "A live board needs the consent of the person at it, and there is no terminal to ask at. For somebody else:"
            " the same with a name in the place of 'me', and --subject NAME.",
            do,
        )
    said = {"view": "show them", "record": "record them", "effector": "move what they control", "train": "learn from them"}
    print(
        "These signals come from your body and can tell things about you.\n"
        f"May this computer {', '.join(said[k] for k in wanted)}, for {purpose}, for a year?\n"
        "Nothing leaves this computer. Take it back at any time: bcikit consent revoke me",
        file=sys.stderr,
    )
    print("Type yes to allow it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConsented("You did not allow it, so nothing was opened.", do=do)
    consent.grant(ME, purpose, wanted, by="self")
    return ME
