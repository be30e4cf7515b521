"""Flashes in a random order, one of which is counted: what a speller of letters does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._task import Step, Task

SOA_S, ON_S = 0.25, 0.1


@dataclass
class Flashes(Task):
    """Each of the letters is to be counted in turn, `n` times: it is told, then every letter flashes `rounds` times."""

    letters: str = "ABCDEF"
    rounds: int = 5

    paradigm = "p300"
    electrodes = ("Fz", "Cz", "Pz", "Oz", "P3", "P4", "PO7", "PO8")
    about = "Count silently how often the letter that is named lights up."

    def classes(self) -> tuple[str, ...]:
        return ("target", "other")

    def steps(self) -> Iterator[Step]:
        rng = np.random.default_rng(self.seed)
        yield Step(3.0, self.about)
        for k in range(self.n):
            wanted = self.letters[k % len(self.letters)]
            yield Step(2.5, f"count the  {wanted}")
            for _ in range(self.rounds):
                for letter in rng.permutation(list(self.letters)):
                    kind = "target" if letter == wanted else "other"
                    yield Step(ON_S, f"[ {letter} ]", kind, (f"flash:{kind}",))
                    yield Step(SOA_S - ON_S, "")
            yield Step(1.0, "")

    def trials(self) -> dict[str, Any]:
        return {"events": ["target", "other"], "after": 0.0, "length": 0.8, "target": "target"}
