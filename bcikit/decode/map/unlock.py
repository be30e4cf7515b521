"""A lock before what is decoded: nothing of it goes on until the person's own unlock, and it locks again by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Event, Recording, Stream, recording


@dataclass(eq=False)
class Unlock(Stage):
    """Gives NaN for each sample until an event `by` (an imagined keyword, a switch, a gesture of the eyes) unlocks it, from
    the sample on which the event stands, for `seconds` or until an event `lock`; each further `by` begins the time anew.
    What came before is never given later. An event that is known late unlocks from where it is known. (The need: inner
    speech decoded that nobody meant to say, Kunz et al., Cell 188:4658, 2025, doi:10.1016/j.cell.2025.06.015.)

    Input and output of any shape, as numbers; no delay of its own. Raises WrongUse where the input is counts, or irregular.
    """

    by: Annotated[str, Setting("event that unlocks")] = "unlock"
    lock: Annotated[str, Setting("event that locks at once")] = "lock"
    seconds: Annotated[float, Setting("how long it stays open", "s", low=0.001, high=3600)] = 10.0

    holds = False
    settle = 0.0
    exempt: ClassVar[Mapping[str, str]] = {"faults_leave_no_trace": "while it is locked NaN is what it gives"}

    def setup(self, s: Stream) -> Stream:
        if s.scale is not None or not s.rate:
            raise WrongUse(
                f"unlock cannot hold back {s.name}.", "It needs numbers at a steady rate.", "Put a decoder before it."
            )
        if self.by == self.lock:
            raise WrongUse(f"unlock: {self.by!r} cannot both open and lock.")
        self.samples = max(1, round(self.seconds * s.rate))
        self._until = -1  # index up to which it is open
        self._coming: list[tuple[float, str]] = []  # events that stand on samples to come
        return s

    def step(self, c: Any) -> Any:
        self._coming += [(max(e.index, float(c.first)), e.name) for e in c.events if e.name in (self.by, self.lock)]
        return super().step(c)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.full_like(x, np.nan)
        at, end = self.at, self.at + len(x)
        due = sorted((int(np.ceil(i)), name) for i, name in self._coming if np.ceil(i) < end)
        self._coming = [(i, name) for i, name in self._coming if np.ceil(i) >= end]
        for index, name in [*due, (end, "")]:
            last = min(index, self._until)
            if last > at:
                y[at - self.at : last - self.at] = x[at - self.at : last - self.at]
            at = max(at, index)
            if name == self.by:
                self._until = index + self.samples
            elif name == self.lock:
                self._until = index
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(seconds=1.0), _decisions()
        yield cls(by="blink", lock="stop", seconds=0.5), _decisions("blink", "stop")


def _decisions(by: str = "unlock", lock: str = "lock") -> Recording:
    """Simulated decisions, twenty a second, with events that open and lock."""
    channels = (Channel("left", "probability", ""), Channel("right", "probability", ""))
    stream = Stream("simulated decisions", 20.0, channels, label=SIMULATED)
    events = (Event(50, by), Event(100.5, by), Event(103, lock), Event(200, by), Event(210, by), Event(390, lock))
    return recording(stream, np.random.default_rng(0).random((400, 2)), events)
