"""The loop closed: a board of counts, a decoder that learns from use, a cursor behind the Gate, and a person who sees it.

    loop = ClosedLoop(Units(n=192, seed=1), Steering(), Grid([1], 0.02), clock=JumpClock(), gate=Gate())
    for moment in loop.run(calibrate=True, seconds=60):
        ...

Everything that the decoder learns from is in the board's stream (what the screen showed) and its events, so a replay of the
recording gives the same decoder to the byte. `hand`: a person's push instead of the simulated one's (`you drive`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.clock import WALL, Clock
from ..core.loop import Gate, Loop
from ..core.parts import Sink, Stage
from ..core.pipeline import Pipeline
from ..core.stream import Chunk
from ..decode.kinematics.click import Presses
from ..decode.kinematics.steering import Steering
from ..decode.kinematics.taught import Taught
from ..effectors.cursor import Cursor
from ._targets import Targets
from .world import Scene

# calibration as it is done: watch, then use and refit (seconds, part of the cursor that the computer moves)
BLOCKS = ((40.0, 1.0), (30.0, 0.5), (50.0, 0.0), (50.0, 0.0))
# ReFIT as published: what was learnt from watching steers, and is refitted once. On small cells that decoder hits next to
# nothing, so targets give way, or the refit would see a single direction
PUBLISHED: dict[str, Any] = {"blocks": ((40.0, 1.0), (130.0, 0.0)), "patience_s": 3.0}
CLICK_DWELL_S = 0.5  # a stay that ends a target while clicks are learnt
DAY_S = 120.0  # of use between two nights, where nights pass by themselves
# a decoder by name: itself, its settings, and what it learns by in the middle and at the end of each day (None: it does not)
DECODERS: dict[str, tuple[type[Steering], dict[str, Any], str | None]] = {
    "prit": (Steering, {}, "prit"),
    "rti": (Steering, {}, "rti"),
    "known": (Steering, {}, ""),
    "static": (Steering, {}, None),
    "kalman": (Steering, {"full": True}, ""),
    "refit": (Steering, {"teacher": "refit", "feed": True, "hold_s": None, "shrinkage": 0.0}, ""),
    "ridge": (Taught, {"by": "ridge_lags"}, ""),
    "gru": (Taught, {"by": "gru"}, ""),
}


@dataclass(frozen=True)
class Moment:
    """A bin: its chunk as it left the decoder, counts as they came, who moves, what the task said, and how long after the
    bin's last sample the cursor had moved (seconds)."""

    chunk: Chunk
    counts: np.ndarray
    phase: str
    hit: bool
    wrong: bool
    late_s: float


class Tap(Sink):
    """The newest row where it stands."""

    inline = True
    row = np.zeros(0, np.float32)

    def send(self, c: Chunk) -> None:
        if len(c):
            self.row = c.data[-1]


