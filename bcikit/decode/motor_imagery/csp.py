"""Common spatial patterns and shrinkage discriminant analysis: the classical decoder of imagery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting
from .. import _riemann as riemann
from .._decoder import Decoder, trained


@dataclass(eq=False)
class Csp(Decoder):
    """Trials (channels, lags), filtered to the rhythm's band: log power through the spatial filters that make it differ most
    between each class and all others (Blankertz et al., IEEE Signal Process Mag 25:41, 2008, doi:10.1109/MSP.2008.4408441),
    then linear discriminant analysis with Ledoit and Wolf's shrinkage. Covariances are OAS, each trial's scaled to trace 1,
    so that a loud trial counts as a soft one. Of each class, `pairs` filters from either end are kept."""

    paradigm = "mi"

    pairs: Annotated[int, Setting("filters from either end", low=1, high=32)] = 2

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        if X.ndim != 3 or X.shape[1] < 2:
            raise WrongUse(f"csp needs trials of two channels or more, (channels, lags); these are {X.shape[1:]}.")
        C = riemann.covariances(X)
        C /= np.trace(C, axis1=1, axis2=2)[:, None, None]
        classes = range(1 if len(self.classes_) == 2 else len(self.classes_))
        self.filters_ = np.concatenate(
            [filters(C[y == k].mean(axis=0), C[y != k].mean(axis=0), self.pairs) for k in classes]
        )
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(self._powers(X), y)
        both = len(model.coef_) == 1  # of two classes it weighs one
        self.weights_: np.ndarray = np.vstack([-model.coef_, model.coef_]) / 2 if both else model.coef_
        self.bias_: np.ndarray = np.r_[-model.intercept_, model.intercept_] / 2 if both else model.intercept_

    def _powers(self, X: np.ndarray) -> np.ndarray:
        """(trials, channels, lags) -> (trials, filters): log variances."""
        return np.log(np.maximum((self.filters_ @ X).var(axis=-1), 1e-30))

    def decide(self, x: np.ndarray) -> np.ndarray:
        z = self.weights_ @ self._powers(x[None])[0] + self.bias_
        e = np.exp(z - z.max())
        return e / e.sum()

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(pairs=1), shape=(3, 32))
        yield trained(cls(), shape=(5, 32), classes=3)


def filters(A: np.ndarray, B: np.ndarray, pairs: int) -> np.ndarray:
    """(channels, channels) both -> (2 * pairs or fewer, channels): rows w with the largest and smallest w'Aw / w'Bw."""
    white = riemann.whitener(A + B)
    W = np.linalg.eigh(white @ A @ white)[1].T @ white  # the smallest first
    return W if len(W) <= 2 * pairs else np.concatenate([W[:pairs], W[-pairs:]])
