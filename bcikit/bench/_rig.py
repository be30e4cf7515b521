"""A line run as it is run for a person, with a stamp at every border: what latency is made of."""

from __future__ import annotations

import math
import mmap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..core.loop import Gate, Loop
from ..core.parts import Board, Sink, Stage
from ..core.pipeline import Pipeline
from ..core.stream import Chunk
from ..kernels import one_thread

WARM_S = 1.0
WATCHED = 500  # chunks between two looks at the memory


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
    it each place took (ms, medians); worse: at the 99th percentile. stalls: lateness (ms) of every chunk at the end of the
    line. lost: samples. cpu: of one core. memory_mb: of this process, after the first minute (or tenth, where it is shorter)
    and at the end."""

    ms: np.ndarray
    parts: dict[str, float]
    worse: dict[str, float]
    stalls: np.ndarray
    lost: int
    cpu: float
    memory_mb: tuple[float, float]

    @property
    def dearest(self) -> str:
        return max(self.parts, key=lambda n: self.parts[n]) if self.parts else ""


def resident_mb() -> float:
    """Memory of this process that is in use; nan where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return math.nan
    return pages * mmap.PAGESIZE / 1e6


class Kept:
    """Rows that come one after the other, in memory taken beforehand: what is measured must not grow by being measured."""

    def __init__(self, most: int, *shape: int) -> None:
        self.all, self.n = np.full((most, *shape), math.nan, np.float32), 0

    def add(self, row: Any) -> None:
        if self.n < len(self.all):
            self.all[self.n] = row
            self.n += 1

    @property
    def rows(self) -> np.ndarray:
        return self.all[: self.n].astype(float)


@one_thread()
def measure(board: Board, stages: Sequence[Stage], gate: Gate, seconds: float) -> Measured:
    """Run the line in real time for so long; a second before that is not counted."""
    cursor = Cursor()
    loop = Loop(board, Pipeline(stages), gate)
    loop.add(cursor, "out")
    names = ["board and wake-up", *(s.part_name() for s in stages), "gate and effector"]
    marks = np.full(len(names), math.nan)
    settled, memory = WARM_S + min(60.0, seconds / 10), (math.nan, math.nan)
    begin, rows, stalls = math.nan, Kept(0), Kept(0)
    for c in loop.chunks(seconds + WARM_S):
        done = time.monotonic()
        newest = float(np.max(c.time)) if np.ndim(c.time) == 0 or len(c) else math.nan
        if not len(rows.all):
            came = max(loop.report().samples, 1)
            begin = newest - came / (loop.stream.rate or math.inf)  # by the samples' time, which runs on while it catches up
            most = round(1.2 * seconds * loop.stream.rate / came) + 1000
            rows, stalls = Kept(most, len(names)), Kept(most)
            _hook(loop.line, marks)
        if not newest - begin >= WARM_S:
            cpu, start = time.process_time(), done
            continue
        stalls.add((done - newest) * 1000)
        if newest - begin >= settled and (math.isnan(memory[0]) or stalls.n % WATCHED == 0):
            now = resident_mb()
            memory = now if math.isnan(memory[0]) else memory[0], now
        if len(c):
            rows.add(np.diff([newest, *marks[: len(stages) + 1], cursor.came]) * 1000)
    table = rows.rows
    parts, worse = (
        dict(zip(names, np.percentile(table, q, axis=0).tolist(), strict=True)) if len(table) else {} for q in (50, 99)
    )
    spent = (time.process_time() - cpu) / max(time.monotonic() - start, 1e-9) if len(table) else math.nan
    lost = loop.report().status.lost
    return Measured(table.sum(axis=1), parts, worse, stalls.rows, lost, spent, memory)


def _hook(line: Pipeline, marks: np.ndarray) -> None:
    """A stamp behind the entrance and each stage."""
    heard = line.listen

    def listen(place: int, c: Chunk) -> None:
        marks[place] = time.monotonic()
        if heard is not None:
            heard(place, c)

    line.listen = listen
