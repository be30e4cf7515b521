"""EEG on the page: what is asked of a person, their signal, what the decoder makes of it, and what was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.clock import WALL, Clock
from ...core.parts import Sink
from ...core.stream import Chunk, Stream
from ...decode._model import Model
from ...effectors._drawing import Drawing, word
from ...ethics.gate import Gate
from ...kernels import one_thread
from ...simulate.facts import fact
from ...tasks.asked import Asked, Asking, scored, task_of
from .live import TOLD_S, Live

ENDLESS = 1_000_000  # questions
KEPT = 40  # answers shown
NO_SIGNAL: dict[str, Any] = {"counts": "", "push": [], "eeg": [], "marks": []}

Calibrate = Callable[[Asking, float, Callable[[float], None]], Model]


class _Over(Exception):
    """The calibration is broken off."""


class Heard(Sink):
    """What came since it was last taken."""

    inline = True

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.chunks: list[Chunk] = []

    def send(self, c: Chunk) -> None:
        self.chunks.append(c)

    def taken(self) -> list[Chunk]:
        out, self.chunks = self.chunks, []
        return out


class EegLive(Live):
    """A simulated person answers in real time by imagery, flicker or flashes (`kind`), in a new sitting whenever it begins
    anew; before the first a model is calibrated, as fast as it goes, by `calibrate(task, lapse, told)`. lapse: share of what
    is asked that they miss; without, the table's. Only the first sitting is recorded.

    Frames: {eeg: [[µV]] a row a sample, names, rate, marks: [[samples before the newest, what was shown]], wanted, chances:
    [[choice, probability]] where there are new ones, drawing, done, held}."""

    name = "bcikit-demo"

    def __init__(
        self,
        kind: str,
        seed: int,
        calibrate: Calibrate,
        lapse: float | None = None,
        seconds: float | None = None,
        record: str | None = None,
        clock: Clock = WALL,
    ) -> None:
        super().__init__(clock, seconds)
        self.kind, self.seed, self.record = kind, seed, record
        self.lapse = fact("lapse") if lapse is None else lapse
        self._calibrate, self._sittings = calibrate, 0
        self._model: Model | None = None
        self._task, self._halted = task_of(kind, n=ENDLESS, seed=seed), False
        self._asked: Asked | None = None
        self._prompt = self._wanted = self._lit = ""

    # -- from the page

    def do(self, what: str) -> None:
        """start, stop, pause, go, or a choice: it is asked next."""
        super().do(what)
        if what in ("pause", "go"):
            self._task.paused = what == "pause"
        elif what in self._task.choices:
            self._task.wish = what

    def halt(self) -> None:
        self._halted = True
        if self._asked is not None:
            self._asked.loop.stop()

    def last_word(self) -> str:
        right = sum(a.given == a.wanted for a in self._task.answers)
        kept = f" Recorded: {self.record}" if self.record else ""
        return f"{right} of {len(self._task.answers)} answers were right (simulated).{kept}"

    # -- question after question

    def play(self) -> str:
        with one_thread():
            return self._play()

    def _play(self) -> str:
        self._halted, self._asked = False, None
        its = self._task = task_of(self.kind, n=ENDLESS, seed=self.seed)
        try:
            model = self._model = self._model or self._calibrate(its, self.lapse, self._learning)
        except _Over:
            return "stopped"
        self._sittings += 1
        asked = Asked(its.board(self.lapse, self._sittings), its, model, Gate(), self.clock)
        signal, opinion = Heard(), Heard()
        asked.add(signal)
        asked.add(opinion, asked.opinion)
        asked.cued.show = self._shown
        if self.record is not None and self._sittings == 1:
            from ...effectors.xdf import Xdf

            asked.add(Xdf(path=self.record))
        self._asked, told = asked, 0.0
        for _ in asked.loop.chunks(self.seconds):
            if self._halted:
                asked.loop.stop()
            if now := [c for c in signal.taken() if len(c)]:
                frame = self._frame(signal.stream, now, opinion)
                if now[-1].time >= told:
                    told = float(now[-1].time) + TOLD_S
                    frame["facts"] = self._facts(asked, model)
                self.tell(frame)
        return "stopped" if self._halted else "ended"

    def _learning(self, done: float) -> None:
        """So much of the calibration is over."""
        if self._halted:
            raise _Over
        waits = Drawing((), (), (word("body", (0, 0, 0), "a few minutes of calibration, as fast as they go"),))
        self.tell({**NO_SIGNAL, "drawing": waits.plain(), "done": min(done, 0.99), "held": False, "phase": "calibrate"})

    def _shown(self, text: str) -> None:
        """What the task puts before the person."""
        self._lit = text[2:-2] if text.startswith("[ ") else ""
        if text and not self._lit:
            self._prompt = " ".join(text.split())
        if text.startswith("next: "):
            self._wanted = text.removeprefix("next: ")

    def _frame(self, s: Stream, now: list[Chunk], opinion: Heard) -> dict[str, Any]:
        drawing = self._task.drawing(self._wanted, self._lit)
        drawing += Drawing((), (), (word("body", (0, 0, 0.42), self._prompt),))
        end = now[-1].end
        frame = {
            **NO_SIGNAL,
            "eeg": np.round(np.concatenate([c.data for c in now]), 1).tolist(),
            "names": s.names,
            "rate": s.rate,
            "marks": [[round(end - e.index), e.name.rpartition(" ")[2]] for c in now for e in c.events if " " in e.name],
            "drawing": drawing.plain(),
            "wanted": self._wanted,
            "done": 1.0,
            "held": self._task.paused,
            "phase": "use",
        }
        rows = [row for c in opinion.taken() for row in c.data]
        if rows and np.isfinite(rows[-1]).all():
            columns = opinion.stream.of_kind("probability")
            frame["chances"] = [[opinion.stream.names[i], round(float(rows[-1][i]), 3)] for i in columns]
        return frame

    def _facts(self, asked: Asked, model: Model) -> dict[str, Any]:
        its, report = self._task, asked.loop.report()
        newest = its.answers[-KEPT:]
        p50, p99 = report.latency_ms
        return {
            "what": self.kind,
            "about": its.about,
            "channels": len(its.channels),
            "choices": its.choices,
            "trials": [[a.given == a.wanted, round(a.seconds, 1), f"{a.wanted} → {a.given or 'nothing'}"] for a in newest],
            "count": len(its.answers),
            **(scored(its.answers, len(its.choices), its.pause_s) if its.answers else {}),
            "decoder": model.decoder.part_name(),
            "lapse": self.lapse,
            "board": report.status.state,
            "p50": round(p50, 3) if p50 == p50 else None,
            "p99": round(p99, 3) if p99 == p99 else None,
            "recording": self.record is not None and self._sittings == 1,
            "seed": self.seed,
        }
