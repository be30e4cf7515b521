"""The simplest mapper: each decision stands for a command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Recording, Stream, recording


@dataclass(eq=False)
class Lookup(Stage):
    """Replaces each decision by the value that stands at its place in `values`.

    Input (decisions, 1) with an alphabet, output (decisions, 1) in `unit`; no delay of its own. Raises WrongUse where the
    stream has no alphabet, or another number of words than there are values.
    """

    values: Annotated[tuple[float, ...], Setting("one value for each word of the decoder, in its order")] = (0.0, 1.0)
    name: Annotated[str, Setting("what is commanded")] = "speed"
    kind: Annotated[str, Setting("kind of the command", choices=("velocity", "position", "force", "aux"))] = "velocity"
    unit: Annotated[str, Setting("unit of the values")] = "1/s"

    settle = 0.0

    def setup(self, s: Stream) -> Stream:
        if not s.alphabet or s.shape != (1,):
            raise WrongUse(
                f"lookup cannot read {s.name}.",
                "It maps decisions, and what comes has no words.",
                "Put a decoder before it.",
            )
        if len(s.alphabet) != len(self.values):
            raise WrongUse(
                f"lookup has {len(self.values)} values for the {len(s.alphabet)} words {', '.join(s.alphabet)}.",
                do="Give one value for each word, in that order: values=" + "+".join("0" * len(s.alphabet)),
            )
        self.table = np.array(self.values, np.float32)
        return s.but(channels=(Channel(self.name, self.kind, self.unit),), alphabet=())

    def rows(self, x: np.ndarray) -> np.ndarray:
        return self.table[np.clip(x, 0, len(self.table) - 1).astype(int)]

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(), _decisions(("rest", "active"))
        yield cls(values=(-1.0, 0.0, 2.5), name="x", kind="position", unit="cm"), _decisions(("left", "none", "right"))


def _decisions(words: tuple[str, ...], n: int = 400) -> Recording:
    """Simulated decisions, ten a second."""
    stream = Stream("simulated decisions", 10.0, (Channel("decision", "decision", ""),), alphabet=words, label=SIMULATED)
    return recording(stream, np.random.default_rng(0).integers(0, len(words), (n, 1)))
