"""What was decided, as a word and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED, Level
from ...core.parts import Stage
from ...core.stream import Channel, Recording, Stream, recording


@dataclass(eq=False)
class Word(Stage):
    """The most probable class of each row, (decisions, 1), an index into the classes; of a stream with a channel of kind
    `decision`, that channel. NaN where nothing was decided. How probable it was is not told, so that the output is of the
    level DECISION: it may leave with a grant for that level. No delay of its own.

    Raises WrongUse where the stream has neither, or has no words (an alphabet).
    """

    holds = False
    settle = 0.0

    def setup(self, s: Stream) -> Stream:
        chosen, classes = s.of_kind("decision"), s.of_kind("probability")
        if len(s.shape) != 1 or not s.alphabet or not (chosen or len(classes) == len(s.alphabet)):
            raise WrongUse(
                f"word finds nothing decided in {s.name}.",
                "It names the class that a decoder holds for the most probable.",
                "Put a decoder before it.",
            )
        self.chosen, self.classes, self.words = chosen[:1], classes, len(s.alphabet)
        label = replace(s.label, level=max(s.label.level, Level.DECISION))
        return s.but(channels=(Channel("word", "decision", ""),), label=label)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.full((len(x), 1), np.nan, np.float32)
        if self.chosen:
            said = x[:, self.chosen]
            good = (said >= 0) & (said < self.words) & (said == np.floor(said))
            y[good] = np.abs(said[good])
            return y
        good = np.isfinite(x[:, self.classes]).all(axis=1)
        y[good, 0] = np.argmax(x[good][:, self.classes], axis=1)
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(), _decided("probability")
        yield cls(), _decided("decision")


def _decided(kind: str, n: int = 400) -> Recording:
    """Simulated decisions of three classes, ten a second."""
    rng, words = np.random.default_rng(0), ("left", "right", "rest")
    names = ("choice",) if kind == "decision" else words
    x = rng.integers(0, 3, (n, 1)) if kind == "decision" else rng.dirichlet((1, 1, 1), n)
    channels = tuple(Channel(name, kind, "") for name in names)
    return recording(Stream("simulated decisions", 10.0, channels, alphabet=words, label=SIMULATED), x)
