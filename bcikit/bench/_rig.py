"""A line run as it is run for a person, with a stamp at every border: what latency is made of."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..core.loop import Gate, Loop
from ..core.parts import Board, Sink, Stage, Status
from ..core.pipeline import Pipeline
from ..core.stream import Chunk, Stream
from ._work import Work

WARM_S = 1.0


class Played(Board):
    """The rendered input as a board: each chunk comes when its newest sample is due."""

    live = False

    def __init__(self, work: Work) -> None:
        self.work, self._i, self._state = work, 0, "connecting"

    def open(self) -> Stream:
        _ = self.work.counts
        self._i, self._began, self._state = 0, self.clock.now(), "streaming"
        return self.work.stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if self._state == "ended":
            return None
        due = self._began + ((self._i + 1) * self.work.n - 1) / self.work.rate
        until = self.clock.now() + timeout
        self.clock.sleep_until(min(due, until))
        if due > until:
            return None
        c = Chunk(self.work.piece(self._i), self._i * self.work.n, due)
        self._i += 1
        return c

    def close(self) -> None:
        self._state = "ended"

    @property
    def status(self) -> Status:
        return Status(self._state, 0.0, self.work.rate, 0, 0.0, "simulated")


class Cursor(Sink):
    """The effector at the end: notes when each command came."""

    kind: ClassVar[str] = "effector"
    inline: ClassVar[bool] = True
    came = math.nan

    def send(self, c: Chunk) -> None:
        if len(c):
            self.came = time.monotonic()


@dataclass
class Measured:
    """ms: latency of every command, from when the newest sample it used was due to its reaching the effector. parts: what of
    it each place took (ms, medians). stalls: lateness of every chunk at the end of the line. lost: samples."""

    ms: np.ndarray
    parts: dict[str, float]
    stalls: np.ndarray
    lost: int
    cpu: float
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def dearest(self) -> str:
        return max(self.parts, key=lambda n: self.parts[n]) if self.parts else ""


def measure(board: Board, stages: Sequence[Stage], gate: Gate, seconds: float) -> Measured:
    """Run the line in real time for so long; a second before that is not counted."""
    cursor = Cursor()
    loop = Loop(board, Pipeline(stages), gate)
    loop.add(cursor, "out")
    names = ["board and wake-up", *(s.part_name() for s in stages), "gate and effector"]
    marks = np.full(len(names), math.nan)
    rows: list[np.ndarray] = []
    stalls: list[float] = []
    hooked, began, cpu = False, time.monotonic(), 0.0
    last = len(stages)
    for c in loop.chunks(seconds + WARM_S):
        done = time.monotonic()
        if not hooked:
            hooked, began, cpu = True, done, time.process_time()
            _hook(loop.line, marks)
            continue
        if done - began < WARM_S:
            cpu, start = time.process_time(), done
            continue
        newest = float(np.max(c.time)) if np.ndim(c.time) == 0 or len(c) else math.nan
        if len(c) and math.isfinite(newest):
            borders = np.concatenate([[newest], marks[: last + 1], [cursor.came]])
            rows.append(np.diff(borders) * 1000)
            stalls.append(done - newest)
    table = np.array(rows).reshape(-1, len(names))
    parts = dict(zip(names, np.median(table, axis=0).tolist(), strict=True)) if len(table) else {}
    spent = (time.process_time() - cpu) / max(time.monotonic() - start, 1e-9) if len(table) else math.nan
    return Measured(table.sum(axis=1), parts, np.array(stalls) * 1000, loop.report().status.lost, spent)


def _hook(line: Pipeline, marks: np.ndarray) -> None:
    """A stamp behind the entrance and each stage."""
    heard = line.listen

    def listen(place: int, c: Chunk) -> None:
        marks[place] = time.monotonic()
        if heard is not None:
            heard(place, c)

    line.listen = listen
