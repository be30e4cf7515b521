"""A row of numbers in memory that processes share: one writes the newest, others read it, nobody waits.

Two copies take turns, each with its number and a check sum: whoever is stopped or killed while writing leaves the other
whole.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate

HEAD = struct.Struct("=qI4x")  # number of the writing, check sum of number and values


class Slot:
    """`n` float64 at `offset` of a shared memory."""

    def __init__(self, memory: mmap.mmap, offset: int, n: int) -> None:
        self._memory, self._n = memory, n
        self._values = struct.Struct(f"={n}d")
        size = HEAD.size + self._values.size
        self._at = (offset, offset + size)
        self._count = max(self._read(at)[0] for at in self._at)

    @staticmethod
    def size(n: int) -> int:
        return 2 * (HEAD.size + 8 * n)

    def write(self, values: Sequence[float]) -> None:
        self._count += 1
        at, packed = self._at[self._count % 2], self._values.pack(*values)
        HEAD.pack_into(self._memory, at, self._count, _sum(self._count, packed))
        self._memory[at + HEAD.size : at + HEAD.size + len(packed)] = packed

    def read(self) -> tuple[int, tuple[float, ...]]:
        """(number of the writing, values): the newest that is whole; number 0 where nothing was written yet."""
        return max((self._read(at) for at in self._at), key=lambda found: found[0])

    def _read(self, at: int) -> tuple[int, tuple[float, ...]]:
        count, check = HEAD.unpack_from(self._memory, at)
        packed = bytes(self._memory[at + HEAD.size : at + HEAD.size + self._values.size])
        if count <= 0 or check != _sum(count, packed):
            return 0, (0.0,) * self._n
        return count, self._values.unpack(packed)


def _sum(count: int, packed: bytes) -> int:
    return zlib.crc32(packed, count & 0xFFFFFFFF)


SIZES = {"command": (7, 1, 0), "order": (2, 1, 0), "felt": (3, 1, 1), "state": (7, 0, 0)}  # fixed, and of each kind of value


class Panel:
    """All slots of one effector with so many commands and feelings, in the memory of a file descriptor.

    command   from the program: seq, lease, brain, written, alive, hold, stop, values
    order     from the supervisor to the device: when, cause, values
    felt      from the device: when, cause that it acts on, since when, values that it acts on, what it feels
    state     from the supervisor to the program: when, cause, latched, refused, session_s, day_s, seconds a step took

    reads: somebody else's, which is not to be written.
    """

    def __init__(self, fd: int, commands: int, feelings: int, reads: bool = False) -> None:
        lengths = [fixed + a * commands + b * feelings for fixed, a, b in SIZES.values()]
        ends = list(accumulate(map(Slot.size, lengths)))
        if not reads and os.fstat(fd).st_size < ends[-1]:
            os.ftruncate(fd, ends[-1])
        self._memory = mmap.mmap(fd, ends[-1], access=mmap.ACCESS_READ if reads else mmap.ACCESS_DEFAULT)
        starts = [0, *ends[:-1]]
        self.command, self.order, self.felt, self.state = (
            Slot(self._memory, at, n) for at, n in zip(starts, lengths, strict=True)
        )

    def close(self) -> None:
        self._memory.close()
