"""Whether the person clicks: a linear discriminant on the counts, and a hidden Markov model of two states over it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream, recording
from .kalman import _reaches

TURNS = 5  # of guessing when the hand was closed, and learning from that
LEAST = 25.0  # bins of a closed hand, the least to learn from
MAYBE, ELSEWHERE = 0.35, 0.05  # that the hand is closed in a bin while a target is under the cursor, and while none is
SEEN_S = 0.2  # a cursor is seen so late: who was on target acts on it for so long
SURE = 0.9  # of a click, when it is taken for one
AGAIN_S = 0.25  # no second click within it


@dataclass(eq=False)
class Click(Stage):
    """(bins, channels) counts or power in; (bins, 1) out: the probability that the hand is closed in thought, given all bins
    so far. No delay of its own. Raises WrongUse where it was not fitted or the stream has other channels.

    Source: S.-P. Kim et al., IEEE Trans. Neural Syst. Rehabil. Eng. 19:193-203, 2011, doi:10.1109/TNSRE.2011.2107750 (a
    discriminant on the counts that move the cursor); C. Pandarinath et al., eLife 6:e18554, 2017, doi:10.7554/eLife.18554
    (people who point and click so).
    """

    holds: ClassVar[bool] = False
    exempt: ClassVar = {f"setting {n}": "it acts in fit" for n in ("shrinkage",)}

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are looked at; none named: all")] = ()
    shrinkage: Annotated[float, Setting("how far the noise is drawn to its diagonal", low=0, high=1)] = 0.8
    closed_s: Annotated[float, Setting("how long a hand stays closed, on average", "s", low=0.02, high=10)] = 0.15
    every_s: Annotated[float, Setting("how long until it closes again, on average", "s", low=0.05, high=1000)] = 2.0

    def fit(self, X: Any, prior: Any, push: Any = None) -> Self:
        """X (bins, channels); prior (bins): how probable it is, from all else that is known, that the hand was closed in
        each bin (0 where it cannot have been, NaN where nobody knows). push (bins, 2): what else was intended then, whose
        part in X is taken off. When it was closed is found by guessing from the counts and learning from the guess, in
        turn. Raises WrongUse where too little is left."""
        X, prior = np.asarray(X, float), np.clip(np.asarray(prior, float), 0.0, 1.0)
        if X.ndim != 2 or prior.shape != (len(X),):
            raise WrongUse(f"click cannot learn from X {X.shape} and priors {prior.shape}.")
        keep = np.isfinite(X).all(axis=1) & np.isfinite(prior)
        if push is not None:
            keep &= np.isfinite(push).all(axis=1)
        X, prior = X[keep], prior[keep]
        if push is not None:
            D = np.column_stack([np.asarray(push, float)[keep], np.ones(len(X))])
            X = X - D[:, :2] @ np.linalg.lstsq(D, X, rcond=None)[0][:2]
        closed = prior
        for _ in range(TURNS):
            if closed.sum() < LEAST or (1 - closed).sum() < LEAST:
                raise WrongUse(
                    f"click cannot learn from {closed.sum():.0f} bins of a closed hand.", "Let the person click more."
                )
            open_, shut = (w @ X / w.sum() for w in (1 - closed, closed))
            rest = X - np.outer(closed, shut) - np.outer(1 - closed, open_)
            R = rest.T @ rest / len(X)
            own = np.diag(R).copy()
            R *= 1 - self.shrinkage
            R[np.diag_indices_from(R)] = np.where(own > 1e-9, own, np.inf)
            good = np.isfinite(np.diag(R))
            self.weights_ = np.zeros(X.shape[1])
            self.weights_[good] = np.linalg.solve(R[np.ix_(good, good)], (shut - open_)[good])
            self.offset_ = float(-self.weights_ @ (shut + open_) / 2)
            with np.errstate(divide="ignore"):
                odds = np.log(prior) - np.log1p(-prior) + X @ self.weights_ + self.offset_
            closed = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        return self

    def setup(self, s: Stream) -> Stream:
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if not hasattr(self, "weights_"):
            raise WrongUse("click was not fitted.", do="Call fit(X, prior) first, or restore what was learnt.")
        if len(s.shape) != 1 or not s.rate or len(self.columns) != len(self.weights_):
            raise WrongUse(f"click was fitted to {len(self.weights_)} channels; {s.name} has {len(self.columns)}.")
        self.shut, self.open = 1 - math.exp(-1 / (s.rate * self.every_s)), 1 - math.exp(-1 / (s.rate * self.closed_s))
        self.settle = 10 * (self.closed_s + self.every_s)
        self._closed = 0.0
        return s.but(name=f"click from {s.name}", channels=(Channel("click", "probability", ""),), scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), 1), np.float32)
        for row, to in zip(x[:, self.columns].astype(float), y, strict=True):
            says = float(np.dot(self.weights_, row)) + self.offset_
            self._closed = closer(self._closed, says if math.isfinite(says) else 0.0, self.shut, self.open)
            to[0] = self._closed
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        counts, movement = _reaches()
        prior = np.where(movement[:, 0] > 0.05, 0.9, 0.05)
        some = recording(counts.stream, counts.data)
        for own in (["u0", "u2", "u5"], ["u1", "u3", "u4"]):
            columns = counts.stream.pick(own)
            yield cls(channels=tuple(own)).fit(counts.data[:, columns], prior), some


def closer(closed: Any, says: Any, shut: float, open_: float) -> Any:
    """The probability of a closed hand behind one more bin: it was `closed`, the bin `says` the log of the likelihoods'
    ratio, and a bin closes it with probability `shut`, opens it with `open_`. Numbers, or arrays of them."""
    before = closed * (1 - open_) + (1 - closed) * shut
    return 1 / (1 + (1 - before) / before * np.exp(-np.clip(says, -30, 30)))


def may_close(cursor: np.ndarray, target: np.ndarray, size: np.ndarray, step_s: float) -> np.ndarray:
    """(bins) the prior of `Click.fit`, from what the screen showed in a run: cursor and target (bins, 2), half width (bins).
    Whoever was on target just now may still close the hand: they see the cursor late, and a target that ended too."""
    known = np.isfinite(target).all(axis=1)
    on = np.abs(cursor - target).max(axis=1) < size
    for _ in range(round(SEEN_S / step_s)):
        on[1:] |= on[:-1]
    return np.where(known, np.where(on, MAYBE, ELSEWHERE), np.nan)


class Presses:
    """Single clicks of several runs, from how probable a closed hand is, bin by bin: once as it becomes sure."""

    def __init__(self, runs: int, step_s: float) -> None:
        self.step_s = step_s
        self._was, self._since = np.zeros(runs), np.full(runs, np.inf)

    def __call__(self, closed: np.ndarray) -> np.ndarray:
        """(runs) probabilities in this bin; (runs) who clicks in it."""
        self._since += self.step_s
        now = (self._was < SURE) & (closed >= SURE) & (self._since > AGAIN_S)
        self._was = np.array(closed, float)
        self._since[now] = 0.0
        return now
