"""A reference that is taken off each channel as far as it is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._signals import BRAIN, chosen, flat
from .spikes import simulated_units

HOP_S = 0.1  # how often the weights are made anew
WARM_HOPS = 5  # before which they are zero
FAR = 25.0  # a hop whose reference has more than so many times the power it had is an artefact,
LAST = 10  # unless so many follow each other


@dataclass(eq=False)
class Regression(Stage):
    """Linear regression reference: from each chosen channel, its own share of the mean of the others' kind, or of named
    channels. (samples, channels) in and out, same unit; the others pass unchanged. No delay.

    The share is the least-squares slope of the channel on the reference over the past, exponentially forgotten with `tau`,
    made anew every 0.1 s on the stream's own index; for the first half second nothing is taken off. Unlike a common average
    it takes more from channels that have more of what is common, and nothing from those that have none.
    Reference: Young et al. 2018, doi:10.1088/1741-2552/aa9ee8.
    Raises WrongUse where fewer than two channels are left to work on.
    """

    tau: Annotated[float, Setting("time constant of the weights", "s", low=0.5, high=3600)] = 10.0
    to: Annotated[tuple[str, ...], Setting("channels whose mean is the reference. Without: all it works on")] = ()
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "regression")
        self.columns = np.array(chosen(s, self.channels, "regression", BRAIN))
        self.named = np.array(s.pick(self.to)) if self.to else self.columns
        if len(self.columns) < 2 and not self.to:
            raise WrongUse("regression needs at least two channels.", f"{s.name} has {', '.join(s.names[:24])}.")
        self.hop = max(round(HOP_S * s.rate), 1)
        self.keep = float(np.exp(-self.hop / (self.tau * s.rate)))
        self.settle = 8 * self.tau
        c = len(self.columns)
        self._base: np.ndarray | None = None  # the first row: sums of large offsets would lose the small rest
        self._sums = np.zeros((2, c))  # of x, and of x times the reference, in this hop
        self._own = np.zeros((1, 3))  # of 1, the reference, and its square
        self._past = np.zeros((2, c))
        self._own_past = np.zeros((1, 3))
        self._hops = self._far = 0
        self._weights = np.zeros(c, np.float32)
        self._mean = self._spread = 0.0
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        if not len(x):
            return y
        part = np.take(x, self.columns, axis=1)
        reference = kernels.means(np.take(x, self.named, axis=1)).astype(np.float64)
        if self._base is None:
            self._base = np.append(part[0], np.float32(reference[0]))
        part, reference, at = part - self._base[:-1], reference - float(self._base[-1]), 0
        while at < len(x):
            end = min(at + self.hop - (self.at + at) % self.hop, len(x))
            r = reference[at:end]
            taken = r.astype(np.float32)[:, None] * self._weights
            y[at:end, self.columns] -= taken
            weights = np.column_stack([np.ones(len(r)), r, r * r])
            kernels.weighted(part[at:end], weights[:, :2], self._sums)
            for row in weights:
                self._own += row
            if (self.at + end) % self.hop == 0:
                self._look()
            at = end
        return y

    def _look(self) -> None:
        (n, first, second), mean = self._own[0], self._mean
        power = (second - 2 * mean * first + n * mean * mean) / n
        if self._hops >= WARM_HOPS and power > FAR * self._spread and self._far < LAST:
            self._far += 1
            self._sums[:], self._own[:] = 0.0, 0.0
            return
        self._far = 0
        self._past = self._past * self.keep + self._sums
        self._own_past = self._own_past * self.keep + self._own
        self._sums[:], self._own[:] = 0.0, 0.0
        self._hops += 1
        if self._hops < WARM_HOPS:
            return
        n, first, second = self._own_past[0]
        self._mean, square = float(first / n), float(second / n)
        self._spread = square - self._mean**2
        if self._spread > 1e-12 * square:
            self._weights = ((self._past[1] - self._mean * self._past[0]) / (n * self._spread)).astype(np.float32)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(tau=0.5), simulated_units(12.0, 500.0)
        yield cls(tau=0.5, to=("E1", "E2"), channels=("E2", "E3", "E4")), simulated_units(12.0, 500.0)
