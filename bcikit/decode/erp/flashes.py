"""Which flash was meant: what it evokes, and how it covaries with what flashes evoke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from .._decoder import trained
from ._erp import flat
from ._xdawn import learnt, log_odds
from .toeplitz_lda import ToeplitzLda

FILTERS, STRENGTH = 4, 1.0


@dataclass(eq=False)
class Flashes(ToeplitzLda):
    """The log odds of block-Toeplitz LDA and of xDAWN covariances in tangent space, added.

    Of a new person it learns by itself: the LDA adapts by expectation-maximisation over past flashes (`update`), and the
    tangent space, which does not, counts less as they come.
    """

    update: Annotated[
        str, Setting("what it learns from as it runs", choices=("none", "center", "expect", "gate", "labels"))
    ] = "expect"

    def begun(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        super().begun(X, y, groups)
        self.xdawn_ = learnt(X, y, min(FILTERS, X.shape[1]), STRENGTH)

    def seen(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        z = self.tame(x)[None]
        half = log_odds(self.xdawn_, z)[0] / 2
        return flat(z)[0], np.array([-half, half])

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(rate=128, smooth=0.02), shape=(3, 24))
        yield trained(cls(clip=5.0, smooth=0.01, rate=128, update="none"), shape=(2, 20))
