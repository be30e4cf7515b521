"""The grid task: one cell of N x N lights up; whatever cell is selected counts, for or against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..effectors.cursor import EDGE
from ._targets import Targets


class Grid(Targets):
    """side x side cells that fill the workspace, the next drawn among the others (P. Nuyujukian et al., IEEE Trans. Biomed.
    Eng. 62:21-29, 2015, doi:10.1109/TBME.2014.2354697; the rule of Webgrid: a wrong selection takes one away)."""

    name = "grid"
    square = True

    def __init__(self, seeds: Sequence[int], step_s: float, dwell_s: float | None = 0.3, side: int = 6) -> None:
        if side < 2:
            raise ValueError("a grid has two cells a side or more")
        self.side = side
        super().__init__(seeds, step_s, dwell_s)

    @property
    def choices(self) -> int:
        return self.side**2

    def choose(self, run: int, rng: np.random.Generator) -> None:
        goal = int(rng.integers(self.choices - 1))
        self.goal[run] = goal + (goal >= self.goal[run])
        self.target[run], self.size[run] = self.place(int(self.goal[run])), EDGE / self.side

    def place(self, cell: int) -> np.ndarray:
        """(2) the middle of a cell, counted along rows from (-0.5, -0.5)."""
        row, column = divmod(cell, self.side)
        return (np.array([column, row]) + 0.5) / self.side - EDGE

    def under(self, cursor: np.ndarray) -> np.ndarray:
        at = np.minimum(np.maximum(((cursor + EDGE) * self.side).astype(int), 0), self.side - 1)
        return at[:, 1] * self.side + at[:, 0]
