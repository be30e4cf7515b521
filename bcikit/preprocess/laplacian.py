"""The surface Laplacian: what flows out of the skull under each electrode, free of the reference and of far sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._signals import BRAIN, chosen, flat
from ._sphere import laplacian, places


@dataclass(eq=False)
class Laplacian(Stage):
    """Current source density by spherical splines, sample by sample. (samples, channels) in; unit per m² out. No delay.

    The matrix is fixed at the start from the electrodes' positions (the stream's, or those of their 10-05 names) on the
    sphere nearest to them. A channel that is NaN is so here, and counts as its last good value for the others.
    `rereference:to=laplacian` is the plain difference to the four nearest, which needs no whole cap.
    Reference: Perrin et al. 1989, doi:10.1016/0013-4694(89)90180-6 (and its erratum, 1990); Kayser & Tenke 2006,
    doi:10.1016/j.clinph.2005.08.034.
    Raises WrongUse where a place is unknown or there are fewer than four electrodes.
    """

    settle = 0.0

    stiffness: Annotated[int, Setting("order of the splines", low=2, high=10)] = 4
    smooth: Annotated[float, Setting("regularisation", low=0, high=1)] = 1e-5
    radius: Annotated[float, Setting("of the head", "m", low=0.01, high=0.3)] = 0.095
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "laplacian", regular=False)
        self.columns = np.array(chosen(s, self.channels, "laplacian", BRAIN))
        if len(self.columns) < 4:
            raise WrongUse(f"laplacian needs at least four electrodes; of {s.name} it works on {len(self.columns)}.")
        self.matrix = laplacian(places(s, self.columns, "laplacian"), self.stiffness, self.smooth) / self.radius**2
        made = [replace(c, unit=f"{c.unit}/m²") if i in self.columns else c for i, c in enumerate(s.channels)]
        return s.but(channels=tuple(made))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        part = np.take(x, self.columns, axis=1).astype(np.float64)
        done = np.zeros_like(part)
        for column, weights in zip(part.T, self.matrix.T, strict=True):  # one after the other: rounds alike at any cut
            done += column[:, None] * weights
        y[:, self.columns] = done
        return y

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(channels=("Fp1", "Fp2", "O1", "C3", "C4"), stiffness=3, smooth=1e-3, radius=0.1)
