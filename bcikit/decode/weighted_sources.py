"""Whom to learn from: a classifier of each run or person, the more telling and the nearer to this one the heavier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.stream import Stream
from . import _riemann as riemann
from ._linear import softmax
from ._recentred import Recentred
from .covariance import trained


@dataclass(eq=False)
class WeightedSources(Recentred):
    """Logistic regression in the tangent space of each run that it learnt from, recentred; a decision is the mean of their
    log odds, weighted by how well each run's classes transfer to the trials so far: domain transferability estimation (Zhang
    & Wu, IEEE Trans Neural Syst Rehabil Eng 28:1117, 2020, doi:10.1109/TNSRE.2020.2985996), the scatter between a run's
    classes by that between the run and the target, both in 1-norm. How far a run lies from the target is seen before both
    are recentred, for then their means are one. That needs no label; weights change as the target's mean moves, so they are
    state of the stream. Runs that lack a class teach nothing.
    """

    def taught(self, logs: np.ndarray, y: np.ndarray, runs: Sequence[np.ndarray], means: np.ndarray) -> None:
        n = len(self.classes_)
        whole = [i for i, k in enumerate(runs) if len(np.unique(y[k])) == n]
        if not whole:  # as one run
            runs, whole, means = [np.arange(len(y))], [0], self.center_[None]
        each = [self.regression(logs[runs[i]], y[runs[i]]) for i in whole]
        self.weights_, self.bias_ = np.array([W for W, _ in each]), np.array([b for _, b in each])
        self.white_ = riemann.whitener(self.center_)
        self.means_ = riemann.tangent(means[whole], self.white_)
        self.sizes_ = np.array([len(runs[i]) for i in whole], float)
        self.telling_ = np.array([between_classes(riemann.vectors(logs[runs[i]]), y[runs[i]]) for i in whole])

    def prepare(self, s: Stream) -> None:
        super().prepare(s)
        self._seen = 0

    def decide(self, x: np.ndarray) -> np.ndarray:
        t = riemann.vectors(self.recentred(x))
        self._seen += 1
        here = riemann.tangent(self._mean, self.white_)
        apart = between_domains(self.means_ - here, self.sizes_, self._seen)
        share = self.telling_ / np.maximum(apart, 1e-12)
        share = share / share.sum()
        return softmax(share @ ((self.weights_ * t).sum(axis=-1) + self.bias_))

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls())
        yield trained(cls(prior=2), channels=4, classes=3)


def between_classes(F: np.ndarray, y: np.ndarray) -> float:
    """The 1-norm of the scatter between the classes of (trials, features)."""
    off = np.array([F[y == k].mean(axis=0) for k in np.unique(y)]) - F.mean(axis=0)
    count = np.bincount(y)[np.unique(y)]
    return float(np.abs(off.T @ (count[:, None] * off)).sum(axis=0).max())


def between_domains(off: np.ndarray, sizes: np.ndarray, target: int) -> np.ndarray:
    """The 1-norms (runs,) of the scatter between each run and the target; off: their means (runs, features), less the
    target's. A scatter of two means is that of their difference."""
    off = np.abs(off)
    return sizes * target / (sizes + target) * off.sum(axis=1) * off.max(axis=1)
