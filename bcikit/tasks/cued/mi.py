"""Imagined movements, as a cue asks for them: left hand, right hand, feet, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._task import Step, Task

SHOWN = {
    "left": "←  imagine the LEFT hand",
    "right": "imagine the RIGHT hand  →",
    "feet": "imagine the FEET  ↓",
    "rest": "rest",
}


@dataclass
class Imagery(Task):
    """A cross for 1.5 to 2.5 s, the cue for 4 s, a pause of 2 s: as in the data sets of Graz (BNCI2014_001)."""

    wanted: tuple[str, ...] = ("left", "right")

    paradigm = "mi"
    about = "Imagine the movement for as long as it stands there; keep your eyes on the middle, and still."

    def classes(self) -> tuple[str, ...]:
        return self.wanted

    def steps(self) -> Iterator[Step]:
        rng = np.random.default_rng(self.seed)
        yield Step(3.0, self.about)
        for c in self.order(rng):
            yield Step(float(rng.uniform(1.5, 2.5)), "+")
            yield Step(4.0, SHOWN[c], c, (c,))
            yield Step(2.0, "", "", ("rest",))

    def trials(self) -> dict[str, Any]:
        return {"events": list(self.wanted), "after": 0.5, "length": 3.0, "lasts": 4.0}
