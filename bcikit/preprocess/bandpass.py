"""Keeps what lies between two frequencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._design import butterworth
from ._filter import Filter, geometric
from ._signals import CHANNELS, below_nyquist, noted


@dataclass(eq=False)
class Bandpass(Filter):
    """Butterworth bandpass, causal. (samples, channels) in and out, same unit.

    `order` is SciPy's and MNE's: the slope of each edge; the filter has `order` second-order sections. The stated delay is
    the group delay at the geometric middle of the band. A channel begins as if its first value had always been there.
    Where `high` is not below half the stream's rate nothing lies above it: then it is a highpass, and says so.
    Reference: S. Butterworth, On the theory of filter amplifiers, Wireless Engineer 7, 1930.
    Raises WrongUse where low >= high or low is not below half the stream's rate.
    """

    low: Annotated[float, Setting("lower corner, -3 dB", "Hz", low=0.001)] = 1.0
    high: Annotated[float, Setting("upper corner, -3 dB", "Hz", low=0.002)] = 40.0
    order: Annotated[int, Setting("slope of each edge", low=1, high=10)] = 4
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "bandpass", low=self.low)
        if self.low >= self.high:
            raise WrongUse(f"bandpass: low={self.low:g} Hz is not below high={self.high:g} Hz.")
        high = self.high if self.high < s.rate / 2 else None
        return butterworth(self.order, self.low, high, s.rate), geometric((self.low, high or s.rate / 2))

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        if self.high < s.rate / 2:
            return out
        return noted(out, f"bandpass: at {s.rate:g} Hz nothing lies above high={self.high:g} Hz; it is a highpass")

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(low=8, high=13, order=2, channels=("C3", "C4"))
