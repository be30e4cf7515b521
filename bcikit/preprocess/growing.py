"""Cuts a window after each named event again and again while it grows: for decoders that stop when they are sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from .epoch import Epoch


@dataclass(eq=False)
class Growing(Epoch):
    """As `epoch`, but each trial comes several times: as soon as its first n samples are there, for each n of `lags`, what
    is to come being NaN. (samples, channels) in, (trials * lags, channels, lags) out. The event goes out with the first. A
    trial that begins before another is over comes behind it."""

    lags: Annotated[tuple[int, ...], Setting("samples of a trial, each more than the one before; without: all", low=1)] = ()

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        if self.lags:
            if list(self.lags) != sorted(set(self.lags)) or self.lags[-1] > self.whole:
                raise WrongUse(f"growing:lags={'+'.join(map(str, self.lags))} do not rise to {self.whole} at most.")
            self.pieces = self.lags
        return out

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls(events=("left", "tap=1.5:a tap"), after=0.2, length=0.5, lags=(30, 125))
        yield cls(events=("left", "tap", "begin"), after=-0.1, length=1.5, lags=(100, 200, 375))
