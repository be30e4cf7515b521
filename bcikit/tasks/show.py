"""An effector shown by itself, without a scenario: it is told what its own `commands()` say, over and over.

What moves is told through a simulated implant, whose person intends these values; what takes decisions is told them as they
are. Whatever has `drawing()` and `commands()` can be shown; nothing is registered.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from ..core.errors import WrongUse, nearest
from ..core.find import part, parts, where
from ..core.stream import Chunk, Recording
from ..effectors._drawing import Drawing
from ..effectors._moved import Moved
from . import scenario
from ._brain import BIN_S, Implant
from .scenario import Gate, Outcome, Watch

UNITS = 192


def effectors() -> list[str]:
    """The names of those that can be shown."""
    return [n for n, cls in parts("sink").items() if hasattr(cls, "drawing") and hasattr(cls, "commands")]


def known(name: str) -> str:
    """The scenario or effector that `name` stands for: a scenario itself, or for an effector the first scenario that moves
    it. Raises WrongUse where there is none."""
    pages = {n: scenario.load(n) for n in scenario.names()}
    if name in pages:
        return name
    moved = [n for n, page in pages.items() if page["about"].partition(":")[0] == name]
    if moved:
        return moved[0]
    if name in where("sink") and (cls := part("sink", name)) and hasattr(cls, "drawing") and hasattr(cls, "commands"):
        return name
    names = sorted({"cursor", *pages, *effectors()})
    raise WrongUse(f"There is nothing to show called {name!r}.", nearest(name, names) or f"There are {', '.join(names)}.")


def about(name: str) -> str:
    """In a sentence."""
    if name in scenario.names():
        return str(scenario.load(name)["about"])
    said = " ".join((sys.modules[part("sink", name).__module__].__doc__ or "").split("\n\n")[0].split())
    return f"{name}: {said.rstrip('.')}" + ("" if "simulated" in said else " (simulated)")


def run(name: str, seed: int, gate: Gate, watch: Watch | None = None, changes: Mapping[str, float] | None = None) -> Outcome:
    """One trial of a scenario (with other numbers than its page's), or one run through the commands of an effector."""
    if name in scenario.names():
        return scenario.run(name, seed, gate, watch, changes)
    if changes:
        raise WrongUse(f"{name} is no scenario and has no page to change.", do=f"bcikit scenario {name}")
    cls = part("sink", name)
    source: Recording = cls.commands()
    rows, rate = source.data.astype(float), source.stream.rate
    implant, effector = None, cls(**({"lockstep": True, "seed": seed} if issubclass(cls, Moved) else {}))
    if issubclass(cls, Moved):
        full = np.maximum(np.abs(rows).max(axis=0), 1e-6)
        implant = Implant(UNITS, tuple(c.name for c in source.stream.channels), full, seed)
        rows /= full
    if hasattr(effector, "show"):
        effector.show = lambda _: None  # it is watched, not printed
    permit = gate.open(effector, source.stream)
    try:
        for k, row in enumerate(rows):
            data = row[None].astype(np.float32) if implant is None else implant.decode(row).data
            permit.send(Chunk(data, k, (k + 1) / rate))
            if watch is not None:
                for _ in range(max(round(1 / rate / BIN_S), 1)):
                    watch(implant, effector, Drawing())
    finally:
        permit.close()
    return Outcome(seed, True, len(rows) / rate)
