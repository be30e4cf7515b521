"""What an emulated board measures: the rows of a recording, or a seeded simulated signal. Time is counted in packets."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from bcikit.core.errors import FileTrouble

EXG = ("eeg", "emg", "eog", "ecg", "ecog", "exg")


class Played:
    """A recording, in µV and g, its rows one after the other whatever is missing between them. Where its rate is not the
    board's, the row of the same time is taken."""

    def __init__(self, path: str | Path, loop: bool = False) -> None:
        from bcikit.files.read import read

        recording = read(str(path))
        stream = recording.stream
        data = recording.data.astype(np.float64)
        exg = stream.of_kind(*EXG) or [i for i, c in enumerate(stream.channels) if c.unit == "µV"]
        if not len(data) or not exg:
            raise FileTrouble(f"{path} holds nothing to stream.", "It has no rows, or no channel in µV.")
        if stream.scale is not None:
            data *= np.asarray(stream.scale)
        self.rate = stream.rate or 250.0
        self.exg, self.accel = data[:, exg], data[:, stream.of_kind("accel")[:3]]
        self.loop = loop

    @property
    def channels(self) -> int:
        return self.exg.shape[1]

    def at(self, tick: int, rate: float) -> tuple[np.ndarray, np.ndarray] | None:
        """(µV of each channel, g of three axes) at sample `tick` of a board of `rate` Hz; None behind the end."""
        row = tick if rate == self.rate else math.floor(tick * self.rate / rate + 1e-9)
        if row >= len(self.exg):
            if not self.loop:
                return None
            row %= len(self.exg)
        return self.exg[row], self.accel[row]


class Simulated:
    """Simulated: channel i is a sine of 5 + i Hz, 20 to 50 µV, its phase from the seed; gravity along z."""

    loop = True

    def __init__(self, channels: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.channels = channels
        self.hz = 5.0 + np.arange(channels)
        self.peak = rng.uniform(20, 50, channels)
        self.phase = rng.uniform(0, 2 * math.pi, channels)

    def at(self, tick: int, rate: float) -> tuple[np.ndarray, np.ndarray] | None:
        microvolts = self.peak * np.sin(2 * math.pi * self.hz * tick / rate + self.phase)
        return microvolts, np.array([0.02, -0.01, 1.0]) if tick % 10 == 0 else np.zeros(3)


Source = Played | Simulated


def source(file: str | Path | None, channels: int, seed: int, loop: bool) -> Source:
    return Played(file, loop) if file is not None else Simulated(channels, seed)
