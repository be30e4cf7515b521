"""What the Gate did, in a chain that cannot be edited unseen. No samples and no names are in it: subjects are pseudonyms.

    audit.jsonl   a JSON line for each grant, refusal, revocation, opened sink, and for each sink one summary a second.
                  It holds its number `n`, the hash of the line before (`prev`) and its own (`hash`, of its bytes so far)
    audit.head    how many lines there are, and the hash of the last, signed: whoever cuts the chain must forge this too
    sends/ID.bin  a fixed record for each chunk sent through one permit, written before the send; the summaries hold the
                  hash of all records so far

Every thousand lines, every second and behind each act of consent a line `head` is signed with the device's key over number,
hash and the built-in red lines. `verify.py` checks all of it and imports nothing of bcikit.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import mmap
import os
import re
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from . import keys
from .home import BINARY, made, read_at, room, write_at
from .redlines import DIGEST

try:
    import fcntl
except ImportError:  # Windows: one program at a time
    fcntl = None  # type: ignore[assignment]

START = "0" * 64  # `prev` of the first line
HEAD_LINES, HEAD_S = 1000, 1.0
SIGNED = ("grant", "revoke", "policy", "enrol", "erase")  # acts behind which a head is signed
HASH_S, TELL_S = 0.1, 1.0  # how often sends are hashed, and summed up in a line
SEND = struct.Struct("<QqIfQ")  # sends so far, first, samples, bits of information (NaN: the signal itself), monotonic ns
COUNT = 400  # bytes of audit.head
ROOM = 2048  # records by which a file of sends grows
NAMES = ("subject", "subjects", "guardian")
_END = re.compile(rb',"hash":"([0-9a-f]{64})"}\n$')


def note(home: Path, when: float, what: str, /, **facts: Any) -> tuple[int, str]:
    """Append a line; gives its number and hash. when: seconds since 1970. Values of `subject`, `subjects` and `guardian` are
    written as pseudonyms. Raises OSError or FileTrouble where it cannot be written: then nothing may happen either."""
    for name in NAMES:
        if facts.get(name):
            given = facts[name]
            facts[name] = (
                keys.pseudonym(given, home) if isinstance(given, str) else sorted(keys.pseudonym(s, home) for s in given)
            )
    fd = os.open(made(home) / "audit.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o600)
    try:
        if fcntl:
            fcntl.flock(fd, fcntl.LOCK_EX)
        at = os.open(home / "audit.head", os.O_RDWR | os.O_CREAT | BINARY, 0o600)
        try:
            return _append(fd, at, home, when, what, facts)
        finally:
            os.close(at)
    finally:
        os.close(fd)


def _append(fd: int, at: int, home: Path, when: float, what: str, facts: dict[str, Any]) -> tuple[int, str]:
    size = os.fstat(fd).st_size
    n, last, said, head_n, head_when = _where(fd, at, size, home)
    torn = size - said
    if torn:  # a crash in the middle of a line: no permit was given on it
        os.ftruncate(fd, said)
    text, lines = b"", [(what, facts)]
    if torn:
        lines.insert(0, ("torn", {"bytes": torn}))
    for one, its in lines:
        n, last, text = n + 1, *_line(text, n, last, when, one, its)
    mine = (n - 1, last)
    if what in SIGNED or n - head_n >= HEAD_LINES or not 0 <= when - head_when < HEAD_S:
        signature = keys.sign(f"{n}:{last}:{DIGEST}".encode(), "audit", home)
        signed = {"redlines": DIGEST, "key": keys.public(home), "signature": signature}
        head_n, head_when = n, when
        n, last, text = n + 1, *_line(text, n, last, when, "head", signed)
    try:
        if os.write(fd, text) != len(text):
            raise OSError(f"{home / 'audit.jsonl'} took only a part of a line")
    except OSError:
        os.ftruncate(fd, said)
        raise
    _count(at, home, n, last, said + len(text), head_n, head_when)
    if what in SIGNED and what != "revoke":  # which is kept by the consents, and waits for the disk once
        os.fsync(fd)
    return mine


def _count(at: int, home: Path, n: int, last: str, size: int, head_n: int, head_when: float) -> None:
    signature = keys.sign(f"count:{n}:{last}:{size}".encode(), "audit", home)
    write_at(at, json.dumps([n, last, size, head_n, head_when, signature]).ljust(COUNT).encode(), 0)


def _line(text: bytes, n: int, prev: str, when: float, what: str, facts: dict[str, Any]) -> tuple[str, bytes]:
    body = json.dumps({"n": n, "when": when, "what": what, **facts, "prev": prev}, separators=(",", ":"), default=sorted)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return digest, text + f'{body[:-1]},"hash":"{digest}"}}\n'.encode()


def _where(fd: int, at: int, size: int, home: Path) -> tuple[int, str, int, int, float]:
    """(lines, hash of the last, bytes of whole lines, lines and time at the last signed head)."""
    raw = read_at(at, COUNT, 0)
    broken = FileTrouble(
        f"The audit under {home} was cut or edited, so nothing is allowed.",
        "`bcikit audit verify` says where.",
        f"Keep {home / 'audit.jsonl'} and audit.head somewhere else as evidence; a new audit then begins.",
    )
    if not raw.strip():
        if size and b"\n" in read_at(fd, 8192, 0):
            raise broken
        return 0, START, 0, 0, 0.0
    try:
        n, last, said, head_n, head_when, _ = json.loads(raw)
    except ValueError:
        raise broken from None
    if size < said or (said and not read_at(fd, 80, max(0, said - 80)).endswith(f'{last}"}}\n'.encode())):
        raise broken
    while said < size:  # whole lines that a crash left uncounted
        rest = read_at(fd, size - said, said)
        line = rest[: rest.find(b"\n") + 1]
        end = _END.search(line)
        if not end:
            break
        n, last, said = n + 1, end[1].decode(), said + len(line)
    return n, last, said, head_n, head_when


def lines(home: Path) -> list[dict[str, Any]]:
    """All lines, oldest first. Raises FileTrouble where there are none."""
    try:
        return [json.loads(line) for line in (home / "audit.jsonl").read_bytes().splitlines()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise FileTrouble("The audit cannot be read.", str(error), "bcikit audit verify") from error


class Sends:
    """The records of one permit: `put` before each send, which costs no system call. Hashed and told by the clerk."""

    def __init__(self, home: Path, name: str, wall: Callable[[], float]) -> None:
        self.home, self.name, self.wall, self.count = home, name, wall, 0
        self.error: Exception | None = None
        path = made(made(home) / "sends") / f"{name}.bin"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
        self._room = ROOM
        room(self._fd, SEND.size * ROOM)
        self._map = mmap.mmap(self._fd, SEND.size * ROOM)
        self._hash, self._hashed, self._told = hashlib.sha256(), 0, 0
        self._lock = threading.Lock()  # of the hash, which the loop never takes
        _clerk.watch(self)

    def put(self, first: int, samples: int, bits: float) -> None:
        """Raises what went wrong when the last records were to be told of: then nothing may be sent either."""
        if self.error:
            raise self.error
        n = self.count
        if n == self._room:
            room(self._fd, SEND.size * 2 * n)
            self._room *= 2
            self._map.resize(SEND.size * self._room)
        SEND.pack_into(self._map, SEND.size * n, n, first, samples, bits, time.monotonic_ns())
        self.count = n + 1

    def hash(self) -> None:
        with self._lock:
            upto = self.count
            if self._fd >= 0 and upto > self._hashed:
                self._hash.update(read_at(self._fd, SEND.size * (upto - self._hashed), SEND.size * self._hashed))
                self._hashed = upto

    def tell(self, final: bool = False) -> None:
        """A line with the hash of all records so far, where there are new ones."""
        with self._lock:
            if self._hashed == self._told and not final:
                return
            count, digest = self._hashed, self._hash.copy().hexdigest()
            self._told = count
        note(self.home, self.wall(), "sends", permit=self.name, count=count, sha256=digest, final=final)

    def close(self) -> None:
        """Tell the last of them; final and idempotent."""
        _clerk.forget(self)
        if self._fd < 0:
            return
        self.hash()
        try:
            self._map.close()
            os.ftruncate(self._fd, SEND.size * self.count)
            self.tell(final=True)
        finally:
            with self._lock:
                fd, self._fd = self._fd, -1
            os.close(fd)

    def retire(self) -> None:
        """Nothing more comes: the clerk closes it, at the latest when the program ends."""
        _clerk.retire(self)


class _Clerk:
    """One thread for all permits of the process, there while any is open: hashes ten times a second, tells once."""

    def __init__(self) -> None:
        self._open: set[Sends] = set()
        self._retired: set[Sends] = set()
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, sends: Sends) -> None:
        with self._lock:
            self._open.add(sends)
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bcikit-audit", daemon=True)
                self._thread.start()

    def forget(self, sends: Sends) -> None:
        with self._lock:
            self._open.discard(sends)
            if not self._open:
                self._idle.set()  # the thread sees that it is not needed, and ends

    def retire(self, sends: Sends) -> None:
        with self._lock:
            self._retired.add(sends)

    def close_retired(self) -> None:
        with self._lock:
            done, self._retired = tuple(self._retired), set()
        for sends in done:
            with suppress(Exception):  # a home that is gone, a full disk: what was told stands
                sends.close()

    def _work(self) -> None:
        told = time.monotonic()
        while True:
            self._idle.wait(HASH_S)
            self._idle.clear()
            self.close_retired()
            with self._lock:
                if not self._open:
                    self._thread = None
                    return
                now, tell = tuple(self._open), time.monotonic() - told >= TELL_S
                told = time.monotonic() if tell else told
            for sends in now:
                try:
                    sends.hash()
                    if tell:
                        sends.tell()
                except Exception as error:  # a full disk: the permit learns of it at its next send, and denies
                    sends.error = error


_clerk = _Clerk()


@atexit.register
def settle() -> None:
    """Tell what permits that are gone have sent, now."""
    _clerk.close_retired()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clerk.__init__)  # type: ignore[misc]
