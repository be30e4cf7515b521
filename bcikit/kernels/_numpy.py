"""The same functions as `_kernels.c` in plain NumPy: what they compute, the oracle in tests, and the fallback where
nothing was compiled. Arrays are C-contiguous; samples float32, sums and states float64."""

from __future__ import annotations

import numpy as np

TINY = np.finfo(np.float64).tiny  # what is smaller counts as zero, as in the compiled loops


def biquads(x: np.ndarray, y: np.ndarray, coef: np.ndarray, state: np.ndarray) -> None:
    for r in range(len(x)):
        row = x[r].astype(np.float64)
        for (b0, b1, b2, a1, a2), (s1, s2) in zip(coef, state, strict=True):
            out = b0 * row + s1
            s1[:] = (s2 + b1 * row) - a1 * out
            s2[:] = b2 * row - a2 * out
            row = out
        y[r] = row
    state[np.abs(state) < TINY] = 0.0


def steered(x: np.ndarray, y: np.ndarray, refs: np.ndarray, weights: np.ndarray, base: np.ndarray, gain: float) -> None:
    step = 2.0 * (1.0 - gain)
    for r in range(len(x)):
        row = x[r] - base
        for (cosine, sine), w in zip(refs[r], weights, strict=True):
            error = row - cosine * w[0] - sine * w[1]
            w[0] += step * cosine * error
            w[1] += step * sine * error
            row = gain * error
        y[r] = row + base
    weights[np.abs(weights) < TINY] = 0.0


def fir(x: np.ndarray, y: np.ndarray, row: np.ndarray, phase: np.ndarray, taps: np.ndarray) -> None:
    length = taps.shape[1]
    if len(row) and (row.min() < length - 1 or row.max() >= len(x)):
        raise ValueError("the arrays do not fit each other")
    for o in range(len(row)):
        past = x[row[o] - length + 1 : row[o] + 1].astype(np.float64)
        y[o] = np.add.accumulate(taps[phase[o]][:, None] * past[::-1], axis=0)[-1]


def squares(x: np.ndarray, sums: np.ndarray) -> None:
    for row in x.astype(np.float64):
        sums += row * row


def weighted(x: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    for row, w in zip(x.astype(np.float64), weights, strict=True):
        sums += w[:, None] * row
