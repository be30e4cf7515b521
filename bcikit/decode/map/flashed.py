"""Which of several things that flash is meant: what single flashes tell, added up until it is enough."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Chunk, Event, Recording, Stream, recording


@dataclass(eq=False)
class Flashed(Stage):
    """Behind `epoch` and a decoder of single flashes: probabilities (flashes, classes), one of which is `target`; an event
    with an item's name stands on each of its flashes. Out: (flashes, items + 1), the items' probabilities given all flashes
    since the last choice, and `choice`: the index of an item as soon as it is at `sure` or above and every item flashed
    `least` times, or every item flashed `most` times; else -1. Then nothing is chosen until an event `anew`, and flashes
    before that count no more. NaN, and flashes of what is no item, add nothing.

    Bayes: the odds that a flash was the target's, over those of any flash (one in so many items), multiply an item's
    probability. Raises WrongUse where the stream has no such class, or there are not two items.

    Source: M. Schreuder et al., J. Neural Eng. 10:036025, 2013, doi:10.1088/1741-2560/10/3/036025 (dynamic stopping).
    """

    items: Annotated[tuple[str, ...], Setting("names of what flashes")] = tuple("ABCDEF")
    target: Annotated[str, Setting("the class of a flash that is waited for")] = "target"
    sure: Annotated[float, Setting("probability that is enough", low=0, high=1)] = 0.95
    least: Annotated[int, Setting("flashes of each item before a choice", low=1, high=10_000)] = 2
    most: Annotated[int, Setting("flashes of each behind which one is made anyway", low=1, high=10_000)] = 15
    anew: Annotated[str, Setting("event with which the next choice begins")] = "anew"

    holds = False
    exempt = {  # noqa: RUF012
        "faults_leave_no_trace": "a choice that a fault moved moves those behind; its own test shows that NaN adds nothing",
    }

    def setup(self, s: Stream) -> Stream:
        if len(self.items) < 2 or len(set(self.items)) < len(self.items):
            raise WrongUse("flashed needs two items or more, each of another name.", do="flashed:items=A+B+C")
        if len(s.shape) != 1 or self.target not in s.names:
            raise WrongUse(
                f"flashed cannot read {s.name}.",
                f"It has no class {self.target!r}: {', '.join(s.names[:6])}.",
                "Put epoch and a decoder of flashes before it.",
            )
        if self.least > self.most:
            raise WrongUse(f"flashed: least={self.least} is more than most={self.most}.")
        self.column = s.names.index(self.target)
        self._seen: dict[str, str] = {}  # flash: item, of those whose probability is still to come
        self._from = -1.0  # earlier flashes belong to the choice before
        self._log, self._n, self._open = np.zeros(len(self.items)), np.zeros(len(self.items), int), True
        kinds = tuple(Channel(item, "probability", "") for item in self.items)
        return s.but(channels=(*kinds, Channel("choice", "decision", "")), alphabet=self.items)

    def step(self, c: Chunk) -> Chunk:
        begins = []
        for e in c.events:
            if e.name in self.items:
                self._seen[f"{e.index:g}"] = e.name
            elif e.name == self.anew:
                begins.append(e.index)
        y = np.full((len(c), len(self.items) + 1), -1, np.float32)
        for k, (row, p) in enumerate(zip(y, c.data[:, self.column].astype(float), strict=True), c.first):
            for index in [b for b in begins if b <= k]:
                self._anew(index)
                begins.remove(index)
            self._flash(self._seen.pop(f"{k:g}", ""), k, p)
            row[:-1] = np.exp(self._log) / np.exp(self._log).sum()
            best = int(np.argmax(self._log))
            if self._open and self._n.min() >= self.least and (row[best] >= self.sure or self._n.min() >= self.most):
                row[-1], self._open = best, False
        for index in begins:
            self._anew(index)
        return Chunk(y, c.first, c.time, c.events)

    def _anew(self, index: float) -> None:
        self._from, self._open = index, True
        self._log, self._n = np.zeros(len(self.items)), np.zeros(len(self.items), int)

    def _flash(self, item: str, index: int, p: float) -> None:
        if not item or index < self._from or not math.isfinite(p):
            return
        p = min(max(p, 1e-6), 1 - 1e-6)
        k = self.items.index(item)
        self._n = self._n + (np.arange(len(self.items)) == k)
        self._log = self._log + (np.arange(len(self.items)) == k) * (math.log(p / (1 - p)) + math.log(len(self.items) - 1))
        self._log = self._log - self._log.max()

    def gap(self, seconds: float) -> None:
        """Trials are whole or NaN: what earlier flashes told stays."""

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(items=("A", "B", "C"), most=6), _flashes(("A", "B", "C"))
        yield (
            cls(items=("yes", "no"), sure=0.8, target="other", least=1, most=3, anew="next"),
            _flashes(("yes", "no"), "next"),
        )


def _flashes(items: tuple[str, ...], anew: str = "anew", n: int = 400, wanted: int = 1, seed: int = 0) -> Recording:
    """Simulated probabilities of single flashes, one item after the other, the `wanted` of which is meant."""
    rng = np.random.default_rng(seed)
    which = np.concatenate([rng.permutation(len(items)) for _ in range(n // len(items) + 1)])[:n]
    p = 1 / (1 + np.exp(-rng.normal(np.where(which == wanted, 1.0, -1.0) - 1.0, 1.0)))
    events = [Event(k, items[i]) for k, i in enumerate(which)]
    events += [Event(k - 0.5, anew) for k in range(40, n, 40)]
    channels = (Channel("other", "probability", ""), Channel("target", "probability", ""))
    stream = Stream("simulated flashes", 0.0, channels, alphabet=("other", "target"), label=SIMULATED)
    return recording(stream, np.column_stack([1 - p, p]), sorted(events, key=lambda e: e.index))
