"""A ring of records in memory that two processes share: one writes, one reads, neither polls.

The memory has no name (a memfd, or a file that is unlinked at once), so when both processes are gone it is gone, however
they went. How many bytes were written and freed is counted in the kernel (an eventfd; a pipe where there is none), which
also wakes who waits: a record is there for the reader only once it is whole, also where the writer was killed within it
and on processors that reorder writes.
"""

from __future__ import annotations

import mmap
import os
import select
import struct
import tempfile
from collections.abc import Sequence

import numpy as np

LENGTH = struct.Struct("=q")
PAGE = mmap.PAGESIZE


def shared_memory() -> int:
    """A file descriptor of memory without a name, of no size yet."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("bcikit-ring")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Count:
    """Bytes, added on one side and taken on the other; its descriptor is readable while there are some.
    fds: (to take from, to add to), the same one for an eventfd."""

    def __init__(self, fds: Sequence[int] = ()) -> None:
        self.fds = tuple(fds) or _descriptors()
        self._owed = 0  # not yet added, the pipe being full
        for fd in self.fds:
            os.set_blocking(fd, False)
        self._event = len(set(self.fds)) == 1
        self._poll = select.poll()
        self._poll.register(self.fds[0], select.POLLIN)

    def add(self, n: int) -> None:
        if self._event:
            os.eventfd_write(self.fds[0], n)
            return
        self._owed += n
        try:
            os.write(self.fds[1], LENGTH.pack(self._owed))
            self._owed = 0
        except BlockingIOError:  # thousands are unread: these go with the next
            pass

    def take(self) -> int:
        """All that was added since the last call."""
        try:
            if self._event:
                return os.eventfd_read(self.fds[0])
            return sum(n for (n,) in LENGTH.iter_unpack(os.read(self.fds[0], 4096 * LENGTH.size)))
        except BlockingIOError:
            return 0

    def wait(self, seconds: float) -> bool:
        """Until there is something to take."""
        return bool(self._poll.poll(max(seconds, 0.0) * 1000))

    def close(self) -> None:
        for fd in set(self.fds):
            os.close(fd)
        self.fds = ()


def _descriptors() -> tuple[int, ...]:
    if hasattr(os, "eventfd"):
        fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        return fd, fd
    return os.pipe()


class Ring:
    """`size` bytes of the memory `fd`, preallocated. Either side makes its own from the same descriptors."""

    def __init__(self, fd: int, size: int, filled: Count, freed: Count) -> None:
        self.size = -(-size // PAGE) * PAGE
        if os.fstat(fd).st_size < self.size:
            os.ftruncate(fd, self.size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, self.size)  # too little memory is said here, not by a bus error later
        self._map = mmap.mmap(fd, self.size, flags=mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
        self._bytes = np.frombuffer(self._map, np.uint8)
        self.filled, self.freed = filled, freed
        self._at = 0  # where this side is
        self._room, self._ready = self.size, 0  # known to the writer, to the reader

    def fits(self, n: int) -> bool:
        """Whether a record of n bytes could ever be put."""
        return n + 2 * LENGTH.size <= self.size

    def put(self, *parts: bytes | np.ndarray) -> bool:
        """Write one record; False, and nothing written, where there is no room."""
        arrays = [np.frombuffer(p, np.uint8) if isinstance(p, bytes) else p.reshape(-1).view(np.uint8) for p in parts]
        n = sum(map(len, arrays))
        whole = LENGTH.size + n + -n % LENGTH.size
        if whole > self._room:
            self._room += self.freed.take()
            if whole > self._room:
                return False
        at = self._copied(self._at, np.frombuffer(LENGTH.pack(n), np.uint8))
        for array in arrays:
            at = self._copied(at, array)
        self._at = (self._at + whole) % self.size
        self._room -= whole
        self.filled.add(whole)
        return True

    def get(self) -> np.ndarray | None:
        """The next record as a fresh array of bytes, or None."""
        if not self._ready:
            self._ready = self.filled.take()
            if not self._ready:
                return None
        (n,) = LENGTH.unpack(self._bytes[self._at : self._at + LENGTH.size].tobytes())
        out = np.empty(n, np.uint8)
        at = (self._at + LENGTH.size) % self.size
        head = min(n, self.size - at)
        out[:head] = self._bytes[at : at + head]
        out[head:] = self._bytes[: n - head]
        whole = LENGTH.size + n + -n % LENGTH.size
        self._at = (self._at + whole) % self.size
        self._ready -= whole
        self.freed.add(whole)
        return out

    def _copied(self, at: int, x: np.ndarray) -> int:
        head = min(len(x), self.size - at)
        self._bytes[at : at + head] = x[:head]
        self._bytes[: len(x) - head] = x[head:]
        return (at + len(x)) % self.size

    def close(self) -> None:
        del self._bytes
        self._map.close()
