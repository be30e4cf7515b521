"""Filter-bank canonical correlation: `cca` with the bank that its authors used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from ...core.parts import Setting
from ._tones import simulated
from .cca import Cca


@dataclass(eq=False)
class Fbcca(Cca):
    """Trials (channels, lags): canonical correlations with sines above each of the `corners`, squared and weighted (Chen et
    al., J Neural Eng 12:046008, 2015, doi:10.1088/1741-2560/12/4/046008)."""

    harmonics: Annotated[int, Setting("multiples of the flicker that are looked at", low=1, high=8)] = 3
    corners: Annotated[
        tuple[float, ...], Setting("of each band of the filter bank, from which on it passes", "Hz", low=1)
    ] = (
        6.0,
        14.0,
        22.0,
    )

    @classmethod
    def examples(cls) -> Iterator[Any]:
        X, y, source = simulated((0.0, 9.0, 12.0), 380, 1.2)
        yield cls(hz=("class 1:9", "class 2:12"), rate=128).fit(X[:60], y[:60]), source
