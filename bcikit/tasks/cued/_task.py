"""What every cued task is: a list of steps that a person is shown, and what of it decoders are told.

An author writes `steps` in one file of this folder; a real person reads `show`, a simulated one does `act`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...core.errors import WrongUse, nearest


@dataclass(frozen=True)
class Step:
    """Something shown for so many seconds. event: what is marked in the stream when it is shown (nothing where empty).
    acts: what a simulated person does then, as its board is told: intentions, open, closed, flash:target, flash:other."""

    seconds: float
    show: str
    event: str = ""
    acts: tuple[str, ...] = ()


@dataclass
class Task:
    """n: trials of each class. seed: of their order and of the pauses. trials: what the data set's card says of them."""

    n: int = 20
    seed: int = 0

    paradigm: ClassVar[str] = ""
    decoder: ClassVar[str] = "default"
    electrodes: ClassVar[tuple[str, ...]] = ()  # where what it shows is seen best; a simulated board has them
    about: ClassVar[str] = ""

    def classes(self) -> tuple[str, ...]:
        raise NotImplementedError

    def steps(self) -> Iterator[Step]:
        raise NotImplementedError

    def trials(self) -> dict[str, Any]:
        raise NotImplementedError

    def order(self, rng: np.random.Generator) -> list[str]:
        """Every class `n` times, shuffled in rounds of one each: no class is early or late, none thrice in a row."""
        return [str(c) for _ in range(self.n) for c in rng.permutation(self.classes())]

    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps())


def names() -> list[str]:
    """Tasks are the files of this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("[!_]*.py"))


def task(name: str, **settings: Any) -> Task:
    """The task of a file here. Raises WrongUse where there is none, or a setting does not fit."""
    if name not in names():
        raise WrongUse(f"There is no task {name!r}.", nearest(name, names()) or f"There are {', '.join(names())}.")
    module = import_module(f"{__package__}.{name}")
    cls: type[Task] = next(c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__)
    made = cls(**settings)
    if made.n < 2:
        raise WrongUse(f"{made.n} trials of each class are too few.", do="--trials 20")
    return made
