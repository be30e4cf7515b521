"""What all recursive filters share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import kernels
from ..core.parts import Stage
from ..core.stream import Stream
from ._design import group_delay, settling, steady
from ._signals import chosen, flat


class Filter(Stage):
    """Second-order sections over the chosen channels; the others pass unchanged.

    A channel begins as if its first good value had been there for ever, so that an electrode's offset of many
    millivolts does not ring. State and coefficients are float64, samples float32.
    """

    channels: tuple[str, ...]

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        """The sections (n, 5) for this stream, and the frequency (Hz) at the middle of what passes."""
        raise NotImplementedError

    def setup(self, s: Stream) -> Stream:
        flat(s, self.part_name())
        self.columns = np.array(chosen(s, self.channels, self.part_name()))
        self.all = len(self.columns) == len(s.channels)
        self.sos, middle = self.sections(s)
        self.begin = steady(self.sos)[:, :, None]
        self.settle = settling(self.sos) / s.rate
        self._state = np.zeros((len(self.sos), 2, len(self.columns)))
        self._primed = np.zeros(len(self.columns), bool)  # which channels have begun
        self._ready = False  # all have
        self.good: np.ndarray | None = None
        return s.but(delay=s.delay + group_delay(self.sos, middle, s.rate))

    def rows(self, x: np.ndarray) -> np.ndarray:
        if self.all:
            return self._begun(x)
        y = x.copy()
        y[:, self.columns] = self._begun(np.take(x, self.columns, axis=1))
        return y

    def run(self, x: np.ndarray) -> np.ndarray:
        """x (samples, chosen channels) through the filter."""
        return kernels.biquads(x, self.sos, self._state)

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        """Set these columns' state to what it is when `values` have gone in for ever."""
        self._state[:, :, columns] = self.begin * values

    def _begun(self, x: np.ndarray) -> np.ndarray:
        if self._ready or not len(x):
            return self.run(x)
        pieces, at = [], 0
        for row, columns in self._beginnings(len(x)):
            pieces.append(self.run(x[at:row]))
            self.prime(columns, x[row, columns].astype(np.float64))
            at = row
        pieces.append(self.run(x[at:]))
        return np.concatenate(pieces)

    def _beginnings(self, n: int) -> list[tuple[int, np.ndarray]]:
        """Rows at which channels have their first good value, and which channels."""
        good = np.ones((n, len(self.columns)), bool) if self.good is None else self.good[:, self.columns]
        first = np.where(self._primed | ~good.any(axis=0), -1, good.argmax(axis=0))
        self._primed |= first >= 0
        self._ready = bool(self._primed.all())
        return [(int(row), np.flatnonzero(first == row)) for row in np.unique(first[first >= 0])]

    def _held(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        held, bad = super()._held(x)
        self.good = None if bad is None else ~bad
        return held, bad


def geometric(values: Sequence[float]) -> float:
    return float(np.sqrt(values[0] * values[1]))
