"""Which flash was meant: what it evokes, and how it covaries with what flashes evoke."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from .._decoder import trained
from .._folds import weighed
from ._erp import flat
from ._xdawn import learnt, log_odds
from .toeplitz_lda import ToeplitzLda

FILTERS, STRENGTH = 4, 1.0


@dataclass(eq=False)
class Flashes(ToeplitzLda):
    """The mean of two opinions, the log odds of block-Toeplitz LDA and of xDAWN covariances in tangent space. Learnt from
    several runs or people, they are weighed on those left out: the latter tells more of people whom it did not see.

    Of a new person it learns by itself: the LDA adapts by expectation-maximisation over past flashes (`update`), and the
    tangent space, which does not, counts less as they come.
    """

    update: Annotated[
        str, Setting("what it learns from as it runs", choices=("none", "center", "expect", "gate", "labels"))
    ] = "expect"

    def begun(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        super().begun(X, y, groups)
        filters = min(FILTERS, X.shape[1])
        self.xdawn_, self.other_ = learnt(X, y, filters, STRENGTH), 1.0
        if len(np.unique(groups)) < 2:
            return

        def opinions(train: np.ndarray, test: np.ndarray) -> np.ndarray:
            lda = copy.copy(self)
            super(Flashes, lda).begun(X[train], y[train], groups[train])
            own = lda.log_odds(flat(X[test]), 0.0)
            return np.column_stack([own[:, 1] - own[:, 0], log_odds(learnt(X[train], y[train], filters, STRENGTH), X[test])])

        (own, other), _ = weighed(opinions, y, groups)
        self.other_ = float(np.clip(other / max(own, 1e-3), 0.1, 10.0))

    def seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        z = self.tame(x)[None]
        half = log_odds(self.xdawn_, z)[0] / 2
        return flat(z)[0], np.array([-half, half])

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(rate=128, smooth=0.02), shape=(3, 24))
        yield trained(cls(clip=5.0, smooth=0.01, rate=128, update="none"), shape=(2, 20))
