"""What tasks with targets share: who is on what, for how long, what was selected, and what that is worth.

A task judges several runs at once, one row each, and knows nothing of who steers: a person, real or simulated. Places are in
widths of the workspace, whose middle is (0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Trial:
    """One target: seconds from its showing to its end, the way there in a line and as it was gone, and how it ended."""

    run: int
    seconds: float
    distance: float
    path: float
    size: float
    hit: bool


class Targets:
    """`step(cursor, click)` judges a bin; `target` (runs, 2) and `size` (runs) are what is shown.

    dwell_s: a stay of so long selects, once; None: only a click does. An author writes `choose(run, rng)`, which puts the
    next target into `target[run]` and `size[run]`, and, where more than the target can be selected, `under(cursor)`.
    """

    name: ClassVar[str] = ""
    square: ClassVar[bool] = False  # else targets are round
    timeout_s: float = math.inf

    def __init__(self, seeds: Sequence[int], step_s: float, dwell_s: float | None) -> None:
        if dwell_s is not None and not dwell_s > 0:
            raise ValueError("dwell_s is above 0, or None for clicks")
        self.step_s, self.dwell_s, self.runs = step_s, dwell_s, len(seeds)
        self._chance = [np.random.default_rng([s, 60]) for s in seeds]
        self.target, self.size = np.zeros((self.runs, 2)), np.zeros(self.runs)
        self.goal = np.zeros(self.runs, int)
        self._on = np.full(self.runs, -1)
        self._stay, self._since, self._path = np.zeros(self.runs), np.zeros(self.runs), np.zeros(self.runs)
        self._from = np.zeros((self.runs, 2))
        self._was: np.ndarray | None = None
        self.fresh()
        for i, rng in enumerate(self._chance):
            self.choose(i, rng)

    # -- what an author writes

    @property
    def choices(self) -> int:
        """How many things can be selected, for the bits of a selection; 0 where that has no meaning."""
        return 0

    def choose(self, run: int, rng: np.random.Generator) -> None:
        """The next target of this run."""
        raise NotImplementedError(f"{type(self).__name__} has no choose()")

    def under(self, cursor: np.ndarray) -> np.ndarray:
        """(runs) the number of what each cursor (runs, 2) is on, -1 for nothing; `goal` is the number of the target."""
        away = np.abs(cursor - self.target)
        far = away.max(axis=1) if self.square else np.sqrt((away * away).sum(axis=1))
        return np.where(far <= self.size, self.goal, -1)

    # -- the judge

    def step(self, cursor: np.ndarray, click: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A bin with the cursors at (runs, 2), and who clicked in it. (runs) who hit the target, who something else; a new
        target is shown to who hit, or was too late."""
        if self._was is not None:
            self._path += np.hypot(*(cursor - self._was).T)
        else:
            self._from[:] = cursor
        self._was = cursor.copy()
        self.seconds += self.step_s
        self._since += self.step_s
        on = self.under(cursor)
        self._stay = np.where((on == self._on) & (on >= 0), self._stay + self.step_s, 0.0)
        self._on = on
        chosen = click & (on >= 0) if self.dwell_s is None else self._stay >= self.dwell_s - 1e-9
        hit = chosen & (on == self.goal)
        wrong = (chosen | click) & ~hit if self.dwell_s is None else chosen & ~hit
        self._stay[chosen] = -math.inf  # whoever stays does not select again
        self.correct += hit
        self.wrong += wrong
        for i in np.flatnonzero(hit | (self._since >= self.timeout_s)):
            self._end(int(i), bool(hit[i]), cursor[i])
        return hit, wrong

    def stayed(self) -> np.ndarray:
        """(runs) how much of the stay that selects is over, 0 to 1."""
        return np.clip(self._stay / self.dwell_s, 0.0, 1.0) if self.dwell_s else np.zeros(self.runs)

    def _end(self, i: int, hit: bool, cursor: np.ndarray) -> None:
        line = float(np.hypot(*(self.target[i] - self._from[i])))
        self.trials.append(Trial(i, float(self._since[i]), line, float(self._path[i]), float(self.size[i]), hit))
        self.choose(i, self._chance[i])
        self._from[i], self._path[i], self._since[i] = cursor, 0.0, 0.0

    def fresh(self) -> None:
        """Count anew from here."""
        self.correct, self.wrong = np.zeros(self.runs, int), np.zeros(self.runs, int)
        self.seconds = 0.0
        self.trials: list[Trial] = []

    # -- what it is worth

    def bits_per_s(self) -> np.ndarray:
        """(runs) log2(N - 1) (correct - wrong) / t, never below 0 (Nuyujukian 2015, doi:10.1109/TBME.2014.2354697)."""
        worth = math.log2(self.choices - 1) if self.choices > 2 else 0.0
        return np.maximum(worth * (self.correct - self.wrong) / max(self.seconds, self.step_s), 0.0)

    def seconds_to_target(self) -> np.ndarray:
        """(runs) mean seconds for a target, those not reached included; NaN where none was shown to its end."""
        return self._mean([(t.run, t.seconds) for t in self.trials])

    def path_efficiency(self) -> np.ndarray:
        """(runs) mean of the straight way over the way gone, of the targets that were hit; at most 1."""
        return self._mean([(t.run, min(t.distance / t.path, 1.0)) for t in self.trials if t.hit and t.path > 0])

    def throughput(self) -> np.ndarray:
        """(runs) mean of log2(D / W + 1) over the seconds, bits/s, of the targets that were hit."""
        return self._mean([(t.run, math.log2(t.distance / (2 * t.size) + 1) / t.seconds) for t in self.trials if t.hit])

    def _mean(self, pairs: list[tuple[int, float]]) -> np.ndarray:
        of = [np.array([v for run, v in pairs if run == i]) for i in range(self.runs)]
        return np.array([v.mean() if len(v) else np.nan for v in of])
