"""Which hand is about to move: the slow lateralised potential, and the beta rhythm beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ... import kernels
from ...core.errors import WrongUse
from ...core.parts import Setting
from ...preprocess._design import butterworth
from .. import _riemann as riemann
from .._decoder import Decoder, trained
from .._folds import weighed


@dataclass(eq=False)
class Readiness(Decoder):
    """Trials (channels, lags) that end before a movement, of two classes. Two opinions, weighed on trials left out:

    the slow potential against the channels' mean, as its `waves` slowest cosines over the trial (level, slope, ...), by
    shrinkage LDA (Blankertz et al., NIPS 14, 2002); and the covariances of the beta band in tangent space, by logistic
    regression. The band is filtered within the trial, which is mirrored in time before its begin to fill the filter.
    """

    paradigm = "keys"

    waves: Annotated[int, Setting("cosines that the slow potential is made of", low=1, high=20)] = 2
    low: Annotated[float, Setting("lower corner of the rhythm", "Hz", low=1)] = 20.0
    high: Annotated[float, Setting("upper corner of the rhythm", "Hz", low=2)] = 35.0
    strength: Annotated[float, Setting("of the logistic regression's weights: more fits closer", low=1e-6, high=1e6)] = 0.01
    rate: Annotated[float, Setting("of the samples of a trial, where `fit` is not told the stream", "Hz", low=0)] = 0.0

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        self.hz_ = float(self.rate_ or self.rate)
        if X.ndim != 3 or len(self.classes_) != 2 or not self.hz_:
            raise WrongUse(
                "readiness tells two classes apart, in trials of (channels, lags) whose rate it knows.",
                f"Here are {len(self.classes_)} classes and trials of shape {X.shape[1:]}, at {self.hz_:g} Hz.",
                "fit(X, y, stream=...) or the setting rate=...",
            )
        if not self.low < self.high < self.hz_ / 2:
            raise WrongUse(f"readiness: {self.low:g} to {self.high:g} Hz is no band at {self.hz_:g} Hz.")
        slow, beta = self.slow(X), self.beta(X)

        def scores(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            a, b = potential(slow[train], y[train]), rhythm(beta[train], y[train], self.strength)
            return np.column_stack([slow[test] @ a[0] + a[1], said(beta[test], *b)])

        (self.slow_gain_, self.beta_gain_), self.bias_ = weighed(scores, y, groups)
        self.slow_weights_, self.slow_bias_ = potential(slow, y)
        self.white_, self.beta_weights_, self.beta_bias_ = rhythm(beta, y, self.strength)

    def decide(self, x: np.ndarray) -> np.ndarray:
        a = (self.slow(x[None]) @ self.slow_weights_ + self.slow_bias_)[0]
        b = said(self.beta(x[None]), self.white_, self.beta_weights_, self.beta_bias_)[0]
        p = 1 / (1 + np.exp(-(self.slow_gain_ * a + self.beta_gain_ * b + self.bias_)))
        return np.array([1 - p, p])

    def slow(self, X: np.ndarray) -> np.ndarray:
        """(trials, channels, lags) -> (trials, channels * waves)"""
        lags = X.shape[2]
        t = (np.arange(lags) + 0.5) / lags
        base = np.cos(np.pi * np.arange(self.waves)[:, None] * t) / lags
        return ((X - X.mean(axis=1, keepdims=True)) @ base.T).reshape(len(X), -1)

    def beta(self, X: np.ndarray) -> np.ndarray:
        """(trials, channels, lags) -> (trials, channels, channels)"""
        n, c, lags = X.shape
        whole = np.concatenate([2 * X[..., :1] - X[..., :0:-1], X], axis=-1)
        flat = np.ascontiguousarray((whole - whole[..., :1]).transpose(2, 0, 1).reshape(-1, n * c), np.float32)
        sos = butterworth(2, self.low, self.high, self.hz_)
        y = kernels.biquads(flat, sos, np.zeros((len(sos), 2, n * c)))[-lags:]
        return riemann.covariances(y.reshape(lags, n, c).transpose(1, 2, 0).astype(float))

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(rate=128), shape=(3, 64))
        yield trained(cls(waves=1, low=10, high=40, strength=0.1, rate=128), shape=(3, 48))


def potential(F: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Shrinkage LDA of (trials, features): (weights, bias)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(F, y)
    return model.coef_[0], float(model.intercept_[0])


def rhythm(C: np.ndarray, y: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Covariances (trials, channels, channels): (whitener, weights, bias) of logistic regression in tangent space."""
    from sklearn.linear_model import LogisticRegression

    white = riemann.whitener(riemann.mean(C))
    T = riemann.tangent(C, white)
    spread = float(T.std())
    model = LogisticRegression(C=strength, max_iter=1000).fit(T / spread, y)
    return white, model.coef_[0] / spread, float(model.intercept_[0])


def said(C: np.ndarray, white: np.ndarray, weights: np.ndarray, bias: float) -> np.ndarray:
    return riemann.tangent(C, white) @ weights + bias
