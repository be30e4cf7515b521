"""A container that only its key opens: what is appended to it is encrypted as it comes, and readable however it ends.

    BCIKSEAL1\\n
    length, header     JSON: the wrapped key of this recording, tags of the subjects in it; no name
    length, frame      AES-256-GCM of each append; its nonce is its number, so that none can be left out, moved or doubled
    ...
    0, last frame      the number of frames, encrypted: whoever cuts the file cannot make this

Keys: root > subject > recording (`ethics/keys.py`). Where a crash tore the last frame, all before it are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from ..ethics import keys
from ..ethics.home import home as default_home
from ..ethics.home import made

MAGIC = b"BCIKSEAL1\n"
LENGTH = struct.Struct("<I")
END = 0x80000000  # of a length: the last frame
HEADER_MAX = 100_000
TAG = 16
SUFFIX = ".sealed"


def folder_of(subject: str, home: Path | None = None) -> Path:
    """Where the recordings of a subject are kept; made where it is missing. It bears no name."""
    place = home or default_home()
    return made(made(made(place) / "recordings") / keys.tag(subject, place))


class Plain:
    """Appends to a new file. Raises OSError."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd, self._good = os.open(path, flags, 0o600), 0

    def append(self, data: bytes) -> None:
        """In one write; where only a part of it fits, the part is taken off again."""
        try:
            done = 0
            while done < len(data):
                done += os.write(self._fd, data[done:] if done else data)
        except OSError:
            os.ftruncate(self._fd, self._good)
            raise
        self._good += len(data)

    def sync(self) -> None:
        """Wait until what was written would outlive a power cut."""
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._fd)

    def close(self, whole: bool = True) -> None:
        """Final and idempotent. whole: it ended in good order."""
        if self._fd >= 0:
            try:
                os.fsync(self._fd)
            finally:
                os.close(self._fd)
                self._fd = -1


class Sealed(Plain):
    """The same, encrypted. subjects: whose keys must all be there to read it. Raises FileTrouble, OSError."""

    def __init__(self, path: Path, subjects: Iterable[str], home: Path | None = None) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        tags = [keys.tag(name, home) for name in sorted(subjects) or [""]]
        key, wrapped = keys.session_key(tags, home)
        self._cipher, self._n = AESGCM(key), 0
        super().__init__(path)
        said = json.dumps({"key": wrapped, "tags": tags}).encode()
        self._about = hashlib.sha256(said).digest()  # so that each frame knows its header
        super().append(MAGIC + LENGTH.pack(len(said)) + said)

    def append(self, data: bytes) -> None:
        """One frame."""
        frame = self._cipher.encrypt(_nonce(self._n), data, b"frame" + self._about)
        super().append(LENGTH.pack(len(frame)) + frame)
        self._n += 1

    def close(self, whole: bool = True) -> None:
        if whole and self._fd >= 0:
            frame = self._cipher.encrypt(_nonce(self._n), LENGTH.pack(self._n), b"end" + self._about)
            super().append(LENGTH.pack(END | len(frame)) + frame)
        super().close()


def header(raw: bytes, path: Path) -> tuple[dict[str, Any], int]:
    """What stands in the clear, and where the frames begin. Raises FileTrouble."""
    at = len(MAGIC)
    try:
        (size,) = LENGTH.unpack_from(raw, at)
        if size > HEADER_MAX:
            raise ValueError("it is too long")
        said = json.loads(raw[at + LENGTH.size : at + LENGTH.size + size])
        if not isinstance(said["key"], str) or not all(isinstance(t, str) for t in said["tags"]):
            raise ValueError("it is none of ours")
        return said, at + LENGTH.size + size
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise FileTrouble(f"The header of {path} is damaged.", f"{error}.") from error


def opened(raw: bytes, path: Path, home: Path | None = None, limit: int | None = None) -> bytes:
    """What was appended (the first `limit` bytes at least). A frame torn by a crash ends it; one that was changed, left
    out or moved does too, and says so. Raises FileTrouble where there is no key, or the first frame was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    said, at = header(raw, path)
    about = hashlib.sha256(raw[len(MAGIC) + LENGTH.size : at]).digest()
    try:
        key = keys.unwrapped(said["key"], said["tags"], home)
        cipher = AESGCM(key)
    except ValueError as error:
        raise FileTrouble(f"The header of {path} is damaged.", str(error)) from error
    parts: list[bytes] = []
    n = got = 0
    while at + LENGTH.size <= len(raw) and (limit is None or got < limit):
        (length,) = LENGTH.unpack_from(raw, at)
        begin, end = at + LENGTH.size, at + LENGTH.size + (length & ~END)
        if end > len(raw):
            break  # torn
        try:
            plain = cipher.decrypt(_nonce(n), raw[begin:end], (b"end" if length & END else b"frame") + about)
        except InvalidTag:
            raise FileTrouble(
                f"{path} was changed after it was recorded.",
                f"Its frame {n + 1} is not what was written there ({got / 1e6:.1f} MB before it are good).",
            ) from None
        if length & END:
            return b"".join(parts)
        parts.append(plain)
        n, at, got = n + 1, end, got + len(plain)
    return b"".join(parts)


def _nonce(n: int) -> bytes:
    return n.to_bytes(12, "big")
