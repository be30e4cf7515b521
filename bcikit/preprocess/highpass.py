"""Keeps what lies above a frequency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._design import butterworth
from ._filter import Filter, geometric
from ._signals import CHANNELS, below_nyquist


@dataclass(eq=False)
class Highpass(Filter):
    """Butterworth highpass, causal. (samples, channels) in and out, same unit.

    The stated delay is the group delay at the geometric middle between corner and half the rate. A channel begins as if
    its first value had always been there: an offset is gone at once.
    Reference: S. Butterworth, On the theory of filter amplifiers, Wireless Engineer 7, 1930.
    Raises WrongUse where the corner is not below half the stream's rate.
    """

    low: Annotated[float, Setting("corner, -3 dB", "Hz", low=0.001)] = 0.5
    order: Annotated[int, Setting("slope", low=1, high=10)] = 2
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        below_nyquist(s, "highpass", low=self.low)
        return butterworth(self.order, self.low, None, s.rate), geometric((self.low, s.rate / 2))

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(low=3, order=3, channels=("eeg", "accel z"))
