"""Feedback to the person: a neurofeedback value as a bar, or touch as the strength of a vibration motor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from ._drawing import Drawing, line

WIDTH = 40


@dataclass(eq=False)
class Feedback(Sink):
    """Shows each channel as a strength from 0 (at `low`) to 1 (at `high`), smoothed over `smooth` seconds. `show` takes the
    strengths: a page, a tone or a motor puts its own there; by default a bar is drawn. It is 0 while nobody knows better: at
    the start, after NaN, when data stop, and at the end. low may lie above high: the less, the stronger. Raises WrongUse
    where they are equal."""

    kind: ClassVar[str] = "effector"
    inline: ClassVar[bool] = True

    low: Annotated[float, Setting("value shown as nothing, in the unit of the channels")] = 0.0
    high: Annotated[float, Setting("value shown as full")] = 1.0
    smooth: Annotated[float, Setting("time constant", "s", low=0, high=60)] = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low == self.high:
            raise WrongUse(f"feedback: low and high are both {self.low:g}.", "Nothing lies between them.")
        self.show: Callable[[np.ndarray], None] = _bar
        self.strength = np.zeros(0)

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.strength = np.zeros(int(np.prod(s.shape)))
        self._share = 1.0 if not (s.rate and self.smooth) else 1 - float(np.exp(-1 / (s.rate * self.smooth)))

    def send(self, c: Chunk) -> None:
        for row in np.asarray(c.data, float).reshape(len(c), len(self.strength)):
            wanted = np.clip((row - self.low) / (self.high - self.low), 0.0, 1.0)
            self.strength = np.where(np.isfinite(wanted), self.strength + self._share * (wanted - self.strength), 0.0)
        if len(c):
            self.show(self.strength)

    def drawing(self) -> Drawing:
        """A bar for each channel."""
        lines = []
        for k, strength in enumerate(self.strength):
            x = 0.3 * (k - (len(self.strength) - 1) / 2)
            lines.append(line("place", (x, 0, -0.5), (x, 0, 0.5), width=0.2))
            lines.append(line("warm", (x, -0.01, -0.5), (x, -0.01, float(strength) - 0.5), width=0.17))
        return Drawing(tuple(lines), span=max(1.6, 0.3 * len(self.strength) + 0.4))

    @classmethod
    def commands(cls, seconds: float = 12.0, rate: float = 50.0) -> Recording:
        """Simulated: two values that come and go."""
        t = np.arange(round(seconds * rate)) / rate
        rows = 0.5 + 0.45 * np.sin(np.outer(t, (0.9, 1.7)))
        channels = tuple(Channel(n, "aux", "1") for n in ("alpha", "touch"))
        return recording(Stream("simulated feedback", rate, channels, label=SIMULATED), rows)

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming" and self.strength.any():
            self.safe()

    def safe(self) -> None:
        self.strength = np.zeros_like(self.strength)
        if len(self.strength):
            self.show(self.strength)

    def close(self) -> None:
        if self.strength.any():
            self.safe()

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(low=-20, high=20)
        yield cls(low=5, high=-5)


def _bar(strength: np.ndarray) -> None:
    print("  ".join(f"{'#' * round(WIDTH * s):{WIDTH}}" for s in strength[:2]), end="\r", flush=True)
