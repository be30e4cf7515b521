"""The three kinds of part: `Board`, `Stage`, `Sink`. What is kept of one is said by the name:

name      a setting                       (a dataclass field)
name_     what was learnt                 (`fit`, `adapt`; kept by `start`)
_name     state of the stream             (cleared by `start`)
name      anything else is derived from settings and stream, made anew by `start` and never saved
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .clock import WALL, Clock
from .errors import WrongUse
from .grid import Grid
from .label import DECLASSIFIERS, UNLABELLED, Label
from .settings import Part, Setting, settings_of
from .stream import Chunk, Event, Stream

__all__ = ["Board", "Part", "Report", "Setting", "Sink", "Stage", "Status", "settings_of"]


@dataclass(frozen=True)
class Status:
    """How a board is. state: connecting, streaming, stale, reconnecting, lost or ended. age_s: since the newest
    sample was taken. rate_hz: as measured (nan before it is). lost: samples known to be missing. clock_s: uncertainty
    of the times. note: one line for the person. polling_ms: p50, p99 of how long a driver holds what it has read."""

    state: str = "connecting"
    age_s: float = float("nan")
    rate_hz: float = float("nan")
    lost: int = 0
    clock_s: float = float("nan")
    note: str = ""
    polling_ms: tuple[float, float] = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Report:
    """How a running loop is. Times in seconds since its start, latencies in milliseconds: `latency` from the moment the
    newest sample of a chunk was taken to the chunk out of the last stage, `arrival` the part of it before the loop had it.
    dropped: chunks that a slow sink missed, by sink."""

    time_s: float
    status: Status
    samples: int
    latency_ms: tuple[float, float]  # p50, p99
    arrival_ms: tuple[float, float]
    dropped: Mapping[str, int]
    bridged: int = 0
    gaps: int = 0
    exit: int | None = None
    repeated: int = 0  # samples that the line dropped: their index was there already


class Board(Part):
    """Where samples come from. `read` gives what has come since the last call, waiting up to `timeout` seconds on
    `self.clock`, or None where nothing came; `status.state` then says whether that is a pause or the end. Whoever opens
    a board sets `clock` and the `label` of the person at it before; a simulated board brings its own label.
    live: a person is at it now, who is asked before it is opened; not so where it simulates or replays."""

    room = "board"
    live: bool = True
    clock: Clock = WALL
    label: Label = UNLABELLED

    def open(self) -> Stream:
        raise NotImplementedError(f"{type(self).__name__} has no open()")

    def read(self, timeout: float = 0.1) -> Chunk | None:
        raise NotImplementedError(f"{type(self).__name__} has no read()")

    def close(self) -> None:
        """Final and idempotent; leaves no thread, port or file."""

    @property
    def status(self) -> Status:
        return Status()

    def index_of(self, time: float) -> tuple[float, float]:
        """Where a moment of the monotonic clock lies on the sample axis: (index, uncertainty in seconds)."""
        raise WrongUse(f"{self.part_name()} cannot place marks.", do="Its author writes index_of(time).")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Stage(Part):
    """A causal, stateful map from a stream to a stream.

    An author writes `setup`, which checks the stream, makes the state and returns the output's description; and
    `rows`, which turns a block of samples into as many. A stage that changes the rate sets `self.grid` (and
    `self.need`, how many samples one output looks back on) in `setup`, and writes `ticks` instead of `rows`.
    The base class keeps indices, times, events, labels and NaN.

    holds: NaN and Inf are replaced by the channel's last good value before `rows`, and where the output has a sample
    for every sample and channel, marked NaN there again: nothing is invented and nothing sticks.
    counts: takes the board's integers as they are. leaky: looks ahead; for analysis only, the loop refuses it.
    learns_from: names of the events that teach it. settle: seconds after which a fault in the input has left no trace.
    exempt: laws it cannot keep, each with the reason.
    """

    room = "stage"
    holds: ClassVar[bool] = True
    counts: ClassVar[bool] = False
    leaky: ClassVar[bool] = False
    learns_from: ClassVar[tuple[str, ...]] = ()
    exempt: ClassVar[Mapping[str, str]] = {}
    settle: float = 1.0
    grid: Grid = Grid()
    need: int = 1
    at: int = 0  # index of the first of the rows that `rows` or `ticks` is given
    bad: np.ndarray | None = None  # which of their values were NaN or Inf, where any was
    into: Stream
    out: Stream

    # -- what an author writes

    def setup(self, s: Stream) -> Stream:
        """Check the stream, make the state, say what comes out. Raises WrongUse where the stream does not fit."""
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        """x (samples, *shape) -> (samples, *out.shape), a fresh array."""
        return self.ticks(x, np.arange(len(x)))  # of a stage that could change the rate, and does not

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        """x (samples, *shape) -> (len(due), *out.shape): the outputs that use input up to the rows `due` of x."""
        raise NotImplementedError(f"{type(self).__name__} has neither rows() nor ticks()")

    def adapt(self, event: Event) -> None:
        """Learn from an event named in `learns_from`; called behind the sample it stands on."""

    # -- what others call

    def start(self, s: Stream) -> Stream:
        """Begin on a stream; forgets all but what was learnt."""
        keep = settings_of(type(self))
        for name in [n for n in vars(self) if n not in keep and not n.endswith("_")]:
            delattr(self, name)
        self._begin: int | None = None  # index of the first sample seen
        self._last: np.ndarray | None = None  # last good value of each column
        out = self.setup(s)
        if out.label.level > s.label.level and type(self).__module__ not in DECLASSIFIERS:
            raise WrongUse(f"{self.part_name()} may not lower the privacy level of {s.name}.")
        self.into, self.out = s, out
        return out

    def step(self, c: Chunk) -> Chunk:
        """The output for the next chunk. Chunks follow each other without gaps: the Pipeline sees to that."""
        if self._begin is None:
            self._begin = c.first
        self.at = c.first
        x, self.bad = self._held(c.data) if self.holds else (c.data, None)
        if self.grid.same:
            y = self.rows(x)
            if self.bad is not None and y.shape == self.bad.shape:
                y[self.bad] = np.nan
            return Chunk(y, c.first, c.time, c.events)
        first, due = self.grid.due(c.first, len(c), self._begin + self.need - 1)
        y = self.ticks(x, due)
        time = c.time
        if len(due) or np.ndim(time):
            time = c.time_at(due if np.ndim(time) else int(due[-1]), self.into.rate)
        events = tuple(Event(self.grid.place(e.index), e.name, e.value, e.uncertainty) for e in c.events)
        return Chunk(y, first, time, events)

    def gap(self, seconds: float) -> None:
        """Samples are missing: begin anew, unless the stage says otherwise."""
        self.start(self.into)

    def _held(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if x.dtype.kind != "f":
            return x, None
        good = np.isfinite(x)
        if good.all():
            if len(x):
                self._last = x[-1].copy()
            return x, None
        last = np.zeros(x.shape[1:], x.dtype) if self._last is None else self._last
        padded = np.concatenate([last[None], x])
        newest = np.where(good, np.arange(1, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1)), 0)
        np.maximum.accumulate(newest, axis=0, out=newest)
        held = np.take_along_axis(padded, newest, axis=0)
        self._last = held[-1].copy()
        return held, ~good

    # -- what is kept

    def state(self) -> dict[str, Any]:
        """A copy of the state of the stream: arrays and plain values."""
        return {n: _plain(v, f"{self.part_name()}.{n}") for n, v in vars(self).items() if n[0] == "_"}

    def learned(self) -> dict[str, Any]:
        """A copy of what was learnt: arrays and plain values."""
        return {n: _plain(v, f"{self.part_name()}.{n}") for n, v in vars(self).items() if n[-1] == "_" and n[0] != "_"}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Put back what `state()` or `learned()` gave; for state, after `start` on the same stream."""
        for name, value in kept.items():
            setattr(self, name, _plain(value, name))


