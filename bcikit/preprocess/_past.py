"""For stages whose outputs look back on more than one sample."""

from __future__ import annotations

import numpy as np

from ..core.parts import Stage
from ..core.stream import Stream


class Past(Stage):
    """Remembers the last `need` - 1 samples, at a cost that does not grow with `need`."""

    def forget(self, s: Stream) -> None:
        """Begin with nothing (zeros) behind; to be called in `setup`, once `need` is known."""
        self._past = np.zeros((2 * self.need + 256, *s.shape), s.dtype)
        self._filled = self.need - 1

    def with_past(self, x: np.ndarray) -> np.ndarray:
        """The `need` - 1 samples before x, and x: valid until the next call."""
        behind, n = self.need - 1, len(x)
        if self._filled + n > len(self._past):  # move what is still needed to the front
            tail = self._past[self._filled - behind : self._filled]
            room = max(len(self._past), 2 * (behind + n))
            old, self._past = self._past, np.empty((room, *x.shape[1:]), x.dtype)
            self._past[:behind] = tail
            self._past[behind + n :] = 0
            del old
            self._filled = behind
        self._past[self._filled : self._filled + n] = x
        self._filled += n
        return self._past[self._filled - n - behind : self._filled]
