"""Eyes open and closed: what every brain does, and the first thing to try with a new cap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._task import Step, Task


@dataclass
class Rest(Task):
    """6 s each, in random order; the alpha rhythm over the back of the head grows when the eyes close."""

    paradigm = "rest"
    decoder = "tangent"
    about = "Sit still. Open or close your eyes as it is said; a sound or a hand tells you to open them."

    def classes(self) -> tuple[str, ...]:
        return ("open", "closed")

    def steps(self) -> Iterator[Step]:
        rng = np.random.default_rng(self.seed)
        yield Step(3.0, self.about)
        for c in self.order(rng):
            yield Step(6.0, f"eyes {c.upper()}", c, (c,))
        yield Step(1.0, "eyes OPEN", "", ("open",))

    def trials(self) -> dict[str, Any]:
        return {"events": ["open", "closed"], "after": 1.5, "length": 4.0, "lasts": 6.0}
