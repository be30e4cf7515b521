"""What a simulated effector looks like, in metres: lines, balls and words, which a page draws live and `_picture` paints.

An effector that can be shown has `drawing()`; nothing else need know of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# what a stroke is: what moves, what it moves, where something acts, what stands around, what may not be crossed
ROLES = ("body", "thing", "warm", "place", "limit")


@dataclass(frozen=True)
class Drawing:
    """lines: (role, (n, 3) points, width); balls: (role, (3), radius); words: (role, (3), text), read from their middle;
    all in metres, x to the right, y into the depth, z up. It is looked at from `turn` and `tilt` (rad; 0, 0 along y), at
    `middle`, `span` metres wide."""

    lines: tuple[tuple[str, np.ndarray, float], ...] = ()
    balls: tuple[tuple[str, np.ndarray, float], ...] = ()
    words: tuple[tuple[str, np.ndarray, str], ...] = ()
    middle: tuple[float, ...] = (0.0, 0.0, 0.0)
    span: float = 1.0
    turn: float = 0.0
    tilt: float = 0.0

    def __add__(self, other: Drawing) -> Drawing:
        """Both, seen as the first is."""
        return replace(self, lines=self.lines + other.lines, balls=self.balls + other.balls, words=self.words + other.words)

    def plain(self) -> dict[str, Any]:
        """As JSON has it, to a millimetre."""
        return {
            "lines": [[role, np.round(np.atleast_2d(p), 3).tolist(), round(w, 4)] for role, p, w in self.lines],
            "balls": [[role, np.round(p, 3).tolist(), round(float(r), 4)] for role, p, r in self.balls],
            "words": [[role, np.round(p, 3).tolist(), text] for role, p, text in self.words],
            "look": [np.round(self.middle, 3).tolist(), self.span, self.turn, self.tilt],
        }


def line(role: str, *points: Any, width: float = 0.0) -> tuple[str, np.ndarray, float]:
    """Through these points (x, y, z); width 0 is as thin as can be seen."""
    return role, np.array(points, float), width


def ball(role: str, place: Any, radius: float) -> tuple[str, np.ndarray, float]:
    return role, np.array(place, float), radius


def word(role: str, place: Any, text: str) -> tuple[str, np.ndarray, str]:
    return role, np.array(place, float), text


def ground(middle: Any, half: float, step: float) -> tuple[tuple[str, np.ndarray, float], ...]:
    """A floor of squares about (x, y): its lines stand still where the middle moves."""
    x, y = (round(float(v) / step) * step for v in (middle[0], middle[1]))
    reach = round(half / step) * step
    at = np.arange(-reach, reach + step / 2, step)
    across = [line("place", (x - reach, y + v, 0), (x + reach, y + v, 0)) for v in at]
    return (*across, *(line("place", (x + v, y - reach, 0), (x + v, y + reach, 0)) for v in at))


def box(role: str, low: Any, high: Any) -> tuple[str, np.ndarray, float]:
    """The edges of a box, in one line."""
    (a, b, c), (d, e, f) = low, high
    floor = [(a, b, c), (d, b, c), (d, e, c), (a, e, c), (a, b, c)]
    roof = [(a, b, f), (d, b, f), (d, b, c), (d, b, f), (d, e, f), (d, e, c), (d, e, f), (a, e, f), (a, e, c), (a, e, f)]
    return line(role, *floor, *roof, (a, b, f))
