"""How a value goes to another without breaking its bounds: range, slope and curvature, at every step, by construction.

All functions work on arrays of any shape, element by element. `dt` is the step; the value after a step is
`value + slope * dt`.
"""

from __future__ import annotations

import numpy as np


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
    up = np.minimum(np.minimum(slope + q, steep), braked(np.maximum(high - value, 0.0), bend, dt))
    down = np.maximum(np.maximum(slope - q, -steep), -braked(np.maximum(value - low, 0.0), bend, dt))
    gap = target - value
    wanted = np.copysign(braked(np.abs(gap), bend, dt), gap)
    slope = np.minimum(np.maximum(wanted, down), up)
    return np.minimum(np.maximum(value + slope * dt, low), high), slope


def reach(
    velocity: np.ndarray, slope: np.ndarray, steep: np.ndarray, bend: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far what moves with `velocity` (its slope `slope`) can still go (backward, forward; both >= 0) if its velocity is
    ramped to zero from the next step on. An upper bound: the slope is first taken back to zero, then an S-curve begins."""
    turned = velocity + slope * np.abs(slope) / (2 * bend)  # velocity once the slope is back at zero
    settle = np.abs(slope) / bend + 2 * dt
    out = []
    for sign in (-1.0, 1.0):
        left = np.maximum(sign * turned, 0.0)
        fastest = np.maximum(sign * velocity, left)
        corner = steep * steep / bend
        s_curve = np.where(left < corner, left * np.sqrt(left / bend), left * (steep / bend + left / steep) / 2)
        out.append(fastest * settle + s_curve)
    return out[0], out[1]
