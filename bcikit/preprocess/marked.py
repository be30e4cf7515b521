"""What marks say, as channels beside the samples: where a cursor and its target are, how hard a stimulator pushes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Chunk, Event, Stream, recording
from ._signals import flat


@dataclass(eq=False)
class Marked(Stage):
    """(samples, channels) in, (samples, channels + names) out: behind the channels, for each name, the number that the
    newest mark of that name bears, from the first sample behind the mark on; NaN before the first. No delay.

    The marks pass on as well. One that comes later than the sample behind it holds from the sample it comes with. Marks
    whose value is no number are let pass. Raises WrongUse where no name is given, or the stream has a channel so called.
    """

    holds = False
    settle = 0.0

    names: Annotated[tuple[str, ...], Setting("of marks whose value is a number; a channel each")] = ()
    kind: Annotated[str, Setting("kind of these channels")] = "position"
    unit: Annotated[str, Setting("their unit")] = ""

    def setup(self, s: Stream) -> Stream:
        flat(s, "marked")
        twice = sorted(set(self.names) & set(s.names))
        if not self.names or len(set(self.names)) < len(self.names) or twice:
            raise WrongUse(
                f"marked cannot name its channels {', '.join(self.names) or 'without names'}.",
                f"{s.name} has {', '.join(twice)} already." if twice else "Each needs a name of its own.",
            )
        self._said = np.full(len(self.names), np.nan, np.float32)
        self._waiting: list[list[float]] = []  # index, column, value of marks not yet reached, in order
        return s.but(channels=(*s.channels, *(Channel(name, self.kind, self.unit) for name in self.names)))

    def step(self, c: Chunk) -> Chunk:
        self._waiting += [m for e in c.events if (m := self._read(e)) is not None]
        self._waiting.sort(key=lambda mark: mark[0])
        return super().step(c)

    def _read(self, e: Event) -> list[float] | None:
        if e.name not in self.names or isinstance(e.value, (bool, str)) or e.value is None:
            return None
        return [float(e.index), float(self.names.index(e.name)), float(e.value)]

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), x.shape[1] + len(self.names)), np.float32)
        y[:, : x.shape[1]] = x
        said, done = y[:, x.shape[1] :], 0
        while self._waiting and self._waiting[0][0] < self.at + len(x) - 1:
            index, column, value = self._waiting.pop(0)
            row = max(int(np.floor(index)) + 1 - self.at, 0)
            said[done:row] = self._said
            self._said[int(column)], done = value, max(row, done)
        said[done:] = self._said
        return y

    def gap(self, seconds: float) -> None:
        """What was said last still holds."""

    @classmethod
    def examples(cls) -> Iterator[Any]:
        rng = np.random.default_rng(0)
        s = Stream("simulated counts", 50.0, (Channel("u1", "spikes", "count"),), label=SIMULATED)
        marks = [Event(k * 7.25, name, float(rng.standard_normal())) for k in range(90) for name in ("x", "y")]
        source = recording(s, rng.poisson(2, (700, 1)), marks)
        yield cls(names=("y", "x")), source
        yield cls(names=("x",), kind="level", unit="mA"), source
