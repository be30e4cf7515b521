"""Linear discriminant analysis for evoked potentials, whose noise is the same at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._adaptive import Adaptive
from .._decoder import trained
from ._erp import Erp, flat


@dataclass(eq=False)
class ToeplitzLda(Adaptive, Erp):
    """Shrinkage LDA of smoothed trials, whose covariance between two moments depends on their distance alone, and less the
    farther they are apart: few trials are enough (Sosulski & Tangermann, J Neural Eng 19:066001, 2022,
    doi:10.1088/1741-2552/ac9c98). Shrinkage: Ledoit & Wolf, J Multivariate Anal 88:365, 2004,
    doi:10.1016/S0047-259X(03)00096-4. Adapts as `update` says.
    """

    def begun(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        from sklearn.covariance import ledoit_wolf_shrinkage

        F = flat(X)
        means = np.array([F[y == k].mean(axis=0) for k in range(2)])
        self.shrinkage_ = float(ledoit_wolf_shrinkage(F - means[y], assume_centered=True))
        self.width_ = X.shape[1]
        self.begin(F, y, groups)

    def seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        return flat(self.tame(x)[None])[0], 0.0

    def structured(self, S: np.ndarray) -> np.ndarray:
        shrunk = (1 - self.shrinkage_) * S + self.shrinkage_ * np.trace(S) / len(S) * np.eye(len(S))
        return toeplitz(shrunk, self.width_)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(rate=128, smooth=0.01))
        yield trained(cls(clip=5.0, smooth=0.02, rate=128, update="expect", trust=20, every=3), shape=(2, 20))


def toeplitz(S: np.ndarray, width: int) -> np.ndarray:
    """A covariance of (moments * channels) whose blocks (channels = width) depend on the distance of two moments: the mean
    along each block diagonal, tapered linearly so that it stays positive definite."""
    n = len(S) // width
    blocks = S.reshape(n, width, n, width).transpose(0, 2, 1, 3)
    out = np.empty_like(blocks)
    for d in range(n):
        i = np.arange(n - d)
        mean = blocks[i, i + d].mean(axis=0) * (1 - d / n)
        out[i, i + d], out[i + d, i] = mean, mean.T
    return out.transpose(0, 2, 1, 3).reshape(S.shape)
