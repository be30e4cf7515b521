"""Stops as soon as it is sure: any decoder of trials, asked again and again while its trial grows."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Chunk, Event, Stream
from ..preprocess.epoch import Epoch
from ..preprocess.growing import Growing
from ._decoder import Decoder, trained
from ._folds import folds
from .estimator import named

SURE = np.concatenate([np.arange(0.3, 0.95, 0.05), [0.96, 0.97, 0.98, 0.99, 0.995]])


@dataclass(eq=False)
class Stopping(Decoder):
    """Trials (channels, lags) by the decoder `around`, of which there is one for each of the `shares` of a trial. The answer
    is that of the first whose highest probability reaches `sure`, or of the last. Live, behind `growing`, a trial comes once
    for each share, the rest of it NaN: what comes before it is sure, and after, gives NaN. Whole trials, as `epoch` cuts
    them, give the same answers. Each decoder sees each trial that far, so that its state is the same whichever answered.
    An event `stopped` on each answer has the seconds that were looked at.

    Without `sure` it is that which gives most bits a minute (Wolpaw's) on trials of training that were left out, where a
    choice takes `pause` s beside what is looked at. Ways to stop: Schreuder et al., J Neural Eng 10:036025, 2013,
    doi:10.1088/1741-2560/10/3/036025. Raises WrongUse for a decoder that learns from no trials (channels, lags).
    """

    exempt = {  # noqa: RUF012
        **Decoder.exempt,
        "setting hz": "told to the decoder within; tests/decode/test_stopping.py needs it",
        "setting pause": "moves `sure` where that is learnt; tests/decode/test_stopping.py moves it",
    }

    around: Annotated[str, Setting("the decoder: its name, and settings behind a colon")] = "flicker_tangent"
    sure: Annotated[float, Setting("probability that is enough; 0: learnt", low=0, high=1)] = 0.0
    shares: Annotated[tuple[float, ...], Setting("of a trial, in which it is asked; the last is 1", low=0.01, high=1)] = (
        *(0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0),
    )
    pause: Annotated[float, Setting("that a choice takes beside what is looked at", "s", low=0, high=60)] = 0.5
    hz: Annotated[tuple[str, ...], Setting("flicker of each class, LABEL:HZ, for a decoder that asks")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shares or list(self.shares) != sorted(set(self.shares)) or self.shares[-1] != 1:
            raise WrongUse(f"stopping:shares={'+'.join(map(str, self.shares))} do not rise to 1.", do="shares=0.25+0.5+1")

    def made(self) -> Decoder:
        """The decoder within, knowing nothing."""
        its = named(self.around)
        if its.behind() or isinstance(its, Stopping):
            raise WrongUse(
                f"stopping cannot be put around {its.part_name()}.", "It learns from no trials (channels, lags) themselves."
            )
        return its.set_params(hz=self.hz) if self.hz and "hz" in its.settings() else its

    @property
    def warm(self) -> float:
        return getattr(self.made(), "warm", 0.0)

    def before(self) -> list[Stage]:
        return self.made().before()

    def span(self, after: float, length: float) -> tuple[float, float]:
        its = self.made()
        return its.span(after, length) if hasattr(its, "span") else (after, length)

    def growing(self, epoch: Epoch) -> Growing:
        """What cuts its trials live."""
        return Growing(**epoch.settings(), lags=tuple(self.lags_))

    # -- learning

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        if X.ndim != 3:
            raise WrongUse(f"stopping learns from trials (channels, lags); these are {X.shape[1:]}.")
        rate = self.rate_ or self.made().settings().get("rate", 0.0)
        skip = round(self.warm * rate)
        self.lags_ = [max(skip + round(share * (X.shape[2] - skip)), 1) for share in self.shares]
        self.seconds_ = [(n - skip) / rate if rate else n / X.shape[2] for n in self.lags_]
        self.enough_ = float(self.sure or self._chosen(X, y, groups))
        self.within_ = [self._fitted(X[..., :n], y, groups) for n in self.lags_]

    def _fitted(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Decoder:
        names = self.names_ or tuple(map(str, range(X.shape[1])))
        stream = Stream("trials", self.rate_, tuple(map(Channel, names))) if self.rate_ else None
        return self.made().fit(X, self.classes_[y], stream=stream, groups=groups)

    def _chosen(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
        """How sure is best, on trials left out."""
        right, top = [], []
        for out in folds(y, groups):
            p = np.stack(
                [self._fitted(X[~out, :, :n], y[~out], groups[~out]).predict_proba(X[out, :, :n]) for n in self.lags_]
            )
            right.append(p.argmax(axis=2) == y[out])
            top.append(p.max(axis=2))
        if not right:
            return float(SURE[-1])
        rates = [self._rate(np.hstack(right), np.hstack(top) >= s) for s in SURE]
        return float(SURE[int(np.argmax(rates))])

    def _rate(self, right: np.ndarray, enough: np.ndarray) -> float:
        """Bits a minute; both (shares, trials)."""
        enough[-1] = True
        stop = enough.argmax(axis=0)
        share, took = right[stop, np.arange(len(stop))].mean(), np.array(self.seconds_)[stop].mean()
        return float(bits(share, len(self.classes_))) * 60 / (took + self.pause)

    # -- the stage

    def prepare(self, s: Stream) -> None:
        self.told: list[Event] = []
        self.live = [copy.copy(its) for its in self.within_]
        for its, n in zip(self.live, self.lags_, strict=True):
            its.start(s.but(shape=(s.shape[0], n)))
        self._asked = 0  # decoders that have seen this trial
        self._answered = False

    def step(self, c: Chunk) -> Chunk:
        self.told = []
        out = super().step(c)
        return out.but(events=(*out.events, *self.told))

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        y = np.full((len(X), len(self.classes_)), np.nan)
        for i, x in enumerate(X):
            there = np.isfinite(x).all(axis=0)
            n = int(there.argmin()) if not there.all() else len(there)
            if n not in self.lags_ or np.isfinite(x[:, n:]).any():  # samples are missing, and so is the trial
                self._asked, self._answered = 0, False
                continue
            if n == self.lags_[0]:
                self._asked, self._answered = 0, False  # another trial begins
            for k in range(self._asked, bisect_right(self.lags_, n)):
                self._ask(k, x, y[i], self.at + i)
        return y

    def _ask(self, k: int, x: np.ndarray, y: np.ndarray, row: int) -> None:
        p = self.live[k].probabilities(x[None, :, : self.lags_[k]])[0]
        last = k == len(self.lags_) - 1
        if not self._answered and (last or p.max() >= self.enough_):
            y[:] = p
            self._answered = True
            self.told.append(Event(row, "stopped", round(self.seconds_[k], 4)))
        self._asked, self._answered = (0, False) if last else (k + 1, self._answered)

    # -- what is kept

    def state(self) -> dict[str, Any]:
        return {**super().state(), "_within": [its.state() for its in self.live]}

    def learned(self) -> dict[str, Any]:
        plain = copy.copy(self)
        within = vars(plain).pop("within_", [])
        return {**super(Stopping, plain).learned(), "within_": [its.learned() for its in within]}

    def restore(self, kept: Mapping[str, Any]) -> None:
        kept = dict(kept)
        if within := kept.pop("within_", None):
            self.within_ = [self.made() for _ in within]
            for its, one in zip(self.within_, within, strict=True):
                its.restore(one)
        if within := kept.pop("_within", None):
            for its, one in zip(self.live, within, strict=True):
                its.restore(one)
        super().restore(kept)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(around="sklearn:GaussianNB", shares=(0.5, 1.0)))
        yield trained(cls(around="sklearn:LinearDiscriminantAnalysis", shares=(0.25, 0.75, 1.0), sure=0.8))


def bits(share: Any, classes: int) -> np.ndarray:
    """Bits of one choice among `classes` that is right in this share, wrong ones alike: Wolpaw et al., IEEE Trans Rehabil
    Eng 8:164, 2000, doi:10.1109/TNSRE.2003.814807. None at chance and below."""
    p = np.clip(np.asarray(share, float), 1 / classes, 1)
    wrong = np.where(p < 1, (1 - p) * np.log2(np.maximum(1 - p, 1e-300) / (classes - 1)), 0)
    return np.maximum(np.log2(classes) + p * np.log2(p) + wrong, 0)
