"""Where consents are kept: receipts and state in SQLite, both signed; and the counter that every permit watches.

    consent.db     `receipts`: each grant as it was signed, never changed, sealed with the subject's key. `state`: one row,
                   signed by this device: which receipts stand, who revoked, whose keys are known, which policies hold.
                   Nobody is named in it but by tags
    consent.epoch  the number of changes, watched by every permit; the latest time seen
    consent.lock   held by whoever changes the state

The order within a change (disk, counter, wait for sends under way) leaves no moment at which a crash brings a revoked
grant back: a state older than the counter allows nothing, a newer one raises the counter.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import BciError, FileTrouble, NotConsented
from . import keys
from .home import made, room
from .receipts import granted
from .redlines import Grant

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and a change waits out the longest send instead (see `advance`)
    fcntl = None  # type: ignore[assignment]

SEND_S = 0.005  # the longest that one send may take
DRAIN_S = 2.0  # how long a change waits for a send that breaks that rule before it says so
MEND = "Give them anew: bcikit consent grant SUBJECT --purpose research --sink view"
PLAIN = {"epoch": int, "counter": int, "seen": float, "revoked": dict, "people": dict, "policies": dict}
NO_DAMAGE = tuple(getattr(sqlite3, f"SQLITE_{w}") for w in ("BUSY", "LOCKED", "FULL", "IOERR", "CANTOPEN", "READONLY"))
OPENED = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA cache_size=0;
CREATE TABLE IF NOT EXISTS receipts (id TEXT PRIMARY KEY, tag TEXT NOT NULL, body BLOB NOT NULL, signature TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL, signature TEXT NOT NULL);
"""


class Epoch:
    """What all processes of this user watch: the counter of changes, and the latest time that anybody saw."""

    def __init__(self, home: Path) -> None:
        self._fd = _opened(made(home) / "consent.epoch")
        if os.fstat(self._fd).st_size < 16:
            room(self._fd, 16)
        whole = memoryview(mmap.mmap(self._fd, 16))
        self._count, self._seen = whole[:8].cast("Q"), whole[8:].cast("d")

    def count(self) -> int:
        return self._count[0]

    def set_count(self, count: int) -> None:
        self._count[0] = count

    def latest(self, when: float) -> float:
        """`when`, or the latest time that was seen before, if that is later."""
        self._seen[0] = when = max(when, self._seen[0])
        return when

    def there(self) -> bool:
        """Whether the file still is the one that others would raise: False once it was removed."""
        return os.fstat(self._fd).st_nlink > 0

    def enter(self) -> None:
        """A send begins: from here to `leave` no change returns."""
        if fcntl:
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def leave(self) -> None:
        if fcntl:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def advance(self, count: int) -> None:
        """Set the counter, and wait until no send from before is under way. Raises BciError where one does not end."""
        self.set_count(count)
        if not fcntl:
            return time.sleep(10 * SEND_S)
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self.leave()
            except BlockingIOError:
                time.sleep(0.0002)
        why = f"It has been for {DRAIN_S:g} s; a send may take {SEND_S * 1000:g} ms."
        raise BciError("It is changed, but a sink is still inside its last send.", why, "End that program.")

    def close(self) -> None:
        for view in (self._count, self._seen):
            view.release()
        os.close(self._fd)


@contextmanager
def turnstile(home: Path) -> Iterator[None]:
    """Waits until no one is changing the state, and keeps others from it."""
    with open(_opened(made(home) / "consent.lock"), "r+b", buffering=0) as file:
        if fcntl:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> int:
    """The file, made where it is missing, for this user's eyes only."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@dataclass
class Kept:
    """What stands. epoch, counter: of changes and of grants so far. revoked: {tag: when} a local sink was ever taken back.
    people: {tag: {salt, key, guardian}}. policies: {tag, or "": text}. new: receipts to add. forget: tag of those to go."""

    epoch: int = 0
    counter: int = 0
    seen: float = 0.0
    revoked: dict[str, float] = field(default_factory=dict)
    people: dict[str, dict[str, str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    new: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    forget: str = ""


_connections: dict[tuple[int, Path], tuple[int, sqlite3.Connection]] = {}  # (process, path): (inode, connection)
_alone = threading.RLock()


@contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """The connection of this process, for one thread at a time; opened anew where the file is another. It stays open: the
    last to close empties the log into the file, which takes a change three waits for the disk instead of one. Raises
    OSError where the disk is full or another program holds it for too long, which is no sign of damage."""
    with _alone:
        me, inode = (os.getpid(), path), os.stat(path).st_ino
        try:
            if me not in _connections or _connections[me][0] != inode:
                rest(path)
                db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
                _connections[me] = inode, db
                db.executescript(OPENED)
            yield _connections[me][1]
        except BaseException as error:
            rest(path)
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in NO_DAMAGE:
                raise OSError(errno.EIO, f"{error} (is its disk full, or is it held?)", str(path)) from error
            raise


def rest(path: Path) -> None:
    """Close this process's connection; all is then in the one file."""
    if opened := _connections.pop((os.getpid(), path), None):
        opened[1].close()


