"""Decoders that say for each flicker how well a trial matches it; what is common to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting
from .._decoder import Decoder
from .._linear import softmax
from ._tones import HZ, bank, flickers

FOLDS = 4


@dataclass(eq=False)
class Matching(Decoder):
    """An author writes `match`, scores of trials for each flicker, and `teach`, if there are templates to learn.

    Trials pass through a bank of causal filters, one for each of the `corners`; the n-th band counts n^-1.25 + 0.25 (Chen et
    al., J Neural Eng 12:046008, 2015, doi:10.1088/1741-2560/12/4/046008). Scores become probabilities by a softmax with two
    numbers learnt: how much a score tells, and how high one must be against rest, which is the class without a flicker.
    They are fitted to scores of trials that the templates did not learn from.
    Raises WrongUse where a class has neither flicker nor the only place for rest, or the rate is unknown or too low.
    """

    exempt = {**Decoder.exempt, "setting hz": "no class may lack its flicker; tests/decode/test_ssvep.py tells by it"}  # noqa: RUF012
    paradigm = "ssvep"
    warm = 0.5  # s that only fill the filters
    taught = True  # whether there is something to teach

    hz: Annotated[tuple[str, ...], Setting(HZ)] = ()
    corners: Annotated[
        tuple[float, ...], Setting("of each band of the filter bank, from which on it passes", "Hz", low=1)
    ] = ()
    rate: Annotated[float, Setting("of the samples of a trial, where `fit` is not told the stream", "Hz", low=0)] = 0.0

    # -- what an author writes

    def teach(self, X: np.ndarray, y: np.ndarray) -> None:
        """X (bands, trials, channels, lags), y (trials,) numbers of flickers: learn attributes ending in `_`."""

    def match(self, X: np.ndarray) -> np.ndarray:
        """(bands, trials, channels, lags) -> (bands, trials, flickers)."""
        raise NotImplementedError(f"{type(self).__name__} has no match()")

    # -- the same for all

    def span(self, after: float, length: float) -> tuple[float, float]:
        return after - self.warm, length + self.warm

    @property
    def tones(self) -> list[float]:
        """Hz of each flicker, in the order of its class."""
        return [self._its[c] for c in self.classes_ if c in self._its]

    @property
    def _its(self) -> dict[str, float]:
        return flickers(self.hz, self.part_name())

    def banded(self, X: np.ndarray) -> np.ndarray:
        """(trials, channels, lags) -> (bands, trials, channels, lags without the warm part), without means."""
        y = bank(X, self.corners, self.hz_)[..., round(self.warm * self.hz_) :]
        return y - y.mean(axis=-1, keepdims=True)

    def scores(self, X: np.ndarray) -> np.ndarray:
        """(bands, trials, channels, lags) -> (trials, flickers)."""
        weights = np.arange(1, len(X) + 1) ** -1.25 + 0.25
        return np.tensordot(weights / weights.sum(), self.match(X), 1)

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        self.hz_ = float(self.rate_ or self.rate)
        if X.ndim != 3 or not self.hz_:
            raise WrongUse(
                f"{self.part_name()} needs to know the rate of what trials were cut from.",
                do="fit(X, y, stream=...) or the setting rate=..., with X (trials, channels, lags).",
            )
        place = np.array([c in self._its for c in self.classes_])
        if not place.any() or (~place).sum() > 1:
            lacking = ", ".join(str(c) for c in self.classes_[~place])
            raise WrongUse(f"{self.part_name()}: {lacking} have no flicker; only rest may have none.", do=f"It is: {HZ}.")
        top = max([*self.tones, *self.corners])
        if self.hz_ <= 2 * top or X.shape[2] <= round((self.warm + 0.1) * self.hz_):
            raise WrongUse(
                f"{self.part_name()} needs more than {2 * top:g} Hz, and trials longer than {self.warm + 0.1:g} s.",
                f"These have {self.hz_:g} Hz and {X.shape[2] / self.hz_:g} s.",
            )
        self.places_ = np.flatnonzero(place)
        number = np.cumsum(place) - 1  # of the flicker of each class
        Z, flickering = self.banded(X), place[y]

        def taught_by(chosen: np.ndarray) -> None:
            mine = chosen & flickering
            self.teach(Z[:, mine], number[y[mine]])

        if self.taught:
            fold = _folds(y)
            S = np.empty((len(y), len(self.places_)))
            for k in range(fold.max() + 1):
                taught_by(fold != k)
                S[fold == k] = self.scores(Z[:, fold == k])
            taught_by(np.ones(len(y), bool))
        else:
            S = self.scores(Z)
        self.gain_, self.bar_ = _fitted(S, y, self.places_, len(self.classes_))

    def decide(self, x: np.ndarray) -> np.ndarray:
        S = self.scores(self.banded(x[None]))
        return softmax(_logits(S, self.gain_, self.bar_, self.places_, len(self.classes_))[0])


def _folds(y: np.ndarray) -> np.ndarray:
    """(trials,) the fold of each: every class is spread over them."""
    fold = np.empty(len(y), int)
    for c in np.unique(y):
        mine = np.flatnonzero(y == c)
        if len(mine) < 2:
            raise WrongUse("Templates need at least two trials of each class.")
        fold[mine] = np.arange(len(mine)) % min(FOLDS, len(mine))
    return fold


def _logits(S: np.ndarray, gain: float, bar: float, places: np.ndarray, classes: int) -> np.ndarray:
    z = np.full((len(S), classes), gain * bar)
    z[:, places] = gain * S
    return z


def _fitted(S: np.ndarray, y: np.ndarray, places: np.ndarray, classes: int) -> tuple[float, float]:
    """Gain and bar that make the labels likeliest; a slight pull keeps the gain finite where scores tell without fault."""
    from scipy.optimize import minimize

    middle, spread = float(S.mean()), max(float(S.std()), 1e-12)
    R = (S - middle) / spread

    def loss(v: np.ndarray) -> float:
        z = _logits(R, np.exp(v[0]), v[1], places, classes)
        top = z.max(axis=1)
        told = top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(y)), y]
        return float(told.sum() + 0.05 * (v**2).sum())

    gain, bar = minimize(loss, np.zeros(2), method="BFGS").x
    return float(np.exp(gain) / spread), float(bar * spread + middle)
