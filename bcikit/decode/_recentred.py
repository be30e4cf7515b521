"""Decoders on covariances that learn from several runs, or people: each is recentred by itself; live, from the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.parts import Setting, Stage
from ..core.pipeline import Pipeline
from ..core.stream import Stream
from ..preprocess.bandpass import Bandpass
from ..preprocess.beside import Beside
from . import _riemann as riemann
from ._decoder import Decoder
from ._linear import linear
from .covariance import Covariance, square
from .ssvep._tones import flickers

BAND = 0.5  # Hz to either side of a flicker


@dataclass(eq=False)
class Recentred(Decoder):
    """Trials are covariance matrices (channels, channels), as `covariance` behind `epoch` gives them. Each run, of whomever,
    is a domain: it is whitened by its own Riemannian mean; live, by the mean of the trials so far, the one to be decided
    among them, which begins with the mean of the runs that it learnt from (Zanini et al., IEEE Trans Biomed Eng 65:1107,
    2018, doi:10.1109/TBME.2017.2742541). That needs no label, and is state of the stream.

    An author writes `taught(logs, y, runs, means)`, and `decide`, which asks `recentred` for the logarithm of a trial.
    Where flickers are told, the channels of a band around each stand side by side before trials are cut (Kalunga et al.,
    Neurocomputing 191:55, 2016, doi:10.1016/j.neucom.2016.01.007). Raises WrongUse where trials are no square matrices.
    """

    exempt = {  # noqa: RUF012
        **Decoder.exempt,
        "setting kind": "it chooses the stage before the decoder",
        "setting hz": "it chooses the stages before the cutting of trials",
    }

    kind: Annotated[str, Setting("how covariances are estimated", choices=("oas", "scm"))] = "oas"
    strength: Annotated[float, Setting("of the weights: more fits closer", low=1e-6, high=1e6)] = 1.0
    prior: Annotated[float, Setting("trials that what the runs before told counts for, at most", low=0, high=1e6)] = 8.0
    hz: Annotated[tuple[str, ...], Setting("flicker of each class, LABEL:HZ, where it is flicker that is told apart")] = ()

    # -- what an author writes

    def taught(self, logs: np.ndarray, y: np.ndarray, runs: Sequence[np.ndarray], means: np.ndarray) -> None:
        """logs (trials, channels, channels), recentred; y (trials,); runs: of each, the numbers of its trials; means (runs,
        channels, channels)."""
        raise NotImplementedError(f"{type(self).__name__} has no taught()")

    # -- the same for all

    def before(self) -> list[Stage]:
        tones = flickers(self.hz, self.part_name()).values() if self.hz else ()
        lines = [Pipeline([Bandpass(low=f - BAND, high=f + BAND, order=1)]) for f in tones]
        return [Beside(lines)] if lines else []

    def behind(self) -> list[Stage]:
        return [Covariance(kind=self.kind)]

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        square(X, self)
        runs = [np.flatnonzero(groups == g) for g in np.unique(groups)]
        logs, means = np.empty_like(X), np.empty((len(runs), *self.shape_))
        for i, k in enumerate(runs):
            means[i], _, logs[k] = riemann.centred(X[k])
        self.center_ = riemann.mean(means)
        apart = riemann.tangent(means, riemann.whitener(self.center_))
        self.worth_ = riemann.worth(riemann.vectors(logs), apart, self.prior)
        self.taught(logs, y, runs, means)

    def regression(self, logs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(trials, channels, channels) -> (classes, features) weights, (classes,) biases of logistic regression."""
        from sklearn.linear_model import LogisticRegression

        return linear(LogisticRegression(C=self.strength).fit(riemann.vectors(logs), y))

    def prepare(self, s: Stream) -> None:
        self._mean, self._count = self.center_.copy(), self.worth_

    def recentred(self, x: np.ndarray) -> np.ndarray:
        """The next trial (channels, channels) -> the logarithm of what is left when the mean so far is taken off."""
        self._count += 1
        self._mean = riemann.between(self._mean, x, 1 / self._count)
        white = riemann.whitener(self._mean)
        return riemann.log(white @ x @ white)
