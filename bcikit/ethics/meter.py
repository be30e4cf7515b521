"""How much decisions tell: no more bits a second than the policy allows, however they are coded.

A chunk costs the length of a code for all that a receiver sees of it. One bit says that it is a single row which comes when
it was to be expected; else how far its index, its number of rows and its times are from that stands in Elias's gamma code
(IEEE Trans Inf Theory 21:194, 1975, doi:10.1109/TIT.1975.1055349). A row is told by its number among those that were sent
before; a new one costs all its bits besides. Where a stream begins is not in the sum; events, whose texts could say
anything, are not passed on. Within any `WINDOW_S` seconds the sum stays below the cap.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise
from math import isfinite, nan, prod

import numpy as np

from ..core.stream import Chunk, Stream

WINDOW_S = 10.0
TICK_S = 0.01  # to which times are rounded
KNOWN = 4096  # different rows that are remembered


class Meter:
    """Of one stream of decisions. cap: bits a second, over any WINDOW_S. bits: of all that was passed."""

    def __init__(self, s: Stream, cap: float) -> None:
        self.cap, self.bits, self._recent, self._tick = cap, 0, 0, 0  # tick: of the newest row
        self._rate, self._shape, self._dtype, self._size = s.rate, s.shape, s.dtype, s.dtype.itemsize * prod(s.shape)
        self._pace = 1 / s.rate / TICK_S if s.rate else 0.0  # ticks a row
        said = np.array([*range(len(s.alphabet)), nan], np.float32)  # NaN is nothing, in its one form
        self._words = {number.tobytes() for number in said} if s.alphabet else None
        self._known: dict[bytes, np.ndarray] = {}  # rows that were sent
        self._sent: deque[tuple[float, int]] = deque()  # when, bits
        self._due: int | None = None  # index of the row to come

    def passed(self, c: Chunk) -> tuple[Chunk, int] | None:
        """The chunk as it may be sent and its bits; None where it may not."""
        x, n, first, known = c.data, len(c.data), int(c.first), self._known
        if x.shape[1:] != self._shape or x.dtype != self._dtype:
            return None
        fresh: dict[bytes, np.ndarray] = {}
        data, bits = known.get(raw := x.tobytes()), len(known).bit_length()
        if data is None:  # not a single row that was sent before
            data, bits = np.frombuffer(raw, self._dtype).reshape(x.shape), 0
            for i in range(n):
                row = raw[i * self._size : (i + 1) * self._size]
                bits += (len(known) + len(fresh)).bit_length()
                if row not in known and row not in fresh:
                    if self._words and any(row[k : k + 4] not in self._words for k in range(0, self._size, 4)):
                        return None
                    bits += 8 * self._size
                    fresh[row] = data[i : i + 1]
        bits += self._surprise(first, n, ticks := self._ticks(c.time, n))
        now = time.monotonic()
        while self._sent and now - self._sent[0][0] >= WINDOW_S:
            self._recent -= self._sent.popleft()[1]
        if self._recent + bits > self.cap * WINDOW_S:
            return None
        self._sent.append((now, bits))
        self._recent, self.bits = self._recent + bits, self.bits + bits
        self._known = (known if len(known) < KNOWN else {}) | fresh if fresh else known
        self._due, self._tick = first + n, ticks[-1] if ticks else self._tick
        return Chunk(data, first, (self._tick if self._rate else np.array(ticks)) * TICK_S if ticks else nan), bits

    def _ticks(self, at: float | np.ndarray, n: int) -> list[int]:
        """Rounded times: one where the stream has a rate, else one a row; none where they are not known."""
        if self._rate and isinstance(at, float):
            return [round(at / TICK_S)] if isfinite(at) else []
        times = np.ravel(at).tolist()[-1 if self._rate else 0 :]
        return [round(t / TICK_S) for t in times] if len(times) == (1 if self._rate else n) and isfinite(sum(times)) else []

    def _surprise(self, first: int, n: int, ticks: list[int]) -> int:
        """Bits that tell its index, how many rows it has, and when they were."""
        step = round(n * self._pace)
        if n == 1 and first == self._due and ticks == [self._tick + step]:
            return 1
        due, last = (first, ticks[0] - step if ticks else 0) if self._due is None else (self._due, self._tick)
        return 2 + sum(map(_gamma, (first - due, n - 1, *(b - a - step for a, b in pairwise((last, *ticks))))))


def _gamma(off: int) -> int:
    """Bits of Elias's gamma code for a deviation of either sign."""
    return 2 * (2 * abs(off) + 1).bit_length() - 1
