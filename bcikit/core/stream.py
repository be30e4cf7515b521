"""What flows: a `Stream` says what the samples are, a `Chunk` is a piece of it, an `Event` is a mark on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .errors import WrongUse, nearest
from .label import UNLABELLED, Label


@dataclass(frozen=True)
class Channel:
    """One column. kind: eeg, emg, eog, ecg, ecog, spikes, accel, gyro, aux, digital, counter, marker, probability,
    velocity, position, power, ... unit: µV, g, Hz, ... position: (x, y, z) in metres, head coordinates, or None."""

    name: str
    kind: str = "eeg"
    unit: str = "µV"
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Stream:
    """What a source or a stage gives.

    rate: samples per second, 0 where irregular (decisions, epochs). shape: of one sample, `(channels,)` unless a
    stage adds an axis. delay: seconds by which what is told is older than `Chunk.time`. scale: units per count
    where data are integers (one number, or one for each channel), else None. alphabet: texts that the numbers of
    a decision index. label: privacy. info: facts for the record (model, firmware, settings); no logic reads it.
    """

    name: str
    rate: float
    channels: tuple[Channel, ...]
    shape: tuple[int, ...] = ()
    delay: float = 0.0
    scale: float | tuple[float, ...] | None = None
    alphabet: tuple[str, ...] = ()
    label: Label = UNLABELLED
    info: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.shape:
            object.__setattr__(self, "shape", (len(self.channels),))

    def but(self, **changes: Any) -> Stream:
        """The same stream with some facts changed; new channels bring their own shape unless one is given."""
        if "channels" in changes and "shape" not in changes:
            changes["shape"] = (len(changes["channels"]), *self.shape[1:])
        return replace(self, **changes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.channels)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.scale is None else np.int16)

    def pick(self, wanted: Iterable[str]) -> list[int]:
        """Columns of the named channels, in the order asked for. A kind ('eeg') names all channels of that kind."""
        columns: list[int] = []
        for name in wanted:
            found = [i for i, c in enumerate(self.channels) if name in (c.name, c.kind)]
            if not found:
                kinds = sorted({c.kind for c in self.channels})
                raise WrongUse(
                    f"{self.name} has no channel {name!r}.",
                    f"It has {', '.join(self.names[:24])}{' ...' if len(self.names) > 24 else ''}"
                    f" (kinds: {', '.join(kinds)}).",
                    nearest(name, list(self.names)),
                )
            columns += [i for i in found if i not in columns]
        return columns

    def of_kind(self, *kinds: str) -> list[int]:
        """Columns whose channel is of one of these kinds; may be empty."""
        return [i for i, c in enumerate(self.channels) if c.kind in kinds]


@dataclass(frozen=True, slots=True)
class Event:
    """A mark at `index` of its stream's samples (not rounded; may lie between two). value: a text, number or None.
    uncertainty: seconds."""

    index: float
    name: str
    value: Any = None
    uncertainty: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A piece of a stream: `data` (samples, *shape), read-only; `first`, the running index of its first sample (of the
    sample to come where it is empty); `time`, when its newest sample was taken (seconds, monotonic clock; one for
    each sample where the stream is irregular); and the events that became known with it."""

    data: np.ndarray
    first: int
    time: Any = float("nan")
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if self.data.flags.writeable:
            view = self.data.view()
            view.flags.writeable = False
            object.__setattr__(self, "data", view)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def end(self) -> int:
        """Index of the sample after the last one."""
        return self.first + len(self.data)

    def but(self, **changes: Any) -> Chunk:
        return replace(self, **changes)

    def time_at(self, row: int | np.ndarray, rate: float) -> Any:
        """When sample `row` of this chunk was taken; rows before it are reckoned back with `rate`."""
        if np.ndim(self.time):
            return self.time[row]
        return self.time - (len(self.data) - 1 - row) / rate if rate else self.time

    def cut(self, at: int, rate: float) -> tuple[Chunk, Chunk]:
        """Two chunks: rows before `at`, and the rest; an event goes with the row it stands on or before."""
        border = self.first + at
        head_events = tuple(e for e in self.events if e.index < border)
        tail_events = tuple(e for e in self.events if e.index >= border)
        if np.ndim(self.time):
            head_time, tail_time = self.time[:at], self.time[at:]
        else:
            head_time, tail_time = self.time_at(at - 1, rate), self.time
        return (
            Chunk(self.data[:at], self.first, head_time, head_events),
            Chunk(self.data[at:], border, tail_time, tail_events),
        )


def joined(chunks: list[Chunk]) -> Chunk:
    """One chunk out of neighbours that follow each other without a gap."""
    if len(chunks) == 1:
        return chunks[0]
    time = chunks[-1].time
    if np.ndim(time):
        time = np.concatenate([np.atleast_1d(c.time) for c in chunks])
    else:
        time = next((c.time for c in reversed(chunks) if len(c)), time)
    return Chunk(
        np.concatenate([c.data for c in chunks]),
        chunks[0].first,
        time,
        tuple(e for c in chunks for e in c.events),
    )


@dataclass(frozen=True, eq=False)
class Recording:
    """A stream at rest: its description and its chunks in order; where `first` jumps, samples are missing."""

    stream: Stream
    chunks: tuple[Chunk, ...]
    info: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Chunk]:
        return iter(self.chunks)

    @property
    def data(self) -> np.ndarray:
        """All samples that are there, one after the other: (samples, *shape)."""
        return np.concatenate([np.empty((0, *self.stream.shape), self.stream.dtype), *(c.data for c in self.chunks)])

    @property
    def index(self) -> np.ndarray:
        """The running index of each row of `data`."""
        return np.concatenate([np.empty(0, int), *(np.arange(c.first, c.end) for c in self.chunks)])

    @property
    def time(self) -> np.ndarray:
        """Seconds at which each row of `data` was taken."""
        times = (c.time_at(np.arange(len(c)), self.stream.rate) for c in self.chunks)
        return np.concatenate([np.empty(0), *(np.atleast_1d(t) for t in times)])

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(e for c in self.chunks for e in c.events)

    def recut(self, sizes: Iterable[int]) -> Recording:
        """The same samples in chunks of these lengths (the last is repeated by the caller's iterator, or the rest
        comes whole). Where the samples have gaps, a chunk ends there; events come when they became known: an event
        on a later row with that row, an earlier one with the row it arrived on."""
        out: list[Chunk] = []
        sizes = iter(sizes)
        for c in self.chunks:
            late = tuple(e for e in c.events if e.index < c.first)
            rest = c.but(events=tuple(e for e in c.events if e.index >= c.first))
            while True:
                n = next(sizes, len(rest))
                if n >= len(rest):
                    out.append(rest.but(events=late + rest.events))
                    break
                head, rest = rest.cut(n, self.stream.rate)
                out.append(head.but(events=late + head.events))
                late = ()
        return replace(self, chunks=tuple(out))


def recording(stream: Stream, data: np.ndarray, events: Iterable[Event] = (), start: float = 0.0) -> Recording:
    """A recording from one array (samples, *shape) without gaps, its first sample taken at `start` seconds."""
    data = np.ascontiguousarray(data, stream.dtype)
    time = start + (len(data) - 1) / stream.rate if stream.rate else start + np.arange(len(data), dtype=float)
    return Recording(stream, (Chunk(data, 0, time, tuple(events)),))
