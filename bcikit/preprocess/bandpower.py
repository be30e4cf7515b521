"""Power in frequency bands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.grid import Grid
from ..core.label import Level
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Stream
from ._design import butterworth, group_delay, settling, steady
from ._filter import Begins, geometric
from ._signals import CHANNELS, below_nyquist

# IFSECN's glossary (Kane et al. 2017, doi:10.1016/j.cnp.2017.07.002); gamma up to below the mains of 50 Hz
BANDS = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "mu": (8.0, 13.0), "beta": (13.0, 30.0)}
BANDS["gamma"] = (30.0, 45.0)


@dataclass(eq=False)
class Bandpower(Begins):
    """(samples, channels) in; out one column "C3 alpha" of kind `power` for each band of each chosen channel, every `hop` s.

    Butterworth bandpass (2nd order at each edge), squared, and the mean over the last `window` s (a whole number of hops),
    in the channel's unit squared; or in decibels of it. Outputs stand on the stream's own index, wherever it began. Where
    more than half of a window is NaN, so is its power. The stated delay is half a window and the group delay of the slowest
    band.
    Lowers the privacy level to FEATURE: the signal cannot be made from it.
    Raises WrongUse where a band is unknown or does not lie below half the stream's rate.
    """

    bands: Annotated[tuple[str, ...], Setting("delta, theta, alpha, mu, beta, gamma, or corners in Hz as 8-12")] = (
        "theta",
        "alpha",
        "beta",
    )
    window: Annotated[float, Setting("length of the mean", "s", low=0.01, high=600)] = 1.0
    hop: Annotated[float, Setting("from one output to the next", "s", low=0.001, high=600)] = 0.1
    decibels: Annotated[bool, Setting("10 log10 of the power")] = False
    channels: Annotated[tuple[str, ...], Setting(CHANNELS.replace("; the others pass unchanged", ""))] = ()

    def setup(self, s: Stream) -> Stream:
        self.choose(s, self.channels)
        corners = [_corners(b) for b in self.bands]
        if not corners:
            raise WrongUse("bandpower:bands is empty.", f"It can hold {', '.join(BANDS)}, or corners in Hz as 8-12.")
        for low, high in corners:
            below_nyquist(s, "bandpower", low=low, bands=high)
        self.sos = [butterworth(2, low, high, s.rate) for low, high in corners]
        hop = max(round(self.hop * s.rate), 1)
        self.bins = max(round(self.window * s.rate / hop), 1)
        self.grid, self.need = Grid(p=hop, off=hop - 1), self.bins * hop
        self.settle = max(settling(sos) for sos in self.sos) / s.rate + self.need / s.rate
        c, b = len(self.columns), len(corners)
        self._states = np.zeros((b, 2, 2, c))
        self._sums = np.zeros(b * c)  # of squares, in this bin
        self._bad = np.zeros(c, np.int64)  # NaN in this bin
        self._old = np.zeros((self.bins, b * c))
        self._old_bad = np.zeros((self.bins, c), np.int64)
        slow = max(group_delay(sos, geometric(band), s.rate) for sos, band in zip(self.sos, corners, strict=True))
        label = replace(s.label, level=max(s.label.level, Level.FEATURE))
        made = [self._channel(s.channels[i], band) for i in self.columns for band in self.bands]
        return s.but(rate=s.rate / hop, channels=made, delay=s.delay + slow + self.need / 2 / s.rate, label=label)

    def _channel(self, c: Channel, band: str) -> Channel:
        return replace(c, name=f"{c.name} {band}", kind="power", unit=f"dB({c.unit}²)" if self.decibels else f"{c.unit}²")

    def run(self, x: np.ndarray) -> np.ndarray:
        """(samples, bands * channels): x in each band."""
        return np.concatenate(
            [kernels.biquads(x, sos, own) for sos, own in zip(self.sos, self._states, strict=True)], axis=1
        )

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        for sos, own in zip(self.sos, self._states, strict=True):
            own[:, :, columns] = steady(sos)[:, :, None] * values

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        filtered = self.begun(x)
        hop, first, at = self.grid.p, int(due[0]) if len(due) else len(x), 0
        y = []
        while at < len(x):
            end = min(at + hop - (self.at + at) % hop, len(x))  # of the bin, or of what has come of it
            kernels.squares(filtered[at:end], self._sums)
            if self.bad is not None:
                self._bad += np.take(self.bad[at:end], self.columns, axis=1).sum(axis=0)
            if (self.at + end) % hop == 0:
                self._close_bin((self.at + end) // hop - 1)
                if end > first:
                    y.append(self._power())
            at = end
        return np.array(y, np.float32).reshape(len(y), *self.out.shape)

    def _close_bin(self, number: int) -> None:
        self._old[number % self.bins], self._old_bad[number % self.bins] = self._sums, self._bad
        self._sums[:], self._bad[:] = 0.0, 0

    def _power(self) -> np.ndarray:
        power = self._old.sum(axis=0).reshape(len(self.sos), -1) / self.need
        power[:, self._old_bad.sum(axis=0) * 2 > self.need] = np.nan
        if self.decibels:
            power = 10 * np.log10(np.maximum(power, 1e-12))
        return power.T.ravel()

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(bands=("8-12", "beta"), window=0.5, hop=0.25, decibels=True, channels=("C3", "C4"))


def _corners(band: str) -> tuple[float, float]:
    if band in BANDS:
        return BANDS[band]
    found = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", band.strip())
    if found and 0 < float(found[1]) < float(found[2]):
        return float(found[1]), float(found[2])
    raise WrongUse(f"bandpower knows no band {band!r}.", f"A band is {', '.join(BANDS)}, or corners in Hz as 8-12.")
