"""Several boards as one: samples on the first one's axis, marks as events, other signals as further channels."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.find import parse
from ..core.label import UNLABELLED, Label
from ..core.parts import Board, Setting, Status, settings_of
from ..core.stream import Channel, Chunk, Event, Stream

SAME_S = 1e-6  # moments nearer to each other are one: rounding decides nothing
AT_ONCE = 256  # chunks of another board that are taken in before the first board has its turn again


@dataclass(eq=False)
class Merge(Board):
    """The first board gives the axis: its samples pass as they are, and its index places everything else.

    What another board has as events becomes events, at the (not rounded) index of the first board at their time. Its
    signals (channels that are not markers) become further channels: a row has the newest sample that is not younger than
    the row, NaN where that is older than `stale_s`. So that such samples have time to arrive, rows leave `wait_s` after they
    were taken; the stream's delay counts it, and samples that come later than that are counted.

        bcikit stream --board merge --opt boards=openbci:port=/dev/ttyUSB0+lsl:name=Gaze
        Merge.of(Openbci(port="/dev/ttyUSB0"), Lsl(name="Gaze"))
    """

    boards: Annotated[tuple[str, ...], Setting("boards as NAME:key=value,...; with + between them; the first paces")] = ()
    wait_s: Annotated[float, Setting("how long a row waits for the other boards' samples", "s", low=0, high=10)] = 0.03
    stale_s: Annotated[float, Setting("older samples of another board are not repeated", "s", low=0, high=60)] = 0.25

    @classmethod
    def of(cls, first: Board, *others: Board, wait_s: float = 0.03, stale_s: float = 0.25) -> Merge:
        """The same of boards that are there already."""
        merge = cls(tuple(_written(b) for b in (first, *others)), wait_s, stale_s)
        merge._made = [first, *others]
        return merge

    def __post_init__(self) -> None:
        super().__post_init__()
        self._label = UNLABELLED
        self._made: list[Board] = []
        self._opened: list[Board] = []

    @classmethod
    def examples(cls) -> Iterator[Board]:
        yield cls(("synthetic:n=4", "synthetic:n=2,rate=100,seed=2"), wait_s=0.1)

    def _parts(self) -> list[Board]:
        self._made = self._made or [parse("board", text) for text in self.boards]
        return self._made

    @property
    def live(self) -> bool:  # type: ignore[override]
        """A person is at it where one is at any of its boards."""
        return any(board.live for board in self._parts())

    @property
    def label(self) -> Label:
        """Of the person at it; where nobody is, what its boards bear themselves."""
        own = [board.label for board in self._parts()]
        return reduce(Label.join, own) if own and not self.live else self._label

    @label.setter
    def label(self, label: Label) -> None:
        self._label = label

    def open(self) -> Stream:
        if len(self.boards) < 2:
            raise WrongUse("merge needs two boards or more.", do="--opt boards=synthetic+lsl:name=Markers")
        streams: list[Stream] = []
        try:
            for board in reversed(self._parts()):  # the first last: it need not wait for the others
                board.clock = self.clock
                board.label = self.label if board.live else board.label  # what is simulated says so itself
                self._opened.append(board)
                streams.insert(0, board.open())
        except BaseException:
            self.close()
            raise
        self._first, self._stream = self._made[0], streams[0]
        if not self._stream.rate:
            self.close()
            raise WrongUse(f"{streams[0].name} is irregular and cannot be the axis.", "Name first a board with samples.")
        self._others = [_Other(b, s) for b, s in zip(self._made[1:], streams[1:], strict=True)]
        self._begin: int | None = None  # the first board's first index
        self._held: deque[Chunk] = deque()  # the first board's, until their time to leave
        self._marks: list[tuple[str, Any, float, float]] = []  # name, value, time, uncertainty; not yet placed
        self._untimed = 0
        return self._described(streams)

    def _described(self, streams: list[Stream]) -> Stream:
        s, label, names = streams[0], streams[0].label, set(streams[0].names)
        channels = list(s.channels)
        for other in self._others:
            label = label.join(other.stream.label)
            for i in other.columns:
                c = other.stream.channels[i]
                name = _free(c.name, other.stream.name, names)
                names.add(name)
                channels.append(Channel(name, c.kind, c.unit, c.position))
        info = {**s.info, "merged": tuple(x.name for x in streams)}
        self._joins = len(channels) > len(s.channels)
        if not self._joins:
            return s.but(label=label, info=info)
        self._scale = None if s.scale is None else np.asarray(s.scale, np.float32)
        return s.but(channels=tuple(channels), delay=s.delay + self.wait_s, scale=None, label=label, info=info)

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if not self._opened:
            return None
        end = self.clock.now() + timeout
        while True:
            until = min(self._due(), end)
            c = self._first.read(max(until - self.clock.now(), 0.0))
            over = c is None and self._first.status.state in ("ended", "lost")
            if c is not None:
                self._held.append(c)
            elif self._held or not over:
                self.clock.sleep_until(until)
            for other in self._others:
                self._marks += other.listen()
            now = self.clock.now()
            if self._held and now >= self._due():
                return self._joined(self._held.popleft())
            if now >= end or (over and not self._held):
                return None

    def _due(self) -> float:
        """When the oldest rows may leave."""
        if not self._held:
            return math.inf
        newest = float(np.max(self._held[0].time))
        return newest + self.wait_s if self._joins and math.isfinite(newest) else -math.inf

    def _joined(self, c: Chunk) -> Chunk:
        self._begin = c.first if self._begin is None else self._begin
        events = [*c.events, *self._placed(self._begin)]
        if not self._joins:
            return c.but(events=tuple(events)) if len(events) > len(c.events) else c
        times = np.asarray(c.time_at(np.arange(len(c)), self._stream.rate), float)
        own = c.data if self._scale is None else c.data.astype(np.float32) * self._scale
        data = np.column_stack([own, *(o.at(times, self.stale_s) for o in self._others if o.columns)])
        return Chunk(np.ascontiguousarray(data), c.first, c.time, tuple(events))

    def _placed(self, begin: int) -> list[Event]:
        """Marks that now have a place on the first board's axis; those of before its beginning are none of this stream."""
        events, waiting = [], []
        for mark in self._marks:
            name, value, time, uncertainty = mark
            if not math.isfinite(time):  # it would wait for ever
                self._untimed += 1
                continue
            index, unsure = self._first.index_of(time)
            if math.isfinite(index) and index <= begin - 1:
                continue
            if math.isfinite(index):
                events.append(Event(index, name, value, math.hypot(uncertainty, unsure)))
            else:
                waiting.append(mark)
        self._marks = waiting
        return events

    def close(self) -> None:
        opened, self._opened = self._opened, []
        errors = []
        for board in opened:
            try:
                board.close()
            except Exception as error:  # the others are to be closed all the same
                errors.append(error)
        if errors:
            raise errors[0]

    @property
    def status(self) -> Status:
        if not hasattr(self, "_others"):
            return Status()
        status = self._first.status
        state = "streaming" if status.state in ("ended", "lost") and self._held and self._opened else status.state
        notes = [status.note] if status.note else []
        for other in self._others:
            said = other.board.status
            notes += [f"{other.stream.name}: {said.state}"] if said.state != "streaming" else []
            notes += [f"{other.stream.name}: {said.note}"] if said.note else []
            notes += [f"{other.late} samples of {other.stream.name} came later than wait_s"] if other.late else []
        notes += [f"{self._untimed} marks bore no time and are left out"] if self._untimed else []
        return replace(status, state=state, note="; ".join(notes))

    def index_of(self, time: float) -> tuple[float, float]:
        return self._first.index_of(time)


