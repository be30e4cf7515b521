"""Which lamp is looked at: bands at each flicker and its harmonics in tangent space, beside canonical correlations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ... import kernels
from ...core.parts import Setting
from ...preprocess._design import butterworth
from .._bands import Bands
from ._tones import HZ, correlation, flickers, simulated, sines

CORNERS = (15.0, 24.0)  # Hz: canonical correlation is taken again of what lies above


@dataclass(eq=False)
class FlickerTangent(Bands):
    """Trials (channels, lags) of someone who looks at one of several flickering lamps, or at none.

    For each flicker and harmonic, the covariance in a first-order band of +-`width` Hz, recentred, in tangent space
    (Kalunga et al., Neurocomputing 191:55, 2016, doi:10.1016/j.neucom.2016.01.007); beside them the canonical
    correlations with each harmonic, and with both above 15 and 24 Hz, as in a filter bank (Chen et al., J Neural Eng
    12:046008, 2015, doi:10.1088/1741-2560/12/4/046008). The skirts of so low an order are wanted: they tell how much
    there is beside the flicker.
    """

    paradigm = "ssvep"
    gain = 1.5

    strength: Annotated[float, Setting("of the logistic regression's weights: more fits closer", low=1e-6, high=1e6)] = 0.003
    hz: Annotated[tuple[str, ...], Setting(HZ)] = ()
    harmonics: Annotated[int, Setting("multiples of the flicker that are looked at", low=1, high=8)] = 2
    width: Annotated[float, Setting("half the width of a band", "Hz", low=0.05, high=10)] = 0.5

    def bands(self) -> list[tuple[float, float]]:
        its = flickers(self.hz, self.part_name()).values()
        return [(f * h - self.width, f * h + self.width) for h in range(1, self.harmonics + 1) for f in its]

    def scores(self, X: np.ndarray, rate: float) -> np.ndarray:
        its, (n, c, lags) = flickers(self.hz, self.part_name()).values(), X.shape
        every = range(1, self.harmonics + 1)
        r = [correlation(X, sines(f, [h], lags, rate)) for h in every for f in its]
        flat = np.ascontiguousarray((X - X[..., :1]).transpose(2, 0, 1).reshape(lags, n * c), np.float32)
        for corner in (c for c in CORNERS if c < 0.45 * rate):
            sos = butterworth(1, corner, None, rate)
            y = kernels.biquads(flat, sos, np.zeros((len(sos), 2, n * c))).reshape(lags, n, c).transpose(1, 2, 0)
            r += [correlation(y.astype(float), sines(f, every, lags, rate)) for f in its]
        return np.arctanh(np.minimum(np.stack(r, axis=1), 0.999))

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((9.0, 12.0), 380, 1.6)
        yield cls(hz=("class 0:9", "class 1:12"), rate=128).fit(X[:60], y[:60]), source
