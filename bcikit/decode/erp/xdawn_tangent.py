"""Evoked potentials by the covariances of trials with what the classes evoke, in tangent space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from .._decoder import trained
from ._erp import Erp
from ._xdawn import learnt, log_odds


@dataclass(eq=False)
class XdawnTangent(Erp):
    """xDAWN covariances (`filters` for each class), tangent space, logistic regression (Barachant & Congedo,
    arXiv:1409.0107, 2014), of trials that were bounded and smoothed."""

    filters: Annotated[int, Setting("xDAWN filters for each class, at most the channels", low=1, high=64)] = 4
    strength: Annotated[float, Setting("of the logistic regression's weights: more fits closer", low=1e-6, high=1e6)] = 1.0

    def begun(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        self.xdawn_ = learnt(X, y, self.filters, self.strength)

    def decide(self, x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-log_odds(self.xdawn_, self.tame(x)[None])[0]))
        return np.array([1 - p, p])

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(filters=2, rate=128, smooth=0.02), shape=(3, 24))
        yield trained(cls(filters=1, clip=5.0, strength=0.1, smooth=0.01, rate=128), shape=(2, 20))
