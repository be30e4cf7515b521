"""Splines on the head's sphere: F. Perrin, J. Pernier, O. Bertrand, J. F. Echallier, Electroencephalogr. Clin. Neurophysiol.
72:184-187, 1989, and erratum 76:565, 1990."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Stream

TERMS = 50


def places(s: Stream, columns: Sequence[int] | np.ndarray, part: str) -> np.ndarray:
    """Unit vectors (electrodes, 3) from the middle of the sphere nearest to the electrodes; positions: the stream's, or
    those of their 10-05 names. Raises WrongUse where one is unknown."""
    from ..files.montage import position

    found = {s.names[i]: s.channels[i].position or position(s.names[i]) for i in columns}
    lost = [name for name, p in found.items() if p is None]
    if lost:
        raise WrongUse(
            f"{part} does not know where {', '.join(lost[:12])} {'lies' if len(lost) == 1 else 'lie'}.",
            "The stream gives no position, and these are no names of the 10-05 system.",
            f"Name the channels by their place (C3, Cz, ...), or the ones to work on: {part}:channels=A+B.",
        )
    p = np.array(list(found.values()), float)
    v = p - middle(p)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def middle(p: np.ndarray) -> np.ndarray:
    """The centre of the sphere nearest to points (n, 3), least squares; that of the 10-20 system where they are too few to
    tell, or lie in a plane."""
    from ..simulate.head import CENTRE

    a = np.column_stack([2 * p, np.ones(len(p))])
    centre = np.linalg.lstsq(a, np.sum(p**2, axis=1), rcond=None)[0][:3]
    told = len(p) >= 8 and np.linalg.cond(a / np.abs(a).max(axis=0)) < 1e3 and np.linalg.norm(centre - CENTRE) < 0.05
    return centre if told else CENTRE


def _series(cosines: np.ndarray, stiffness: int) -> np.ndarray:
    """sum over n of (2n+1) / (n(n+1))^stiffness * P_n(cosine), over 4 pi."""
    n = np.arange(1, TERMS + 1)
    factors = np.concatenate([[0.0], (2 * n + 1) / (n * (n + 1.0)) ** stiffness / (4 * np.pi)])
    return np.polynomial.legendre.legval(cosines, factors)


def _solved(at: np.ndarray, stiffness: int, smooth: float) -> tuple[np.ndarray, np.ndarray]:
    """What makes of potentials at `at` (n, 3) the spline's factors (n, n), and its constant (n,)."""
    n = len(at)
    g = _series(np.clip(at @ at.T, -1, 1), stiffness) + smooth * np.eye(n)
    whole = np.block([[g, np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    solved = np.linalg.pinv(whole)[:, :n]
    return solved[:n], solved[n]


def laplacian(at: np.ndarray, stiffness: int = 4, smooth: float = 1e-5) -> np.ndarray:
    """(n, n): from potentials at unit vectors to minus the spline's Laplacian there, on a sphere of radius 1."""
    factors, _ = _solved(at, stiffness, smooth)
    return _series(np.clip(at @ at.T, -1, 1), stiffness - 1) @ factors


def interpolation(known: np.ndarray, wanted: np.ndarray, stiffness: int = 4, smooth: float = 1e-5) -> np.ndarray:
    """(wanted, known): from potentials at unit vectors to the spline's potential at others."""
    factors, constant = _solved(known, stiffness, smooth)
    return _series(np.clip(wanted @ known.T, -1, 1), stiffness) @ factors + constant
