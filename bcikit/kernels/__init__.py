"""Inner loops, compiled where a compiler was there, else in NumPy; the results agree to float32.

Arrays are (samples, channels), C-contiguous; samples float32, coefficients and states float64. A function returns a fresh
array and moves its `state` on in place. How many rows come at once changes no byte of the result.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from . import _numpy

_do: Any = _numpy
if os.environ.get("BCIKIT_PURE") != "1":
    try:
        _do = importlib.import_module("bcikit.kernels._kernels")
    except ImportError:
        pass
    for name, twin in vars(_numpy).items():
        if inspect.isfunction(twin):
            form = f"{name}({', '.join(inspect.signature(twin).parameters)})"
            if getattr(getattr(_do, name, None), "__doc__", "") != form:  # built before it was written as it is
                setattr(_do, name, twin)  # `make venv` builds anew

FEW = 32  # channels up to which the compiled `logs` is the faster one

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


def biquads32(
    x: np.ndarray, base: np.ndarray, coef: np.ndarray, state: np.ndarray, y: np.ndarray | None = None
) -> np.ndarray:
    """`biquads` over x - base in single precision, twice as fast: base (c) and state (sections, 2, c) float32. Only for
    filters that let no constant through, where the error has been computed (`preprocess._single`). y: where it goes, instead
    of a new array."""
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x) if y is None else y
    _do.biquads32(x, y, base, coef, state)
    return y


def means(x: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """The mean of each row of x (n, c), float32 or counts of int16 (whose sum is exact), times scale: (n) float32."""
    out = np.empty(len(x), np.float32)
    _do.means(x, out, float(scale))
    return out


def medians(x: np.ndarray) -> np.ndarray:
    """The median of each row of x (n, c), all of it finite: (n) float32."""
    out = np.empty(len(x), np.float32)
    _do.medians(np.ascontiguousarray(x, np.float32), out)
    return out


def less(x: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """x (n, c), float32 or int16, times scale (c), less offset (n); float32."""
    y = np.empty(x.shape, np.float32)
    _do.less(x, y, scale, offset)
    return y


def sums(x: np.ndarray, total: np.ndarray) -> None:
    """Adds the rows of x (n, c) to total (c), in place, one after the other."""
    _do.sums(np.ascontiguousarray(x, np.float32), total)


def covariance(x: np.ndarray, total: np.ndarray) -> None:
    """Adds the outer product of each row of x (n, c) with itself to total (c, c), in place, one after the other."""
    _do.covariance(np.ascontiguousarray(x, np.float32), total)


def crossings(x: np.ndarray, own: np.ndarray, at: int, rule: np.ndarray) -> np.ndarray:
    """1 where x (n, c) crosses its channel's threshold, else 0; `at` is the index of its first row.

    rule (6), float64: samples between two looks at the level (`hop`), looks before which no threshold is known, refractory
    samples, side (-1: downwards), threshold in multiples of median(|x|), least pull of one look. own (5, c), float32, is the
    state: side * the sample before (NaN at first), refractory samples left, median of |x|, mean of |x|, looks so far.
    """
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty_like(x)
    _do.crossings(x, y, own, at, rule)
    return y


def unit_features(
    x: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    coef: np.ndarray,
    state: np.ndarray,
    base: np.ndarray,
    own: np.ndarray,
    at: int,
    rule: np.ndarray,
    crossed: np.ndarray,
    power: np.ndarray,
    part: tuple[int, int],
) -> None:
    """`less`, `biquads` (or `biquads32`, where state is float32), `crossings` and the sums of crossings and of squares,
    added to crossed and power (c), a tile of channels at a time; the same bytes as one after the other. Of the channels
    part[0] to part[1] - 1 alone, so that several threads can share the work."""
    _do.unit_features(x, scale, offset, coef, state, base, own, at, rule, crossed, power, *part)


def logs(C: np.ndarray, white: np.ndarray, basis: np.ndarray | None = None) -> np.ndarray:
    """The logarithms of white * C * white: C (n, c, c) and white (c, c) symmetric, positive definite; float64. basis
    (n, c, c) holds as rows what is near the eigenvectors, and then the eigenvectors: what an earlier call left there makes
    the next one faster where the matrices changed little. Which matrices come at once changes no byte of each."""
    C = np.ascontiguousarray(C, np.float64)
    out = np.empty_like(C)
    if basis is None:
        basis = np.broadcast_to(np.eye(C.shape[-1]), C.shape).copy()
    (_do if C.shape[-1] <= FEW else _numpy).logs(C, np.ascontiguousarray(white, np.float64), basis, out)
    return out


def counted(even: np.ndarray, shape: np.ndarray, none: np.ndarray, step: float, most: int) -> np.ndarray:
    """Negative binomial counts by inversion: even (n) in [0, 1), shape (n) and the odds `none` (n) of no count; the odds of
    k + 1 counts are those of k times (shape + k) / (k + 1) times step. Float32, `most` at most."""
    out = np.empty_like(even)
    _do.counted(even, shape, none, float(step), most, out)
    return out


def ramp(
    value: np.ndarray, slope: np.ndarray, target: np.ndarray, bounds: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """One step of `dt` towards `target`, no bound broken: (value, slope), the value after it being `value + slope * dt`.
    bounds (4, c), low, high, steep, bend: it stays within [low, high], |slope| <= steep, and the slope changes by
    `bend * dt` at most, always leaving room to stop before either end; a target that moves is followed, never overshot by
    more than the bounds force. Float64 (..., c)."""
    to = np.empty((2, *value.shape))
    _do.ramp(value, slope, target, bounds, dt, to)
    return to[0], to[1]


def guide(
    value: np.ndarray, slope: np.ndarray, target: np.ndarray, points: np.ndarray, bounds: np.ndarray, *around: Any
) -> tuple[np.ndarray, np.ndarray]:
    """`ramp` of (copies, c), where a stop begun after it would still end where points (copies, points, 3) may be; else that
    stop is begun now, for each velocity that leads out or near.

    around: moves (3, m) int64, for each velocity that moves a point its channel, the point, and along which axis; fence
    (2, m), the lowest and highest place of each; spheres (s, 4: x, y, z, radius), boxes (b, 6: x, y, z of the low and of the
    high corner) and pairs (q, 2) int64 of points that keep `apart`, from all of which `margin` is kept, or at least nothing
    comes nearer; dt."""
    to = np.empty((2, *value.shape))
    _do.guide(value, slope, target, np.ascontiguousarray(points, np.float64), bounds, *around, to)
    return to[0], to[1]


def judge(
    own: np.ndarray, state: np.ndarray, told: np.ndarray, points: np.ndarray, *rules: np.ndarray, now: float
) -> np.ndarray:
    """Which bits are set for each copy of a supervisor: (copies) int64. rules: spheres and boxes as of `guide`, bits (16)
    int64, most (16). A bit is set where what is looked at is above its most, or is no number: the seq, lease, good and
    alive of `own` (as of `hear`; negated); how old brain, written and changed (while anything but rest is asked) are; of
    told (4, copies) how old the first is, the second, the third, the fourth negated; state (4, copies); how far into a
    sphere or box one of points (copies, points, 3) is, which is no number where nobody knows where one is."""
    out = np.empty(len(points), np.int64)
    _do.judge(own, state, told, np.ascontiguousarray(points, np.float64), *rules, now, out)
    return out


def hear(
    own: np.ndarray,
    asked: np.ndarray,
    about: np.ndarray,
    values: np.ndarray,
    middle: np.ndarray,
    most: np.ndarray,
    rest: np.ndarray,
    now: float,
    soon: float,
) -> None:
    """Take up, in place, what each copy of a supervisor is told: a command that is newer in order and in time, made from
    data not from later than `soon`, by who holds the lease. values (copies, c) are asked for (copies, c) where all are
    within `most` (c) of `middle` (c); else the command is taken, and is not good. All float64.

    own (10, copies): of the newest command taken seq, lease (the holder's, 0: nobody), good, alive, brain, written; when
    what is asked last changed; the seq heard last; how many were refused; whether anything but `rest` (c) is asked. about
    (5, copies): seq, lease, alive, brain and written of what comes."""
    _do.hear(own, asked, about, np.ascontiguousarray(values, np.float64), middle, most, rest, now, soon)


def shared(job: Callable[[tuple[int, int]], None], parts: Sequence[tuple[int, int]]) -> None:
    """job(part) for each part of the channels, each on a core of its own, the first on this one; returns when all are
    done."""
    others = [_helpers(len(parts) - 1).submit(job, part) for part in parts[1:]] if len(parts) > 1 else []
    job(parts[0])
    for other in others:
        other.result()


@cache
def _helpers(n: int) -> Any:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(n, "bcikit-kernels")


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread meanwhile: waking others costs more than a live loop's small products take, and how many
    there are could change the last bit."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
