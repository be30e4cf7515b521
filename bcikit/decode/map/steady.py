"""A velocity made fit to steer by: still where little is meant, scaled, and smoothed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Stream
from .limit import _velocity


@dataclass(eq=False)
class Steady(Stage):
    """One vector (all channels of kind velocity, or those named), smoothed with a time constant of `smooth` s; where it is
    shorter than `dead` it is zero, and beyond grows from zero, so that nothing jumps; times `gain`.

    Input and output (samples, channels), unit of the input; smoothing delays by `smooth`. NaN is held at the last value.
    Raises WrongUse without velocities or a rate, or where their units differ.
    """

    gain: Annotated[float, Setting("factor of the velocity", low=0, high=1e6)] = 1.0
    dead: Annotated[float, Setting("speed below which there is none", "unit of the velocity", low=0)] = 0.0
    smooth: Annotated[float, Setting("time constant", "s", low=0, high=60)] = 0.1
    channels: Annotated[tuple[str, ...], Setting("the channels of the vector, or kinds")] = ("velocity",)

    @property
    def settle(self) -> float:  # type: ignore[override]
        return 20 * self.smooth + 0.1

    def setup(self, s: Stream) -> Stream:
        if not s.rate or len(s.shape) != 1:
            raise WrongUse(f"steady cannot smooth {s.name}.", "It smooths rows of one moment, at a steady rate.")
        self.columns = s.pick(self.channels)
        units = sorted({s.channels[i].unit for i in self.columns})
        if len(units) > 1:
            raise WrongUse(f"steady cannot take {' and '.join(units)} as one vector.", do="Name the channels: channels=...")
        self.share = 1 - np.exp(-1 / (s.rate * self.smooth)) if self.smooth else 1.0
        self._v = np.zeros(len(self.columns))
        return s.but(delay=s.delay + self.smooth)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        for row, wanted in zip(y, x[:, self.columns].astype(float), strict=True):
            self._v = self._v + self.share * (wanted - self._v)
            speed = float(np.sqrt((self._v**2).sum()))
            row[self.columns] = self._v * (self.gain * max(speed - self.dead, 0) / speed if speed else 0.0)
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(gain=1.5, dead=0.3, smooth=0.08), _velocity()
        yield cls(gain=0.5, dead=0.1, smooth=0.0, channels=("y",)), _velocity()
