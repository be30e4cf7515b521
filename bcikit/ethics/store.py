"""Where consents are kept: receipts and the state of things in SQLite, both signed; and the counter that every permit
watches.

    consent.db     `receipts`: each grant as it was signed, never changed, sealed with the subject's key. `state`: one row,
                   signed by this device: which receipts stand, who revoked, whose keys are known, which policies hold.
                   Nobody is named in it but by tags
    consent.epoch  a bell that each change rings; the number of revocations; the latest time seen. Watched by every permit
    consent.lock   held by whoever changes the state

The order within a change (bell, state, counter, wait for sends under way, disk) leaves no moment at which a crash brings a
revoked grant back: a state older than the counter allows nothing, a newer one raises the counter.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import mmap
import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import BciError, FileTrouble, NotConsented
from . import keys
from .home import made
from .redlines import Grant

try:
    import fcntl
except ImportError:  # Windows: a revocation waits out the longest send instead (see `drain`)
    fcntl = None  # type: ignore[assignment]

SEND_S = 0.005  # the longest that one send may take
DRAIN_S = 2.0  # how long a revocation waits for a send that breaks that rule before it says so
MEND = "Give them anew: bcikit consent grant SUBJECT --purpose research --sink view"
_EPOCH = struct.Struct("<QdQ")  # revocations so far; the latest time seen; rings of the bell
_TABLES = """
CREATE TABLE IF NOT EXISTS receipts (id TEXT PRIMARY KEY, tag TEXT NOT NULL, body BLOB NOT NULL, signature TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL, signature TEXT NOT NULL);
"""


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
        self._map[8:16] = struct.pack("<d", when)

    def bell(self) -> bytes:
        """Differs after each change; what every send compares."""
        return self._map[16:24]

    def ring(self) -> None:
        """Every permit decides anew before its next send, once the change is done."""
        self._map[16:24] = ((int.from_bytes(self.bell(), "little") + 1) % 2**64).to_bytes(8, "little")

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

    def close(self) -> None:
        self._map.close()
        os.close(self._fd)


@dataclass
class Kept:
    """What stands. revoked: {tag: when} of who ever took back a local sink. people: {tag: {salt, key, guardian}}.
    policies: {"" or a person's tag: text}. counter: of all grants ever given. new: receipts to be added."""

    epoch: int = 0
    counter: int = 0
    seen: float = 0.0
    grants: list[Grant] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, float] = field(default_factory=dict)
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    new: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    forget: str = ""  # the tag of whose receipts are to go

    def enter(self, grant: Grant, body: str, signature: str, home: Path) -> None:
        """A new grant with its receipt."""
        self.grants.append(grant)
        self.hashes[grant.id] = _hash(body, signature)
        tag = keys.tag(grant.subject, home)
        self.new.append((grant.id, tag, keys.seal(tag, body.encode(), home), signature))

    def body(self) -> str:
        standing = [[g.id, list(g.sinks), self.hashes[g.id]] for g in self.grants]
        plain = {n: getattr(self, n) for n in ("epoch", "counter", "seen", "revoked", "people", "policies")}
        return json.dumps({**plain, "standing": standing}, sort_keys=True)


_kept_open: dict[Path, tuple[int, sqlite3.Connection]] = {}


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;")
    return db


def _stay_open(path: Path) -> None:
    """One more connection, open until the program ends: the last to close empties the log into the database, which takes a
    revocation three waits for the disk instead of one."""
    inode, kept = os.stat(path).st_ino, _kept_open.get(path)
    if kept is None or kept[0] != inode:
        rest(path)
        _kept_open[path] = inode, _open(path)
        _kept_open[path][1].execute("SELECT count(*) FROM sqlite_master").fetchone()


def rest(path: Path) -> None:
    """Close that one: all is then in the one file."""
    if kept := _kept_open.pop(path, None):
        kept[1].close()


@atexit.register
def _rest_all() -> None:
    for path in tuple(_kept_open):
        rest(path)


_parents: list[object] = []  # connections of a process that forked: theirs to close, not ours


