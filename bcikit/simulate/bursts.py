"""Simulated bursts upon simulated background: the truth is known, so what a cleaner leaves and takes can be reckoned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bursts:
    """clean and raw (samples, channels) in µV; calibration: how many samples at the beginning have no burst."""

    clean: np.ndarray
    raw: np.ndarray
    calibration: int

    def residual(self, cleaned: np.ndarray) -> float:
        """What is wrong with `cleaned` (samples behind the calibration, channels): rms, in rms of the clean signal."""
        clean = self.clean[self.calibration :]
        return float(np.sqrt(np.mean((cleaned - clean) ** 2) / np.mean(clean**2)))


def bursts(
    seed: int = 0,
    channels: int = 16,
    rate: float = 250.0,
    calibration: float = 60.0,
    seconds: float = 60.0,
    sources: int = 8,
    every: float = 1.5,
    size: float = 250.0,
) -> Bursts:
    """As many background sources as channels (1 to 40 Hz, power falling with frequency, 10 µV rms), mixed at random; from
    `calibration` s on, a burst about every `every` s, 0.3 to 0.8 s long, of 1 to 30 Hz, with `size` µV at its peak, from one
    of `sources` fixed places."""
    rng = np.random.default_rng(seed)
    n, begin = round((calibration + seconds) * rate), round(calibration * rate)
    hz = np.fft.rfftfreq(n, 1 / rate)
    shape = np.where((hz >= 1) & (hz <= 40), 1 / np.sqrt(np.maximum(hz, 1)), 0)
    waves = np.fft.irfft(np.fft.rfft(rng.standard_normal((channels, n))) * shape, n)
    clean = (waves / waves.std(axis=1, keepdims=True)).T @ rng.standard_normal((channels, channels))
    clean *= 10 / np.sqrt(channels)
    maps = rng.standard_normal((sources, channels))
    maps /= np.sqrt(np.mean(maps**2, axis=1, keepdims=True))
    raw, at = clean.copy(), begin
    while (at := at + round((0.5 + rng.exponential(every - 0.5)) * rate)) < n - rate:
        t = np.arange(round(rng.uniform(0.3, 0.8) * rate)) / rate
        wave = np.sin(np.pi * t / t[-1]) ** 2 * np.sin(2 * np.pi * (rng.uniform(1, 30) * t + rng.random()))
        raw[at : at + len(t)] += size * wave[:, None] * maps[rng.integers(sources)]
    return Bursts(clean, raw, begin)