@dataclass(eq=False)
class _Other:
    """A board that is not the first: its marks, and what its signals were."""

    board: Board
    stream: Stream
    late: int = 0
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    told: float = -math.inf  # the newest row that left

    def __post_init__(self) -> None:
        marks = self.stream.of_kind("marker")
        self.columns = [i for i in range(len(self.stream.channels)) if i not in marks]
        if self.columns and len(self.stream.shape) != 1:
            raise WrongUse(f"{self.stream.name} has samples of shape {self.stream.shape}.", "merge joins rows of channels.")
        self.rows = np.empty((0, len(self.columns)), np.float32)
        scale = self.stream.scale
        self.scale = None if scale is None else np.broadcast_to(np.asarray(scale, np.float32), (len(self.stream.channels),))

    def listen(self) -> list[tuple[str, Any, float, float]]:
        """Take in all that has come; gives the marks: (name, value, time, uncertainty)."""
        marks = []
        for _ in range(AT_ONCE):
            if (c := self.board.read(0.0)) is None:
                break
            for e in c.events:
                marks.append((e.name, e.value, self._when(e, c), e.uncertainty))
            if self.columns and len(c):
                times = np.asarray(c.time_at(np.arange(len(c)), self.stream.rate), float)
                x = c.data[:, self.columns].astype(np.float32)
                x = x if self.scale is None else x * self.scale[self.columns]
                self.late += int((times <= self.told + SAME_S).sum())
                order = np.argsort(np.concatenate([self.times, times]), kind="stable")
                self.times = np.concatenate([self.times, times])[order]
                self.rows = np.concatenate([self.rows, x])[order]
        return marks

    def _when(self, e: Event, c: Chunk) -> float:
        rate = self.stream.rate
        if np.ndim(c.time):
            at = e.index - c.first
            return float(c.time[min(max(round(at), 0), len(c) - 1)]) if len(c) and math.isfinite(at) else math.nan
        return float(c.time) - ((c.end - 1 - e.index) / rate if rate else 0.0)

    def at(self, times: np.ndarray, stale: float) -> np.ndarray:
        """The newest sample not younger than each of these times; NaN where it is older than `stale`."""
        if not len(times):
            return np.empty((0, len(self.columns)), np.float32)
        found = np.searchsorted(self.times, times + SAME_S, side="right") - 1
        out = np.full((len(times), len(self.columns)), np.nan, np.float32)
        there = found >= 0
        there[there] = times[there] - self.times[found[there]] <= stale + SAME_S
        out[there] = self.rows[found[there]]
        self.told = float(times[-1])
        old = max(int(np.searchsorted(self.times, self.told - stale)) - 1, 0)
        self.times, self.rows = self.times[old:], self.rows[old:]
        return out


def _free(name: str, stream: str, taken: set[str]) -> str:
    """A name that no channel has yet."""
    tries = (name, f"{stream} {name}", *(f"{stream} {name} {i}" for i in range(2, len(taken) + 3)))
    return next(n for n in tries if n not in taken)


def _written(board: Board) -> str:
    """A board as `boards` writes it."""
    known = settings_of(type(board))
    said = {k: v for k, v in board.settings().items() if v != known[k].default}
    text = ",".join(f"{k}={'+'.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in said.items())
    return f"{board.part_name()}:{text}" if text else board.part_name()