def _forked() -> None:
    _parents.append(dict(_kept_open))
    _kept_open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Store:
    """The consents under `home`."""

    def __init__(self, home: Path) -> None:
        self.home, self.path = home, home / "consent.db"

    def _connected(self) -> sqlite3.Connection:
        _stay_open(self.path)
        return _open(self.path)

    def read(self, epoch: Epoch) -> Kept:
        """What is kept, verified. A state newer than the counter raises it: its revocation was cut short. Raises
        NotConsented where it was edited, cut, rolled back or removed."""
        void = "All grants in it are void."
        if not self.path.exists():
            if epoch.count():
                raise NotConsented(f"{self.path} is missing, though something was revoked.", void, MEND)
            return Kept()
        try:
            with closing(self._connected()) as db:
                ((body, signature),) = db.execute("SELECT body, signature FROM state").fetchall()
                receipts = {row[0]: row[1:] for row in db.execute("SELECT id, tag, body, signature FROM receipts")}
            if not keys.verify(body.encode(), "consent", signature, self.home):
                raise ValueError("the state is not signed by this device")
            kept = self._kept(json.loads(body), receipts)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, FileTrouble, sqlite3.Error) as error:
            raise NotConsented(
                f"{self.path} was edited or damaged: this device did not sign what it says.", void, MEND
            ) from error
        if kept.epoch < epoch.count():
            raise NotConsented(f"{self.path} is older than the last revocation.", void, MEND)
        if kept.epoch > epoch.count():
            epoch.set_count(kept.epoch)
        return kept

    def _kept(self, said: dict[str, Any], receipts: dict[str, tuple[str, bytes, str]]) -> Kept:
        kept = Kept(
            int(said["epoch"]),
            int(said["counter"]),
            float(said["seen"]),
            revoked=dict(said["revoked"]),
            people=dict(said["people"]),
            policies=dict(said["policies"]),
        )
        device = keys.public(self.home)
        known = {device} | {p["key"] for p in kept.people.values()}
        for one, sinks, digest in said["standing"]:
            tag, sealed, signature = receipts[one]
            body = keys.unseal(tag, sealed, self.home).decode()
            grant, its = granted(json.loads(body))
            right = _hash(body, signature) == digest and grant.id == one and set(sinks) <= set(grant.sinks)
            right &= its["audience"] == device and its["key"] in known and 0 < its["counter"] <= kept.counter
            right &= (its["key"] == device) != grant.signed  # the device cannot speak for a person
            if not right or not keys.verify(body.encode(), "receipt", signature, key=its["key"]):
                raise ValueError(f"receipt {one} is not what was signed")
            kept.grants.append(replace(grant, sinks=tuple(sinks)))
            kept.hashes[one] = digest
        return kept

    def receipt(self, one: str) -> str | None:
        """The receipt of this id, as it was signed."""
        with closing(self._connected()) as db:
            found = db.execute("SELECT tag, body, signature FROM receipts WHERE id = ?", (one,)).fetchone()
        if not found:
            return None
        said = json.loads(keys.unseal(found[0], found[1], self.home))
        return json.dumps({"receipt": said, "signature": found[2]}, indent=1)

    def receipts_of(self, tag: str) -> list[str]:
        """The ids of all receipts that a subject ever got."""
        if not self.path.exists():
            return []
        with closing(self._connected()) as db:
            return [one for (one,) in db.execute("SELECT id FROM receipts WHERE tag = ?", (tag,))]

    @contextmanager
    def changing(
        self, now: float, forgive: bool, after: Callable[[Kept, bytes], None] = lambda kept, bell: None
    ) -> Iterator[tuple[Kept, Epoch]]:
        """What is kept, to change; signed and written at the end. forgive: begin anew where it can no longer be read,
        keeping the bad one beside it."""
        made(self.home)
        epoch = Epoch(self.home)
        lock = turnstile(self.home)
        try:
            try:
                kept = self.read(epoch)
            except NotConsented:
                epoch.ring()
                if not forgive:
                    self._stop(epoch, epoch.count() + 1)
                    raise
                rest(self.path)
                if self.path.exists():
                    os.replace(self.path, self.path.with_name("consent.db.void"))
                for left in ("consent.db-wal", "consent.db-shm"):
                    (self.home / left).unlink(missing_ok=True)
                kept = Kept(epoch.count() + 1)
            kept.seen = max(now, kept.seen)
            epoch.ring()  # from here on every send waits for this change to be done
            yield kept, epoch
            self._write(kept)
            epoch.ring()  # for whoever opened in between, and decided by what was
            if kept.epoch != epoch.count():
                self._stop(epoch, kept.epoch)
            after(kept, epoch.bell())
        finally:
            os.close(lock)
            epoch.close()

    def _write(self, kept: Kept) -> None:
        body = kept.body()
        signature = keys.sign(body.encode(), "consent", self.home)
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(self._connected()) as db:
            db.executescript(_TABLES)
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO receipts VALUES (?, ?, ?, ?)", kept.new)
            db.execute("DELETE FROM receipts WHERE tag = ?", (kept.forget,))
            db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (body, signature))
            db.execute("COMMIT")
            if kept.forget:
                db.executescript("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")

    def _stop(self, epoch: Epoch, count: int) -> None:
        epoch.set_count(count)
        if not epoch.drain():
            raise BciError(
                "The grant is taken back, but a sink is still inside its last send.",
                f"It has been for {DRAIN_S:g} s; a send may take {SEND_S * 1000:g} ms.",
                "End that program.",
            )


def turnstile(home: Path) -> int:
    """Waits until no one is changing the state, and keeps others from it until the descriptor is closed."""
    fd = os.open(made(home) / "consent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if fcntl:
        fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def _hash(body: str, signature: str) -> str:
    return hashlib.sha256(f"{body}\0{signature}".encode()).hexdigest()


def granted(receipt: dict[str, Any]) -> tuple[Grant, dict[str, Any]]:
    """The grant that a receipt stands for, and its own fields."""
    its = receipt["bcikit"]
    grant = Grant(
        receipt["pii_principal_id"],
        its["purpose"],
        tuple(its["sinks"]),
        float(its["not_before"]),
        float(its["not_after"]),
        its["by"],
        its["level"],
        receipt["record_id"],
    )
    return grant, its
