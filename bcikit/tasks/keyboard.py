"""A keyboard on the screen: a text is typed, a key at a time; whatever key is selected counts, for or against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.errors import WrongUse
from ..effectors.cursor import EDGE
from ._targets import Targets

ROWS = ("qwertyuiop", "asdfghjkl.", "zxcvbnm,' ", "0123456789")
TEXT = "the quick brown fox jumps over the lazy dog. "


class Keyboard(Targets):
    """The keys of ROWS fill the workspace; `text` is typed again and again. A wrong key takes one away, as on the grid.
    Raises WrongUse where the text holds a letter that no key has."""

    name = "keyboard"
    square = True

    def __init__(self, seeds: Sequence[int], step_s: float, dwell_s: float | None = 0.5, text: str = TEXT) -> None:
        self.keys = "".join(ROWS)
        if unknown := sorted(set(text) - set(self.keys)):
            raise WrongUse(f"The keyboard has no key for {', '.join(map(repr, unknown))}.", f"It has {self.keys!r}.")
        if not text:
            raise WrongUse("There is nothing to type.")
        self.text, self._at = text, [-1] * len(seeds)
        self.wide, self.high = 2 * EDGE / len(ROWS[0]), 2 * EDGE / len(ROWS)
        super().__init__(seeds, step_s, dwell_s)

    @property
    def choices(self) -> int:
        return len(self.keys)

    def choose(self, run: int, rng: np.random.Generator) -> None:
        self._at[run] = (self._at[run] + 1) % len(self.text)
        self.goal[run] = self.keys.index(self.text[self._at[run]])
        row, column = divmod(int(self.goal[run]), len(ROWS[0]))
        self.target[run] = (column + 0.5) * self.wide - EDGE, EDGE - (row + 0.5) * self.high
        self.size[run] = min(self.wide, self.high) / 2

    def under(self, cursor: np.ndarray) -> np.ndarray:
        column = np.clip(((cursor[:, 0] + EDGE) / self.wide).astype(int), 0, len(ROWS[0]) - 1)
        row = np.clip(((EDGE - cursor[:, 1]) / self.high).astype(int), 0, len(ROWS) - 1)
        return row * len(ROWS[0]) + column

    def letters_per_min(self) -> np.ndarray:
        """(runs) letters typed rightly, less those wrong, a minute; never below 0."""
        return np.maximum(self.correct - self.wrong, 0) / max(self.seconds, self.step_s) * 60
