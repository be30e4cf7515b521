"""Turns the wish to close or open a hand into where the hand is to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Recording, Stream, recording


@dataclass(eq=False)
class Grasp(Stage):
    """Integrates one channel, a wish to close (positive) or open, into a position from 0 (open) to 1 (closed); wishes below
    `dead` are none, so that noise does not open a hand. Other channels pass.

    Input and output (samples, channels), at a steady rate; no delay. Begins at `begin`. Raises WrongUse where the channel is
    missing or the stream has no rate.
    """

    channel: Annotated[str, Setting("the wish")] = "grip"
    dead: Annotated[float, Setting("what is no wish, in the unit of the channel", low=0)] = 0.4
    speed: Annotated[float, Setting("of closing, for a wish of 1 beyond that", "1/s", low=0.01, high=20)] = 2.0
    begin: Annotated[float, Setting("where it begins", low=0, high=1)] = 0.0

    exempt: ClassVar = {"faults_leave_no_trace": "where the hand is depends on all that was wished"}

    def setup(self, s: Stream) -> Stream:
        if not s.rate or len(s.shape) != 1:
            raise WrongUse(f"grasp cannot integrate {s.name}.", "It needs rows at a steady rate.")
        (self.column,) = s.pick((self.channel,))
        self._at = self.begin
        channels = list(s.channels)
        channels[self.column] = Channel(self.channel, "position", "1")
        return s.but(channels=tuple(channels))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        for row in y:
            wish = float(row[self.column])
            step = np.sign(wish) * max(abs(wish) - self.dead, 0.0) * self.speed / self.into.rate
            self._at = min(max(self._at + step, 0.0), 1.0)
            row[self.column] = self._at
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(), _wishes()
        yield cls(channel="close", dead=0.2, speed=0.7, begin=0.5), _wishes("close")


def _wishes(name: str = "grip", n: int = 400) -> Recording:
    """Simulated: a velocity, and a wish that swings."""
    rng = np.random.default_rng(0)
    data = np.column_stack([np.sin(np.arange(n) / 9) + 0.3 * rng.standard_normal(n), rng.standard_normal(n)])
    channels = (Channel(name, "velocity", "1/s"), Channel("vx", "velocity", "m/s"))
    return recording(Stream("simulated wishes", 50.0, channels, label=SIMULATED), data)
