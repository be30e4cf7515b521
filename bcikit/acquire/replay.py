"""A recording played as if its board were there: paced, with its events and its gaps, and with faults on request."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Board, Setting, Status
from ..core.stream import Chunk, Event, Recording, Stream
from ..files.read import read
from ._faults import Faults, pairs

AT = "a list of AT:SECONDS from the first sample; the channel is drawn"


@dataclass(eq=False)
class Replay(Board):
    """Any recording that `bcikit.files.read` reads. Samples, indices and events are those of the file; times are the
    file's, its first sample being taken when the board is opened. Its label comes from the file or from its data-set
    card. Sample k comes at its own deadline, so a replay of days stays on time; at speed 0 everything comes at once,
    with the times that it would have had."""

    live = False

    file: Annotated[str, Setting("the recording")] = ""
    speed: Annotated[float, Setting("times real time; 0 is as fast as possible", low=0, high=1000)] = 1.0
    chunk: Annotated[float, Setting("how much comes at a time", "s", low=0.001, high=60)] = 0.04
    loop: Annotated[bool, Setting("begin again at the end, the index going on")] = False
    rate: Annotated[float | None, Setting("where the file does not say it", "Hz", low=0.01, high=1e6)] = None
    channels: Annotated[tuple[str, ...], Setting("names of the electrodes, in order, where the file has none")] = ()
    columns: Annotated[tuple[str, ...], Setting("of a table: those that are channels")] = ()
    kind: Annotated[str, Setting("what the electrodes were on: eeg, emg, ...")] = ""
    unit: Annotated[str, Setting("of the numbers in a table or array: V, mV, µV, nV")] = ""
    scale: Annotated[float, Setting("times what the file says", low=-1e9, high=1e9)] = 1.0
    stream: Annotated[str, Setting("of an XDF file: the stream meant, by name, type or id")] = ""
    device: Annotated[str, Setting("of a BrainFlow file: cyton, ganglion, ... or BrainFlow's number")] = ""
    key: Annotated[str, Setting("of an .npz file: the array meant")] = ""
    bits: Annotated[int | None, Setting("of a Neuroscan .cnt that does not say it: 16 or 32", low=16, high=32)] = None
    drop: Annotated[float, Setting("fault: the share of samples that is lost", low=0, high=1)] = 0.0
    duplicate: Annotated[float, Setting("fault: the share of samples that comes twice", low=0, high=1)] = 0.0
    jump: Annotated[tuple[str, ...], Setting("fault: the index jumps; a list of AT:SAMPLES, which may be negative")] = ()
    nan: Annotated[tuple[str, ...], Setting(f"fault: no number; {AT}")] = ()
    rail: Annotated[tuple[str, ...], Setting(f"fault: at the amplifier's rail; {AT}")] = ()
    flat: Annotated[tuple[str, ...], Setting(f"fault: stuck at one value; {AT}")] = ()
    disconnect: Annotated[tuple[str, ...], Setting("fault: nothing comes; a list of AT:SECONDS")] = ()
    seed: Annotated[int, Setting("of the faults", low=0)] = 0
    stale_s: Annotated[float, Setting("without a sample for so long is stale", "s", low=0.01, high=60)] = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        at = {n: pairs(n, getattr(self, n)) for n in ("jump", "nan", "rail", "flat", "disconnect")}
        self._faults = Faults(self.drop, self.duplicate, **at, seed=self.seed)
        self._pieces: Iterator[tuple[float, Chunk]] = iter(())
        self._next: tuple[float, Chunk] | None = None
        self._newest: Chunk | None = None
        self._end: int | None = None  # index of the sample to come
        self._lost = 0
        self._opened = False

    def open(self) -> Stream:
        if not self.file:
            raise WrongUse("replay has no file to play.", do="Name one: --board replay --opt file=RECORDING")
        told = {"rate": self.rate, "stream": self.stream, "board": self.device, "key": self.key, "bits": self.bits}
        more = {"unit": self.unit, "columns": self.columns}
        recording = read(self.file, channels=self.channels, kind=self.kind, scale=self.scale, **told, **more)
        self._recording = self._faults.on(recording)
        self._stream = recording.stream.but(info={**recording.stream.info, **recording.info})
        self._newest = None
        self._lost, self._end, self._tail = _unseen(self._recording, recording)
        self._pieces = _played(self._recording, recording, max(1, round(self.chunk * self._stream.rate)), self.loop)
        self._next = next(self._pieces, None)
        self._start = self.clock.now()
        self._opened = True
        return self._stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if self._next is None:
            return None
        after, c = self._next
        if self.speed:
            due, until = self._start + after / self.speed, self.clock.now() + timeout
            self.clock.sleep_until(min(due, until))
            if due > until:
                return None
        self._next = next(self._pieces, None)
        if self._next is None:
            self._lost += self._tail
        if self._end is not None and c.first > self._end:
            self._lost += c.first - self._end
        if len(c):
            self._end = max(c.end, self._end or c.end)
            self._newest = self._timed(c)
        return self._timed(c)

    def _timed(self, c: Chunk) -> Chunk:
        """The chunk with times of the clock."""
        return c.but(time=self._start + c.time / (self.speed or 1.0))

    def close(self) -> None:
        self._pieces, self._next = iter(()), None

    @property
    def status(self) -> Status:
        if not self._opened:
            return Status()
        now, rate = self.clock.now(), float("nan")
        note = next(iter(self._recording.info.get("notes", ())), "")
        if self._newest is None:
            return Status("connecting" if self._next else "ended", lost=self._lost, note=note)
        newest = float(np.max(self._newest.time))
        if newest - self._start > 1 and self._stream.rate:
            came = self._newest.end - 1 - self._recording.chunks[0].first
            rate = came / (newest - self._start) / (self.speed or 1.0)
        age = max(now - newest, 0.0) if self.speed else 0.0
        state = "ended" if self._next is None else "streaming" if age < self.stale_s else self._waiting(now)
        return Status(state, age, rate, self._lost, 0.0, note)

    def _waiting(self, now: float) -> str:
        """What a pause is: a disconnection that was asked for, or a gap of the recording."""
        seconds = (now - self._start) * self.speed
        return "reconnecting" if any(a <= seconds < a + n for a, n in self._faults.disconnect) else "stale"

    def index_of(self, time: float) -> tuple[float, float]:
        if self._newest is None:
            first = self._recording.chunks[0].first if self._opened and self._recording.chunks else 0
            return first + (time - self._start) * self._stream.rate * self.speed if self._opened else 0.0, 0.0
        newest = float(np.max(self._newest.time))
        if not self.speed:
            return float(self._newest.end), 0.0
        return self._newest.end - 1 + (time - newest) * self._stream.rate * self.speed, 0.0

    @classmethod
    def examples(cls) -> Iterator[Replay]:
        yield cls(file=_example())
        yield cls(file=_example(), speed=0)
        yield cls(file=_example(), chunk=0.2, speed=3, loop=True, drop=0.02, nan=("1:0.2",), disconnect=("2:0.3",), seed=7)


def _played(faulty: Recording, whole: Recording, n: int, loop: bool) -> Iterator[tuple[float, Chunk]]:
    """(seconds after the start, chunk) in order: chunks of at most n samples, times counted from the first sample. An
    event comes with its sample, one on an earlier sample with the chunk that brought it."""
    rate = whole.stream.rate
    filled = [c for c in whole.chunks if len(c)]
    if not filled:
        return
    begin = float(np.min(filled[0].time_at(0, rate)))
    last = filled[-1]
    seconds = float(np.max(last.time)) - begin + (1 / rate if rate else 1.0)
    samples = last.end - filled[0].first
    turn = 0
    while True:
        for c in faulty.chunks:
            for piece in _cut(c, n if rate else 1, rate):
                time = piece.time - begin + turn * seconds
                events = tuple(Event(e.index + turn * samples, e.name, e.value, e.uncertainty) for e in piece.events)
                yield float(np.max(time)), Chunk(piece.data, piece.first + turn * samples, time, events)
        turn += 1
        if not loop:
            return


def _unseen(faulty: Recording, whole: Recording) -> tuple[int, int | None, int]:
    """(how many samples are lost where none comes, else 0; the index that comes first where none is lost; how many are lost
    behind the last that comes): losses at the ends, which no jump of the index tells."""
    rate, every, came = whole.stream.rate, [c for c in whole.chunks if len(c)], [c for c in faulty.chunks if len(c)]
    if not rate or not every:
        return 0, None, 0
    if not came:
        return every[-1].end - every[0].first, None, 0
    head = round((came[0].time_at(0, rate) - every[0].time_at(0, rate)) * rate)
    return 0, came[0].first - head, round((every[-1].time - came[-1].time) * rate)


def _cut(c: Chunk, n: int, rate: float) -> Iterator[Chunk]:
    events = sorted(c.events, key=lambda e: max(e.index, c.first))
    passed = 0
    for a in range(0, len(c), n) if len(c) else (0,):
        b = min(a + n, len(c))
        upto = len(events) if b == len(c) else passed
        while upto < len(events) and events[upto].index < c.first + b:
            upto += 1
        time = c.time[a:b] if np.ndim(c.time) else c.time_at(b - 1, rate) if b > a else c.time
        yield Chunk(c.data[a:b], c.first + a, time, tuple(events[passed:upto]))
        passed = upto


@cache
def _example() -> str:
    """A small recording for the laws: 4 s of noise on four channels, an event, and a gap."""
    folder = Path(tempfile.mkdtemp(prefix="bcikit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    x = np.random.default_rng(0).normal(0, 20, (1000, 4)).astype(np.float32)
    lines = [
        f"{i / 250:.3f},{','.join(map(str, row))},{'cue' if i == 300 else ''}"
        for i, row in enumerate(x)
        if not 500 <= i < 530
    ]
    path = folder / "example.csv"
    path.write_text("\n".join(["time,C3,Cz,C4,Pz,marker", *lines, ""]))
    return str(path)
