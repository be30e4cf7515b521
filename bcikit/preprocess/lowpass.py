"""Keeps what lies below a frequency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._design import butterworth
from ._filter import Filter
from ._signals import CHANNELS, below_nyquist


@dataclass(eq=False)
class Lowpass(Filter):
    """Butterworth lowpass, causal. (samples, channels) in and out, same unit.

    The stated delay is the group delay at half the corner frequency. A channel begins as if its first value had always
    been there.
    Reference: S. Butterworth, On the theory of filter amplifiers, Wireless Engineer 7, 1930.
    Raises WrongUse where the corner is not below half the stream's rate.
    """

    high: Annotated[float, Setting("corner, -3 dB", "Hz", low=0.001)] = 40.0
    order: Annotated[int, Setting("slope", low=1, high=10)] = 4
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "lowpass", high=self.high)
        return butterworth(self.order, None, self.high, s.rate), self.high / 2

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(high=12, order=3, channels=("C3", "accel z"))
