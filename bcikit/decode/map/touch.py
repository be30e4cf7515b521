"""Touch as stimulation: what a device feels becomes the trains that let the person feel it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream, recording

FELT_UA, FULL_UA = 20.0, 80.0  # where a microelectrode is felt, and felt fully (Flesher et al. 2016)
SHAPE = (200.0, 100.0, 400.0)  # µs: cathodic phase, gap, anodic phase of half the current (Flesher et al. 2016)
TRAIN = {
    "electrode": "1",
    "current": "µA",
    "width": "µs",
    "gap": "µs",
    "back_current": "µA",
    "back_width": "µs",
    "rate": "Hz",
    "seconds": "s",
}


def sensation(strength: float, electrode: int = 1, rate: float = 100.0, seconds: float = 0.02) -> np.ndarray:
    """The train for a sensation of a strength from 0 (none) to 1, as encoded by Flesher et al., Science 372:831-836, 2021,
    doi:10.1126/science.abd0380: contact as current, linear from just felt to full."""
    width, gap, back = SHAPE
    current = 0.0 if not strength > 0 else FELT_UA + (FULL_UA - FELT_UA) * min(strength, 1.0)
    return np.array([electrode, current, width, gap, current * width / back, back, rate, seconds])


@dataclass(eq=False)
class Touch(Stage):
    """(samples, channels) in, a train a sample out, as `stimulator` takes it, each as long as a sample: `channel` is felt
    from just (above `low`) to fully (at `high`). low may lie above high: the less, the stronger. NaN is not felt. No delay.

    Raises WrongUse where low equals high, the channel is not there, or the stream has no steady rate.
    """

    holds = False
    settle = 0.0

    channel: Annotated[str, Setting("what is felt")]
    high: Annotated[float, Setting("value that is felt fully, in the channel's unit")]
    low: Annotated[float, Setting("value up to which nothing is felt")] = 0.0
    electrode: Annotated[int, Setting("where, as the stimulator counts them", low=1, high=10_000)] = 1
    pulses: Annotated[float, Setting("pulses a second", "Hz", low=1, high=1000)] = 100.0

    def setup(self, s: Stream) -> Stream:
        if self.low == self.high:
            raise WrongUse(f"touch: low and high are both {self.low:g}.", "Nothing lies between them.")
        if len(s.shape) != 1 or not s.rate:
            raise WrongUse(f"touch cannot read {s.name}.", "A train lasts as long as a sample of a steady rate.")
        (self.column,) = s.pick([self.channel])[:1]
        self.seconds = 1 / s.rate
        return s.but(channels=tuple(Channel(n, "aux", u) for n, u in TRAIN.items()), scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        strengths = (x[:, self.column].astype(float) - self.low) / (self.high - self.low)
        trains = [sensation(float(v), self.electrode, self.pulses, self.seconds) for v in strengths]
        return np.array(trains, np.float32).reshape(len(x), len(TRAIN))

    @classmethod
    def examples(cls) -> Iterator[Any]:
        t = np.arange(400) / 50
        rows = np.column_stack([6 * np.maximum(np.sin(t), 0), 2 + np.cos(t)])
        channels = (Channel("grip", "aux", "N"), Channel("distance", "aux", "m"))
        felt = recording(Stream("simulated touch", 50.0, channels, label=SIMULATED), rows)
        yield cls(channel="grip", high=10.0), felt
        yield cls(channel="distance", low=3.0, high=1.0, electrode=2), felt
