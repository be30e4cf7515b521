"""For stages that sum what falls into bins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import kernels
from ..core.grid import Grid
from ..core.label import Level
from ..core.parts import Stage
from ..core.stream import Stream
from ._signals import flat

FEATURE_HZ = 1000.0  # bins at this rate or slower, of so many samples or more, are no longer the signal
FEATURE_SAMPLES = 10


class Binned(Stage):
    """Sums over bins that stand on the stream's own index; one that is cut short by a start is left out. What is NaN is left
    out of a bin; where more than half of it is NaN, so is the bin."""

    holds = False  # what is left out need not be held

    def begin(self, s: Stream, width: float, part: str) -> None:
        """To be called in `setup`, with the bins' width in seconds."""
        flat(s, part)
        hop = max(round(width * s.rate), 1)
        self.grid, self.need, self.settle = Grid(p=hop, off=hop - 1), hop, 2 * hop / s.rate
        self._sums = np.zeros(len(s.channels))
        self._bad = np.zeros(len(s.channels), np.int64)
        self._spoilt = False

    def add(self, x: np.ndarray) -> None:
        """Add the rows of x to the sums."""
        kernels.sums(x, self._sums)

    def rows(self, x: np.ndarray) -> np.ndarray:
        return self.ticks(x, np.arange(len(x)))  # bins of one sample

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        hop, first, at, done = self.grid.p, int(due[0]) if len(due) else len(x), 0, []
        good = np.isfinite(x)
        self.bad = None if good.all() else ~good
        if self.bad is not None:
            x = np.where(good, x, np.float32(0))
        while at < len(x):
            end = min(at + hop - (self.at + at) % hop, len(x))  # of the bin, or of what has come of it
            self.add(x[at:end])
            if self.bad is not None:
                self._bad += self.bad[at:end].sum(axis=0)
                self._spoilt = True
            if (self.at + end) % hop == 0:
                mean = self.close()
                if end > first:
                    done.append(self.told(mean))
            at = end
        return np.array(done, np.float32).reshape(len(done), *self.out.shape)

    def close(self) -> np.ndarray:
        """The mean over the bin that ends here, and a new one begins."""
        if self._spoilt:
            good = self.grid.p - self._bad
            mean = np.where(2 * self._bad > self.grid.p, np.nan, self._sums / np.maximum(good, 1))
            self._bad[:], self._spoilt = 0, False
        else:
            mean = self._sums / self.grid.p
        self._sums[:] = 0.0
        return mean

    def told(self, mean: np.ndarray) -> np.ndarray:
        """What is given for a bin with this mean."""
        return mean

    def featured(self, s: Stream) -> Stream:
        """The stream at the bins' rate, called features where the bins hide the waveform."""
        hop, level = self.grid.p, s.label.level
        if s.rate / hop <= FEATURE_HZ and hop >= FEATURE_SAMPLES:
            level = max(level, Level.FEATURE)
        return s.but(rate=s.rate / hop, delay=s.delay + hop / 2 / s.rate, label=replace(s.label, level=level))
