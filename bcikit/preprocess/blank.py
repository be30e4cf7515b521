"""Takes out what a stimulator leaves in the signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.parts import Setting, Stage
from ..core.stream import Chunk, Stream
from ._signals import CHANNELS, chosen, flat


@dataclass(eq=False)
class Blank(Stage):
    """(samples, channels) in and out, same unit; NaN for `seconds` from each event named `event`, and from each sample
    beyond `limit`, where one is given. Stages behind hold the last good value over it and mark what they give there as NaN:
    a filter does not ring with the artefact, and nothing is counted in it.

    A sample that came before its event cannot be taken back; a stimulator's marks come with or before its pulse. No delay.
    Put it before any filter, and after `rereference` only where the artefact is the same on all channels.
    """

    holds = False
    settle = 0.5

    event: Annotated[str, Setting("name of the events that stand at the stimulator's pulses")] = "stimulation"
    seconds: Annotated[float, Setting("from each of them on", "s", low=0, high=0.5)] = 0.002
    limit: Annotated[float | None, Setting("what is beyond it, up or down, is an artefact too", "the channel's", low=0)] = (
        None
    )
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "blank")
        self.columns = np.array(chosen(s, self.channels, "blank"))
        self.length = max(round(self.seconds * s.rate), 1)
        self._pulses: list[float] = []  # whose samples have not all come
        self._left = np.zeros(len(self.columns), np.int64)  # samples still to blank, by channel
        return s

    def step(self, c: Chunk) -> Chunk:
        self._pulses += [float(np.ceil(e.index)) for e in c.events if e.name == self.event]
        return super().step(c)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y, part = x.copy(), np.take(x, self.columns, axis=1)
        out = np.zeros(part.shape, bool)
        for pulse in self._pulses:
            begin = int(pulse) - self.at
            out[max(begin, 0) : max(begin + self.length, 0)] = True
        self._pulses = [p for p in self._pulses if p + self.length > self.at + len(x)]
        if self.limit is not None and len(x):
            beyond = np.abs(part) > self.limit
            since = np.where(beyond, np.arange(len(x))[:, None], self._left - self.length)
            np.maximum.accumulate(since, axis=0, out=since)  # the newest row beyond
            out |= np.arange(len(x))[:, None] - since < self.length
            self._left = np.maximum(since[-1] - (len(x) - self.length), 0)
        part[out] = np.nan
        y[:, self.columns] = part
        return y

    def gap(self, seconds: float) -> None:
        self._left[:] = 0

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls(event="left", seconds=0.1)
        yield cls(event="tap", seconds=0.05, limit=3050.0, channels=("C3", "Fp2"))
