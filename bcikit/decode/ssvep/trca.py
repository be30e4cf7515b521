"""Task-related component analysis: the spatial filter through which trials of one flicker are most alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from ._matching import Matching
from ._tones import alike, simulated


@dataclass(eq=False)
class Trca(Matching):
    """Trials (channels, lags) of flicker that begins at the same phase in each. For each flicker, the filter that makes the
    covariance between trials largest beside that within them; a trial is correlated with the mean one through it, or with
    `ensemble` through the filters of all flickers together (Nakanishi et al., IEEE Trans Biomed Eng 65:104, 2018,
    doi:10.1109/TBME.2017.2694818)."""

    ensemble: Annotated[bool, Setting("look through the filters of all flickers")] = True

    def teach(self, X: np.ndarray, y: np.ndarray) -> None:
        mine = [X[:, y == k] for k in range(y.max() + 1)]
        self.means_ = np.stack([x.mean(axis=1) for x in mine], axis=1)  # (bands, flickers, channels, lags)
        self.filters_ = np.stack([related(x) for x in mine], axis=1)  # (bands, flickers, channels)

    def match(self, X: np.ndarray) -> np.ndarray:
        told = []
        for k in range(len(self.tones)):
            W = self.filters_ if self.ensemble else self.filters_[:, k : k + 1]
            seen, mean = W[:, None] @ X, W @ self.means_[:, k]
            told.append(alike(seen.reshape(*X.shape[:2], -1), mean.reshape(len(X), 1, -1)))
        return np.stack(told, axis=-1)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((0.0, 9.0, 12.0), 380, 1.2, locked=True)
        yield cls(hz=("class 1:9", "class 2:12"), rate=128, corners=(6, 14)).fit(X[:60], y[:60]), source


def related(X: np.ndarray) -> np.ndarray:
    """(..., trials, channels, lags) without means -> (..., channels): the weights through which trials are most alike."""
    within = (X @ X.swapaxes(-1, -2)).sum(axis=-3)
    total = X.sum(axis=-3)
    return leading(total @ total.swapaxes(-1, -2) - within, within)[..., 0]


def leading(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """(..., channels, channels) both, B positive -> the same: columns w, from the largest w'Aw / w'Bw on."""
    w, V = np.linalg.eigh(B)
    white = V * np.where(w > 1e-10 * w[..., -1:], np.maximum(w, 1e-30) ** -0.5, 0)[..., None, :]
    _, U = np.linalg.eigh(white.swapaxes(-1, -2) @ A @ white)
    return (white @ U)[..., ::-1]
