"""Moves the middle of a person's (or a day's) covariances to the identity, from the past alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Event, Stream, recording
from ._reporting import Reporting
from ._signals import BRAIN, chosen

SHRINK = 0.001  # of each covariance so much is its mean variance: none is singular
FAR = 10.0  # what has more, or less, than so many times the mean's power counts as just that
TELLS = 10  # hops or trials from one event to the next


@dataclass(eq=False)
class Recentre(Reporting):
    """Whitens by the running mean of covariances: x M^(-1/2). (samples, channels) or (trials, channels, lags) in, SD out.

    Each `hop` s of signal, or each trial, has a covariance C. M is their mean: `euclid`, M + a (C - M) (He & Wu 2020,
    doi:10.1109/TBME.2019.2913914), or `riemann`, the point a of the way from M to C along the geodesic (Zanini et al. 2018,
    doi:10.1109/TBME.2017.2742541; Kumar et al. 2019, doi:10.1109/TNSRE.2019.2907174). a is 1/k for the k-th, and never less
    than one in `memory`: an equal mean first, then forgetting. A trial's own covariance is in the mean that it is whitened
    by; a hop of signal is whitened by what was before it (NaN until there is something). What holds NaN, or stands still in
    every channel, moves nothing. An event `recentre` every 10 hops or trials: how far M moved (Riemannian distance).
    A gap shorter than `memory` leaves the mean. No delay. To be put behind a highpass: no mean is taken off.
    Raises WrongUse where there is neither a regular rate nor trials of channels.
    """

    holds = False
    exempt = {"setting hop": "nothing for trials; tests/preprocess/test_recentre.py changes it"}  # noqa: RUF012

    mean: Annotated[str, Setting("which mean", choices=("riemann", "euclid"))] = "riemann"
    memory: Annotated[float, Setting("how far back the mean reaches: s of signal, or trials", low=0.1)] = 60.0
    hop: Annotated[float, Setting("length of signal for one covariance", "s", low=0.05, high=60)] = 0.5
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        self.trials = len(s.shape) == 2
        if not self.trials and (len(s.shape) != 1 or not s.rate > 0):
            raise WrongUse(f"recentre takes a signal or trials of channels; {s.name} has samples of shape {s.shape}.")
        self.columns = np.array(chosen(s, self.channels, "recentre", BRAIN))
        n = len(self.columns)
        self.size = 1 if self.trials else max(round(self.hop * s.rate), 2)
        self.least = 1 / max(self.memory if self.trials else self.memory * s.rate / self.size, 1)
        self.settle = 0.0 if self.trials else 8 * self.memory
        self._piece = np.zeros((0 if self.trials else self.size, n))
        self._lost = 0  # values of this hop that were no numbers
        self._seen = 0
        self._mean: np.ndarray | None = None
        self._told: np.ndarray | None = None  # the mean of the last event
        self._white: np.ndarray | None = None
        self._count = 0
        return s.but(channels=tuple(replace(c, unit="SD") if i in self.columns else c for i, c in enumerate(s.channels)))

    def rows(self, x: np.ndarray) -> np.ndarray:
        if self.trials:
            return self._each(x)
        x, lost = self._held(x)
        y = x.copy()
        for rows, hop in self.walk(len(x)):
            if hop.start == 0:
                self._lost = 0
            part = np.take(x[rows], self.columns, axis=1).astype(np.float64)
            self._piece[hop] = part
            self._lost += 0 if lost is None else int(lost[rows, self.columns].sum())
            y[rows, self.columns] = np.nan if self._white is None else _times(part, self._white)
        if lost is not None:
            y[lost] = np.nan
        return y

    def turn(self, index: int) -> None:
        if not self._lost:
            self._move(self._piece.T @ self._piece / self.size, index)

    def _each(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        for i, trial in enumerate(x):
            part = np.take(trial, self.columns, axis=0).astype(np.float64)
            if np.isfinite(part).all():
                self._move(part @ part.T / part.shape[1], self.at + i)
            y[i, self.columns] = np.nan if self._white is None else self._white @ part
        return y

    def _move(self, cov: np.ndarray, index: int) -> None:
        """One more covariance."""
        power = np.trace(cov) / len(cov)
        if not power > 0:
            return
        cov = (1 - SHRINK) * cov + SHRINK * power * np.eye(len(cov))
        self._count += 1
        if self._mean is None:
            self._mean = cov
        else:
            its = np.trace(self._mean) / len(cov)
            cov = cov * (np.clip(power, its / FAR, its * FAR) / power)
            self._mean = towards(self._mean, cov, max(1 / self._count, self.least), self.mean)
        self._white = _power(self._mean, -0.5)
        if self._count % TELLS == 0:
            moved = 0.0 if self._told is None else distance(self._told, self._mean)
            self.tell(index, "recentre", round(moved, 4))
            self._told = self._mean

    def gap(self, seconds: float) -> None:
        kept = self._mean, self._told, self._white, self._count
        super().gap(seconds)
        if self.trials or seconds < self.memory:
            self._mean, self._told, self._white, self._count = kept

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(memory=1, hop=0.25)
        yield cls(memory=1, mean="euclid", channels=("C3", "Cz", "C4"))
        rng = np.random.default_rng(0)
        s = Stream("simulated trials", 0.0, (Channel("C3"), Channel("Cz"), Channel("C4")), (3, 8), label=SIMULATED)
        yield cls(memory=5), recording(s, rng.standard_normal((400, 3, 8)) * 9, (Event(7, "cue", "left"),))


def _times(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x (samples, channels) times a symmetric matrix, one channel after the other: rounded alike at any cut."""
    y = np.zeros_like(x)
    for column, weights in zip(x.T, matrix, strict=True):
        y += column[:, None] * weights
    return y


def _power(m: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(m)
    return (vectors * np.maximum(values, 1e-12 * values[-1]) ** exponent) @ vectors.T


def towards(mean: np.ndarray, cov: np.ndarray, part: float, way: str) -> np.ndarray:
    if way == "euclid":
        return mean + part * (cov - mean)
    root, white = _power(mean, 0.5), _power(mean, -0.5)
    moved = root @ _power(_even(white @ cov @ white), part) @ root
    return _even(moved)


def _even(m: np.ndarray) -> np.ndarray:
    return (m + m.T) / 2


def distance(a: np.ndarray, b: np.ndarray) -> float:
    white = _power(a, -0.5)
    return float(np.linalg.norm(np.log(np.linalg.eigvalsh(_even(white @ b @ white)))))
