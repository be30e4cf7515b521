"""Keeps a velocity within bounds of speed and acceleration, whatever the decoder says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Recording, Stream, recording


@dataclass(eq=False)
class Limit(Stage):
    """Bounds the length of a velocity vector and of its change; its direction is kept where speed alone is bounded.

    All channels of kind velocity (or those named) are one vector; others pass as they are. It begins at rest, and
    decelerates no faster than it accelerates: to stop at once is for the effector. Input and output (samples, channels),
    unit of the input; no delay. Raises WrongUse without velocities or a rate, or where their units differ.
    """

    speed: Annotated[float, Setting("largest speed", "unit of the velocity", low=1e-9)] = 1.0
    acceleration: Annotated[float, Setting("largest change of it", "unit of the velocity a second", low=1e-9)] = 10.0
    channels: Annotated[tuple[str, ...], Setting("the channels of the vector, or kinds")] = ("velocity",)

    @property
    def settle(self) -> float:  # type: ignore[override]
        """From one end of the range to the other."""
        return 2 * self.speed / self.acceleration

    def setup(self, s: Stream) -> Stream:
        if not s.rate or len(s.shape) != 1:
            raise WrongUse(
                f"limit cannot bound {s.name}.", "An acceleration is seen only in rows of one moment, at a steady rate."
            )
        self.columns = s.pick(self.channels)
        units = sorted({s.channels[i].unit for i in self.columns})
        if len(units) > 1:
            raise WrongUse(
                f"limit cannot bound {' and '.join(units)} together.",
                do="Name the channels of one vector each: two limits, channels=...",
            )
        self.whole = self.columns == list(range(len(s.channels)))
        self.change = self.acceleration / s.rate
        self._v = [0.0] * len(self.columns)
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        v, moved = self._v, []  # plain numbers: so few are quicker than arrays of them
        for wanted in (x if self.whole else x[:, self.columns]).tolist():
            target = shortened(wanted, self.speed)
            change = shortened([a - b for a, b in zip(target, v, strict=True)], self.change)
            v = [a + b for a, b in zip(v, change, strict=True)]
            moved.append(v)
        self._v = v
        if self.whole and moved:
            return np.array(moved, np.float32)
        y = x.copy()
        if moved:
            y[:, self.columns] = moved
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(speed=0.8, acceleration=6.0), _velocity()
        yield cls(speed=0.5, acceleration=2.0, channels=("y",)), _velocity()


def shortened(v: list[float], length: float) -> list[float]:
    """`v` (dimensions), or the vector of this length in its direction where it is longer."""
    has = math.hypot(*v)
    return [a * (length / has) for a in v] if has > length else v


def _velocity(n: int = 400) -> Recording:
    """Simulated velocities, fifty a second, beside a grip force."""
    rng = np.random.default_rng(0)
    data = np.column_stack([np.cumsum(rng.standard_normal((n, 2)), axis=0) * 0.2, rng.random(n)])
    channels = (Channel("x", "velocity", "m/s"), Channel("y", "velocity", "m/s"), Channel("grip", "force", "N"))
    return recording(Stream("simulated velocity", 50.0, channels, label=SIMULATED), data)
