"""Simulated broadband rendered once, to be played round and round: what is timed is then not the simulation."""

from __future__ import annotations

import numpy as np

SCALE = 0.195  # µV a count, as Intan's chips give them
OWN_UV, COMMON_UV = 10.0, 15.0  # standard deviation of each channel's noise, and of what they all share
SPIKES_HZ = 20.0
MEMORY = 96e6  # bytes that are rendered, at most a second


def rendered(channels: int, rate: float, unit: int, seed: int = 0) -> np.ndarray:
    """(samples, channels) int16, read-only: noise, a common part, spikes of 120 µV; a whole number of `unit` samples."""
    rng = np.random.default_rng(seed)
    rows = max(int(min(rate, MEMORY / 2 / channels) // unit), 1) * unit
    x = np.empty((rows, channels), np.int16)
    common = COMMON_UV * rng.standard_normal(rows).astype(np.float32)
    for a in range(0, rows, unit):
        block = OWN_UV * rng.standard_normal((min(unit, rows - a), channels), np.float32)
        x[a : a + unit] = np.rint((block + common[a : a + unit, None]) / SCALE)
    t = np.arange(round(0.0012 * rate)) / rate
    wave = 40 * np.exp(-(((t - 0.0007) / 0.0002) ** 2)) - 120 * np.exp(-(((t - 0.0003) / 0.00012) ** 2))
    spike = np.rint(wave / SCALE).astype(np.int16)
    for c in range(channels):
        for at in rng.integers(0, rows - len(spike), max(rng.poisson(SPIKES_HZ * rows / rate), 1)):
            x[at : at + len(spike), c] += spike
    x.flags.writeable = False
    return x
