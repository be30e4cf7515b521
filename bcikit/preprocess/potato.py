"""Finds whatever does not look like the rest: the Riemannian potato, one for each group of channels."""

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
from .recentre import distance, towards

SHRINK = 0.001  # of each covariance so much is its mean variance: none is singular
ROUNDS = 20  # at most, of leaving out what lies too far and fitting again
LEAST = 8  # covariances

# centre (channels, channels), and mean and variance of the logarithm of the distance to it
Shape = tuple[np.ndarray, float, float]


@dataclass(eq=False)
class Potato(Reporting):
    """Passes the signal on, with NaN where a group is out if `blank`. (samples, channels) in and out, no delay.

    Every `hop` s the covariance over the last `window` s is taken, for each group. Its distance to the group's centre, as z
    of the logarithm, is in or, above `limit`, out. Centre, mean and variance are fitted on the first `calibrate` s, leaving
    out what is out until nothing more is, and then moved by each covariance that is in, so that they forget with `memory`:
    its distance is that to the centre before the move, and the variance has the weights of the mean. Events: `potato`, where
    a group changes ("Fp1-Fp2 out", "all in"); `potato share`, every `report` s, which part of the hops some group was out.
    `blank` acts from the next hop on, on the groups that are out. To be put behind a bandpass: 1 to 20 Hz for the eyes, 55
    to 95 Hz for muscle.
    Reference: Barachant et al. 2013, hal-00781701; Barthelemy et al. 2019 (field), doi:10.1109/TNSRE.2019.2893113.
    Raises WrongUse where a group has fewer than two channels.
    """

    limit: Annotated[float, Setting("z above which a covariance is out", "SD", low=0.5, high=50)] = 3.0
    groups: Annotated[tuple[str, ...], Setting("groups, each A-B-C. Without: one group of all channels of the brain")] = ()
    window: Annotated[float, Setting("length of a covariance", "s", low=0.1, high=30)] = 1.0
    hop: Annotated[float, Setting("how often", "s", low=0.02, high=30)] = 0.25
    calibrate: Annotated[float, Setting("length of the calibration", "s", low=2, high=600)] = 20.0
    memory: Annotated[float, Setting("how far back centre and spread reach", "s", low=1, high=3600)] = 60.0
    blank: Annotated[bool, Setting("make what is out NaN")] = False
    report: Annotated[float, Setting("how often it tells the share", "s", low=0.1, high=60)] = 1.0

    def setup(self, s: Stream) -> Stream:
        flat(s, "potato")
        self.names = self.groups or ("all",)
        self.columns = [np.array(_group(s, g)) for g in self.groups] or [np.array(chosen(s, (), "potato", BRAIN))]
        for name, columns in zip(self.names, self.columns, strict=True):
            if len(columns) < 2:
                raise WrongUse(f"potato needs two channels or more in a group; {name} has {len(columns)}.")
        self.used = np.unique(np.concatenate(self.columns))
        self.places = [np.searchsorted(self.used, columns) for columns in self.columns]
        self.size = max(round(self.hop * s.rate), 1)
        self.hops = max(round(self.window * s.rate / self.size), 1)
        self.wanted = max(round(self.calibrate * s.rate / self.size), LEAST)
        self.telling = max(round(self.report * s.rate / self.size), 1)
        self.part = min(self.size / (self.memory * s.rate), 1.0)
        self.settle = self.window + 2 * self.calibrate + self.memory
        self._now = np.zeros((self.size, len(self.used)))
        self._seen = 0
        self._sums: list[tuple[np.ndarray, np.ndarray]] = []  # of each hop in the window: sum and products
        self._covs: list[list[np.ndarray]] = [[] for _ in self.columns]
        self._shapes: list[Shape | None] = [None for _ in self.columns]
        self._out = [False for _ in self.columns]
        self._count = [0, 0]  # hops with a group out, hops
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        mine = np.take(x, self.used, axis=1).astype(np.float64)
        for rows, hop in self.walk(len(x)):
            if self.blank:
                for columns in (c for c, out in zip(self.columns, self._out, strict=True) if out):
                    y[rows, columns] = np.nan
            self._now[hop] = mine[rows]
        return y

    def turn(self, index: int) -> None:
        """A hop is full: judge the window that ends with it. Shapes are fixed."""
        self._sums = [*self._sums, (self._now.sum(axis=0), self._now.T @ self._now)][-self.hops :]
        if len(self._sums) == self.hops:
            n = self.hops * self.size
            mean = np.sum([m for m, _ in self._sums], axis=0) / n
            whole = np.sum([p for _, p in self._sums], axis=0) / n - np.outer(mean, mean)
            for g, places in enumerate(self.places):
                self._judge(g, whole[np.ix_(places, places)], index)
        self._count = [self._count[0] + any(self._out), self._count[1] + 1]
        if self._count[1] == self.telling:
            self.tell(index, "potato share", round(self._count[0] / self._count[1], 4))
            self._count = [0, 0]

    def _judge(self, g: int, cov: np.ndarray, index: int) -> None:
        c = len(cov)
        cov = (1 - SHRINK) * cov + (SHRINK * max(np.trace(cov), 0.0) / c + 1e-12) * np.eye(c)
        shape = self._shapes[g]
        if shape is None:
            self._covs[g].append(cov)
            if len(self._covs[g]) == self.wanted:
                self._shapes[g], self._covs[g] = fitted(np.array(self._covs[g]), self.limit), []
            return
        out = z_score(cov, shape) > self.limit
        if not out:
            self._shapes[g] = renewed(shape, cov, self.part)
        if out != self._out[g]:
            self._out[g] = out
            self.tell(index, "potato", f"{self.names[g]} {'out' if out else 'in'}")

    def gap(self, seconds: float) -> None:
        """What was fitted stays where the gap is shorter than it reaches back."""
        kept = self._shapes, self._covs
        super().gap(seconds)
        if seconds < self.memory:
            self._shapes, self._covs = kept

    @classmethod
    def examples(cls) -> Iterator[Any]:
        rng = np.random.default_rng(0)
        s = Stream("simulated", 250.0, tuple(map(Channel, ("Fp1", "Fp2", "T7", "T8"))), label=SIMULATED)
        x = 10 * rng.standard_normal((5000, 4)) + 8 * rng.standard_normal((5000, 1))
        x[1500:1550, :2] += 100 * np.sin(np.arange(50) / 10)[:, None]
        x[1700:2900] *= 1 + np.hanning(1200)[:, None]
        yield cls(calibrate=4, memory=3, blank=True, limit=4), recording(s, x, (Event(300.5, "tap"),))
        yield cls(calibrate=2, memory=5, window=0.5, groups=("Fp1-Fp2", "T7-T8")), recording(s, x)


