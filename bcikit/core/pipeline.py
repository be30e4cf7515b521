"""Stages in a row, which is itself a stage; live and offline it is the same `step`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .errors import WrongUse
from .parts import Board, Stage
from .stream import Chunk, Event, Recording, Stream, joined

LARGE = 4096  # samples: how `run` cuts a recording


class Pipeline(Stage):
    """Stages in order, and the one place that deals with gaps, counts and learning.

    A gap (where `first` jumps) of at most `bridge_s` and `bridge_n` samples is bridged by a line, with an event
    `bridged`; after a longer one every stage's `gap` is called and an event `gap` follows, both with the seconds as
    value. Samples whose index goes back are dropped and counted in `repeated`. Integers are scaled before the first stage
    that does not take them. Behind an event that teaches a stage the chunk is cut, so that learning, too, gives the same
    bytes at any cut. A pipeline within a pipeline teaches its own stages.

        line = Pipeline([Bandpass(low=1, high=40), Notch()])
        line.start(stream)
        for chunk in chunks:
            out = line.step(chunk)
    """

    holds = False

    def __init__(self, stages: Iterable[Stage] = (), bridge_s: float = 0.1, bridge_n: int = 50) -> None:
        self.stages = list(stages)
        self.bridge_s, self.bridge_n = bridge_s, bridge_n
        self.listen: Callable[[int, Chunk], None] | None = None

    @property
    def settle(self) -> float:  # type: ignore[override]
        return sum(s.settle for s in self.stages)

    @property
    def leaky(self) -> bool:  # type: ignore[override]
        return any(s.leaky for s in self.stages)

    # -- running

    def start(self, s: Stream) -> Stream:
        self.into = s
        self._next: int | None = None  # index of the sample to come
        self._tail: np.ndarray | None = None  # the last sample, for bridging
        self._waiting: list[Event] = []  # events that teach, not yet reached
        self.teachers = {n for stage in self.stages for n in stage.learns_from}
        self.repeated = 0
        self.scales = None
        if s.scale is not None and not (self.stages and self.stages[0].counts):
            self.scales = np.broadcast_to(np.asarray(s.scale, np.float32), (len(s.channels),)).copy()
            s = s.but(scale=None)
        self.streams = [s]
        for stage in self.stages:
            self.streams.append(stage.start(self.streams[-1]))
        self.out = self.streams[-1]
        return self.out

    def step(self, c: Chunk) -> Chunk:
        """The output for what came, whatever was lost before it."""
        c = self._entered(c)
        if not self.teachers:
            return self._through(c)
        pieces = []
        for row, teachers in self._lessons(c):
            head, c = c.cut(row, self.into.rate)
            pieces.append(self._through(head))
            for event in teachers:
                self._teach(event)
        pieces.append(self._through(c))
        return joined(pieces)

    def run(self, source: Recording | Board, sizes: Iterable[int] = ()) -> Recording:
        """`step` over a whole recording, or over a board until it ends; in large chunks, or chunks of these sizes."""
        if isinstance(source, Board):
            with source as board:
                self.start(board.open())
                out = []
                while True:
                    c = board.read()
                    if c is not None:
                        out.append(self.step(c))
                    elif board.status.state in ("ended", "lost"):
                        return Recording(self.out, tuple(out))
        self.start(source.stream)
        cuts: Iterable[int] = sizes or iter(lambda: LARGE, 0)
        return Recording(self.out, tuple(self.step(c) for c in source.recut(cuts)), source.info)

    def gap(self, seconds: float) -> None:
        self._next = self._tail = None
        for stage in self.stages:
            stage.gap(seconds)

    # -- the entrance

    def _entered(self, c: Chunk) -> Chunk:
        """The chunk without what was there already, its gap bridged or announced, scaled."""
        if self._next is None:
            self._next = c.first
        missing = c.first - self._next
        if missing < 0:
            known = min(-missing, len(c))
            self.repeated += known
            time = c.time[known:] if np.ndim(c.time) else c.time
            c = Chunk(c.data[known:], self._next, time, c.events)
        data, events, first = c.data, c.events, c.first
        if missing > 0:
            if not len(c):  # nothing has come behind the gap yet
                return Chunk(data, self._next, c.time, events)
            rate = self.into.rate
            seconds = missing / rate if rate else math.inf
            short = self._tail is not None and missing <= self.bridge_n and seconds <= self.bridge_s
            if short:
                data, first = self._bridged(data, missing), self._next
            else:
                self.gap(seconds)
            events = (Event(c.first, "bridged" if short else "gap", seconds), *events)
        if len(data):
            self._tail = data[-1].copy()
            self._next = first + len(data)
        if self.scales is not None:
            data = data.astype(np.float32) * self.scales
        return Chunk(data, first, c.time, events)

    def _bridged(self, data: np.ndarray, missing: int) -> np.ndarray:
        part = (np.arange(1, missing + 1) / (missing + 1)).reshape(-1, *[1] * (data.ndim - 1))
        tail = np.asarray(self._tail, float)
        line = tail + part * (data[0].astype(float) - tail)
        if data.dtype.kind == "i":
            line = np.rint(line)
        return np.concatenate([line.astype(data.dtype), data])

    # -- the stages

    def _through(self, c: Chunk) -> Chunk:
        if self.listen:
            self.listen(0, c)
        for i, stage in enumerate(self.stages, 1):
            c = stage.step(c)
            if self.listen:
                self.listen(i, c)
        return c

    def _lessons(self, c: Chunk) -> list[tuple[int, list[Event]]]:
        """Rows of `c` behind which something is learnt, in order, each counted from the cut before, and the events."""
        taught = [e for e in c.events if e.name in self.teachers]
        late = [e for e in taught if e.index < c.first]
        self._waiting = sorted([*self._waiting, *(e for e in taught if e.index >= c.first)], key=lambda e: e.index)
        lessons: list[tuple[int, list[Event]]] = [(0, late)] if late else []
        done = 0
        while self._waiting and math.floor(self._waiting[0].index) < c.end:
            row = math.floor(self._waiting[0].index) - c.first + 1
            due = [e for e in self._waiting if math.floor(e.index) - c.first + 1 == row]
            self._waiting = self._waiting[len(due) :]
            lessons.append((row - done, due))
            done = row
        return lessons

    def _teach(self, event: Event) -> None:
        for stage in self.stages:
            if event.name in stage.learns_from:
                stage.adapt(event)
            event = Event(stage.grid.place(event.index), event.name, event.value, event.uncertainty)

    # -- keeping

    def state(self) -> dict[str, Any]:
        tail = None if self._tail is None else self._tail.copy()
        waiting = [(e.index, e.name, e.value, e.uncertainty) for e in self._waiting]
        return {"_next": self._next, "_tail": tail, "_waiting": waiting, "stages": [s.state() for s in self.stages]}

    def learned(self) -> dict[str, Any]:
        return {"stages": [s.learned() for s in self.stages]}

    def restore(self, kept: Mapping[str, Any]) -> None:
        kept = dict(kept)
        for stage, its in zip(self.stages, kept.pop("stages"), strict=True):
            stage.restore(its)
        if "_waiting" in kept:
            self._waiting = [Event(*e) for e in kept.pop("_waiting")]
        super().restore(kept)

    def settings(self) -> dict[str, Any]:
        return {"bridge_s": self.bridge_s, "bridge_n": self.bridge_n}

    def recipe(self) -> dict[str, Any]:
        """Names and settings of the stages, nested: `build` makes the pipeline again."""
        return {"stage": "pipeline", **self.settings(), "stages": [s.recipe() for s in self.stages]}


def build(recipe: Mapping[str, Any]) -> Stage:
    """The stage (or pipeline) that a recipe describes. Raises WrongUse where it names what is not installed."""
    from .find import part

    rest = dict(recipe)
    name = rest.pop("stage", None)
    if name is None:
        raise WrongUse("This recipe names no stage.", "Each entry needs a key 'stage'.")
    if name == "pipeline":
        return Pipeline([build(r) for r in rest["stages"]], rest.get("bridge_s", 0.1), rest.get("bridge_n", 50))
    return part("stage", name).make(rest)
