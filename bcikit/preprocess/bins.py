"""Sums, means or rates over bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..core.parts import Setting
from ..core.stream import Channel, Stream, recording
from ._bins import Binned

UNITS = {"sum": "{}", "mean": "{}", "rate": "{}/s"}


@dataclass(eq=False)
class Bins(Binned):
    """(samples, channels) in; out one row for each `width` seconds: counts of crossings, or the mean of a signal.

    Bins stand on the stream's own index, wherever it began. The stated delay is half a bin. What is NaN is left out (a sum
    is scaled up for it); where more than half of a bin is NaN, so is the bin.
    Lowers the privacy level to FEATURE where all channels are crossings (`spikes`) and bins have 1 kHz or less.
    """

    width: Annotated[float, Setting("of a bin", "s", low=0.0005, high=600)] = 0.02
    measure: Annotated[str, Setting("sum, mean, or rate: the sum for each second", choices=tuple(UNITS))] = "sum"

    def setup(self, s: Stream) -> Stream:
        self.begin(s, self.width, "bins")
        self.factor = {"sum": self.grid.p, "mean": 1.0, "rate": s.rate}[self.measure]
        out = self.featured(s)
        if any(c.kind != "crossings" for c in s.channels):
            out = out.but(label=s.label)
        return out.but(channels=tuple(replace(c, unit=UNITS[self.measure].format(c.unit)) for c in s.channels))

    def told(self, mean: np.ndarray) -> np.ndarray:
        return mean * self.factor

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(width=0.1)
        x = np.random.default_rng(0).random((3000, 5)) < 0.02
        channels = tuple(Channel(f"E{i}", "crossings", "1") for i in range(5))
        yield cls(measure="rate"), recording(Stream("simulated crossings", 1000.0, channels), x)
