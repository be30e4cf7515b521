"""Task-discriminant component analysis: spatial and temporal filters that tell flickers apart, common to all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from ._matching import Matching
from ._tones import alike, simulated, sines
from .trca import leading


@dataclass(eq=False)
class Tdca(Matching):
    """Trials (channels, lags) of flicker that begins at the same phase in each. A trial is laid out with `delays` later
    copies of itself, and beside it what of it lies in the space of a flicker's sines; the filters of a two-dimensional
    discriminant analysis over all flickers are applied, and the correlation with each flicker's mean is its score (Liu et
    al., IEEE Trans Neural Syst Rehabil Eng 29:1998, 2021, doi:10.1109/TNSRE.2021.3114340). Copies are taken from within the
    trial, so what is compared is `delays` samples shorter."""

    harmonics: Annotated[int, Setting("multiples of the flicker that are looked at", low=1, high=8)] = 2
    delays: Annotated[int, Setting("later copies, each by one sample", low=0, high=50)] = 3
    components: Annotated[int, Setting("filters that are kept", low=1, high=64)] = 4

    def laid(self, X: np.ndarray, f: float) -> np.ndarray:
        """(bands, trials, channels, lags) -> (bands, trials, channels * (delays + 1), 2 * (lags - delays))."""
        n = X.shape[-1] - self.delays
        late = np.concatenate([X[..., d : d + n] for d in range(self.delays + 1)], axis=-2)
        base = sines(f, range(1, self.harmonics + 1), n, self.hz_)
        return np.concatenate([late, (late @ base) @ base.T], axis=-1)

    def teach(self, X: np.ndarray, y: np.ndarray) -> None:
        laid = [self.laid(X[:, y == k], f) for k, f in enumerate(self.tones)]
        self.means_ = np.stack([x.mean(axis=1) for x in laid], axis=1)  # (bands, flickers, rows, columns)
        rest = np.concatenate([x - x.mean(axis=1, keepdims=True) for x in laid], axis=1)
        apart = self.means_ - self.means_.mean(axis=1, keepdims=True)
        between, within = ((x @ x.swapaxes(-1, -2)).sum(axis=1) / x.shape[1] for x in (apart, rest))
        self.filters_ = leading(between, within)[..., : self.components].swapaxes(-1, -2)

    def match(self, X: np.ndarray) -> np.ndarray:
        told = []
        for k, f in enumerate(self.tones):
            seen, mean = self.filters_[:, None] @ self.laid(X, f), self.filters_ @ self.means_[:, k]
            told.append(alike(seen.reshape(*X.shape[:2], -1), mean.reshape(len(X), 1, -1)))
        return np.stack(told, axis=-1)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((0.0, 9.0, 12.0), 380, 1.2, locked=True)
        yield cls(hz=("class 1:9", "class 2:12"), rate=128).fit(X[:60], y[:60]), source
