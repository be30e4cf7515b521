"""What movement is imagined: covariances of several bands in tangent space, recentred as the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting
from .._bands import Bands
from .._decoder import trained


@dataclass(eq=False)
class BandTangent(Bands):
    """Trials (channels, lags) of imagined movements. Bands of low order between the `edges` (of the mu and the beta
    rhythm), and from the first to the last; each trial's covariances recentred, tangent space, logistic regression
    (Barachant et al., IEEE Trans Biomed Eng 59:920, 2012, doi:10.1109/TBME.2011.2172210; the filter bank: Ang et al., IJCNN
    2008, doi:10.1109/IJCNN.2008.4634130)."""

    paradigm = "mi"
    order = 2
    warm = 0.5

    strength: Annotated[float, Setting("of the logistic regression's weights: more fits closer", low=1e-6, high=1e6)] = 0.1
    prior: Annotated[float, Setting("trials that the mean of the runs before counts for, at most", low=0, high=1e6)] = 4.0
    edges: Annotated[tuple[float, ...], Setting("of the bands, from low to high", "Hz", low=0.1)] = (8.0, 13.0, 30.0)

    def bands(self) -> list[tuple[float, float]]:
        if len(self.edges) < 2 or np.any(np.diff(self.edges) <= 0):
            raise WrongUse("band_tangent:edges are at least two, from low to high.", do="band_tangent:edges=8+13+30")
        each = list(zip(self.edges, self.edges[1:], strict=False))
        return each + [(self.edges[0], self.edges[-1])] * (len(each) > 1)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield trained(cls(rate=128), shape=(3, 128))
        yield trained(cls(edges=(8, 30), rate=128, strength=0.01), shape=(3, 128), classes=3)
