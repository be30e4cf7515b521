"""Where the electrodes of an implant lie: metres, head coordinates, the hand area of the motor cortex below C3."""

from __future__ import annotations

import numpy as np

from ..files.montage import position
from .implant_facts import fact

ARRAYS = ("utah", "threads", "films")
SURFACE = ("films",)
DEPTH_OF_CORTEX = 0.8  # of the way from the middle of the head to the scalp


def electrodes(array: str, n: int) -> np.ndarray:
    """(n, 3) places: Utah arrays of 96, threads of 16, or surface films of 1,024; as many as hold n electrodes."""
    return _placed(*{"utah": _utah, "threads": _threads, "films": _films}[array](n))


def _placed(flat: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """flat (n, 2) on the cortex, in metres, and depth (n) below it, to head coordinates."""
    scalp = np.array(position("C3"))
    out = scalp / np.linalg.norm(scalp)
    back = np.cross(out, [1.0, 0.0, 0.0])
    back /= np.linalg.norm(back)
    down = np.cross(back, out)
    flat = flat - flat.mean(axis=0)
    return scalp * DEPTH_OF_CORTEX + flat[:, :1] * back + flat[:, 1:] * down - depth[:, None] * out


def _tiled(n: int, each: np.ndarray, gap: float) -> np.ndarray:
    """The places `each` (k, 2), again and again on a square grid of `gap` metres, until there are n."""
    copies = -(-n // len(each))
    side = int(np.ceil(np.sqrt(copies)))
    places = np.array([(k % side, k // side) for k in range(copies)]) * gap
    return (places[:, None, :] + each).reshape(-1, 2)[:n]


def _grid(side: int, pitch: float) -> np.ndarray:
    return np.array([(k % side, k // side) for k in range(side * side)]) * pitch


def _utah(n: int) -> tuple[np.ndarray, np.ndarray]:
    each = np.delete(_grid(10, fact("utah_pitch")), [0, 9, 90, 99], axis=0)
    return _tiled(n, each, fact("utah_gap")), np.full(n, fact("utah_depth"))


def _threads(n: int) -> tuple[np.ndarray, np.ndarray]:
    flat = _tiled(n, np.zeros((16, 2)), fact("thread_gap"))
    return flat, fact("thread_depth") + fact("thread_pitch") * (np.arange(n) % 16)


def _films(n: int) -> tuple[np.ndarray, np.ndarray]:
    return _tiled(n, _grid(32, fact("film_pitch")), fact("film_gap")), np.zeros(n)
