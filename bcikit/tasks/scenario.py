"""Scenarios: a simulated person does something with an effector, from one seed; each is a page of TOML in
`bcikit/scenarios`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..core.errors import WrongUse, nearest
from ..core.parts import Sink
from ..core.stream import Stream
from ..effectors._drawing import Drawing
from ._brain import Implant

FOLDER = Path(__file__).parent.parent / "scenarios"


class Gate(Protocol):
    def open(self, sink: Sink, stream: Stream) -> Any: ...


@dataclass(frozen=True)
class Outcome:
    """How one seed went. why: what failed, '' where nothing did. Everything here is simulated."""

    seed: int
    success: bool
    seconds: float
    why: str = ""
    more: Mapping[str, float] = field(default_factory=dict)


# called after each bin with who intends (None: nobody does), what moves (it has `drawing()`), and what stands around
Watch = Callable[[Implant | None, Any, Drawing], None]


def names() -> list[str]:
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


def load(name: str) -> dict[str, Any]:
    """What the page of a scenario says. Raises WrongUse for an unknown name."""
    if name not in names():
        raise WrongUse(
            f"There is no scenario called {name!r}.", nearest(name, names()) or f"There are {', '.join(names())}."
        )
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def changed(page: Mapping[str, Any], changes: Mapping[str, float]) -> dict[str, Any]:
    """The page with other numbers. Raises WrongUse where it has no such number."""
    numbers = [k for k, v in page.items() if isinstance(v, int | float)]
    for key in changes:
        if key not in numbers:
            raise WrongUse(f"The scenario has no number {key!r}.", f"There are {', '.join(numbers)}.", nearest(key, numbers))
    return {**page, **changes}


def run(name: str, seed: int, gate: Gate, watch: Watch | None = None, changes: Mapping[str, float] | None = None) -> Outcome:
    """One trial, headless and in lock-step: the same seed gives the same outcome. changes: other numbers than the page's."""
    page = changed(load(name), changes or {})
    task = import_module(f"bcikit.tasks.{page['task']}")
    outcome: Outcome = task.trial(page, seed, gate, watch)
    return outcome
