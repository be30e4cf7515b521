"""The loop: a board, a line of stages, and sinks behind the Gate; on the wall clock or headless on one that jumps."""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from .clock import WALL, Clock, WallClock
from .errors import BciError, DeviceTrouble, WrongUse
from .parts import Board, Report, Sink
from .pipeline import Pipeline
from .stream import Chunk, Event, Stream

PULSE_S = 0.05  # how often sinks hear how the loop is
QUEUE_S = 10.0  # how much a sink's queue holds before chunks are dropped and counted
GRACE_S = 0.5  # a silent board ends a timed run this much later than its samples would
READ_S = 0.05  # the longest wait for samples before the loop looks at everything else
REMEMBERED = 4_000  # latencies kept for the percentiles; more would cost the loop milliseconds at each pulse


class Permit(Protocol):
    def send(self, c: Chunk) -> None: ...
    def close(self) -> None: ...


class Gate(Protocol):
    def open(self, sink: Sink, stream: Stream) -> Permit: ...


class Loop:
    """Reads the board, steps the line, sends to the sinks.

    add(sink, at): at "board" (as it came), "out" (behind the last stage) or the name of a stage. Inline sinks are sent to
    in the loop; others by a thread of their own through a bounded queue, whose drops are counted. Off the wall clock
    everything is inline, so that a seed gives the same bytes.
    """

    def __init__(self, board: Board, line: Pipeline | None = None, gate: Gate | None = None, clock: Clock = WALL) -> None:
        self.board, self.line, self.gate, self.clock = board, line or Pipeline(), gate, clock
        if self.line.leaky:
            leaky = [s.part_name() for s in self.line.stages if s.leaky]
            raise WrongUse(f"{', '.join(leaky)} looks ahead.", "It is for analysis only; a live loop cannot run it.")
        self._wanted: list[tuple[Sink, str]] = []
        self._lanes: list[tuple[int, _Lane]] = []
        self._marks: deque[tuple[str, Any, float]] = deque()
        self._stop = threading.Event()
        self._latency: deque[float] = deque(maxlen=REMEMBERED)
        self._arrival: deque[float] = deque(maxlen=REMEMBERED)
        self._samples = self._bridged = self._gaps = 0
        self._state, self._pulsed = "", -1.0
        self._began = clock.now()
        self.exit: int | None = None

    # -- setting up

    def add(self, sink: Sink, at: str = "out") -> None:
        """Let `sink` have the stream at a named place; opened, through the Gate, when the loop runs."""
        self._wanted.append((sink, at))

    def _place(self, at: str) -> int:
        places = {"board": -1, "out": len(self.line.stages) or -1}  # -1: as it came, its gaps not bridged
        for i, stage in enumerate(self.line.stages, 1):
            places.setdefault(stage.part_name(), i)
        if at not in places:
            raise WrongUse(f"The line has no stage {at!r} for a sink to stand on.", f"It has {', '.join(places)}.")
        return places[at]

    def _open(self) -> None:
        places = [(sink, self._place(at)) for sink, at in self._wanted]
        if places and self.gate is None:
            raise WrongUse("A sink needs a Gate.", do="Loop(board, line, gate=bcikit.ethics.gate.Gate())")
        self.board.clock = self.clock
        self.stream = self.board.open()
        self.out = self.line.start(self.stream)
        for sink, place in places:
            assert self.gate is not None
            permit = self.gate.open(sink, self.stream if place < 0 else self.line.streams[place])
            threaded = isinstance(self.clock, WallClock) and not sink.inline
            waits = sink.kind == "record" and not self.board.live  # nobody is kept waiting, so nothing need be dropped
            self._lanes.append((place, _Lane(sink, permit, threaded, waits)))
        if self._lanes:
            self.line.listen = self._heard

    # -- running

    def run(self, seconds: float | None = None) -> Report:
        """Until the board ends, `seconds` have passed, or `stop`. Closes everything, whatever happens."""
        for _ in self.chunks(seconds):
            pass
        return self.report()

    def chunks(self, seconds: float | None = None) -> Iterator[Chunk]:
        """The same, giving each chunk as it leaves the last stage."""
        try:
            if seconds is not None and not 0 < seconds < float("inf"):
                raise WrongUse(f"{seconds:g} s is not a length of time.", do="Leave it out to run until it is stopped.")
            self._open()
            frozen = isinstance(self.clock, WallClock)
            if frozen:  # a full collection would stop the loop for a tenth of a second
                gc.collect()
                gc.freeze()
            try:
                yield from self._turn(seconds)
                self.exit = 0
            finally:
                if frozen:
                    gc.unfreeze()
        except GeneratorExit:  # the caller has seen enough
            self.exit = 0
            raise
        except BciError as error:
            self.exit = error.exit_code
            raise
        finally:
            self._close()

    def _turn(self, seconds: float | None) -> Iterator[Chunk]:
        last, until = None, None if seconds is None else self.clock.now() + seconds + GRACE_S
        while not self._stop.is_set():
            c = self.board.read(READ_S)
            if c is not None:
                c = self._marked(c)
                if last is None and seconds is not None:
                    last = c.first + round(seconds * self.stream.rate) if self.stream.rate else None
                    until = self.clock.now() + seconds + (GRACE_S if last else 0)
                if last is not None and c.end >= last:
                    c = c.cut(max(last - c.first, 0), self.stream.rate)[0]
                    self._stop.set()
                yield self._one(c)
            state = self.board.status.state
            if c is None and state == "lost":
                raise DeviceTrouble(f"The board {self.board.part_name()} is lost.", self.board.status.note)
            if c is None and state == "ended":
                return
            self._pulse(state)
            if until is not None and self.clock.now() >= until:
                if not self._samples and last is None:
                    raise DeviceTrouble(f"No sample came in {seconds:g} s.", self.board.status.note)
                return

    def _one(self, c: Chunk) -> Chunk:
        came = self.clock.now()
        self._heard(-1, c)
        out = self.line.step(c)
        self._samples += len(c)
        for e in out.events:
            self._bridged += e.name == "bridged"
            self._gaps += e.name == "gap"
        if len(c) and np.ndim(c.time) == 0 and c.time <= came:  # a replay at full speed is ahead of its own time
            self._arrival.append(came - c.time)
            self._latency.append(self.clock.now() - c.time)
        return out

    def _heard(self, place: int, c: Chunk) -> None:
        for p, lane in self._lanes:
            if p == place:
                lane.put(c)

    def mark(self, name: str, value: Any = None, time: float | None = None) -> None:
        """Put an event into the stream at a moment of the clock (now, where none is given); from any thread."""
        self._marks.append((name, value, self.clock.now() if time is None else time))

    def _marked(self, c: Chunk) -> Chunk:
        events = []
        while self._marks:
            name, value, time = self._marks.popleft()
            index, uncertainty = self.board.index_of(time)
            events.append(Event(index, name, value, uncertainty))
        return c.but(events=(*c.events, *events)) if events else c

    def stop(self) -> None:
        """End after the chunk in hand; from any thread or signal handler."""
        self._stop.set()

    # -- telling

    def report(self) -> Report:
        """How it is now."""
        return Report(
            self.clock.now() - self._began,
            self.board.status,
            self._samples,
            _quantiles(self._latency),
            _quantiles(self._arrival),
            {lane.sink.part_name(): lane.dropped for _, lane in self._lanes if lane.dropped},
            self._bridged,
            self._gaps,
            self.exit,
            getattr(self.line, "repeated", 0),
        )

    def _pulse(self, state: str) -> None:
        now = self.clock.now()
        if not self._lanes or (state == self._state and now - self._pulsed < PULSE_S):
            return
        self._state, self._pulsed = state, now
        report = self.report()
        for _, lane in self._lanes:
            lane.put(report)
        for _, lane in self._lanes:
            if lane.error:
                raise lane.error

    def _close(self) -> None:
        """Board first, so that nothing more comes; then each sink has what is left, hears the end, and closes."""
        try:
            self.board.close()
        finally:
            if self.exit is None:
                self.exit = 1
            report = self.report()
            errors = [e for _, lane in self._lanes if (e := lane.close(report))]
            self._lanes = []
            self.line.listen = None
        if errors and self.exit == 0:
            self.exit = getattr(errors[0], "exit_code", 1)
            raise errors[0]


