"""Cuts the stream into windows, which may overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.grid import Grid
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._past import Past
from ._signals import flat


@dataclass(eq=False)
class Window(Past):
    """(samples, channels) in, (windows, channels, lags) out, same unit: as scikit-learn's (trials, channels, samples).

    Window k holds the samples k*hop to k*hop + length - 1 of the stream's own index, wherever the stream began; a window
    that the stream does not fill is left out. The stated delay is half a window. NaN is filled with the channel's last
    good value.
    """

    length: Annotated[float, Setting("length of a window", "s", low=0.001, high=600)] = 1.0
    hop: Annotated[float, Setting("from the begin of one window to that of the next", "s", low=0.001, high=600)] = 0.1

    def setup(self, s: Stream) -> Stream:
        flat(s, "window")
        lags, hop = max(round(self.length * s.rate), 1), max(round(self.hop * s.rate), 1)
        self.need = lags
        self.grid = Grid(p=hop, off=lags - 1)
        self.settle = lags / s.rate
        self.forget(s)
        return s.but(rate=s.rate / hop, shape=(*s.shape, lags), delay=s.delay + (lags - 1) / 2 / s.rate)

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        past = self.with_past(x)
        y = np.empty((len(due), *self.into.shape, self.need), x.dtype)
        for window, row in zip(y, due, strict=True):
            window[...] = past[row : row + self.need].T
        return y

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(length=0.25, hop=0.5)
