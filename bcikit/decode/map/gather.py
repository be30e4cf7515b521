"""Evidence added up over trials until it is enough: dynamic stopping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream
from .select import probabilities


@dataclass(eq=False)
class Gather(Stage):
    """Probabilities (decisions, classes) in; out the same classes' probabilities given all since the last choice, and a
    column `choice`: the index of the class as soon as one is at `sure` or above behind `least` decisions, or is the most
    probable behind `most`; else -1. A choice begins anew.

    Bayes: log odds of decisions add up as if they were independent, which neighbours are not; so each counts for `weight`.
    What came before counts less by half for each `half` decisions (0: does not fade). NaN adds nothing.
    Raises WrongUse where the stream has no probabilities.
    """

    sure: Annotated[float, Setting("probability that is enough", low=0, high=1)] = 0.95
    least: Annotated[int, Setting("decisions before a choice", low=1, high=10_000)] = 2
    most: Annotated[int, Setting("decisions behind which one is made anyway", low=1, high=100_000)] = 20
    weight: Annotated[float, Setting("how much a decision counts beside those before it", low=0.01, high=1)] = 1.0
    half: Annotated[float, Setting("decisions in which evidence fades by half; 0: never", low=0, high=1e6)] = 0.0

    holds = False
    exempt = {  # noqa: RUF012
        "faults_leave_no_trace": "a choice that a fault moved moves those behind; tests/decode/test_map.py shows the rest",
    }

    def setup(self, s: Stream) -> Stream:
        if len(s.shape) != 1 or not s.of_kind("probability"):
            raise WrongUse(f"gather cannot read {s.name}.", "It adds up probabilities.", "Put a decoder before it.")
        if self.least > self.most:
            raise WrongUse(f"gather: least={self.least} is more than most={self.most}.")
        self.columns = s.of_kind("probability")
        self.fade = 0.5 ** (1 / self.half) if self.half else 1.0
        self._sum, self._n = np.zeros(len(self.columns)), 0
        chosen = tuple(s.channels[i] for i in self.columns)
        return s.but(channels=(*chosen, Channel("choice", "decision", "")), alphabet=tuple(c.name for c in chosen))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.full((len(x), len(self.columns) + 1), -1, np.float32)
        for row, p in zip(y, x[:, self.columns].astype(float), strict=True):
            if np.isfinite(p).all():
                self._sum = self._sum * self.fade + self.weight * np.log(np.maximum(p, 1e-6))
                self._sum = self._sum - self._sum.max()
                self._n += 1
            together = np.exp(self._sum) / np.exp(self._sum).sum()
            row[:-1] = together
            if self._n >= self.least and (together.max() >= self.sure or self._n >= self.most):
                row[-1] = np.argmax(together)
                self._sum, self._n = np.zeros(len(self.columns)), 0
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(sure=0.99, least=2, most=5), probabilities()
        yield cls(sure=0.8, least=3, most=6, weight=0.3, half=3.0), probabilities()
