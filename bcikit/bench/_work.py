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

from ..core.label import SIMULATED
from ..core.stream import Channel, Chunk, Stream
from ._measure import Contender, difference

SCALE = 0.195  # µV a count, as Intan's chips give them
LOW, HIGH, ORDER = 250.0, 5000.0, 4
THRESHOLD_UV = -50.0
REFRACTORY_S, BIN_S = 0.001, 0.02
MEMORY = 96e6  # bytes of input that are rendered; they are played round and round


@dataclass
class Work:
    """`channels` of simulated broadband (noise, a common part, spikes), int16, in chunks of `chunk_s`; round and round."""

    channels: int = 1024
    rate: float = 30_000.0
    chunk_s: float = 0.001
    seed: int = 0

    @property
    def n(self) -> int:
        """Samples a chunk."""
        return max(round(self.chunk_s * self.rate), 1)

    @property
    def bin(self) -> int:
        return round(BIN_S * self.rate)

    @cached_property
    def counts(self) -> np.ndarray:
        """(samples, channels) int16: a whole number of chunks and of bins."""
        rng = np.random.default_rng(self.seed)
        unit = int(np.lcm(self.n, self.bin))
        most = min(self.rate, MEMORY / 2 / self.channels)
        rows = max(int(most // unit), 1) * unit
        x = np.empty((rows, self.channels), np.int16)
        common = 15 * rng.standard_normal(rows).astype(np.float32)
        for a in range(0, rows, unit):
            block = 10 * rng.standard_normal((min(unit, rows - a), self.channels), np.float32)
            x[a : a + unit] = np.rint((block + common[a : a + unit, None]) / SCALE)
        t = np.arange(round(0.0012 * self.rate)) / self.rate
        wave = 40 * np.exp(-(((t - 0.0007) / 0.0002) ** 2)) - 120 * np.exp(-(((t - 0.0003) / 0.00012) ** 2))
        spike = np.rint(wave / SCALE).astype(np.int16)
        for c in range(self.channels):
            for at in rng.integers(0, rows - len(spike), max(rng.poisson(20 * rows / self.rate), 1)):
                x[at : at + len(spike), c] += spike
        x.flags.writeable = False
        return x

    @cached_property
    def stream(self) -> Stream:
        names = tuple(Channel(f"e{i + 1}", "ecog") for i in range(self.channels))
        return Stream("simulated broadband", self.rate, names, scale=SCALE, label=SIMULATED)

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