class ClosedLoop:
    """One person, real in `hand` or simulated, in a running loop. `pause`, `recalibrate` and `stop` may be called from any
    thread; `stop` ends it after the bin in hand and holds the cursor. Where the decoder tells clicks (`point_click`) and the
    task has no stay that selects, they select; while they are learnt a stay does."""

    def __init__(
        self, board: Any, decoder: Steering, task: Targets, gate: Gate, clock: Clock = WALL, more: tuple[Stage, ...] = ()
    ) -> None:
        self.board, self.decoder, self.task = board, decoder, task
        self.scene = Scene([board.seed], task, task.step_s)
        self.cursor = Cursor()
        self.tap = Tap()
        before, counted = self._before()
        self.loop = Loop(board, Pipeline([*before, decoder, *more]), gate, clock)
        self.loop.add(self.tap, counted)
        self.loop.add(self.cursor)
        self.hand: Callable[[np.ndarray], tuple[np.ndarray, bool]] | None = None
        self.clicks = Presses(1, task.step_s) if task.dwell_s is None else None
        self.phase, self.day = "use", 0
        self._asked: list[str] = []

    def add(self, sink: Sink, at: str = "board") -> None:
        """A recorder or view beside the cursor."""
        self.loop.add(sink, at)

    def run(
        self,
        calibrate: bool = True,
        seconds: float | None = None,
        days: int = 0,
        day_s: float = DAY_S,
        learns: str | None = "prit",
        blocks: Sequence[tuple[float, float]] | None = None,
        patience_s: float = math.inf,
    ) -> Iterator[Moment]:
        """Bin after bin: the calibration's blocks (none named: BLOCKS), in which a target gives way after `patience_s`, then
        use for so many seconds (without end: None). A night passes behind each `day_s` of use, until `days` have; the
        decoder learns (see DECODERS) in the middle and at the end of a day."""
        half = round(day_s / self.task.step_s / 2)
        plan = [*(blocks or BLOCKS)] if calibrate else []
        usual = self.task.timeout_s
        self.task.timeout_s = min(usual, patience_s) if plan else usual
        total = None if seconds is None else sum(s for s, _ in plan) + seconds
        ends = np.cumsum([s for s, _ in plan]) / self.task.step_s
        first = round(sum(s for s, _ in plan) / self.task.step_s)
        self.scene.people.learn(self.decoder.speed, 0.6)
        bins, block = 0, 0
        self._selects(learning=bool(plan))
        self._set(plan[0] if plan else None, bins)
        for chunk in self.loop.chunks(total):
            if not len(chunk):
                continue
            late, bins = self.loop.clock.now() - float(chunk.time), bins + len(chunk)
            yield self._after(chunk, late)
            if block < len(plan) and bins >= ends[block] - 0.5:
                block += 1
                self.loop.mark("recalibrate", "fresh" if block == 1 else None)
                if block == len(plan):
                    self._selects(learning=False)
                    self.task.timeout_s = usual
                    self.task.fresh()
            elif days and block == len(plan) and (bins - first) % half == 0:
                self._lesson((bins - first) // half % 2 == 0, days, learns)
            self._set(plan[block] if block < len(plan) else None, bins)

    def _selects(self, learning: bool) -> None:
        if self.clicks is not None:
            self.task.dwell_s = CLICK_DWELL_S if learning else None

    def _lesson(self, over: bool, days: int, learns: str | None) -> None:
        """Half a day of use is over, or a day: learn; and behind a day let a night pass, unless it was the last."""
        if over and self.day >= days:
            return
        if learns is not None:
            self.loop.mark("recalibrate", f"{learns} fresh".strip() if over else learns or None)
        if over:
            self.board.night()
            self.day += 1
            self.task.fresh()

    def _set(self, block: tuple[float, float] | None, bins: int) -> None:
        """Before a bin: who moves the cursor, what the screen shows, what is intended."""
        self.phase = "use" if block is None else "watch" if block[1] == 1 else "calibrate"
        if bins == 0:
            return  # the board is not open yet
        scene, speed, near = self.scene, self.decoder.speed, self.decoder.near_s
        self.cursor.assist = 0.0 if block is None else block[1]
        self.cursor.help = scene.help(speed, near)[0]
        self._shown()
        scene.look()
        push, closed = scene.push[0], bool(scene.closed[0])
        if self.hand is not None:
            push, closed = self.hand(scene.cursor[0])
            scene.push[0] = push
        self._intended(float(push[0]), float(push[1]), closed)

    def _after(self, chunk: Chunk, late_s: float) -> Moment:
        hit = wrong = False
        for row in chunk.data:  # more than one where the loop has to catch up
            click = None if self.clicks is None else self.clicks(row[2:3]) & (not self.cursor.held)
            hits, wrongs = self.scene.judge(self.cursor.place[None].copy(), self.cursor.moved[None].copy(), click)
            hit, wrong = hit or bool(hits[0]), wrong or bool(wrongs[0])
        for name, so in (("hit", hit), ("wrong", wrong)):
            if so:
                self.loop.mark(name, int(self.task.goal[0]))
        return Moment(chunk, self.tap.row[: self.board.n], self.phase, hit, wrong, late_s)

    # -- what another board does differently

    def _before(self) -> tuple[list[Stage], str]:
        """The stages before the decoder, and where the counts are to be had."""
        return [], "board"

    def _shown(self) -> None:
        """What the screen shows enters the stream; the neurons know whether they steer."""
        if self.board.neurons.open_loop != (self.phase == "watch"):
            self.board.observe(self.phase == "watch")
        self.board.show(self.scene.cursor[0], self.task.target[0], self.task.size[0])

    def _intended(self, x: float, y: float, closed: bool) -> None:
        self.board.intend(x, y, closed)

    # -- from outside

    def recalibrate(self) -> None:
        """Refit on what is remembered, behind the bin to come."""
        self.loop.mark("recalibrate")

    def pause(self, on: bool) -> None:
        """Hold the cursor where it is, or let it go."""
        self.cursor.held = on

    def stop(self) -> None:
        """End, at once for the cursor."""
        self.cursor.held = True
        self.loop.stop()

    def facts(self) -> dict[str, Any]:
        """How the task went since the calibration."""
        task = self.task
        means = {n: float(getattr(task, n)()[0]) for n in ("seconds_to_target", "path_efficiency", "throughput")}
        return {
            "bits_per_s": float(task.bits_per_s()[0]),
            "correct": int(task.correct[0]),
            "wrong": int(task.wrong[0]),
            **{n: None if math.isnan(v) else v for n, v in means.items()},  # of none there is no mean
        }
