"""How much decisions tell: no more bits a second than the policy allows, however they are coded.

A chunk costs the length of a code for all that a receiver sees of it: for each row the logarithm of how many different
rows there were, and for a new row its 32 bits a number besides; for its index and its time, how far they are from what
was to be expected (Elias's gamma code, IEEE Trans Inf Theory 21:194, 1975, doi:10.1109/TIT.1975.1055349). Events are
not passed on: their texts could say anything. Within any `WINDOW_S` seconds of the monotonic clock the sum stays below
the cap.
"""

from __future__ import annotations

import time
from collections import deque
from math import log2

import numpy as np

from ..core.stream import Chunk, Stream

WINDOW_S = 10.0
TICK_S = 0.01  # to which times are rounded
KNOWN = 4096  # different rows that are remembered


class Meter:
    """Of one stream of decisions. cap: bits a second, over any WINDOW_S."""

    def __init__(self, s: Stream, cap: float) -> None:
        self.cap, self.bits, self._recent = cap, 0.0, 0.0
        self._rate, self._words, self._shape = s.rate, len(s.alphabet), s.shape
        self._known: set[bytes] = set()
        self._sent: deque[tuple[float, float]] = deque()  # when, bits
        self._index: int | None = None
        self._tick: int | None = None

    def passed(self, c: Chunk) -> tuple[Chunk, float] | None:
        """The chunk as it may be sent and its bits; None where it may not."""
        x = c.data
        if x.shape[1:] != self._shape or (self._words and not self._spoken(x)):
            return None
        time_s, bits = self._times(c)
        bits += 1.0 if self._index is None else _gamma(c.first - self._index)
        fresh: set[bytes] = set()
        for row in x:
            raw = row.tobytes()
            bits += log2(1 + len(self._known) + len(fresh))
            if raw not in self._known and raw not in fresh:
                bits += 32.0 * row.size
                fresh.add(raw)
        now = time.monotonic()
        while self._sent and now - self._sent[0][0] >= WINDOW_S:
            self._recent -= self._sent.popleft()[1]
        if self._recent + bits > self.cap * WINDOW_S:
            return None
        self._sent.append((now, bits))
        self._recent += bits
        self.bits += bits
        self._known = self._known | fresh if len(self._known) < KNOWN else fresh
        self._index = c.first + len(x)
        return Chunk(x, c.first, time_s), bits

    def _spoken(self, x: np.ndarray) -> bool:
        """Whether all are words of the alphabet, or NaN (nothing said) in its one form."""
        said, nan = x[x == x], x[x != x]
        plain = nan.tobytes() == np.full(nan.shape, np.nan, x.dtype).tobytes()
        return plain and bool(((said >= 0) & (said < self._words) & (said == np.floor(said)) & ~np.signbit(said)).all())

    def _times(self, c: Chunk) -> tuple[float | np.ndarray, float]:
        """Rounded times, and the bits in how they differ from what the index lets expect."""
        times = np.atleast_1d(np.asarray(c.time, float))
        if not np.isfinite(times).all():
            return float("nan"), 1.0
        ticks = np.rint(times / TICK_S).astype(np.int64)
        step, bits = round(len(c.data) / self._rate / TICK_S) if self._rate else 0, 0.0
        for tick in ticks.tolist():
            bits += 1.0 if self._tick is None else _gamma(tick - self._tick - step)
            self._tick = tick
        return (ticks * TICK_S if np.ndim(c.time) else float(ticks[-1] * TICK_S)), bits


def _gamma(off: int) -> float:
    """Bits of Elias's gamma code for a deviation of either sign."""
    return 2.0 * int(log2(2 * abs(off) + 1)) + 1.0