def z_score(cov: np.ndarray, shape: Shape) -> float:
    centre, mean, var = shape
    return float((np.log(distance(centre, cov) + 1e-12) - mean) / np.sqrt(var + 1e-12))


def renewed(shape: Shape, cov: np.ndarray, part: float) -> Shape:
    """The shape moved by one more covariance that weighs `part` of all. Of the weighted mean and variance: D. H. D. West,
    Communications of the ACM 22:532-535, 1979."""
    centre, mean, var = shape
    far = float(np.log(distance(centre, cov) + 1e-12)) - mean
    return towards(centre, cov, part, "riemann"), mean + part * far, (1 - part) * (var + part * far**2)


def fitted(covs: np.ndarray, limit: float) -> Shape:
    """The shape of covs (n, channels, channels) without those that lie above `limit`, until none does or few are left."""
    good = np.ones(len(covs), bool)
    shape: Shape = covs[0], 0.0, 1.0
    for _ in range(ROUNDS):
        centre = _middle(covs[good])
        far = np.log(np.array([distance(centre, c) for c in covs]) + 1e-12)
        shape = centre, float(far[good].mean()), float(far[good].var())
        keep = good & ((far - shape[1]) <= limit * np.sqrt(shape[2] + 1e-12))
        if keep.sum() < LEAST or (keep == good).all():
            break
        good = keep
    return shape


def _middle(covs: np.ndarray) -> np.ndarray:
    """The Riemannian mean: Moakher 2005, doi:10.1137/S0895479803436937."""
    mean = covs.mean(axis=0)
    for _ in range(50):
        values, vectors = np.linalg.eigh(mean)
        root, white = (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
        inner, turn = np.linalg.eigh(white @ covs @ white)
        step = np.mean((turn * np.log(np.maximum(inner, 1e-30))[:, None, :]) @ turn.transpose(0, 2, 1), axis=0)
        values, vectors = np.linalg.eigh(step)
        mean = root @ ((vectors * np.exp(values)) @ vectors.T) @ root
        mean = (mean + mean.T) / 2
        if np.linalg.norm(step) < 1e-9:
            break
    return mean


def _group(s: Stream, text: str) -> list[int]:
    """Columns of "A-B-C"."""
    return sorted(s.pick(name.strip() for name in text.split("-")))
