"""Local field potentials: the slow part of a broadband signal, at a rate of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.grid import Grid
from ..core.parts import Setting
from ..core.stream import Stream
from ._design import butterworth
from ._filter import Filter
from ._signals import CHANNELS, below_nyquist
from .spikes import simulated_units


@dataclass(eq=False)
class Lfp(Filter):
    """(samples, channels) in; out the chosen channels, same unit, lowpassed, and one in so many samples of them.

    Butterworth lowpass of 8th order, causal, then the whole fraction of the stream's rate that is nearest to `rate`: at 1000
    Hz and a corner of 300 Hz, what folds back below the corner is 58 dB down. Outputs stand on the stream's own index. The
    stated delay is the group delay at a third of the corner.
    Raises WrongUse where `high` is not below half the new rate.
    """

    rate: Annotated[float, Setting("of the output; the nearest whole fraction of the input's", "Hz", low=1)] = 1000.0
    high: Annotated[float, Setting("upper corner, -3 dB", "Hz", low=0.1)] = 300.0
    channels: Annotated[tuple[str, ...], Setting(CHANNELS.replace("; the others pass unchanged", ""))] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "lfp", high=self.high)
        return butterworth(8, None, self.high, s.rate), self.high / 3

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        keep = max(round(s.rate / self.rate), 1)
        if self.high >= s.rate / keep / 2:
            what = f"lfp:high={self.high:g} Hz is not below half the output's rate, {s.rate / keep:g} Hz."
            raise WrongUse(what, "What lies above would fold back.", f"lfp:high={s.rate / keep * 0.3:g} suits.")
        self.grid = Grid(p=keep, off=keep - 1)
        return out.but(rate=s.rate / keep, channels=tuple(replace(s.channels[i], kind="lfp") for i in self.columns))

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        y = self.begun(x)[due]
        if self.bad is not None:
            y[self.bad[due][:, self.columns]] = np.nan
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(rate=50, high=15)
        yield cls(rate=500, high=150, channels=("E2", "E3")), simulated_units(3.0)
