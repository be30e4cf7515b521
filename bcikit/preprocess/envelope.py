"""How strong the signal is, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._design import butterworth, group_delay, settling
from ._filter import Filter, geometric
from ._signals import CHANNELS, below_nyquist


@dataclass(eq=False)
class Envelope(Filter):
    """Filter, rectify, smooth. (samples, channels) in and out, same unit; channels of kind `envelope`.

    Butterworth from `low` to `high` (either may be none), then |x| (`rectified`, the mean absolute value: the linear
    envelope of EMG) or x squared and rooted again behind the smoothing (`rms`), smoothed by a Butterworth lowpass of 2nd
    order at `smooth`. The stated delay is that of both filters, the smoothing's at 0 Hz.
    Reference: Hof, EMG and muscle force, Human Movement Science 3, 1984, doi:10.1016/0167-9457(84)90008-3.
    Raises WrongUse where a corner is not below half the stream's rate, or low >= high.
    """

    low: Annotated[float | None, Setting("lower corner before rectifying; none for none", "Hz", low=0.001)] = 20.0
    high: Annotated[float | None, Setting("upper corner before rectifying; none for none", "Hz", low=0.001)] = None
    smooth: Annotated[float, Setting("corner of the smoothing", "Hz", low=0.01)] = 5.0
    order: Annotated[int, Setting("slope of each edge before rectifying", low=1, high=10)] = 2
    method: Annotated[str, Setting("how the strength is told", choices=("rectified", "rms"))] = "rectified"
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "envelope", low=self.low, high=self.high, smooth=self.smooth)
        if self.low is None and self.high is None:
            return np.array([[1.0, 0.0, 0.0, 0.0, 0.0]]), s.rate / 4
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise WrongUse(f"envelope: low={self.low:g} Hz is not below high={self.high:g} Hz.")
        return butterworth(self.order, self.low, self.high, s.rate), geometric((self.low or 0.5, self.high or s.rate / 2))

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        self.smoother = butterworth(2, None, self.smooth, s.rate)
        self.settle += settling(self.smoother) / s.rate
        self._smoothed = np.zeros((len(self.smoother), 2, len(self.columns)))
        made = [replace(c, kind="envelope") if i in self.columns else c for i, c in enumerate(s.channels)]
        return out.but(channels=tuple(made), delay=out.delay + group_delay(self.smoother, 0.0, s.rate))

    def run(self, x: np.ndarray) -> np.ndarray:
        y = super().run(x)
        if self.method == "rectified":
            return kernels.biquads(np.abs(y), self.smoother, self._smoothed)
        power = kernels.biquads(y * y, self.smoother, self._smoothed)
        return np.sqrt(np.maximum(power, 0.0))

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(low=8, high=13, smooth=2, method="rms", channels=("C3", "C4"))
        yield cls(low=None, high=100)
