"""Finds channels that are of no use, and puts in their place what the others tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Event, Stream, recording
from ._reporting import Reporting
from ._signals import BRAIN, chosen, flat
from ._sphere import interpolation, places

BIN_S = 0.25  # signals are compared over so long at a time; an offset or drift is no fault
NEIGHBOURS = 4
DEAD = 0.05  # of the middle rms
LEAST_SPREAD = 0.15  # of ln rms: caps are not more alike than that
TO_SD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation


@dataclass(eq=False)
class Badchannels(Reporting):
    """Bad channels interpolated from the good. (samples, channels) in and out, same unit, no delay.

    Every 0.25 s each channel is judged over the last `window` s, by the median of its bins of 0.25 s: `nan`, half of it is
    no number; `dead`, rms below a twentieth of the channels' median; `noisy`, ln rms more than `noisy` robust SD above it;
    `alone`, its greatest correlation with any other is less than `alone` of what it is for the median channel. It is good
    again once it was so for `window` s. With `spline` (Perrin et al. 1989, doi:10.1016/0013-4694(89)90180-6) or `nearest`
    (four good ones, by 1/distance) it is then told by the others; with fewer than three good ones it is NaN, and with
    `none` it is only told of. Events `badchannels`, where something changes: "C3 noisy", "C3 good".
    The criteria are those of Bigdely-Shamlo et al. 2015 (PREP), doi:10.3389/fninf.2015.00016, made causal.
    Raises WrongUse where a place is unknown (but for `none`) or there are fewer than four channels.
    """

    holds = False

    fill: Annotated[str, Setting("what a bad channel becomes", choices=("spline", "nearest", "none"))] = "spline"
    window: Annotated[float, Setting("length of the judgement", "s", low=0.5, high=60)] = 2.0
    noisy: Annotated[float, Setting("this far above the others' rms", "SD", low=1, high=100)] = 5.0
    alone: Annotated[float, Setting("share of the others' correlation", low=0, high=1)] = 0.4
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "badchannels")
        self.columns = np.array(chosen(s, self.channels, "badchannels", BRAIN))
        n = len(self.columns)
        if n < 4:
            raise WrongUse(f"badchannels needs at least four channels; of {s.name} it works on {n}.")
        self.places = None if self.fill == "none" else places(s, self.columns, "badchannels")
        self.size = max(round(BIN_S * s.rate), 8)
        self.bins = max(round(self.window * s.rate / self.size), 2)
        self.settle = (2 * self.bins + 3) * self.size / s.rate
        self._now = np.zeros((self.size, n))
        self._lost = np.zeros((self.size, n), bool)
        self._seen = 0
        self._covs: list[np.ndarray] = []
        self._missed: list[np.ndarray] = []
        self._states = ["good"] * n
        self._left = np.zeros(n, int)  # judgements until a bad one is good again
        self._bad = np.zeros(0, int)
        self._made = np.zeros((0, n))  # what makes the bad of all
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        x, lost = self._held(x)
        y = x.copy()
        if lost is not None:
            y[lost] = np.nan
        mine = np.take(x, self.columns, axis=1).astype(np.float64)
        for rows, hop in self.walk(len(x)):
            part = mine[rows]
            for bad, weights in zip(self._bad, self._made, strict=True):
                told = np.zeros(len(part))
                for column in np.flatnonzero(weights):  # one after the other: rounded alike at any cut
                    told += weights[column] * part[:, column]
                y[rows, self.columns[bad]] = told if weights.any() else np.nan
            self._now[hop] = part
            self._lost[hop] = False if lost is None else lost[rows, self.columns]
        return y

    def turn(self, index: int) -> None:
        """A bin is full: judge. Shapes are fixed."""
        z = self._now - self._now.mean(axis=0)
        self._covs = [*self._covs[1 - self.bins :], z.T @ z / self.size]
        self._missed = [*self._missed[1 - self.bins :], self._lost.mean(axis=0)]
        if len(self._covs) < self.bins:
            return
        changed = False
        for i, state in enumerate(self._judged(np.array(self._covs))):
            before = self._states[i]
            self._left[i] = self.bins if state != "good" else max(self._left[i] - 1, 0)
            if state == "good" and self._left[i]:
                state = before
            if state != before:
                self._states[i], changed = state, True
                self.tell(index, "badchannels", f"{self.into.names[self.columns[i]]} {state}")
        if changed and self.fill != "none":
            self._bad = np.flatnonzero([state != "good" for state in self._states])
            self._made = self._fill(self._bad)

    def _judged(self, covs: np.ndarray) -> list[str]:
        power = np.median(np.diagonal(covs, axis1=1, axis2=2), axis=0)
        middle = np.median(power)
        size = 0.5 * np.log(power + 1e-12 * middle + 1e-30)
        far = size - np.median(size)
        spread = max(TO_SD * float(np.median(np.abs(far))), LEAST_SPREAD)
        sd = np.sqrt(np.maximum(np.diagonal(covs, axis1=1, axis2=2), 1e-30))
        like = np.abs(covs / (sd[:, :, None] * sd[:, None, :]))
        like[:, np.arange(len(far)), np.arange(len(far))] = 0
        best = np.median(like, axis=0).max(axis=0)
        state = np.full(len(far), "good", object)
        state[best < self.alone * np.median(best)] = "alone"
        state[far > self.noisy * spread] = "noisy"
        state[power <= DEAD**2 * middle] = "dead"
        state[np.mean(self._missed, axis=0) >= 0.5] = "nan"
        return list(state)

    def _fill(self, bad: np.ndarray) -> np.ndarray:
        """(bad, channels): weights that make the bad channels of the good; zeros where there are too few."""
        assert self.places is not None
        made = np.zeros((len(bad), len(self.places)))
        good = np.setdiff1d(np.arange(len(self.places)), bad)
        if len(good) < 3:
            return made
        if self.fill == "spline":
            made[:, good] = interpolation(self.places[good], self.places[bad])
            return made
        for weights, i in zip(made, bad, strict=True):
            apart = np.linalg.norm(self.places[good] - self.places[i], axis=1)
            near = np.argsort(apart, kind="stable")[:NEIGHBOURS]
            weights[good[near]] = 1 / np.maximum(apart[near], 1e-6)
            weights /= weights.sum()
        return made

    def gap(self, seconds: float) -> None:
        """What was said of the channels still stands; the judgement begins anew."""
        kept = self._states, self._left, self._bad, self._made
        super().gap(seconds)
        self._states, self._left, self._bad, self._made = kept

    @classmethod
    def examples(cls) -> Iterator[Any]:
        from ..files.montage import TEN_TWENTY, position

        rng = np.random.default_rng(0)
        names = TEN_TWENTY[:10]
        s = Stream("simulated faults", 250.0, tuple(Channel(n, position=position(n)) for n in names), label=SIMULATED)
        x = 10 * rng.standard_normal((4000, 10)) + 20 * rng.standard_normal((4000, 1))
        x[:, 3] = 30 * rng.standard_normal(4000)
        x[1500:3000, 5] *= 12
        x[1000:, 7] = 40
        yield cls(), recording(s, x, (Event(300.5, "tap"),))
        yield cls(fill="nearest", window=1, channels=names[2:9], noisy=3), recording(s, x)
