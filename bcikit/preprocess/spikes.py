"""Threshold crossings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Recording, Stream, recording
from ._signals import CHANNELS, chosen, flat

LOOK_S = 0.00025  # how often the level is looked at: on real spikes, four times as rarely misses by 2 to 4 %
WARM_S = 1.0  # after which the threshold is known
GAUSS = 0.6745  # median(|x|) of Gaussian noise of standard deviation 1


@dataclass(eq=False)
class Spikes(Stage):
    """(samples, channels) of a signal filtered to the spiking band in; out 1 at each sample that crosses the threshold, else
    0.

    The threshold is `threshold` times the noise, median(|x|) / 0.6745, which spikes hardly move (Quiroga et al. 2004,
    doi:10.1162/089976604774201631); negative: downwards. A crossing is a sample beyond it whose neighbour before was not;
    after one, none counts for `refractory` seconds. The median is followed for each channel by stochastic approximation
    (Robbins & Monro 1951, doi:10.1214/aoms/1177729586), a step every 0.25 ms, with time constant `tau`, at first over
    all that came; until it has seen 1 s the output is NaN. It is kept over gaps. No delay.
    Where `noise` is given, the threshold is `threshold` times that, on every channel, from the first sample to the last.
    Put `bandpass:low=250,high=5000` before it. Raises WrongUse where the threshold is zero.
    """

    threshold: Annotated[float, Setting("in multiples of the noise; negative: downwards", low=-50, high=50)] = -4.5
    refractory: Annotated[float, Setting("after a crossing none counts for", "s", low=0, high=1)] = 0.001
    tau: Annotated[float, Setting("time constant of the noise", "s", low=0.1, high=3600)] = 10.0
    noise: Annotated[float | None, Setting("standard deviation of the noise, where it is known", "µV", low=1e-6)] = None
    channels: Annotated[tuple[str, ...], Setting(CHANNELS.replace("; the others pass unchanged", ""))] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "spikes")
        if not self.threshold:
            raise WrongUse("spikes:threshold is 0.", "Any noise crosses that.", "spikes:threshold=-4.5 is usual.")
        self.columns = np.array(chosen(s, self.channels, "spikes"))
        hop = max(round(LOOK_S * s.rate), 1)
        looks = WARM_S * s.rate / hop
        refractory = max(round(self.refractory * s.rate), 1)
        side, times = np.sign(self.threshold), abs(self.threshold) / GAUSS
        self.rule = np.array([hop, np.ceil(looks), refractory, side, times, hop / (self.tau * s.rate)])
        self.settle = WARM_S + 10 * self.tau
        self._own = np.zeros((5, len(self.columns)), np.float32)
        self._own[0] = np.nan
        if self.noise is not None:  # as if it had been looked at for ever
            self._own[2], self._own[4], self.rule[5] = GAUSS * self.noise, np.inf, 0.0
            self.settle = self.refractory
        self.warm = False
        made = tuple(replace(s.channels[i], kind="crossings", unit="1") for i in self.columns)
        return s.but(channels=made)

    @property
    def ready(self) -> bool:
        """Whether every channel has its threshold."""
        self.warm = self.warm or bool((self._own[4] >= self.rule[1]).all())
        return self.warm

    def rows(self, x: np.ndarray) -> np.ndarray:
        bad = self.bad
        if len(self.columns) != x.shape[1]:
            x = np.take(x, self.columns, axis=1)
            bad = None if bad is None else np.take(bad, self.columns, axis=1)
        if bad is None:
            if self.ready:
                return kernels.crossings(x, self._own, self.at, self.rule)
            hop, missing = int(self.rule[0]), self.rule[1] - self._own[4]  # looks before the threshold is known
            known = np.where(missing > 0, hop * missing - self.at % hop, 0)  # the row from which on it is
            y = kernels.crossings(x, self._own, self.at, self.rule)
            y[np.arange(len(x))[:, None] < known] = np.nan
            return y
        y, hop, at = np.empty_like(x), int(self.rule[0]), 0
        while at < len(x):  # up to each look: what is not known is NaN, and no look is had at what is bad
            end = min(at + hop - (self.at + at) % hop, len(x))
            before = self._own[2:].copy()
            y[at:end] = kernels.crossings(x[at:end], self._own, self.at + at, self.rule)
            y[at:end, before[2] < self.rule[1]] = np.nan
            if bad is not None:
                y[at:end][bad[at:end]] = np.nan
                self._own[2:, bad[end - 1]] = before[:, bad[end - 1]]
            at = end
        return y

    def gap(self, seconds: float) -> None:
        levels = self._own[2:]
        super().gap(seconds)
        self._own[2:] = levels

    @classmethod
    def examples(cls) -> Iterator[Any]:
        source = simulated_units(6.0)
        yield cls(tau=0.2), source
        yield cls(threshold=6, tau=0.2, refractory=0.003, channels=("E2", "E4")), source


def simulated_units(seconds: float, rate: float = 2000.0, n: int = 4, seed: int = 0, counts: bool = False) -> Recording:
    """Simulated: `n` channels of noise (rms 8 µV, in the last growing to thrice that) and units that fire some 20 times a
    second, 160 µV deep; as float32, or counts of 0.25 µV."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate)
    x = 8 * rng.standard_normal((samples, n)) + 5 * rng.standard_normal((samples, 1))
    x[:, -1] *= 1 + 2 * np.linspace(-1, 1, samples).clip(0)
    fired = rng.random((samples, n)) < 20 / rate
    x -= 160.0 * fired
    x[1:] += 120.0 * fired[:-1]
    channels = tuple(Channel(f"E{i}", "broadband") for i in range(1, n + 1))
    stream = Stream("simulated units", rate, channels, scale=0.25 if counts else None, label=SIMULATED)
    return recording(stream, np.rint(x * 4) if counts else x)
