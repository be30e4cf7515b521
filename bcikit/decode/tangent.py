"""Covariances in their tangent space, and logistic regression on them: pyRiemann's chain, several times as fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from .. import kernels
from ..core.parts import Setting, Stage
from . import _riemann as riemann
from ._decoder import Decoder
from ._linear import linear, softmax
from .covariance import Covariance, square, trained


@dataclass(eq=False)
class Tangent(Decoder):
    """Trials are covariance matrices (channels, channels), as `covariance` behind `epoch` gives them. They are whitened by
    their Riemannian mean over the training trials; their logarithms are what scikit-learn's logistic regression weighs.
    The same as pyRiemann's TangentSpace and that regression (Barachant et al., IEEE Trans Biomed Eng 59:920, 2012,
    doi:10.1109/TBME.2011.2172210), with compiled logarithms that begin where the mean's step before ended.
    Raises WrongUse where trials are no square matrices.
    """

    exempt = {**Decoder.exempt, "setting kind": "it chooses the stage before the decoder"}  # noqa: RUF012

    kind: Annotated[str, Setting("how covariances are estimated", choices=("oas", "scm"))] = "oas"
    strength: Annotated[float, Setting("of the weights: more fits closer", low=1e-6, high=1e6)] = 1.0

    def behind(self) -> list[Stage]:
        return [Covariance(kind=self.kind)]

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        square(X, self)
        _, self.white_, logs = riemann.centred(X)
        self.weights_, self.bias_ = linear(LogisticRegression(C=self.strength).fit(riemann.vectors(logs), y))

    def decide(self, x: np.ndarray) -> np.ndarray:
        return self.probabilities(x[None])[0]

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        good = np.isfinite(X).all(axis=(1, 2))
        p = np.full((len(X), len(self.classes_)), np.nan)
        T = riemann.vectors(kernels.logs(X[good], self.white_))
        p[good] = softmax((T[:, None] * self.weights_).sum(axis=-1) + self.bias_)
        return p

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls())
