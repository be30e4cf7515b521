"""Inner loops, compiled where a compiler was there, else in NumPy; the results agree to float32.

Arrays are (samples, channels), C-contiguous; samples float32, coefficients and states float64. A function returns a fresh
array and moves its `state` on in place. How many rows come at once changes no byte of the result.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from . import _numpy

_do: Any = _numpy
if os.environ.get("BCIKIT_PURE") != "1":
    try:
        _do = importlib.import_module("bcikit.kernels._kernels")
    except ImportError:
        pass

COMPILED: bool = _do is not _numpy


def biquads(x: np.ndarray, coef: np.ndarray, state: np.ndarray) -> np.ndarray:
    """x (n, c) through second-order sections in a row. coef (sections, 5): b0 b1 b2 a1 a2 with a0 = 1;
    state (sections, 2, c): transposed direct form II, as SciPy's `zi` of `sosfilt` with its last two axes."""
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    _do.biquads(x, y, coef, state)
    return y


def steered(x: np.ndarray, refs: np.ndarray, weights: np.ndarray, base: np.ndarray, gain: float) -> np.ndarray:
    """x (n, c) through notches whose frequency is that of references: refs (n, notches, 2), cosine and sine of each.
    weights (notches, 2, c) is the state: what of each reference is in the signal. base (c) is taken off before and put back
    after. gain (0 to 1) sets the width; where the references keep their frequency, each is the section of `iirnotch`."""
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    _do.steered(x, y, refs, weights, base, gain)
    return y


def fir(x: np.ndarray, row: np.ndarray, phase: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """FIR filters at given places: y[o] = sum over j of taps[phase[o], j] * x[row[o] - j]; taps (phases, length), row and
    phase int64, row from length-1 to n-1."""
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty((len(row), x.shape[1]), np.float32)
    _do.fir(x, y, row, phase, taps)
    return y


def squares(x: np.ndarray, sums: np.ndarray) -> None:
    """Adds the squares of the rows of x (n, c) to sums (c), in place, one after the other."""
    _do.squares(np.ascontiguousarray(x, np.float32), sums)


def weighted(x: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """Adds weights[r, k] * x[r] to sums (k, c), in place, one row after the other; weights (n, k)."""
    _do.weighted(np.ascontiguousarray(x, np.float32), np.ascontiguousarray(weights), sums)
