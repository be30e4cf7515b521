"""Random pursuit: target after target anywhere on the screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..effectors.cursor import EDGE
from ..simulate.loop_facts import fact
from ._targets import Targets

TIMEOUT_S = fact("timeout_s")


class Pursuit(Targets):
    """Round targets of a radius drawn between `smallest` and `largest` widths, anywhere that they fit."""

    name = "pursuit"

    def __init__(
        self,
        seeds: Sequence[int],
        step_s: float,
        dwell_s: float | None = 0.5,
        smallest: float = 0.03,
        largest: float = 0.1,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        if not 0 < smallest <= largest < EDGE:
            raise ValueError("a target is larger than nothing and smaller than the screen")
        self.smallest, self.largest, self.timeout_s = smallest, largest, timeout_s
        super().__init__(seeds, step_s, dwell_s)

    def choose(self, run: int, rng: np.random.Generator) -> None:
        self.size[run] = rng.uniform(self.smallest, self.largest)
        self.target[run] = rng.uniform(-EDGE + self.size[run], EDGE - self.size[run], 2)
