"""Extended canonical correlation: sines, the person's own mean response, and spatial filters of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from ._matching import Matching
from ._tones import alike, canonical, correlation, simulated, sines


@dataclass(eq=False)
class Ecca(Matching):
    """Trials (channels, lags) of flicker that begins at the same phase in each: canonical correlation with sines, and
    correlation with the class's mean trial through three spatial filters: of trial and mean, of trial and sines, of mean and
    sines; each squared with its sign, and added (Nakanishi et al., PLoS ONE 10:e0140703, 2015,
    doi:10.1371/journal.pone.0140703)."""

    harmonics: Annotated[int, Setting("multiples of the flicker that are looked at", low=1, high=8)] = 2

    def teach(self, X: np.ndarray, y: np.ndarray) -> None:
        self.means_ = np.stack([X[:, y == k].mean(axis=1) for k in range(y.max() + 1)], axis=1)  # (bands, flickers, c, lags)

    def match(self, X: np.ndarray) -> np.ndarray:
        told = []
        for k, f in enumerate(self.tones):
            base = sines(f, range(1, self.harmonics + 1), X.shape[-1], self.hz_)
            mean = np.broadcast_to(self.means_[:, None, k], X.shape)
            filters = (canonical(X, mean), canonical(X, base.T), canonical(mean, base.T))
            r = [correlation(X, base)]
            r += [alike((w[..., None, :] @ X)[..., 0, :], (w[..., None, :] @ mean)[..., 0, :]) for w in filters]
            told.append(sum(v * np.abs(v) for v in r))
        return np.stack(told, axis=-1)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((0.0, 9.0, 12.0), 380, 1.2, locked=True)
        yield cls(hz=("class 1:9", "class 2:12"), rate=128).fit(X[:60], y[:60]), source
