"""Spiking-band power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._bins import Binned


@dataclass(eq=False)
class Sbp(Binned):
    """(samples, channels) of a signal already filtered to the spiking band in; out its strength in each bin of `width`
    seconds.

    measure: `power`, the mean square; `rms`, its root; `absolute`, the mean of |x|, which is what Nason et al. call
    spiking-band power (of 300 to 1000 Hz): put `bandpass:low=300,high=1000` before it. The stated delay is half a bin.
    Lowers the privacy level to FEATURE where bins have 1 kHz or less and 10 samples or more: the signal cannot be made from
    it. Reference: Nason et al. 2020, doi:10.1038/s41551-020-0591-0.
    """

    width: Annotated[float, Setting("of a bin", "s", low=0.0005, high=600)] = 0.02
    measure: Annotated[str, Setting("power, rms or absolute", choices=("power", "rms", "absolute"))] = "power"

    def setup(self, s: Stream) -> Stream:
        self.begin(s, self.width, "sbp")
        unit = "{}²" if self.measure == "power" else "{}"
        made = tuple(replace(c, name=f"{c.name} sbp", kind="power", unit=unit.format(c.unit)) for c in s.channels)
        return self.featured(s).but(channels=made)

    def add(self, x: np.ndarray) -> None:
        if self.measure == "absolute":
            kernels.sums(np.abs(x), self._sums)
        else:
            kernels.squares(x, self._sums)

    def told(self, mean: np.ndarray) -> np.ndarray:
        return np.sqrt(mean) if self.measure == "rms" else mean

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(width=0.1, measure="absolute")
        yield cls(width=0.1, measure="rms")
