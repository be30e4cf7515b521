"""What the decoders of event-related potentials share: each channel's scale, bounded and smoothed trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Stream
from ...preprocess.bandpass import Bandpass
from .._decoder import Decoder

TO_SD = 1.4826  # of a normal distribution: standard deviation to median absolute deviation
PRIOR = 20.0  # trials that the scale of the training counts for


@dataclass(eq=False)
class Erp(Decoder):
    """Trials (channels, lags), each channel divided by its scale, bounded and averaged over stretches of `smooth` s.

    The scale is the geometric mean of the trials' median absolute deviations: in training of each run, live of the trials
    so far, beginning with the training's; that is state. Bounds keep a jump of an electrode from counting as a response.
    """

    paradigm = "p300"

    clip: Annotated[float, Setting("bound of a value", "standard deviations", low=0.5, high=1000)] = 3.0
    smooth: Annotated[float, Setting("length of the stretches that are averaged", "s", low=0, high=1)] = 0.024
    rate: Annotated[float, Setting("of the samples of a trial, where `fit` is not told the stream", "Hz", low=0)] = 0.0

    def before(self) -> list[Stage]:
        return [Bandpass(low=2.5, high=12.0, order=1)]

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        if X.ndim != 3 or len(self.classes_) != 2:
            raise WrongUse(
                f"{self.part_name()} tells two classes apart, in trials of (channels, lags).",
                f"Here are {len(self.classes_)} classes and trials of shape {X.shape[1:]}.",
            )
        hz = self.rate_ or self.rate
        self.stretch_ = max(round(self.smooth * hz), 1)
        if not hz and self.smooth:
            self.stretch_ = max(X.shape[2] // 32, 1)
        logs = np.log(deviations(X))
        runs = np.unique(groups)
        means = np.array([logs[groups == g].mean(axis=0) for g in runs])
        self.scale_ = means.mean(axis=0)
        self.begun(self.tamed(X, means[np.searchsorted(runs, groups)]), y, groups)

    def begun(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        """Learn from tamed trials (trials, channels, stretches)."""
        raise NotImplementedError

    def tamed(self, X: np.ndarray, log_scale: np.ndarray) -> np.ndarray:
        """(trials, channels, lags) -> (trials, channels, stretches), in standard deviations."""
        n = X.shape[2] // self.stretch_
        X = np.clip(X / np.exp(log_scale)[..., None], -self.clip, self.clip)[..., : n * self.stretch_]
        return X.reshape(*X.shape[:2], n, self.stretch_).mean(axis=3)

    def prepare(self, s: Stream) -> None:
        super().prepare(s)
        self._scale, self._count = self.scale_.copy(), PRIOR

    def tame(self, x: np.ndarray) -> np.ndarray:
        """The next trial (channels, lags) -> (channels, stretches), in standard deviations of the trials so far."""
        self._count += 1
        self._scale = self._scale + (np.log(deviations(x[None])[0]) - self._scale) / self._count
        return self.tamed(x[None], self._scale[None])[0]


def deviations(X: np.ndarray) -> np.ndarray:
    """(trials, channels, lags) -> (trials, channels): as standard deviations, of the middle half of the values."""
    off = np.abs(X - np.median(X, axis=-1, keepdims=True))
    return np.maximum(TO_SD * np.median(off, axis=-1), 1e-6)


def flat(X: np.ndarray) -> np.ndarray:
    """(trials, channels, stretches) -> (trials, stretches * channels), one stretch after the other."""
    return X.transpose(0, 2, 1).reshape(len(X), -1)
