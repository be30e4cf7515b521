"""Another sampling rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.grid import Grid
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._past import Past
from ._signals import MARKS, flat

MOST = 1000  # largest p or q: beyond it the ratio of the rates is taken for a mistake


@dataclass(eq=False)
class Resample(Past):
    """Polyphase FIR, causal. (samples, channels) in and out, same unit, at `rate`.

    The filter is that of SciPy's `resample_poly`: a sinc under a Kaiser window (beta 5), cut at half the lower rate, with
    `crossings` zero crossings on each side; more of them cut sharper and come later. The stated delay is half the filter,
    crossings / (lower rate). Digital lines, counters and markers are not filtered but taken from the nearest sample.
    Reference: Crochiere & Rabiner, Multirate Digital Signal Processing, 1983.
    Raises WrongUse where the rates are in no ratio of small whole numbers.
    """

    rate: Annotated[float, Setting("new rate", "Hz", low=0.1, high=100_000)] = 125.0
    crossings: Annotated[int, Setting("zero crossings of the filter on each side", low=1, high=64)] = 10

    def setup(self, s: Stream) -> Stream:
        flat(s, "resample")
        ratio = Fraction(self.rate / s.rate).limit_denominator(MOST)
        if ratio.numerator not in range(1, MOST + 1) or abs(float(ratio) * s.rate / self.rate - 1) > 1e-9:
            raise WrongUse(
                f"resample:rate={self.rate:g} Hz does not go with the {s.rate:g} Hz of {s.name}.",
                f"Their ratio is none of whole numbers up to {MOST}.",
                "Choose a rate that is the stream's times p/q.",
            )
        self.up, down = ratio.numerator, ratio.denominator
        if self.up == down:  # the rate it has
            self.settle = 0.0
            return s
        half = self.crossings * max(self.up, down)
        h = np.sinc(np.arange(-half, half + 1) / max(self.up, down)) * np.kaiser(2 * half + 1, 5.0)
        h *= self.up / h.sum()
        self.need = -(-len(h) // self.up)
        self.taps = np.ascontiguousarray(np.pad(h, (0, self.need * self.up - len(h))).reshape(self.need, self.up).T)
        self.grid = Grid(p=down, q=self.up)
        self.behind = half / self.up  # in samples of the input
        self.settle = self.need / s.rate
        self.marks = np.array([i for i, c in enumerate(s.channels) if c.kind in MARKS], int)
        self.forget(s)
        return s.but(rate=s.rate * self.up / down, delay=s.delay + self.behind / s.rate)

    def rows(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        assert self._begin is not None
        first, _ = self.grid.due(self.at, len(x), self._begin + self.need - 1)
        place = (first + np.arange(len(due), dtype=np.int64)) * self.grid.p  # on the finer grid of both rates
        row, phase = due + self.need - 1, place % self.up
        past = self.with_past(x)
        y = kernels.fir(past, row, phase, self.taps)
        if len(self.marks):
            nearest = np.rint(row + phase / self.up - self.behind).astype(np.int64)
            y[:, self.marks] = past[nearest][:, self.marks]
        return y

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(rate=200, crossings=4)
        yield cls(rate=600)