class Store:
    """The consents under `home`."""

    def __init__(self, home: Path) -> None:
        self.home, self.path = home, home / "consent.db"

    def read(self, epoch: Epoch, anew: bool = False) -> Kept:
        """What is kept, verified. Raises NotConsented where it was edited, cut, rolled back or removed; anew: is then empty,
        and what was there lies beside it."""
        try:
            return self._verified(epoch)
        except NotConsented:
            if not anew:
                raise
        if self.path.exists():
            os.replace(self.path, self.path.with_name("consent.db.void"))
        for left in ("consent.db-wal", "consent.db-shm"):
            (self.home / left).unlink(missing_ok=True)
        return Kept(epoch.count())

    def _verified(self, epoch: Epoch) -> Kept:
        count, void = epoch.count(), ("All grants in it are void.", MEND)
        if not self.path.exists():
            if count:
                raise NotConsented(f"{self.path} is missing, though something was kept in it.", *void)
            return Kept()
        try:
            with _database(self.path) as db:
                ((text, signature),) = db.execute("SELECT body, signature FROM state").fetchall()
                receipts = {row[0]: row[1:] for row in db.execute("SELECT id, tag, body, signature FROM receipts")}
            if not keys.verify(text.encode(), "consent", signature, self.home):
                raise ValueError("the state is not signed by this device")
            kept = self._kept(json.loads(text), receipts)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, FileTrouble, sqlite3.Error) as error:
            what = f"{self.path} was edited or damaged: this device did not sign what it says."
            raise NotConsented(what, *void) from error
        if kept.epoch < count:
            raise NotConsented(f"{self.path} is older than the last change.", *void)
        return kept

    def _kept(self, said: dict[str, Any], receipts: dict[str, tuple[str, bytes, str]]) -> Kept:
        kept = Kept(**{name: plain(said[name]) for name, plain in PLAIN.items()})
        device = keys.public(self.home)
        known = {device} | {person["key"] for person in kept.people.values()}
        for one, sinks in said["standing"]:
            tag, sealed, signature = receipts[one]
            body = keys.unseal(tag, sealed, self.home)
            grant, its = granted(json.loads(body), tuple(sinks))
            right = grant.id == one and set(sinks) <= set(its["sinks"]) and 0 < its["counter"] <= kept.counter
            right &= its["audience"] == device and its["key"] in known
            right &= (its["key"] == device) != grant.signed  # the device cannot speak for a person
            if not right or not keys.verify(body, "receipt", signature, key=its["key"]):
                raise ValueError(f"receipt {one} is not what was signed")
            kept.grants.append(grant)
        return kept

    def receipts(self, tag: str) -> dict[str, str]:
        """Every receipt that a subject ever got, by id: as it was signed, with its signature, as JSON text."""
        if not self.path.exists():
            return {}
        with _database(self.path) as db:
            rows = db.execute("SELECT id, body, signature FROM receipts WHERE tag = ?", (tag,)).fetchall()
        plain = {one: json.loads(keys.unseal(tag, sealed, self.home)) for one, sealed, _ in rows}
        return {one: json.dumps({"receipt": plain[one], "signature": its}, indent=1) for one, _, its in rows}

    def write(self, kept: Kept, epoch: Epoch) -> None:
        """Sign it, keep it, and let it hold: when this returns, no send goes on by what was before."""
        kept.epoch += 1
        plain = {name: getattr(kept, name) for name in PLAIN}
        text = json.dumps({**plain, "standing": [[g.id, g.sinks] for g in kept.grants]}, sort_keys=True)
        signature = keys.sign(text.encode(), "consent", self.home)
        if not self.path.exists():  # to close a file that SQLite has open would end its locks
            os.close(_opened(self.path))
        with _database(self.path) as db:
            with db:  # all of it or nothing
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT INTO receipts VALUES (?, ?, ?, ?)", kept.new)
                db.execute("DELETE FROM receipts WHERE tag = ?", (kept.forget,))
                db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (text, signature))
            if kept.forget:
                db.executescript("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
        epoch.advance(kept.epoch)
