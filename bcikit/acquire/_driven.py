"""A board behind a BrainFlow session, which notices what the driver does not.

BrainFlow never says that a device died and goes on giving what it has: here a board is stale when nothing new comes, its
port is watched, and it is connected again where that can be done. Times are modelled, not stamped at parsing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.clock import WALL, WallClock
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting, Status
from ..core.stream import Chunk, Event, Stream
from ._again import LOOK_S, Again
from ._brainflow import Layout, Session, trouble
from ._clock import SampleClock
from ._counter import PacketCounter

POLL_S = 0.001  # between two looks at the driver's buffer when a sample is due
RATE_KNOWN = 0.001  # relative standard error at which the measured rate is compared with the stated one
RATE_AFTER_S = 4.0
RATE_WRONG = 0.005
FAINT_UV, HUGE_UV = 1e-3, 1e5  # an EEG's rms over 1 s beyond these: the unit is not µV
FOREIGN_S = 60.0  # a driver's stamp this far off is not this computer's time
SILENCE = "nothing comes: is the board off, out of reach, its battery empty?"
TOLD_S = 1.0  # how often it is reckoned how long the driver held what it had read, over the last HELD times
HELD = 4000


@dataclass(eq=False)
class Driven(Board):
    """A board behind a BrainFlow session. A subclass says how to `connect`, and what to do about silence."""

    stale_s: Annotated[float, Setting("time without a sample until it is stale", "s", low=0.02, high=60)] = 0.25
    reconnect_s: Annotated[float, Setting("how long a board that is gone is waited for", "s", low=0, high=3600)] = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._session: Session | None = None
        self._worker: Again | None = None
        self._closed = False
        self._state, self._note = "connecting", ""

    # -- what a subclass says

    def connect(self, again: bool) -> tuple[Session, Layout]:
        """A prepared session, not yet streaming. again: after the board was gone. Raises DeviceTrouble."""
        raise NotImplementedError(f"{type(self).__name__} has no connect()")

    def silent(self, session: Session, seconds: float) -> bool:
        """Called now and then while nothing comes; may wake the board. True: connect anew. Raises what ends it."""
        return False

    # -- the board

    def open(self) -> Stream:
        if not isinstance(self.clock, WallClock):
            raise WrongUse(f"{self.part_name()} is a real device.", "It runs on the wall clock only.")
        self.close()
        self._closed = False
        session, layout = self.connect(again=False)
        try:
            self._settle(layout)
            self._begin(session)
        except BaseException:
            session.close()
            raise
        return self._stream

    def _settle(self, layout: Layout) -> None:
        self._layout = layout
        self._stream = Stream(self.part_name(), layout.rate, layout.channels, label=self.label, info=dict(layout.info))
        self._samples = SampleClock(layout.rate)
        self._counter = PacketCounter(self._samples, layout.count.turn if layout.count else 1)
        self._ready: deque[Chunk] = deque()
        self._came = self._time = float("nan")
        self._state, self._note = "connecting", ""
        self._first_second: list[np.ndarray] | None = []
        self._events: list[Event] = []
        self._doubt = ""
        self._held: deque[float] = deque(maxlen=HELD)
        self._polling, self._told = (float("nan"), float("nan")), 0.0

    def _begin(self, session: Session) -> None:
        session.start(self._layout.rate)
        self._session = session
        self._began = self._looked = WALL.now()

    def read(self, timeout: float = 0.1) -> Chunk | None:
        deadline = WALL.now() + timeout
        while True:
            if self._ready or self._taken():
                return self._ready.popleft()
            now = WALL.now()
            if self._closed or self._state in ("ended", "lost"):
                return None
            before = self._state
            self._look(now)
            if now >= deadline or self._state != before:  # a change is told at once
                return None
            WALL.sleep_until(min(deadline, max(now + POLL_S, min(self._due(), now + 5 * POLL_S))))

    def tell(self, command: str) -> str:
        """A command to the board, in its own language; while it streams, the answer is not seen."""
        if self._session is None:
            raise DeviceTrouble(f"{self.part_name()} is not there to be told anything.")
        return self._session.tell(command)

    def close(self) -> None:
        self._closed = True
        if self._state != "lost":
            self._state = "ended"
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()
        session, self._session = self._session, None
        if session is not None:
            session.close()

    @property
    def status(self) -> Status:
        if not hasattr(self, "_samples"):
            return Status(self._state, note=self._note)
        clock, now = self._samples, WALL.now()
        known = clock.newest is not None and clock.rate_error < RATE_KNOWN
        return Status(
            self._state,
            now - self._time if clock.newest is not None else now - self._began,
            clock.rate_hz if known else float("nan"),
            self._counter.lost,
            clock.uncertainty_s if clock.newest is not None else float("nan"),
            "; ".join(n for n in (self._note, *self._remarks(known)) if n),
            self._polling,
        )

    def index_of(self, time: float) -> tuple[float, float]:
        index, uncertainty = self._samples.index_of(time)
        if index != index:  # nothing has come yet: the first sample is still to be
            return (time - WALL.now()) * self._layout.rate, LOOK_S
        return index, uncertainty

    def _remarks(self, known: bool) -> Iterator[str]:
        yield self._doubt
        yield self._layout.remark
        if self._counter.repeated:
            yield f"{self._counter.repeated} packets repeated or out of order"
        rate = self._layout.rate
        settled = known and WALL.now() - self._began > RATE_AFTER_S
        if settled and abs(self._samples.rate_hz / rate - 1) > RATE_WRONG:
            off = 100 * (self._samples.rate_hz / rate - 1)
            yield f"the board gives {self._samples.rate_hz:.1f} samples a second, not {rate:g} ({off:+.1f} %)"

    # -- taking what came

    def _due(self) -> float:
        last = self._counter.last
        return self._samples.time_of(last + 1) if last is not None and self._state == "streaming" else 0.0

    def _taken(self) -> bool:
        """Whether something came; it is put, cut at its gaps, into `_ready`."""
        session = self._session
        if session is None:
            return False
        try:
            if not session.count():
                return False
            data = session.take()
        except session.error as error:
            raise trouble(self.part_name(), error) from error
        now = WALL.now()
        if not data.shape[1]:
            return False
        layout = self._layout
        arrivals = data[layout.stamps] + (now - time.time())
        if np.all(np.abs(arrivals - now) < FOREIGN_S):
            arrivals = np.minimum(arrivals, now)
            self._hold(now - float(arrivals[-1]), now)
        else:
            arrivals = np.full(len(arrivals), now)
        rows = data[list(layout.rows)].T
        if layout.scales:
            rows = rows * np.array(layout.scales)
        rows = np.ascontiguousarray(rows, np.float32)
        placed: list[tuple[int, float, np.ndarray]] = []
        for number, arrival, row in zip(self._numbers(data), arrivals, rows, strict=True):
            placed += self._counter.place(int(number), float(arrival), row)
        if placed:
            self._samples.update(placed[-1][0], placed[-1][1])
            self._cut(placed)
            self._came, self._state, self._note = now, "streaming", ""
        return bool(self._ready)

    def _hold(self, seconds: float, now: float) -> None:
        """How long the newest packet lay in the driver, from its stamp at parsing until it was asked for."""
        self._held.append(seconds)
        if now - self._told >= TOLD_S:
            p50, p99 = np.percentile(np.fromiter(self._held, float), (50, 99)) * 1000
            self._polling, self._told = (float(p50), float(p99)), now

    def _numbers(self, data: np.ndarray) -> np.ndarray:
        layout = self._layout
        if layout.counter is None:
            return np.zeros(data.shape[1])
        numbers = layout.count(data[layout.counter])
        self._counter.turn = layout.count.turn
        return numbers

    def _cut(self, placed: list[tuple[int, float, np.ndarray]]) -> None:
        """Chunks without gaps."""
        begin = 0
        for i in range(1, len(placed) + 1):
            if i < len(placed) and placed[i][0] == placed[i - 1][0] + 1:
                continue
            part = placed[begin:i]
            data, first, last = np.stack([row for _, _, row in part]), part[0][0], part[-1][0]
            self._judge(data, first)
            known = self._time == self._time
            self._time = max(self._samples.time_of(last), self._time) if known else self._samples.time_of(last)
            events, self._events = tuple(self._events), []
            self._ready.append(Chunk(data, first, self._time, events))
            begin = i

    def _judge(self, data: np.ndarray, first: int) -> None:
        """Over the first second: can these be microvolts?"""
        if self._first_second is None:
            return
        self._first_second.append(data)
        x = np.concatenate(self._first_second)
        if len(x) < self._layout.rate:
            return
        self._first_second = None
        columns = [i for i, c in enumerate(self._layout.channels) if c.kind == "eeg" and c.unit == "µV"]
        if said := implausible(x[:, columns]):
            self._doubt = said
            self._events.append(Event(first + len(data) - 1, "units", said))

    # -- silence and coming back

    def _look(self, now: float) -> None:
        """Nothing came: is it stale, is the port gone, has it come back?"""
        if self._worker is not None:
            self._returned(now)
            return
        since = now - (self._came if self._came == self._came else self._began)
        if self._state == "streaming" and since >= self.stale_s:
            self._state, self._note = "stale", SILENCE
        if now - self._looked < LOOK_S or self._session is None:
            return
        self._looked = now
        if self._session.gone:
            self._leave("the port is gone")
        elif since >= self.reconnect_s:
            what = f"{self.part_name()} has sent nothing for {since:.0f} s."
            raise self._lost(what, "It is off, out of reach or its battery is empty.")
        elif since >= self.stale_s and self.silent(self._session, since):
            self._leave("the board is silent")

    def _leave(self, why: str) -> None:
        session, self._session = self._session, None
        self._state, self._note = "reconnecting", why
        self._worker = Again(self, session)

    def _returned(self, now: float) -> None:
        worker = self._worker
        assert worker is not None
        if worker.alive:
            return
        self._worker = None
        if worker.result is None:
            raise self._lost(worker.error.what, worker.error.why, worker.error.do)
        session, layout = worker.result
        old = self._layout
        if layout.channels != old.channels or layout.rate != old.rate:
            session.close()
            raise self._lost(
                f"{self.part_name()} came back with {len(layout.channels)} channels at {layout.rate:g} Hz; "
                f"it had {len(old.channels)} at {old.rate:g} Hz.",
                "Another board, or other settings.",
                "Start again, so that everything behind it knows.",
            )
        self._layout = layout
        self._counter.restart()
        self._begin(session)
        self._came = WALL.now()

    def _lost(self, what: str, why: str = "", do: str = "") -> DeviceTrouble:
        self._state, self._note = "lost", what
        session, self._session = self._session, None
        if session is not None:
            session.close()
        return DeviceTrouble(what, why, do or "Look at the board, then start again; --opt reconnect_s=... waits longer.")


def implausible(x: np.ndarray) -> str:
    """Why (samples, channels) cannot be an EEG in µV, or ''. The rms is taken about a straight line."""
    if not x.size:
        return ""
    t = np.linspace(-1, 1, len(x))[:, None]
    x = x - x.mean(axis=0)
    x = x - t * ((x * t).sum(axis=0) / (t * t).sum())
    rms = float(np.median(np.sqrt((x * x).mean(axis=0))))
    if 0 < rms < FAINT_UV or rms > HUGE_UV:
        return f"the signal's rms is {rms:.2g} µV: the unit is likely not µV, or no electrode is connected"
    return ""
