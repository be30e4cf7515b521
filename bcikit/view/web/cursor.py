"""The cursor demo on the page: the closed loop in real time, and what its buttons do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from typing import Any

import numpy as np

from ...core.clock import WALL, Clock, WallClock
from ...ethics.gate import Gate
from ...simulate.loop_facts import fingerprint
from ...tasks.closed_loop import BLOCKS, DAY_S, ClosedLoop, Moment
from ...tasks.keyboard import ROWS
from ...tasks.play import FEATURES, CursorDemo
from ...tasks.shipped import shipped
from ...tasks.world import STEP_S
from .live import TOLD_S, Live, digits, rounded

WINDOW_S = 30.0  # over which the bits of the history are counted
EDGES_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # of the latency's histogram
HAND_REACH = 0.1  # widths between mouse and cursor from which on a hand pushes fully
CEILING_AFTER_S, CEILING_S = 3.0, 60.0  # the start is not disturbed; how long it is played
CALIBRATION_S = sum(seconds for seconds, _ in BLOCKS)


class CursorLive(Live):
    """A person, an implant, a decoder, a cursor. Only the first run is recorded, through the Gate. From raw signals no night
    passes, and nothing is shipped that is calibrated.

    Frames: {t, at: when the bin closed, by the machine's monotonic clock, cursor, velocity, decoded, push, target, size,
    stay, phase, done, held, hit, wrong, counts}."""

    name = "bcikit-demo"

    def __init__(self, demo: CursorDemo, calibrate: bool, clock: Clock = WALL) -> None:
        super().__init__(clock, demo.seconds)
        self.demo, self.calibrate = demo, calibrate
        self.ceiling: float | None = None  # bits a second that this person could reach, once somebody has reckoned it
        self._loop: ClosedLoop | None = None
        self._asked: deque[str] = deque()

    # -- from the page

    def start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._loop = self.made()
        counted = self.demo.targets().choices  # in bits
        if counted and self._thread is None and isinstance(self.clock, WallClock):
            later = threading.Timer(CEILING_AFTER_S, self._reckon)
            later.daemon = True
            later.start()
        super().start()

    def _reckon(self) -> None:
        """The ceiling, in a process of its own that gives way to the loop, if that still runs."""
        if self._thread is None or not self._thread.is_alive():
            return
        code = f"from bcikit.tasks.play import CursorDemo, ceiling; print(ceiling({self.demo!r}, {CEILING_S}))"
        code = f"import os; getattr(os, 'nice', int)(15); {code}"
        null = subprocess.DEVNULL  # whoever ends the demo meanwhile is not told of it
        got = subprocess.run([sys.executable, "-c", code], check=False, stdin=null, stdout=subprocess.PIPE, stderr=null)
        self.ceiling = round(float(got.stdout), 3) if got.returncode == 0 else None

    def do(self, what: str) -> None:
        """start, stop, pause, go, recalibrate, night, shock, drive, person."""
        super().do(what)
        if self._loop is None:
            return
        if what in ("pause", "go"):
            self._loop.pause(what == "pause")
        elif what in ("drive", "person"):
            self._loop.hand = self.push if self.drives else None
        elif what in ("recalibrate", "night", "shock"):
            self._asked.append(what)

    def halt(self) -> None:
        if self._loop is not None:
            self._loop.stop()

    def last_word(self) -> str:
        f = self._loop.facts() if self._loop else {"correct": 0, "wrong": 0, "bits_per_s": 0.0}
        kept = f" Recorded: {self.demo.record}" if self.demo.record else ""
        s = "" if f["correct"] == 1 else "s"
        return f"{f['correct']} target{s} hit, {f['wrong']} wrong, {f['bits_per_s']:.2f} bits/s (simulated).{kept}"

    def push(self, cursor: np.ndarray) -> tuple[np.ndarray, bool]:
        """Of the hand on the mouse, for a cursor there."""
        return self.pushed(cursor, HAND_REACH)

    # -- the loop

    def made(self) -> ClosedLoop:
        """A new loop, calibrated where a calibration is shipped for its implant. Only the first is recorded."""
        demo = self.demo
        known = shipped(demo.channels, demo.seed) if demo.ships and not self.calibrate else None
        self._known = known is not None
        loop = demo.loop(Gate(), self.clock, known)
        self._recording = demo.record is not None and self._thread is None
        if demo.record is not None and self._recording:
            from ...effectors.xdf import Xdf

            loop.add(Xdf(path=demo.record))
        return loop

    def play(self) -> str:
        loop, demo = self._loop, self.demo
        if loop is None:
            return "ended"
        self._hits = deque[tuple[float, int]]()
        self._latency, self._now = np.zeros(len(EDGES_MS) + 1, int), 0.0
        self._used: float | None = None  # when the calibration was over
        day_s = self.seconds or DAY_S
        total = None if self.seconds is None else day_s * (demo.days + 1)
        for k, moment in enumerate(loop.run(not self._known, total, demo.days, day_s, demo.learns, **demo.calibration)):
            self._act(loop)
            self.tell(self._frame(loop, moment, k))
        return "stopped" if loop.cursor.held else "ended"

    def _act(self, loop: ClosedLoop) -> None:
        while self._asked:
            what = self._asked.popleft()
            if what == "recalibrate":
                loop.recalibrate()
            elif not self.demo.raw:
                getattr(loop.board, what)()
                loop.day += what == "night"

    def _frame(self, loop: ClosedLoop, m: Moment, k: int) -> dict[str, Any]:
        scene, late = loop.scene, (self.clock.now() - float(m.chunk.time)) * 1000
        self._latency[np.searchsorted(EDGES_MS, late)] += 1
        self._now = k * STEP_S
        if m.phase == "use" and self._used is None:
            self._used = self._now
        if self._used is not None and (m.hit or m.wrong):
            self._hits.append((self._now, 1 if m.hit else -1))
        frame = {
            "t": round(self._now, 3),
            "at": round(float(m.chunk.time), 4),
            "cursor": rounded(scene.cursor[0]),
            "velocity": rounded(loop.cursor.moved),
            "decoded": rounded(m.chunk.data[-1, :2] / loop.decoder.speed),
            "push": rounded(scene.push[0]),
            "target": rounded(loop.task.target[0]),
            "size": round(float(loop.task.size[0]), 4),
            "stay": round(float(loop.task.stayed()[0]), 2),
            "phase": m.phase,
            "done": 1.0 if m.phase == "use" else round(self._now / CALIBRATION_S, 3),
            "held": loop.cursor.held,
            "hit": m.hit,
            "wrong": m.wrong,
            "counts": digits(m.counts),
        }
        if k % round(TOLD_S / STEP_S) == 0:
            frame["facts"] = self._facts(loop)
        return frame

    def _facts(self, loop: ClosedLoop) -> dict[str, Any]:
        demo, task, facts = self.demo, loop.task, loop.facts()
        while self._hits and self._hits[0][0] < self._now - WINDOW_S:
            self._hits.popleft()
        won = max(sum(v for _, v in self._hits), 0)
        over = None if self._used is None else max(min(self._now - self._used, WINDOW_S), 1.0)
        report = loop.loop.report()
        p50, p99 = report.latency_ms
        return {
            "what": "cursor",
            "task": demo.task,
            "choices": task.choices,
            "keys": ROWS if demo.task == "keyboard" else [],
            "round": not task.square,
            "now": over and round((float(np.log2(task.choices - 1)) if task.choices else 60.0) * won / over, 3),
            "bits": round(facts["bits_per_s"], 3),
            "throughput": facts["throughput"] and round(facts["throughput"], 3),
            "ceiling": self.ceiling,
            "correct": facts["correct"],
            "wrong": facts["wrong"],
            "latency": self._latency.tolist(),
            "edges": EDGES_MS,
            "p50": round(p50, 3) if p50 == p50 else None,
            "p99": round(p99, 3) if p99 == p99 else None,
            "board": report.status.state,
            "day": loop.day,
            "days": demo.days,
            "dead": [] if demo.raw else np.flatnonzero(~loop.board.neurons.alive[0]).tolist(),
            "raw": demo.raw,
            "features": ", ".join(FEATURES[demo.features]),
            "decoder": demo.decoder,
            "learns": loop.phase == "use" and demo.days > 0 and demo.learns is not None,
            "side": demo.side if demo.task == "grid" else 0,
            "stay_s": task.dwell_s,  # None: a click selects
            "channels": demo.channels,
            "seed": demo.seed,
            "drives": self.drives,
            "recording": self._recording,
            "parameters": fingerprint(),
        }
