"""What all recursive filters share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import kernels
from ..core.parts import Stage
from ..core.stream import Stream
from ._design import group_delay, settling, steady
from ._signals import chosen, flat
from ._single import REBASE, single_is_exact


class Begins(Stage):
    """Recursion over the chosen columns that begins steady: a channel begins as if its first good value had been there for
    ever, so that an electrode's offset of many millivolts does not ring."""

    columns: np.ndarray

    def choose(self, s: Stream, wanted: Sequence[str]) -> None:
        """To be called in `setup`: which columns it works on."""
        flat(s, self.part_name())
        self.columns = np.array(chosen(s, wanted, self.part_name()))
        self._begun = np.zeros(len(self.columns), bool)
        self._all_begun = False

    def run(self, x: np.ndarray) -> np.ndarray:
        """x (samples, chosen columns) through the recursion."""
        raise NotImplementedError

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        """Set these columns' state to what it is when `values` have gone in for ever."""
        raise NotImplementedError

    def begun(self, x: np.ndarray) -> np.ndarray:
        """`run` over x (samples, channels), with the columns primed at the rows at which they begin."""
        if len(self.columns) != x.shape[1]:
            x = np.take(x, self.columns, axis=1)
        if self._all_begun or not len(x):
            return self.run(x)
        pieces, at = [], 0
        for row, columns in self._beginnings(len(x)):
            if row > at:
                pieces.append(self.run(x[at:row]))
            self.prime(columns, x[row, columns].astype(np.float64))
            at = row
        pieces.append(self.run(x[at:]))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _beginnings(self, n: int) -> list[tuple[int, np.ndarray]]:
        """Rows at which columns have their first good value, and which columns."""
        good = np.ones((n, len(self.columns)), bool) if self.bad is None else ~np.take(self.bad, self.columns, axis=1)
        first = np.where(self._begun | ~good.any(axis=0), -1, good.argmax(axis=0))
        self._begun |= first >= 0
        self._all_begun = bool(self._begun.all())
        return [(int(row), np.flatnonzero(first == row)) for row in np.unique(first[first >= 0])]


class Filter(Begins):
    """Second-order sections over the chosen channels; the others pass unchanged. State and coefficients are float64,
    samples float32; where single precision is shown to do (`_single`), state is float32 over the signal less a base, which
    is moved at times to where the signal is."""

    channels: tuple[str, ...]

    def sections(self, s: Stream) -> tuple[np.ndarray, float]:
        """The sections (n, 5) for this stream, and the frequency (Hz) at the middle of what passes."""
        raise NotImplementedError

    def setup(self, s: Stream) -> Stream:
        self.choose(s, self.channels)
        self.sos, middle = self.sections(s)
        self.single = single_is_exact(self.sos[::-1].copy())
        if self.single:
            self.sos = self.sos[::-1].copy()  # the sharpest first: the others then filter what it rounds
        self.steady = steady(self.sos)[:, :, None]
        self.settle = settling(self.sos) / s.rate
        self._state = np.zeros((len(self.sos), 2, len(self.columns)), np.float32 if self.single else np.float64)
        self._base: np.ndarray = np.zeros(len(self.columns), np.float32)
        self._until = REBASE
        return s.but(delay=s.delay + group_delay(self.sos, middle, s.rate))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = self.begun(x)
        if len(self.columns) == x.shape[1]:
            return y
        whole = x.copy()
        whole[:, self.columns] = y
        return whole

    def run(self, x: np.ndarray) -> np.ndarray:
        if not self.single:
            return kernels.biquads(x, self.sos, self._state)
        y, at = np.empty(x.shape, np.float32), 0
        while at < len(x):
            end = min(at + self._until, len(x))
            kernels.biquads32(x[at:end], self._base, self.sos, self._state, y[at:end])
            self.ran(end - at, x[end - 1])
            at = end
        return y

    def ran(self, n: int, newest: np.ndarray) -> None:
        """With single precision: n samples went in, the last of them `newest`; moves the base when it is time."""
        self._until -= n
        if not self._until:
            self._until = REBASE
            self._state -= self.steady.astype(np.float32) * (newest - self._base)
            self._base = newest.copy()

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        if self.single:
            self._state[:, :, columns], self._base[columns] = 0.0, values
        else:
            self._state[:, :, columns] = self.steady * values


def geometric(values: Sequence[float]) -> float:
    return float(np.sqrt(values[0] * values[1]))
