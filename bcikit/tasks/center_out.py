"""Center-out: from the middle to one of eight targets about it, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..simulate.loop_facts import fact
from ._targets import Targets

REACH, RADIUS, TIMEOUT_S = fact("reach"), fact("radius"), fact("timeout_s")


class CenterOut(Targets):
    """`ways` round targets at `reach` widths from the middle, in an order drawn anew; every second target is the middle."""

    name = "center-out"

    def __init__(
        self,
        seeds: Sequence[int],
        step_s: float,
        dwell_s: float | None = 0.5,
        reach: float = REACH,
        radius: float = RADIUS,
        ways: int = 8,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.reach, self.radius, self.ways, self.timeout_s = reach, radius, ways, timeout_s
        self._left: list[list[int]] = [[] for _ in seeds]
        self._out = [True] * len(seeds)  # whether the target to come is the middle
        super().__init__(seeds, step_s, dwell_s)

    def choose(self, run: int, rng: np.random.Generator) -> None:
        self.size[run] = self.radius
        self._out[run] = not self._out[run]
        if self._out[run]:
            self.target[run] = 0.0
            return
        self._left[run] = self._left[run] or rng.permutation(self.ways).tolist()
        turn = 2 * np.pi * self._left[run].pop() / self.ways
        self.target[run] = self.reach * np.cos(turn), self.reach * np.sin(turn)
