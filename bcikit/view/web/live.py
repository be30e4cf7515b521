"""The cursor demo in real time, in a thread of its own: what the page shows, and what its buttons do."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ...acquire.units import Units
from ...core.clock import WALL, Clock
from ...core.errors import BciError
from ...decode.kinematics.steering import Steering
from ...ethics.gate import Gate
from ...simulate.loop_facts import fact, fingerprint
from ...tasks.closed_loop import DAY_S, DECODERS, ClosedLoop, Moment
from ...tasks.grid import Grid
from ...tasks.shipped import shipped
from ...tasks.world import STEP_S

WINDOW_S = 30.0  # over which the bits of the history are counted
TOLD_S = 0.5  # how often the slow facts are told
EDGES_MS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # of the latency's histogram
HAND_REACH = 0.1  # widths between mouse and cursor from which on a hand pushes fully
HAND_S = 0.5  # a hand not heard of for so long is at rest


class Live:
    """A running loop, or one that was stopped and can begin again. `tell` is called with every frame, a dict of plain
    values, from the loop's thread. Everything else may be called from any thread.

    Frames: {cursor, target, size, goal, velocity, push, phase, hit, wrong, counts: a digit a channel} fifty times a second,
    with {facts: ...} twice a second; {state: stopped | ended, note} when it ends."""

    def __init__(
        self,
        channels: int,
        side: int,
        seed: int,
        calibrate: bool,
        seconds: float | None,
        clock: Clock = WALL,
        days: int = 0,
        decoder: str = "prit",
    ) -> None:
        self.days, self.decoder = days, decoder
        self.channels, self.side, self.seed, self.clock = channels, side, seed, clock
        self.calibrate, self.seconds = calibrate, seconds
        self.tell: Callable[[dict[str, Any]], None] = lambda frame: None
        self.ended: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._loop: ClosedLoop | None = None
        self._asked: deque[str] = deque()
        self._hand = (0.0, 0.0, False, -1e9)  # x, y, pressed, when
        self.drives = False

    # -- from the page

    def start(self) -> None:
        """Begin, unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._loop = self._made()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="bcikit-demo", daemon=True)
        self._thread.start()

    def do(self, what: str) -> None:
        """start, stop, pause, go, recalibrate, night, shock, drive, person; anything else is let pass."""
        loop = self._loop
        if what == "start":
            self.start()
        elif loop is None:
            return
        elif what == "stop":
            loop.stop()
        elif what in ("pause", "go"):
            loop.pause(what == "pause")
        elif what in ("drive", "person"):
            self.drives = what == "drive"
            loop.hand = self._push if self.drives else None
        else:
            self._asked.append(what)

    def hand(self, x: float, y: float, pressed: bool) -> None:
        """Where the mouse is, in widths of the workspace."""
        self._hand = (min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0), pressed, self.clock.now())

    def leave(self) -> None:
        """The page is gone: nobody's hand is on it."""
        self._hand = (*self._hand[:3], -1e9)

    def close(self) -> None:
        """End it and wait until it has."""
        if self._loop is not None:
            self._loop.stop()
        if self._thread is not None:
            self._thread.join(5)

    def last_word(self) -> str:
        """How it went, in a line."""
        f = self._loop.facts() if self._loop else {"correct": 0, "wrong": 0, "bits_per_s": 0.0}
        return f"{f['correct']} targets hit, {f['wrong']} wrong, {f['bits_per_s']:.2f} bits/s (simulated)."

    # -- the loop

    def _made(self) -> ClosedLoop:
        settings, self._learns = DECODERS[self.decoder]
        board, decoder = Units(n=self.channels, seed=self.seed), Steering(**settings)
        known = None if self.calibrate or settings else shipped(self.channels, self.seed)
        if known is not None:
            decoder.restore(known)
        self._known = known is not None
        return ClosedLoop(board, decoder, Grid([self.seed], STEP_S, fact("dwell_s"), self.side), Gate(), self.clock)

    def _push(self, cursor: np.ndarray) -> tuple[np.ndarray, bool]:
        x, y, pressed, when = self._hand
        if self.clock.now() - when > HAND_S:
            return np.zeros(2), False
        way = np.array([x, y]) - cursor
        far = float(np.hypot(*way))
        return way / max(far, 1e-9) * min(far / HAND_REACH, 1.0), pressed

    def _run(self, loop: ClosedLoop) -> None:
        self._hits = deque[tuple[float, int]]()
        self._latency, self._now = np.zeros(len(EDGES_MS) + 1, int), 0.0
        state, note = "ended", ""
        try:
            day_s = self.seconds or DAY_S
            total = None if self.seconds is None else day_s * (self.days + 1)
            for k, moment in enumerate(loop.run(not self._known, total, self.days, day_s, self._learns)):
                self._act(loop)
                self.tell(self._frame(loop, moment, k))
            state = "stopped" if loop.cursor.held else "ended"
        except BciError as error:
            note = str(error)
        finally:
            self.tell({"state": state, "note": note})
            if self.seconds is not None and state == "ended":
                self.ended()

    def _act(self, loop: ClosedLoop) -> None:
        while self._asked:
            what = self._asked.popleft()
            if what == "recalibrate":
                loop.recalibrate()
            elif what in ("night", "shock"):
                getattr(loop.board, what)()
                loop.day += what == "night"

    def _frame(self, loop: ClosedLoop, m: Moment, k: int) -> dict[str, Any]:
        scene, late = loop.scene, (self.clock.now() - float(m.chunk.time)) * 1000
        self._latency[np.searchsorted(EDGES_MS, late)] += 1
        self._now = k * STEP_S
        if m.hit or m.wrong:
            self._hits.append((self._now, 1 if m.hit else -1))
        frame = {
            "t": round(self._now, 3),
            "cursor": _round(scene.cursor[0]),
            "velocity": _round(loop.cursor.moved),
            "decoded": _round(m.chunk.data[-1] / loop.decoder.speed),
            "push": _round(scene.push[0]),
            "target": _round(loop.task.target[0]),
            "size": round(float(loop.task.size[0]), 4),
            "phase": m.phase,
            "held": loop.cursor.held,
            "hit": m.hit,
            "wrong": m.wrong,
            "counts": "".join(map(str, np.minimum(m.counts, 9).astype(int))),
        }
        if k % round(TOLD_S / STEP_S) == 0:
            frame["facts"] = self._facts(loop)
        return frame

    def _facts(self, loop: ClosedLoop) -> dict[str, Any]:
        while self._hits and self._hits[0][0] < self._now - WINDOW_S:
            self._hits.popleft()
        won = max(sum(v for _, v in self._hits), 0)
        p50, p99 = loop.loop.report().latency_ms
        return {
            "bits_now": round(float(np.log2(self.side**2 - 1)) * won / max(min(self._now, WINDOW_S), 1.0), 3),
            "bits": round(loop.facts()["bits_per_s"], 3),
            "correct": int(loop.task.correct[0]),
            "wrong": int(loop.task.wrong[0]),
            "latency": self._latency.tolist(),
            "edges": EDGES_MS,
            "p50": round(p50, 3) if p50 == p50 else None,
            "p99": round(p99, 3) if p99 == p99 else None,
            "day": loop.day,
            "dead": np.flatnonzero(~loop.board.neurons.alive[0]).tolist(),
            "side": self.side,
            "channels": self.channels,
            "seed": self.seed,
            "drives": self.drives,
            "speed": loop.decoder.speed,
            "parameters": fingerprint(),
        }


def _round(v: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in v]