class Sink(Part):
    """Where a stream goes; opened only through the Gate. kind: view, record, effector, train (local), or lsl, network,
    export, model. inline: sent to in the loop itself, at once; else through a bounded queue by a thread of its own. plain:
    whoever has the file that it records can read it. real: it moves something in the world, so its stop is tried first."""

    room = "sink"
    kind: ClassVar[str] = "view"
    inline: ClassVar[bool] = False
    plain: ClassVar[bool] = True
    real: bool = False
    stream: Stream

    def open(self, s: Stream, permit: Any) -> None:
        """Called by the Gate alone, with its permit."""
        if getattr(permit, "sink", None) is not self:
            raise WrongUse(f"{self.part_name()} is opened through the Gate: gate.open(sink, stream).")
        self.stream = s

    def send(self, c: Chunk) -> None:
        """One bounded act; called by the permit alone."""
        raise NotImplementedError(f"{type(self).__name__} has no send()")

    def pulse(self, report: Report) -> None:
        """How the loop is: some twenty times a second, and at once when the board's state changes."""

    def safe(self) -> None:
        """Go to the safe state; works at any time. Only what acts on the world has something to do."""

    def close(self) -> None:
        """Final and idempotent."""


def _plain(value: Any, where: str) -> Any:
    """A deep copy of arrays and plain values; anything else cannot be kept, and says so."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v, where) for v in value)
    if isinstance(value, Mapping):
        return {k: _plain(v, where) for k, v in value.items()}
    raise WrongUse(f"{where} is a {type(value).__name__}, which cannot be saved.", "State is arrays and plain values.")