def _quantiles(seconds: deque[float]) -> tuple[float, float]:
    if not seconds:
        return (float("nan"), float("nan"))
    p50, p99 = np.percentile(np.fromiter(seconds, float), (50, 99)) * 1000
    return (float(p50), float(p99))


class _Lane:
    """The way to one sink: straight, or through a bounded queue and a thread."""

    def __init__(self, sink: Sink, permit: Permit, threaded: bool, waits: bool) -> None:
        self.sink, self.permit, self.waits = sink, permit, waits
        self.dropped = 0
        self.error: BaseException | None = None
        self._queue: deque[Chunk | Report] = deque()
        self._held = 0.0  # seconds of signal in the queue
        self._ready = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        if threaded:
            self._thread = threading.Thread(target=self._work, name=f"bcikit-{sink.part_name()}", daemon=True)
            self._thread.start()

    def put(self, item: Chunk | Report) -> None:
        if self.error:
            return
        if self._thread is None:
            self._give(item)
            return
        with self._ready:
            if isinstance(item, Chunk):
                seconds = self._seconds(item)
                while self._held + seconds > QUEUE_S and self._held and not self.error:
                    if not self.waits:
                        self.dropped += 1
                        return
                    self._ready.wait(READ_S)
                self._held += seconds
            elif self._queue and isinstance(self._queue[-1], Report):
                self._queue[-1] = item  # a newer report replaces one not yet read
                return
            self._queue.append(item)
            self._ready.notify()

    def _seconds(self, c: Chunk) -> float:
        return len(c) / self.sink.stream.rate if self.sink.stream.rate else 0.0

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closing:
                    self._ready.wait()
                if not self._queue:
                    return
                item = self._queue.popleft()
                if isinstance(item, Chunk):
                    self._held -= self._seconds(item)
                    self._ready.notify()
            self._give(item)

    def _give(self, item: Chunk | Report) -> None:
        if self.error:
            return
        try:
            if isinstance(item, Chunk):
                self.permit.send(item)
            else:
                self.sink.pulse(item)
        except BaseException as error:  # whatever it is, it ends this sink and is raised by the loop, not lost in a thread
            self.error = error

    def close(self, report: Report) -> BaseException | None:
        self.put(report)
        if self._thread is not None:
            with self._ready:
                self._closing = True
                self._ready.notify()
            self._thread.join(QUEUE_S)
        try:
            self.permit.close()
        except BaseException as error:
            self.error = self.error or error
        return self.error
