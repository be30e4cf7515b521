"""What a person must have intended, guessed from what the screen showed: the labels from which a cursor decoder learns.

All take rows of one run, a bin each: `cursor` (bins, 2), `target` (bins, 2), NaN where nobody knows it, `size` (bins) its
half width, all in widths of the workspace. All give (intention (bins, 2), at most 1 long; weight (bins), 0: not to be
learnt from).
"""

from __future__ import annotations

import numpy as np

REACTION_S = 0.22  # a new target is not acted on sooner


def towards(
    cursor: np.ndarray, target: np.ndarray, size: np.ndarray, step_s: float, slow: float
) -> tuple[np.ndarray, np.ndarray]:
    """A push towards the target, full from `slow` widths on and in proportion nearer than that; not so soon behind a new
    target that the person cannot have seen it (F. R. Willett et al., J. Neural Eng. 14:026007, 2017,
    doi:10.1088/1741-2560/14/2/026007)."""
    way = target - cursor
    far = np.sqrt((way * way).sum(axis=1))
    push = way / np.maximum(far, 1e-9)[:, None] * np.minimum(far / slow, 1.0)[:, None]
    return push, np.where(np.isfinite(far) & (_age(target) * step_s >= REACTION_S), 1.0, 0.0)


def rotated(
    cursor: np.ndarray, target: np.ndarray, size: np.ndarray, velocity: np.ndarray, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """ReFIT: the velocity that was decoded, turned towards the target, and none while on it (V. Gilja et al., Nat. Neurosci.
    15:1752-1757, 2012, doi:10.1038/nn.3265)."""
    way = target - cursor
    far = np.sqrt((way * way).sum(axis=1))
    fast = np.sqrt((velocity * velocity).sum(axis=1)) / speed
    push = way / np.maximum(far, 1e-9)[:, None] * np.where(far <= size, 0.0, np.minimum(fast, 1.0))[:, None]
    return push, np.isfinite(far).astype(float)


def _age(target: np.ndarray) -> np.ndarray:
    """(bins) how many bins the target has stood where it stands; without end for the first, which may be old."""
    new = np.any(target[1:] != target[:-1], axis=1)
    at = np.where(np.concatenate([[False], new]), np.arange(len(target)), -(10**6))
    return np.arange(len(target)) - np.maximum.accumulate(at)
