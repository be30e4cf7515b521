"""Which lamp is looked at, by canonical correlation with sines: nothing of the person is learnt but how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.parts import Setting
from ._matching import Matching
from ._tones import correlation, simulated, sines


@dataclass(eq=False)
class Cca(Matching):
    """Trials (channels, lags): the square of the largest canonical correlation with sines at each flicker and its harmonics
    (Lin et al., IEEE Trans Biomed Eng 53:2610, 2006, doi:10.1109/TBME.2006.886577)."""

    taught = False

    harmonics: Annotated[int, Setting("multiples of the flicker that are looked at", low=1, high=8)] = 2

    def match(self, X: np.ndarray) -> np.ndarray:
        orders = range(1, self.harmonics + 1)
        return np.stack([correlation(X, sines(f, orders, X.shape[-1], self.hz_)) ** 2 for f in self.tones], axis=-1)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((0.0, 9.0, 12.0), 380, 1.2)
        yield cls(hz=("class 1:9", "class 2:12"), rate=128).fit(X[:60], y[:60]), source
