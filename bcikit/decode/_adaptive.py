"""Linear discriminants that go on learning: from labels, from guesses of them, or from the trials alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.parts import Setting
from ..core.stream import Event, Stream
from ._decoder import Decoder
from ._linear import softmax

TURNS = 2  # of expectation and maximisation, each time
SETTINGS = ("update", "trust", "every", "memory", "guard")


@dataclass(eq=False)
class Adaptive(Decoder):
    """Linear discriminant analysis of features, which an event for each trial teaches (its class, or `trial` where that is
    not known). What was trained on counts for `trust` trials of each refit, the more trials of this person come the less.

    update: none; center moves the classes together with the mean of all trials (Vidaurre et al., IEEE Trans Biomed Eng
    58:587, 2011, doi:10.1109/TBME.2010.2093133); expect is expectation-maximisation over past trials with the training's
    shares of classes (Kindermans et al., PLoS ONE 7:e33758, 2012, doi:10.1371/journal.pone.0033758); gate takes its own
    decisions for labels where they are surer than 0.9; labels takes the class that the event names.
    The past trials' features are kept with what was learnt, at most `memory` of them.

    guard: what was trained decides beside what was learnt since, on every trial before it teaches. Where labels tell that
    the latter is right less often, or, without labels, where it contradicts sure decisions of the former in more than one
    of twenty, it is forgotten (`undone_` counts how often); both are running means of some `WATCH` trials. The shares of
    classes are then those that what was trained finds in the past trials. It is for people whom the training fits: where
    the latter is often surely wrong, as of other people, it stops what would help.
    """

    exempt = {  # noqa: RUF012
        **Decoder.exempt,
        **{f"setting {name}": "shows when it is taught; tests/decode/test_adaptive.py teaches it" for name in SETTINGS},
    }
    GATE: ClassVar[float] = 0.9
    WATCH: ClassVar[float] = 40.0
    WORSE: ClassVar[tuple[float, float]] = (0.03, 0.05)  # with labels; without

    update: Annotated[
        str, Setting("what it learns from as it runs", choices=("none", "center", "expect", "gate", "labels"))
    ] = "none"
    trust: Annotated[float, Setting("trials that the training on other runs or people counts for", low=1, high=1e6)] = 160.0
    every: Annotated[int, Setting("trials from one refit to the next", low=1)] = 10
    memory: Annotated[int, Setting("past trials that it learns from", low=10, high=100_000)] = 1000

    guard: Annotated[bool, Setting("forget what was learnt where it makes things worse")] = False

    # -- what an author writes

    def seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """One trial (*shape) -> its (features,), and (classes,) log odds by other means, which do not adapt and weigh less
        as trials come, or 0. A decision is the mean of both, in which the latter count `other_` times (else it would seem
        the less sure, the more was learnt). May use and change the state of the stream."""
        raise NotImplementedError

    def first(self, f: np.ndarray, beside: np.ndarray | float) -> np.ndarray:
        """(..., features), (..., classes) -> (..., classes): log odds as they were trained."""
        return f @ self.first_weights_.T + self.first_bias_ + beside

    def structured(self, S: np.ndarray) -> np.ndarray:
        """A covariance within classes (features, features), as it is inverted: shrunk, structured."""
        return S

    # -- learning

    def begin(self, F: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        """Learn from (trials, features); of one run, all its trials count, of several `trust`."""
        R = np.eye(len(self.classes_))[y]
        count, self.base_means_, self.base_cov_ = moments(F, R)
        self.share_ = count / count.sum()
        self.trust_ = float(self.trust if len(np.unique(groups)) > 1 else max(self.trust, len(F)))
        self.past_, self.beside_ = np.empty((0, F.shape[1]), np.float32), np.empty((0, len(count)))
        self.known_, self.other_ = np.empty(0, int), 0.0
        self.worse_, self.undone_ = 0.0, 0
        self.solve(self.base_means_, self.base_cov_)
        self.first_weights_, self.first_bias_ = self.weights_, self.bias_

    def solve(self, means: np.ndarray, cov: np.ndarray) -> None:
        self.weights_ = np.linalg.solve(self.structured(cov), means.T).T
        self.bias_ = np.log(self.share_) - (self.weights_ * means).sum(axis=1) / 2

    def log_odds(self, f: np.ndarray, beside: np.ndarray | float) -> np.ndarray:
        """(..., features), (..., classes) -> (..., classes)"""
        return f @ self.weights_.T + self.bias_ + beside * self.left

    @property
    def left(self) -> float:
        """What is left of the weight of what does not adapt."""
        n = 0 if self.update == "center" else len(self.past_)
        return self.trust_ / (self.trust_ + n)

    # -- the stage

    @property
    def learns_from(self) -> tuple[str, ...]:  # type: ignore[override]
        if self.update == "none" or not hasattr(self, "classes_"):
            return ()
        return ("trial", *map(str, self.classes_))

    def prepare(self, s: Stream) -> None:
        super().prepare(s)
        self._heard = 0  # trials that were learnt from
        self._trial: np.ndarray | None = None  # features of the newest trial, until it is learnt from
        self._beside = np.zeros(len(self.classes_))

    def decide(self, x: np.ndarray) -> np.ndarray:
        self._trial, beside = self.seen(x)
        self._beside = np.zeros(len(self.classes_)) + beside
        other = self.other_ * self.left
        return softmax((self.log_odds(self._trial, 0.0) + other * self._beside) / (1 + other))

    def adapt(self, event: Event) -> None:
        if self._trial is None:
            return
        known = list(map(str, self.classes_)).index(event.name) if self.update == "labels" and event.name != "trial" else -1
        if self.guard and self._worse(self._trial, known):
            self.past_, self.beside_, self.known_ = self.past_[:0], self.beside_[:0], self.known_[:0]
            self.weights_, self.bias_ = self.first_weights_, self.first_bias_
            self.worse_, self.undone_ = 0.0, self.undone_ + 1
        self.past_ = np.vstack([self.past_, self._trial[None]])[-self.memory :].astype(np.float32)
        self.beside_ = np.vstack([self.beside_, self._beside])[-self.memory :]
        self.known_ = np.r_[self.known_, known][-self.memory :]
        self._trial = None
        self._heard += 1
        if self._heard % self.every == 0:
            self.refit()

    def _worse(self, f: np.ndarray, known: int) -> bool:
        """Whether, with this trial, what was learnt since training does worse than what was trained."""
        first = self.first(f, self._beside)
        now = int(np.argmax(self.log_odds(f, self._beside)))
        labelled = self.update == "labels"
        if labelled and known >= 0:
            self.worse_ += (float(np.argmax(first) == known) - float(now == known) - self.worse_) / self.WATCH
        elif not labelled and softmax(first).max() > self.GATE:
            self.worse_ += (float(np.argmax(first) != now) - self.worse_) / self.WATCH
        return self.worse_ > self.WORSE[0 if labelled else 1]

    def refit(self) -> None:
        """Learn again from what was trained on and from the past trials."""
        F, classes = self.past_.astype(float), np.eye(len(self.classes_))
        if self.update == "center":
            base = self.share_ @ self.base_means_
            shift = (F.mean(axis=0) - base) * len(F) / (len(F) + self.trust_)
            return self.solve(self.base_means_ + shift, self.base_cov_)
        if self.update == "labels":
            return self._taught(F[self.known_ >= 0], classes[self.known_[self.known_ >= 0]])
        for _ in range(TURNS):
            odds = self.log_odds(F, self.beside_)
            share = self.share_
            if self.guard:  # the shares of classes may not be those of the training
                found = softmax(self.first(F, self.beside_)).sum(axis=0)
                share = (self.every * share + found) / (self.every + len(F))
            R = balanced(odds, share)
            if self.update == "gate":
                R = classes[R.argmax(axis=1)] * (R.max(axis=1) > self.GATE)[:, None]
            self._taught(F, R)
        return None

    def _taught(self, F: np.ndarray, R: np.ndarray) -> None:
        count, means, S = moments(F, R)
        n, first = count.sum(), self.trust_ * self.share_[:, None]
        means = (count[:, None] * means + first * self.base_means_) / (count[:, None] + first)
        self.solve(means, (n * S + self.trust_ * self.base_cov_) / (n + self.trust_))


def moments(F: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F (trials, features), R (trials, classes) how much a trial is of a class -> counts (classes,), means (classes,
    features), covariance within classes (features, features)."""
    count = R.sum(axis=0)
    means = (R.T @ F) / np.maximum(count, 1e-12)[:, None]
    S = (F * R.sum(axis=1)[:, None]).T @ F - (means * count[:, None]).T @ means
    return count, means, S / max(count.sum(), 1e-12)


def balanced(z: np.ndarray, share: np.ndarray, turns: int = 100) -> np.ndarray:
    """(trials, classes) log odds -> probabilities whose means are the classes' shares."""
    z = z.copy()
    for _ in range(turns):
        off = np.log(share / np.maximum(softmax(z).mean(axis=0), 1e-300))
        z += off
        if np.abs(off).max() < 1e-6:
            break
    return softmax(z)
