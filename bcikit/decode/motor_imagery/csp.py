"""Common spatial patterns and shrinkage discriminant analysis: the classical decoder of imagery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting, Stage
from .. import _riemann as riemann
from .._decoder import Decoder
from .._linear import linear, softmax
from ..covariance import Covariance, square, trained


@dataclass(eq=False)
class Csp(Decoder):
    """Trials are covariance matrices (channels, channels), as `covariance` behind `epoch` gives them, of a signal filtered
    to the rhythm's band: log power through the spatial filters that make it differ most between each class and all others
    (Blankertz et al., IEEE Signal Process Mag 25:41, 2008, doi:10.1109/MSP.2008.4408441), then linear discriminant analysis
    with Ledoit and Wolf's shrinkage. Of each class, `pairs` filters from either end are kept. With kind=scm,even=no it is
    MNE's CSP. Raises WrongUse where trials are no square matrices."""

    exempt = {**Decoder.exempt, "setting kind": "it chooses the stage before the decoder"}  # noqa: RUF012
    paradigm = "mi"

    pairs: Annotated[int, Setting("filters from either end", low=1, high=32)] = 2
    kind: Annotated[str, Setting("how covariances are estimated", choices=("oas", "scm"))] = "oas"
    even: Annotated[bool, Setting("each trial's is scaled to trace 1: a loud trial counts as a soft one")] = True

    def behind(self) -> list[Stage]:
        return [Covariance(kind=self.kind)]

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        square(X, self)
        C = X / np.trace(X, axis1=1, axis2=2)[:, None, None] if self.even else X
        classes = range(1 if len(self.classes_) == 2 else len(self.classes_))
        self.filters_ = np.concatenate(
            [filters(C[y == k].mean(axis=0), C[y != k].mean(axis=0), self.pairs) for k in classes]
        )
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(self._powers(X), y)
        self.weights_, self.bias_ = linear(model)

    def _powers(self, X: np.ndarray) -> np.ndarray:
        """(trials, channels, channels) -> (trials, filters): log variances."""
        return np.log(np.maximum(((self.filters_ @ X) * self.filters_).sum(axis=-1), 1e-30))

    def decide(self, x: np.ndarray) -> np.ndarray:
        return softmax(self.weights_ @ self._powers(x[None])[0] + self.bias_)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(pairs=1))
        yield trained(cls(), channels=5, classes=3)


def filters(A: np.ndarray, B: np.ndarray, pairs: int) -> np.ndarray:
    """(channels, channels) both -> (2 * pairs or fewer, channels): rows w with the largest and smallest w'Aw / w'Bw."""
    white = riemann.whitener(A + B)
    W = np.linalg.eigh(white @ A @ white)[1].T @ white  # the smallest first
    return W if len(W) <= 2 * pairs else np.concatenate([W[:pairs], W[-pairs:]])
