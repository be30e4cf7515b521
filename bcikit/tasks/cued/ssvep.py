"""Looking at one of several lights that flicker, or at none. The lights are beside the terminal, or on the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._task import Step, Task


@dataclass
class Flicker(Task):
    """Which light is shown for 1 s, then it is looked at for 5 s, a pause of 1.5 s."""

    hz: tuple[float, ...] = (9.0, 12.0, 15.0)

    paradigm = "ssvep"
    about = "Look at the light that is named, without blinking, until it is taken away."

    def classes(self) -> tuple[str, ...]:
        return (*(f"{f:g} Hz" for f in self.hz), "rest")

    def steps(self) -> Iterator[Step]:
        rng = np.random.default_rng(self.seed)
        yield Step(3.0, self.about)
        for c in self.order(rng):
            light = "look at no light" if c == "rest" else f"look at the light of {c}"
            yield Step(float(rng.uniform(1.0, 1.5)), f"next: {light}")
            yield Step(5.0, light, c, ("rest" if c == "rest" else f"flicker:{c.removesuffix(' Hz')}",))
            yield Step(1.5, "", "", ("rest",))

    def trials(self) -> dict[str, Any]:
        hz = {f"{f:g} Hz": f for f in self.hz}
        return {"events": list(self.classes()), "after": 1.0, "length": 3.5, "lasts": 5.0, "rest": "rest", "hz": hz}
