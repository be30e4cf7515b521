"""A head: how strongly a source inside it is seen at each electrode.

Electrodes lie on a sphere fitted to the template's; a source is a current dipole in a homogeneous conducting sphere, whose
potential on the surface has a closed form (D. A. Brody et al., IEEE Trans. Biomed. Eng. 20:141-143, 1973).
Skull and scalp smear the potential as if the dipole lay deeper: at about 0.6 of its distance from the centre (J. P. Ary,
S. A. Klein, D. H. Fender, IEEE Trans. Biomed. Eng. 28:447-452, 1981). Depths here have that factor in them: CORTEX is some
2 cm below the scalp.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..files.montage import positions

CENTRE = np.array([0.0, 0.0158, 0.0454])  # of the sphere nearest to the 10-20 electrodes (least squares), metres
EARS = ("A1", "A2")
CORTEX = 0.55  # distance of a cortical source from the centre, head radii, skull and scalp reckoned in
DEEP = 0.35
MUSCLE = 0.8  # outside the skull: nothing smears it


def directions(names: Iterable[str]) -> np.ndarray:
    """Unit vectors (electrodes, 3) from the head's centre to electrodes spelled as in the montage."""
    places = positions()
    v = np.array([places[name] for name in names]).reshape(-1, 3) - CENTRE
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def potential(at: np.ndarray, source: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Potential (electrodes,) at unit vectors `at` (electrodes, 3) of a dipole inside the unit sphere, arbitrary units."""
    d = at - source
    r = np.linalg.norm(d, axis=1, keepdims=True)
    return ((2 * d / r**3 + (at + d / r) / (1 - at @ source[:, None] + r)) * moment).sum(axis=1)


def topography(names: Iterable[str], source: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """The same at named electrodes, against linked ears."""
    return potential(directions(names), source, moment) - potential(directions(EARS), source, moment).mean()


def below(names: Iterable[str], electrode: str, depth: float = CORTEX) -> np.ndarray:
    """Topography (electrodes,) of a radial source below an electrode."""
    up = directions([electrode])[0]
    return topography(names, up * depth, up)


def eyes(names: Iterable[str]) -> np.ndarray:
    """Topography of a blink: both eyes as dipoles that point forward."""
    names = list(names)
    forward = np.array([0.0, 1.0, 0.0])
    sides = [np.array([side, 0.75, -0.55]) for side in (-0.33, 0.33)]
    return sum((topography(names, 0.6 * s / np.linalg.norm(s), forward) for s in sides), np.zeros(len(names)))
