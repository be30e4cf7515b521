"""Fitts' task of ISO 9241-411: round a ring of targets, from each to the one across; its throughput."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..simulate.loop_facts import fact
from ._targets import Targets

REACH, RADIUS, WAYS, TIMEOUT_S = fact("reach"), fact("radius"), int(fact("fitts_n")), fact("timeout_s")
SPREAD = 4.133  # the part of a normal distribution that is 96 % wide: how the standard makes a width of a spread


class Fitts(Targets):
    """An odd number `ways` of targets of `radius` widths in a ring of `reach` widths; a selection ends a target, wherever it
    falls. `effective` is the standard's throughput: of the distance and the width as they were used, not as they were
    drawn (R. W. Soukoreff and I. S. MacKenzie, Int. J. Hum.-Comput. Stud. 61:751-789, 2004,
    doi:10.1016/j.ijhcs.2004.09.001)."""

    name = "fitts"

    def __init__(
        self,
        seeds: Sequence[int],
        step_s: float,
        dwell_s: float | None = 0.5,
        reach: float = REACH,
        radius: float = RADIUS,
        ways: int = WAYS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if ways < 3 or ways % 2 == 0:
            raise ValueError("a ring of Fitts' task has an odd number of targets, three or more")
        self.reach, self.radius, self.ways, self.timeout_s = reach, radius, ways, timeout_s
        self._next = [0] * len(seeds)
        self.ends: list[tuple[int, float, float, float]] = []  # run, seconds, way along the line, miss along the line
        super().__init__(seeds, step_s, dwell_s)

    def choose(self, run: int, rng: np.random.Generator) -> None:
        turn = 2 * np.pi * self._next[run] / self.ways
        self._next[run] = (self._next[run] + (self.ways + 1) // 2) % self.ways
        self.target[run], self.size[run] = (self.reach * np.cos(turn), self.reach * np.sin(turn)), self.radius

    def _end(self, i: int, hit: bool, cursor: np.ndarray) -> None:
        line = self.target[i] - self._from[i]
        far = float(np.hypot(*line))
        if hit and far > 0:
            along = float((cursor - self._from[i]) @ line) / far
            self.ends.append((i, float(self._since[i]), along, along - far))
        super()._end(i, hit, cursor)

    def fresh(self) -> None:
        super().fresh()
        self.ends = []

    def effective(self) -> np.ndarray:
        """(runs) bits/s: log2(De / We + 1) / MT, with the mean way De and We = 4.133 standard deviations of the ends."""
        out = np.full(self.runs, np.nan)
        for i in range(self.runs):
            own = np.array([e[1:] for e in self.ends if e[0] == i])
            if len(own) > 2:
                wide = max(SPREAD * own[:, 2].std(ddof=1), 1e-6)
                out[i] = math.log2(own[:, 1].mean() / wide + 1) / own[:, 0].mean()
        return out
