"""The simplest decoder: is there more of a band than a threshold?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.grid import Grid
from ..core.label import Level
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Stream


@dataclass(eq=False)
class Threshold(Stage):
    """Says `active` while the amplitude in a band is above `on`, and `rest` again once it is below `off`; between the two
    it stays as it was (a Schmitt trigger). With the alpha band over the occiput it tells closed eyes from open
    ones (Berger, Arch Psychiatr 87:527, 1929, doi:10.1007/BF01797193).

    Input (samples, channels) at a rate of at least twice `high`; output (decisions, 1) every `every` seconds,
    each an index into (rest, active). The amplitude is the root mean square, in the channels' unit, of the band of the
    newest `window` seconds (Hann window, periodogram), averaged over the chosen channels. Delay: half the window.
    Raises WrongUse where a channel is missing, the stream is too slow or its channels differ in unit.
    """

    channels: Annotated[tuple[str, ...], Setting("channels to look at, or a kind such as eeg")] = ("eeg",)
    low: Annotated[float, Setting("lower edge of the band", "Hz", low=0)] = 8.0
    high: Annotated[float, Setting("upper edge of the band", "Hz", low=0)] = 12.0
    on: Annotated[float, Setting("amplitude above which it is on, in the unit of the channels", low=0)] = 8.0
    off: Annotated[float, Setting("amplitude below which it is off again", low=0)] = 6.0
    window: Annotated[float, Setting("what one decision looks back on", "s", low=0.05, high=60)] = 1.0
    every: Annotated[float, Setting("time between decisions", "s", low=0.001, high=60)] = 0.1
    rest: Annotated[str, Setting("the decision while it is off")] = "rest"
    active: Annotated[str, Setting("the decision while it is on")] = "active"

    @property
    def settle(self) -> float:  # type: ignore[override]
        return 3 * self.window + self.every

    def setup(self, s: Stream) -> Stream:
        if self.off > self.on or self.low >= self.high:
            pair = f"off={self.off:g}, on={self.on:g}" if self.off > self.on else f"low={self.low:g}, high={self.high:g}"
            raise WrongUse(f"threshold: {pair} are the wrong way round.")
        if len(s.shape) != 1 or s.rate < 2 * self.high:
            raise WrongUse(
                f"threshold cannot look for {self.high:g} Hz in {s.name}.",
                f"It needs a plain signal of at least {2 * self.high:g} Hz; this is {s.rate:g} Hz, shape {s.shape}.",
            )
        self.columns = s.pick(self.channels)
        units = sorted({s.channels[i].unit for i in self.columns})
        if len(units) > 1:
            raise WrongUse(
                f"threshold cannot average {' and '.join(units)}.", do="Choose channels of one unit: channels=..."
            )
        n, hop = max(2, round(self.window * s.rate)), max(1, round(self.every * s.rate))
        self.grid, self.need = Grid(hop, 1, hop - 1), n
        hz = np.fft.rfftfreq(n, 1 / s.rate)
        self.bins = np.flatnonzero((hz >= self.low) & (hz <= self.high))
        if not len(self.bins):
            raise WrongUse(
                f"threshold: a window of {self.window:g} s cannot tell {self.low:g} from {self.high:g} Hz.",
                do=f"Set window to {2 / (self.high - self.low):g} s or more.",
            )
        self.taper = np.hanning(n)
        self.gain = 2 / (n * (self.taper**2).sum())  # of |spectrum|² to mean square
        self._on = False
        self._before = np.zeros((n - 1, len(self.columns)))
        return s.but(
            rate=s.rate / hop,
            channels=(Channel("decision", "decision", ""),),
            alphabet=(self.rest, self.active),
            delay=s.delay + self.window / 2,
            label=replace(s.label, level=max(s.label.level, Level.DECISION)),
        )

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        x = np.concatenate([self._before, x[:, self.columns].astype(float)])
        n = self.need
        y = np.empty((len(due), 1), np.float32)
        for k, row in enumerate(due):
            power = self._power(x[row : row + n])
            self._on = power > (self.off if self._on else self.on)
            y[k] = self._on
        self._before = x[len(x) - (n - 1) :].copy()
        return y

    def _power(self, x: np.ndarray) -> float:
        """Root mean square within the band of x (need, columns), averaged over the columns."""
        spectrum = np.fft.rfft((x - x.mean(axis=0)) * self.taper[:, None], axis=0)[self.bins]
        return float(np.sqrt((np.abs(spectrum) ** 2).sum(axis=0) * self.gain).mean())

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls(channels=("Cz", "C3"), low=20, high=30, on=2.0, off=1.8)
        yield cls(low=15, high=25, on=2.7, off=2.5, window=0.5, every=0.02, rest="no", active="yes")
