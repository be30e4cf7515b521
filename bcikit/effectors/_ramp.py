"""How a value goes to another without breaking its bounds: range, slope and curvature, at every step, by construction.

All functions work on arrays of any shape, element by element. `dt` is the step; the value after a step is
`value + slope * dt`.
"""

from __future__ import annotations

import numpy as np

WAYS = np.array([-1.0, 1.0])  # backward, forward


def braked(room: np.ndarray, bend: np.ndarray, dt: float) -> np.ndarray:
    """The largest slope after which the value, its slope falling by `bend * dt` a step, still stops within `room` (>= 0)."""
    q = bend * dt
    n = np.floor((np.sqrt(1 + 8 * room / (q * dt)) - 1) / 2)
    return (room / dt + q * n * (n + 1) / 2) / (n + 1)


def ramp(
    value: np.ndarray,
    slope: np.ndarray,
    target: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    steep: np.ndarray,
    bend: np.ndarray,
    dt: float,
) -> tuple[np.ndarray, np.ndarray]:
    """One step towards `target`: (value, slope). `value` stays within [low, high], |slope| <= steep, and the slope changes
    by `bend * dt` at most, always leaving room to stop before either end; a target that moves is followed, never overshot by
    more than the bounds force."""
    q = bend * dt
    gap = target - value
    room = np.empty((3, *gap.shape))
    room[0], room[1], room[2] = high - value, value - low, np.abs(gap)
    above, below, wanted = braked(np.maximum(room, 0.0), bend, dt)
    up = np.minimum(np.minimum(slope + q, steep), above)
    down = np.maximum(np.maximum(slope - q, -steep), -below)
    slope = np.minimum(np.maximum(np.copysign(wanted, gap), down), up)
    return np.minimum(np.maximum(value + slope * dt, low), high), slope


def reach(
    velocity: np.ndarray, slope: np.ndarray, steep: np.ndarray, bend: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far what moves with `velocity` (its slope `slope`) can still go (backward, forward; both >= 0) if its velocity is
    ramped to zero from the next step on. An upper bound: the slope is first taken back to zero, then an S-curve begins."""
    turned = velocity + slope * np.abs(slope) / (2 * bend)  # velocity once the slope is back at zero
    settle = np.abs(slope) / bend + 2 * dt
    signs = WAYS.reshape(2, *(1,) * velocity.ndim)
    left = np.maximum(signs * turned, 0.0)
    fastest = np.maximum(signs * velocity, left)
    s_curve = np.where(left < steep * steep / bend, left * np.sqrt(left / bend), left * (steep / bend + left / steep) / 2)
    back, forth = fastest * settle + s_curve
    return back, forth
