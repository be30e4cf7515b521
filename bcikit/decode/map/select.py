"""From probabilities to commands that a person can live with: sure enough, for long enough, and not twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED, Level
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Recording, Stream, recording
from .._linear import softmax


@dataclass(eq=False)
class Select(Stage):
    """Probabilities (decisions, classes) in, the chosen class (decisions, 1) out, an index into the classes and `none`.

    A class is chosen when it has been at `on` or above for `dwell` s, and stays so until it falls below `off`; then, for
    `pause` s, nothing is chosen. Where classes are never chosen (rest), name them in `ignore`. NaN chooses nothing new and
    keeps what is. Raises WrongUse where the stream has no probabilities or no rate.
    """

    on: Annotated[float, Setting("probability at which a class is chosen", low=0, high=1)] = 0.8
    off: Annotated[float, Setting("probability below which it is let go", low=0, high=1)] = 0.6
    dwell: Annotated[float, Setting("for how long it must have been so", "s", low=0, high=60)] = 0.5
    pause: Annotated[float, Setting("refractory time behind a choice", "s", low=0, high=600)] = 1.0
    ignore: Annotated[tuple[str, ...], Setting("classes that are never chosen")] = ()
    none: Annotated[str, Setting("the word for no choice")] = "none"

    holds = False

    @property
    def settle(self) -> float:  # type: ignore[override]
        return 2 * self.dwell + self.pause + 0.5

    def setup(self, s: Stream) -> Stream:
        if not s.rate or len(s.shape) != 1 or not s.of_kind("probability"):
            raise WrongUse(
                f"select cannot read {s.name}.",
                "It chooses by probabilities that come at a steady rate.",
                "Put a decoder behind a window before it (of a model: every=0.5).",
            )
        if self.off > self.on:
            raise WrongUse(f"select: off={self.off:g} lies above on={self.on:g}.", "A choice would end as it begins.")
        self.columns = s.of_kind("probability")
        words = tuple(s.names[i] for i in self.columns)
        if self.none in words:
            raise WrongUse(f"select: {self.none!r} is a class.", do="Give another word for no choice: none=...")
        self.allowed = np.array([w not in self.ignore for w in words])
        self.nothing = len(words)
        self.needs, self.rests = round(self.dwell * s.rate), round(self.pause * s.rate)
        self._chosen, self._since, self._candidate, self._rest = self.nothing, 0, self.nothing, 0
        label = replace(s.label, level=max(s.label.level, Level.DECISION))  # a word, and how probable it was is not told
        return s.but(channels=(Channel("choice", "decision", ""),), alphabet=(*words, self.none), label=label)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), 1), np.float32)
        for row, p in zip(y, x[:, self.columns], strict=True):
            row[0] = self._after(p)
        return y

    def _after(self, p: np.ndarray) -> int:
        """What is chosen behind these probabilities."""
        if not np.isfinite(p).all():
            return self._chosen
        if self._chosen != self.nothing:
            if p[self._chosen] >= self.off:
                return self._chosen
            self._chosen, self._rest, self._candidate = self.nothing, self.rests, self.nothing
        if self._rest:
            self._rest -= 1
            return self.nothing
        best = int(np.argmax(np.where(self.allowed, p, -1)))
        if not self.allowed[best] or p[best] < self.on:
            self._candidate = self.nothing
            return self.nothing
        self._since = self._since + 1 if best == self._candidate else 0
        self._candidate = best
        if self._since >= self.needs:
            self._chosen = best
        return self._chosen

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(on=0.7, off=0.5, dwell=0.3, pause=0.4), probabilities()
        yield cls(on=0.6, off=0.6, dwell=0.1, pause=0.2, ignore=("rest",), none="wait"), probabilities()


def probabilities(n: int = 400, rate: float = 10.0, seed: int = 0) -> Recording:
    """Simulated probabilities of three classes that come and go, ten a second."""
    rng = np.random.default_rng(seed)
    z = np.repeat(rng.normal(0, 3, (n // 8, 3)), 8, axis=0) + rng.normal(0, 0.5, (n // 8 * 8, 3))
    channels = tuple(Channel(c, "probability", "") for c in ("left", "right", "rest"))
    stream = Stream("simulated probabilities", rate, channels, alphabet=("left", "right", "rest"), label=SIMULATED)
    return recording(stream, softmax(z))
