"""Decoders of rhythms: covariances of many bands, recentred as the run goes on, their tangent space, logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ..preprocess._design import butterworth
from ..preprocess.highpass import Highpass
from . import _riemann as riemann
from ._decoder import Decoder
from ._folds import sharpness
from ._linear import linear, softmax

FAR = 1.0  # e times louder or softer: farther than what a person does, nearer than the next gain of an amplifier
LAST = 5  # trials: two that were disturbed change nothing


@dataclass(eq=False)
class Bands(Decoder):
    """An author says which `bands` (Hz), `order` of the filters and how much `warm` (s) of a trial only fills them, and may
    add `scores`, other features of a trial.

    A trial's bands are filtered causally within it; each band's covariance (OAS) is recentred: whitened by the mean of its
    run's trials so far, beginning with the mean of the runs that it learnt from; the scores lose their mean likewise. The
    mean of those runs counts as many trials as the differences between them tell (the variance of trials within a run
    beside theirs), and `prior` at most. That needs no label (Zanini et al., IEEE Trans Biomed Eng 65:1107, 2018,
    doi:10.1109/TBME.2017.2742541), and it is state: a new start begins with that mean. With `calibrated` it also
    learns, on trials of training left out, how sure it may be; which class is the likeliest is not changed by that.

    Where the last trials (their median) were e times louder or softer than the mean in most channels, the gain has changed,
    and trials are brought back by it; so is one channel that is so much louder. One that is so much softer is dead: it is
    taken to be what the others and the mean let expect.
    """

    order = 1
    warm = 1.0  # s

    strength: Annotated[float, Setting("of the logistic regression's weights: more fits closer", low=1e-6, high=1e6)] = 0.01
    prior: Annotated[float, Setting("trials that the mean of the runs before counts for, at most", low=0, high=1e6)] = 8.0
    rate: Annotated[float, Setting("of the samples of a trial, where `fit` is not told the stream", "Hz", low=0)] = 0.0
    calibrated: Annotated[bool, Setting("say as often to be sure as it is right: learnt on trials left out")] = False

    # -- what an author writes

    def bands(self) -> list[tuple[float, float]]:
        raise NotImplementedError

    def scores(self, X: np.ndarray, rate: float) -> np.ndarray:
        """(trials, channels, lags) without the warm part -> (trials, scores)."""
        return np.empty((len(X), 0))

    gain = 1.0  # of the scores beside the tangent space

    # -- the same for all

    def before(self) -> list[Stage]:
        return [Highpass(low=2.0, order=1)]

    def span(self, after: float, length: float) -> tuple[float, float]:
        """The trial that is wanted: it begins earlier, to fill the filters."""
        return after - self.warm, length + self.warm

    def features(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(trials, channels, lags) -> covariances (trials, bands, channels, channels), scores (trials, scores)."""
        rate, (n, c, lags) = self.hz_, X.shape
        skip = round(self.warm * rate)
        flat = np.ascontiguousarray((X - X[..., :1]).transpose(2, 0, 1).reshape(lags, n * c), np.float32)
        C = np.empty((n, len(self.bands()), c, c))
        for b, (low, high) in enumerate(self.bands()):
            sos = butterworth(self.order, low, high, rate)
            y = kernels.biquads(flat, sos, np.zeros((len(sos), 2, n * c)))
            C[:, b] = riemann.covariances(y[skip:].reshape(lags - skip, n, c).transpose(1, 2, 0).astype(float))
        return C, self.scores(X[..., skip:], rate)

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        self.hz_ = float(self.rate_ or self.rate)
        if X.ndim != 3 or not self.hz_:
            raise WrongUse(
                f"{self.part_name()} needs to know the rate of what trials were cut from.",
                do="fit(X, y, stream=...) or the setting rate=..., with X (trials, channels, lags).",
            )
        top = max(high for _, high in self.bands())
        if self.hz_ <= 2 * top or X.shape[2] <= round((self.warm + 0.1) * self.hz_):
            raise WrongUse(
                f"{self.part_name()} needs more than {2 * top:g} Hz, and trials longer than {self.warm + 0.1:g} s.",
                f"These have {self.hz_:g} Hz and {X.shape[2] / self.hz_:g} s.",
            )
        C, S = self.features(X)
        runs = [np.flatnonzero(groups == g) for g in np.unique(groups)]
        means = np.stack([riemann.mean(C[k]) for k in runs])
        levels = np.stack([S[k].mean(axis=0) for k in runs])
        T = np.empty((len(C), C.shape[1] * C.shape[2] * (C.shape[2] + 1) // 2))
        for k, M, level in zip(runs, means, levels, strict=True):
            T[k] = riemann.tangent(C[k], riemann.whitener(M)).reshape(len(k), -1)
            S[k] -= level
        self.center_, self.level_ = riemann.mean(means), levels.mean(axis=0)
        self.spread_, self.scale_ = max(float(T.std(axis=0).mean()), 1e-12), np.maximum(S.std(axis=0), 1e-12)
        apart = riemann.tangent(means, riemann.whitener(self.center_)).reshape(len(runs), -1)
        off = (levels - self.level_) / self.scale_
        self.worth_ = np.array([riemann.worth(T, apart, self.prior), riemann.worth(S / self.scale_, off, self.prior)])
        F = np.hstack([T / self.spread_, self.gain * S / self.scale_])

        def fitted(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return linear(LogisticRegression(C=self.strength, max_iter=2000).fit(F[some], y[some]))

        def odds(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            W, b = fitted(train)
            return F[test] @ W.T + b

        sharp = sharpness(odds, y, groups) if self.calibrated else 1.0
        self.weights_, self.bias_ = (sharp * v for v in fitted(np.ones(len(y), bool)))

    def prepare(self, s: Stream) -> None:
        channels = self.center_.shape[-1]
        self._gains, self._off = np.zeros(channels), np.empty((0, channels))  # of this run; what the last trials lay off
        self._means, self._level, self._count = self.center_.copy(), self.level_.copy(), self.worth_.copy()

    def decide(self, x: np.ndarray) -> np.ndarray:
        C, S = self.features(x[None])
        self._count += 1
        its = self._believed(C[0])
        self._means = riemann.between(self._means, its, 1 / self._count[0])
        self._level += (S[0] - self._level) / self._count[1]
        T = riemann.tangent(its, riemann.whitener(self._means)).ravel()
        return softmax(self.weights_ @ np.r_[T / self.spread_, self.gain * (S[0] - self._level) / self.scale_] + self.bias_)

    def _believed(self, C: np.ndarray) -> np.ndarray:
        """A trial (bands, channels, channels) at the gains that the mean has, dead channels as the others let expect."""
        off = loudness(gained(C, -self._gains), self._means)
        self._off = np.vstack([self._off, off])[-LAST:]
        each = np.median(self._off, axis=0)
        all_of_them = float(np.median(each)) if abs(np.median(each)) > FAR else 0.0
        alone = each - all_of_them
        change = all_of_them + np.where(alone > FAR, alone, 0.0)
        self._gains, self._off = self._gains + change, self._off - change
        return filled(gained(C, -self._gains), self._means, alone < -FAR)


def gained(C: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """(bands, channels, channels) as if each channel were louder by gains (channels,): logarithms of amplitudes."""
    factor = np.exp(gains)
    return factor[:, None] * C * factor


def loudness(C: np.ndarray, M: np.ndarray) -> np.ndarray:
    """How much louder each channel is in C than in M, both (bands, channels, channels): logarithms of amplitudes."""
    return np.log(np.diagonal(C, axis1=1, axis2=2) / np.diagonal(M, axis1=1, axis2=2)).mean(axis=0) / 2


def filled(C: np.ndarray, M: np.ndarray, dead: np.ndarray) -> np.ndarray:
    """C (bands, channels, channels), its dead channels as the others, and the mean M, let expect."""
    if not dead.any():
        return C
    d, rest = np.flatnonzero(dead), np.flatnonzero(~dead)
    of = M[:, d[:, None], rest] @ np.linalg.inv(M[:, rest[:, None], rest])  # what the rest tells of a dead channel
    cross = of @ C[:, rest[:, None], rest]
    C = C.copy()
    C[:, d[:, None], rest], C[:, rest[:, None], d] = cross, cross.swapaxes(1, 2)
    C[:, d[:, None], d] = M[:, d[:, None], d] + (cross - M[:, d[:, None], rest]) @ of.swapaxes(1, 2)
    return C
