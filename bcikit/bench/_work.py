"""The work that is timed: an input rendered beforehand into memory, and the same arithmetic written plainly.

Features are what an implant's decoder is given: common-average reference, a bandpass of four sections (250 to 5000 Hz),
crossings of a threshold with 1 ms of refractory time counted in 20 ms bins, and the power of the band in the same bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..acquire.rendered import BIN_S, Rendered
from ..core.stream import Chunk, Stream
from ..simulate.played import SCALE
from ._measure import Contender, difference

LOW, HIGH, ORDER = 250.0, 5000.0, 4
NOISE_UV, TIMES = 10.0, -5.0  # the noise is known, so that all have the same threshold
THRESHOLD_UV = TIMES * NOISE_UV
REFRACTORY_S = 0.001


@dataclass
class Work:
    """`channels` of simulated broadband (noise, a common part, spikes), int16, in chunks of `chunk_s`; round and round."""

    channels: int = 1024
    rate: float = 30_000.0
    chunk_s: float = 0.001

    @cached_property
    def board(self) -> Rendered:
        """What plays it."""
        return Rendered(n=self.channels, rate=self.rate, chunk=self.chunk_s)

    @cached_property
    def n(self) -> int:
        """Samples a chunk."""
        return self.board.rows

    @property
    def bin(self) -> int:
        return round(BIN_S * self.rate)

    @cached_property
    def counts(self) -> np.ndarray:
        """(samples, channels) int16: a whole number of chunks and of bins."""
        return self.board.counts

    @cached_property
    def stream(self) -> Stream:
        return self.board.stream

    def piece(self, i: int) -> np.ndarray:
        at = i * self.n % len(self.counts)
        return self.counts[at : at + self.n]

    def chunk(self, i: int) -> Chunk:
        return Chunk(self.piece(i), i * self.n, ((i + 1) * self.n - 1) / self.rate)


def sos(rate: float) -> np.ndarray:
    """The bandpass, as SciPy has it."""
    from scipy.signal import butter

    return butter(ORDER, (LOW, HIGH), "bandpass", fs=rate, output="sos")


def begun(sections: np.ndarray, row: np.ndarray) -> np.ndarray:
    """SciPy's state as if `row` had been there for ever, for data (samples, channels)."""
    from scipy.signal import sosfilt_zi

    return sosfilt_zi(sections)[:, :, None] * row.astype(float)


def scipy_features(work: Work) -> Contender:
    """The chain as one writes it with SciPy and NumPy in an afternoon, with its state carried."""

    def start() -> Callable[[int], Any]:
        from scipy.signal import sosfilt

        sections, features = sos(work.rate), Features(work)
        zi: Any = None

        def step(i: int) -> Any:
            nonlocal zi
            x = work.piece(i) * SCALE
            x -= x.mean(axis=1, keepdims=True)
            if zi is None:
                zi = begun(sections, x[0])
            y, zi = sosfilt(sections, x, axis=0, zi=zi)
            return features(y)

        return step

    return Contender("SciPy and NumPy, float64", start)


def alike(mine: np.ndarray, reference: np.ndarray) -> tuple[float | None, str]:
    """The error of the powers, and how many crossings differ: one that only just crosses may fall on either side."""
    if mine.shape != reference.shape:
        return None, f"gives {mine.shape}, not {reference.shape}"
    half = reference.shape[1] // 2
    differ, of = int(np.abs(mine[:, :half] - reference[:, :half]).sum()), int(reference[:, :half].sum())
    return difference(mine[:, half:], reference[:, half:]), f"{differ} of {of} crossings differ"


class Features:
    """Crossings with refractory time and power, in bins, by NumPy: rows (bins, 2 * channels)."""

    def __init__(self, work: Work) -> None:
        self.n, self.refractory = work.bin, round(REFRACTORY_S * work.rate)
        self.crossed = np.zeros(work.channels)
        self.power = np.zeros(work.channels)
        self.last: np.ndarray | None = None
        self.free = np.full(work.channels, -(2**60))  # from which sample on a channel may cross again
        self.at = 0

    def __call__(self, y: np.ndarray) -> np.ndarray | None:
        below = y < THRESHOLD_UV
        before = np.concatenate([below[:1] if self.last is None else self.last, below[:-1]])
        self.last = below[-1:]
        out, done = [], 0
        while done < len(y):
            upto = min(done + self.n - self.at % self.n, len(y))
            self.power += (y[done:upto] ** 2).sum(axis=0)
            rows, columns = np.nonzero(below[done:upto] & ~before[done:upto])
            for row, column in zip((rows + self.at).tolist(), columns.tolist(), strict=True):
                if row >= self.free[column]:
                    self.crossed[column] += 1
                    self.free[column] = row + self.refractory
            self.at += upto - done
            done = upto
            if self.at % self.n == 0:
                out.append(np.concatenate([self.crossed, self.power / self.n]))
                self.crossed[:] = self.power[:] = 0
        return np.array(out) if out else None
