"""Where a stage that changes the rate puts its outputs: counted on the input's own index, never from a start or a cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Output k uses input up to index `off + k*p//q`. Bins of 10: p=10, off=9. Twice as fast: p=1, q=2."""

    p: int = 1
    q: int = 1
    off: int = 0

    @property
    def same(self) -> bool:
        """One output for each input, with its index."""
        return self.p == self.q == 1 and self.off == 0

    def first_at(self, index: int) -> int:
        """The first output that uses input `index` or later."""
        return -((self.off - index) * self.q // self.p)

    def due(self, first: int, n: int, ready: int) -> tuple[int, np.ndarray]:
        """Outputs due in the input rows first .. first+n-1, none before input index `ready`: (index of the first of
        them or of the one to come, the row of the input that each is due at)."""
        begin = self.first_at(max(first, ready))
        rows = np.arange(begin, max(self.first_at(first + n), begin), dtype=np.int64)
        return begin, self.off + rows * self.p // self.q - first if len(rows) else rows

    def place(self, index: float) -> float:
        """Where a place on the input lies on the output."""
        return (index - self.off) * self.q / self.p
