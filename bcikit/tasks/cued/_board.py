"""A board whose person is shown a task: what is shown becomes events on the sample at which it was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ...core.clock import Clock
from ...core.label import Label
from ...core.parts import Board, Status
from ...core.stream import Chunk, Event, Stream
from ._task import Step, Task

TERMINAL_S = 0.03  # from writing to a terminal until it is seen: up to two frames of 60 Hz; not measured
EARLY_S, LATE_S = 0.05, 0.3  # around a cue, in which a trigger belongs to it

Show = Callable[[str], None]


class Cued(Board):
    """Steps are counted on the board's own samples: a step is shown when the sample arrives at which the one before is over,
    the first `after` s behind the first sample.

    show: puts a text before the person and returns when that is done; the event then bears the moment after, and as its
    uncertainty `seen_s` and that of the board's clock. trigger: NAME or NAME=VALUE of the events that a photodiode or a
    digital pin gives, as `epoch` writes them: one near a cue replaces the cue's place, exact to a sample. A simulated person
    does what it is shown.
    """

    def __init__(
        self, board: Board, task: Task, show: Show, after: float = 0.0, seen_s: float = TERMINAL_S, trigger: str = ""
    ) -> None:
        self.board, self.task, self.show, self.after = board, task, show, after
        self.seen_s, self.trigger = seen_s, trigger
        self.done = False
        self.live = board.live

    @property
    def clock(self) -> Clock:
        return self.board.clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self.board.clock = clock

    @property
    def label(self) -> Label:
        return self.board.label

    @label.setter
    def label(self, label: Label) -> None:
        self.board.label = label

    def open(self) -> Stream:
        self._stream = self.board.open()
        self._steps: Iterator[Step] = self.task.steps()
        self._due: float | None = None  # the sample at which the next step begins
        self._waiting: list[tuple[Event, int]] = []  # cues that a trigger may yet place, and until which sample
        return self._stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        c = self.board.read(timeout)
        if c is None or not len(c):
            return c
        if self._due is None:
            self._due = c.first + self.after * self._stream.rate
        cues = []
        while not self.done and self._due < c.end:
            step = next(self._steps, None)
            if step is None:
                self.done = True
                break
            cues += self._shown(step)
            self._due += step.seconds * self._stream.rate
        return c.but(events=(*c.events, *self._placed(c, cues)))

    def _shown(self, step: Step) -> list[Event]:
        self.show(step.show)
        now = self.clock.now()
        for act in step.acts:
            self._do(act, now)
        if not step.event:
            return []
        index, uncertainty = self.board.index_of(now)
        return [Event(index, step.event, None, self.seen_s + uncertainty)]

    def _do(self, act: str, now: float) -> None:
        """What a simulated person does; a real one reads."""
        kind, _, rest = act.partition(":")
        ask = {"flash": "flash", "open": "eyes", "closed": "eyes"}.get(kind, "intend")
        doing = getattr(self.board, ask, None)
        if doing is not None:
            doing(rest == "target" if ask == "flash" else act, now)

    def _placed(self, c: Chunk, cues: list[Event]) -> list[Event]:
        """Cues whose place is known: at once, or once their trigger came or would have come."""
        if not self.trigger:
            return cues
        rate = self._stream.rate
        self._waiting += [(cue, int(cue.index + LATE_S * rate)) for cue in cues]
        triggers = [e for e in c.events if self._triggers(e)]
        out, kept = [], []
        for cue, until in self._waiting:
            near = [e for e in triggers if -EARLY_S * rate <= e.index - cue.index <= LATE_S * rate]
            if near:
                out.append(Event(near[0].index, cue.name, cue.value, near[0].uncertainty or 0.5 / rate))
                triggers.remove(near[0])
            elif c.end > until:
                out.append(cue)
            else:
                kept.append((cue, until))
        self._waiting = kept
        return out

    def _triggers(self, e: Event) -> bool:
        name, equals, value = self.trigger.partition("=")
        return e.name == name and (not equals or _number(e.value) == _number(value))

    def close(self) -> None:
        self.board.close()

    @property
    def status(self) -> Status:
        return self.board.status

    def index_of(self, time: float) -> tuple[float, float]:
        return self.board.index_of(time)


def _number(value: object) -> str:
    text = str(value)
    return f"{float(text):g}" if re.fullmatch(r"[-+]?\d+(\.\d*)?", text) else text
