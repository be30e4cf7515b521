"""From other people to a new one: recentred, brought to one spread, turned onto each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.parts import Setting
from ..core.stream import Event, Stream
from . import _riemann as riemann
from ._linear import softmax
from ._recentred import Recentred
from .covariance import trained

TURNS, NEAR = 200, 1e-10  # at most so many steps of a rotation, until one is that short
NONE = 1e-12  # a spread: that of one trial, which is its own mean
FAR = 10.0  # of a logarithm: where power is gone (an average reference takes a direction), numbers are rounding alone
ROUNDS = 10  # of turning runs onto their mean, and taking the mean anew


@dataclass(eq=False)
class Procrustes(Recentred):
    """Riemannian Procrustes analysis (Rodrigues et al., IEEE Trans Biomed Eng 66:2390, 2019, doi:10.1109/TBME.2018.2889705),
    then logistic regression in tangent space. Each run is recentred; stretched, so that the mean squared distance of its
    trials from their mean is 1; and, with `turn`, turned, so that its class means lie near those of all runs. Those are the
    Riemannian means over the turned runs, taken anew until they stay (Gower, Psychometrika 40:33, 1975,
    doi:10.1007/BF02291478): nobody need be there whom the others are turned to.

    Live, mean and spread run on without labels. The turn begins with none and is learnt where an event `was` behind a trial
    says its class (`adapt`). What all runs told counts for `prior` trials of each class, so that few trials turn little.
    Where nobody will say classes, leave `turn` out: runs that were turned, and a person who was not, do not fit.
    """

    exempt = {**Recentred.exempt, "setting turn": "one run, and nobody who says classes, turns nothing"}  # noqa: RUF012

    stretch: Annotated[bool, Setting("bring runs to one spread")] = True
    turn: Annotated[bool, Setting("turn runs onto each other, and live, where classes are told, onto them")] = False

    def taught(self, logs: np.ndarray, y: np.ndarray, runs: Sequence[np.ndarray], means: np.ndarray) -> None:
        n = len(self.classes_)
        spreads = np.array([spread(logs[k]) for k in runs])
        self.spread_ = float(np.exp(np.log(spreads).mean()))
        for k, its in zip(runs, spreads, strict=True):
            logs[k] /= np.sqrt(its) if self.stretch else 1.0
        self.rotation_, self.heard_ = np.eye(len(logs[0])), np.zeros(n)
        self.own_ = np.broadcast_to(self.rotation_, (n, *self.shape_)).copy()
        if self.turn:
            counts = np.array([np.bincount(y[k], minlength=n) for k in runs])
            own = np.array([class_means(riemann.exp(logs[k]), y[k], n) for k in runs])
            self.classes_means_, turns = together(own, counts, self.prior)
            for k, Q in zip(runs, turns, strict=True):
                logs[k] = Q @ logs[k] @ Q.T
        self.weights_, self.bias_ = self.regression(logs, y)

    # -- the stage

    @property
    def learns_from(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("was",) if self.turn else ()

    def prepare(self, s: Stream) -> None:
        super().prepare(s)
        self._spread = self.spread_
        self._trial: np.ndarray | None = None  # the newest, until it is learnt from

    def decide(self, x: np.ndarray) -> np.ndarray:
        log = self.recentred(x)
        self._spread = max(self._spread + (float(squared(log)) - self._spread) / self._count, NONE)
        self._trial = log / np.sqrt(self._spread) if self.stretch else log
        turned = self.rotation_ @ self._trial @ self.rotation_.T
        return softmax(self.weights_ @ riemann.vectors(turned) + self.bias_)

    def adapt(self, event: Event) -> None:
        known = [str(c) for c in self.classes_]
        if self._trial is None or event.value not in known:
            return
        k = known.index(str(event.value))
        self.heard_, self.own_ = self.heard_.copy(), self.own_.copy()
        self.heard_[k] += 1
        self.own_[k] = riemann.between(self.own_[k], riemann.exp(self._trial), 1 / self.heard_[k])
        self._trial = None
        wanted = believed(self.own_, self.heard_, self.classes_means_, self.prior)
        self.rotation_ = rotation(self.classes_means_, wanted, self.rotation_)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls())
        yield trained(cls(stretch=False, turn=True, prior=2), channels=4, classes=3)


def spread(logs: np.ndarray) -> float:
    """The mean squared distance from their mean of recentred matrices, given by their logarithms."""
    return max(float(squared(logs).mean()), NONE)


def squared(logs: np.ndarray) -> np.ndarray:
    """(..., channels, channels) -> (...): squared distances, of the directions that have power."""
    w = np.linalg.eigvalsh(logs)
    return np.where(np.abs(w) < FAR, w**2, 0.0).sum(axis=-1)


def class_means(C: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """(trials, channels, channels) -> (classes, channels, channels): Riemannian means; the identity where there is none."""
    return np.array([riemann.mean(C[y == k]) if (y == k).any() else np.eye(C.shape[-1]) for k in range(classes)])


def believed(own: np.ndarray, counts: np.ndarray, common: np.ndarray, prior: float) -> np.ndarray:
    """Class means of a run as far as its trials (classes,) tell, beside the means of all that count for `prior` trials."""
    return riemann.between(common, own, (counts / np.maximum(counts + prior, 1e-12))[:, None])


def together(own: np.ndarray, counts: np.ndarray, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """Class means (runs, classes, channels, channels) of so many trials (runs, classes) -> those of all runs, turned onto
    each other (classes, channels, channels), and the turns (runs, channels, channels)."""
    turns = np.broadcast_to(np.eye(own.shape[-1]), (len(own), *own.shape[-2:])).copy()
    common = common_means(own, counts, turns)
    for _ in range(ROUNDS if len(own) > 1 else 0):
        turns = np.array(
            [rotation(common, believed(m, n, common, prior), Q) for m, n, Q in zip(own, counts, turns, strict=True)]
        )
        common = common_means(own, counts, turns)
    return common, turns


def common_means(own: np.ndarray, counts: np.ndarray, turns: np.ndarray) -> np.ndarray:
    turned = turns[:, None] @ own @ turns[:, None].swapaxes(-1, -2)
    return np.array([riemann.mean(turned[counts[:, k] > 0, k]) for k in range(own.shape[1])])


def rotation(wanted: np.ndarray, own: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """The orthogonal Q, sought from the given one on, for which Q own Q' lie nearest to `wanted`, both (classes, channels,
    channels): the sum of squared Euclidean distances is least. That is where tr(wanted Q own Q') is greatest in sum, which
    is convex in Q: its linear bound from below is best at the polar factor of its gradient, so no step needs a length
    (Journee et al., J Mach Learn Res 11:517, 2010)."""
    wanted, own = (C - np.linalg.eigvalsh(C)[:, :1, None] * np.eye(C.shape[-1]) for C in (wanted, own))  # alike, but faster
    for _ in range(TURNS):
        U, _, V = np.linalg.svd((wanted @ Q @ own).sum(axis=0))
        Q, before = U @ V, Q
        if np.abs(Q - before).max() < NEAR:
            break
    return Q
