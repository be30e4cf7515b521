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
from ._adaptive import Adaptive
from ._folds import folds, sharpness
from ._linear import linear

FAR = 1.0  # e times louder or softer: farther than what a person does, nearer than the next gain of an amplifier
LAST = 5  # trials: two that were disturbed change nothing
KEPT = 1 << 24  # bytes of training trials at most, from which to learn without a channel that dies
SETS = 8  # of dead channels whose weights are kept
RIDGE = 0.01  # of the mean variance of log odds: trials that are told apart without fault leave none


@dataclass(eq=False)
class Bands(Adaptive):
    """An author says which `bands` (Hz), `order` of the filters and how much `warm` (s) of a trial only fills them, and may
    add `scores`, other features of a trial.

    A trial's bands are filtered causally within it; each band's covariance (OAS) is recentred: whitened by the mean of its
    run's trials so far, beginning with the mean of the runs that it learnt from; the scores lose their mean likewise. The
    mean of those runs counts as many trials as the differences between them tell (the variance of trials within a run
    beside theirs), and `prior` at most. That needs no label (Zanini et al., IEEE Trans Biomed Eng 65:1107, 2018,
    doi:10.1109/TBME.2017.2742541), and it is state: a new start begins with that mean. With `calibrated` it also
    learns, on trials of training left out, how sure it may be; which class is the likeliest is not changed by that.

    Where the last trials (their median) were e times louder or softer than the mean in most channels, the gain has changed,
    and trials are brought back by it; so is one channel that is so much louder. One that is so much softer is dead: what
    decides then is learnt anew from the trials of training (`trials_`) without it, and for the mean it is taken to be what
    the others let expect.

    With `update`, a linear discriminant of these log odds, learnt from trials of training that were left out, goes on
    learning, and they move as it moves, in their own scale: so what was trained decides first.
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
        run = np.unique(groups, return_inverse=True)[1]
        runs = [np.flatnonzero(run == k) for k in range(run.max() + 1)]
        means = np.stack([riemann.mean(C[k]) for k in runs])
        levels = np.stack([S[k].mean(axis=0) for k in runs])
        T, S = recentred(C, means, run), S - levels[run]
        self.center_, self.level_ = riemann.mean(means), levels.mean(axis=0)
        self.spread_, self.scale_ = max(float(T.std(axis=0).mean()), 1e-12), np.maximum(S.std(axis=0), 1e-12)
        apart = riemann.tangent(means, riemann.whitener(self.center_)).reshape(len(runs), -1)
        off = (levels - self.level_) / self.scale_
        self.worth_ = np.array([riemann.worth(T, apart, self.prior), riemann.worth(S / self.scale_, off, self.prior)])
        S *= self.gain / self.scale_
        F = np.hstack([T / self.spread_, S])

        def odds(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            w, b = self._weights(F[train], y[train])
            return F[test] @ w.T + b

        self.sharp_ = 1.0
        self.sharp_ = sharpness(odds, y, groups) if self.calibrated else 1.0
        self.coefficients_, self.intercepts_ = self._weights(F, y)
        Z = F @ self.coefficients_.T + self.intercepts_
        for out in folds(y, groups) if self.update != "none" else ():
            Z[out] = odds(~out, out)
        self.begin(Z[:, 1:] - Z[:, :1], y, groups)
        some = slice(None, None, -(-4 * C.size // KEPT))
        self.trials_, self.means_ = C[some].astype(np.float32), means
        self.scores_, self.its_class_, self.its_run_ = S[some], y[some], run[some]

    def _weights(self, F: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the log odds of each class: (classes, features), (classes,)."""
        from sklearn.linear_model import LogisticRegression

        w, b = linear(LogisticRegression(C=self.strength, max_iter=2000).fit(F, y))
        return self.sharp_ * w, self.sharp_ * b

    def _without(self, dead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, learnt from the other channels, once for each set of dead ones."""
        if (key := dead.tobytes()) not in self.lacking:
            its = np.flatnonzero(~dead)
            C, means = self.trials_[..., its[:, None], its].astype(float), self.means_[..., its[:, None], its]
            F = np.hstack([recentred(C, means, self.its_run_) / self.spread_, self.scores_])
            if len(self.lacking) >= SETS:
                self.lacking.clear()
            self.lacking[key] = self._weights(F, self.its_class_)
        return self.lacking[key]

    def structured(self, S: np.ndarray) -> np.ndarray:
        return S + (RIDGE * np.trace(S) / len(S) + 1e-12) * np.eye(len(S))

    def first(self, f: np.ndarray, beside: np.ndarray | float) -> np.ndarray:
        return np.concatenate([np.zeros((*f.shape[:-1], 1)), f], axis=-1)

    def log_odds(self, f: np.ndarray, beside: np.ndarray | float) -> np.ndarray:
        moved = f @ (self.weights_ - self.first_weights_).T + self.bias_ - self.first_bias_
        slope = np.trace(self.first_weights_[1:] - self.first_weights_[0]) / f.shape[-1]
        return self.first(f, beside) + moved / max(slope, 1.0)

    def prepare(self, s: Stream) -> None:
        super().prepare(s)
        channels = self.center_.shape[-1]
        self._gains, self._off = np.zeros(channels), np.empty((0, channels))  # of this run; what the last trials lay off
        self._means, self._level, self._count = self.center_.copy(), self.level_.copy(), self.worth_.copy()
        self.lacking: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}  # weights where these channels are dead

    def seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        C, S = self.features(x[None])
        self._count += 1
        its, dead = self._believed(C[0])
        self._means = riemann.between(self._means, its, 1 / self._count[0])
        self._level += (S[0] - self._level) / self._count[1]
        means, w, b = self._means, self.coefficients_, self.intercepts_
        if dead.any():
            alive = np.flatnonzero(~dead)
            its, means = its[:, alive[:, None], alive], means[:, alive[:, None], alive]
            w, b = self._without(dead)
        T = riemann.tangent(its, riemann.whitener(means)).ravel()
        odds = w @ np.r_[T / self.spread_, self.gain * (S[0] - self._level) / self.scale_] + b
        return odds[1:] - odds[0], 0.0

    def _believed(self, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A trial (bands, channels, channels) at the gains that the mean has, and which channels are dead: these are as the
        others let expect."""
        off = loudness(gained(C, -self._gains), self._means)
        self._off = np.vstack([self._off, off])[-LAST:]
        each = np.median(self._off, axis=0)
        all_of_them = float(np.median(each)) if abs(np.median(each)) > FAR else 0.0
        alone = each - all_of_them
        change = all_of_them + np.where(alone > FAR, alone, 0.0)
        self._gains, self._off = self._gains + change, self._off - change
        dead = alone < -FAR
        return filled(gained(C, -self._gains), self._means, dead), dead


def recentred(C: np.ndarray, means: np.ndarray, run: np.ndarray) -> np.ndarray:
    """(trials, bands, channels, channels), the means of runs (runs, bands, ...) and whose each trial is -> (trials,
    features): in tangent space at the mean of its run."""
    T = np.empty((len(C), C.shape[1] * C.shape[2] * (C.shape[2] + 1) // 2))
    for k, M in enumerate(means):
        if (its := run == k).any():
            T[its] = riemann.tangent(C[its], riemann.whitener(M)).reshape(its.sum(), -1)
    return T


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
