"""A board at the other end of a wire, whose samples bear a running number: sockets, and drivers that call back.

What it does not say is found out here: that it went silent, that the connection is gone, and how much is missing when it is
there again. Times are modelled, not stamped.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Protocol

import numpy as np

from ..core.clock import WALL, WallClock
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting, Status
from ..core.stream import Chunk, Stream
from ._again import LOOK_S, Again
from ._clock import SampleClock

NEAR_S = 1.0  # a number is believed if host time agrees so well: a busy computer reads that late
REPEATED_S = 0.1  # a number that goes back by less is a copy or out of order, else the board counts anew
AGAIN_S = 3.0  # of silence, after which it is connected anew
RATE_KNOWN = 1e-3  # relative error at which the measured rate is told


class Gone(Exception):
    """The connection is no more; the text says why."""


@dataclass
class Piece:
    """Samples that came together. data (n, channels); numbers (n): the board's own count, None where it has none."""

    data: np.ndarray
    numbers: np.ndarray | None
    arrival: float


class Link(Protocol):
    """A connection. turn: how many numbers there are before they begin again; note: what the person should know."""

    turn: int

    @property
    def note(self) -> str: ...

    def take(self, wait: float) -> list[Piece]:
        """What has come, waiting up to `wait` seconds for it. Raises Gone."""
        ...

    def close(self) -> None: ...


@dataclass(eq=False)
class Wired(Board):
    """A board behind a `Link`. A subclass says how to `connect`."""

    stale_s: Annotated[float, Setting("time without a sample until it is stale", "s", low=0.02, high=60)] = 0.25
    reconnect_s: Annotated[float, Setting("how long a board that is gone is waited for", "s", low=0, high=3600)] = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._link: Link | None = None
        self._again: Again | None = None
        self._closed = False
        self._state, self._note = "connecting", ""

    def connect(self, again: bool) -> tuple[Link, Stream]:
        """A connection over which samples come, and what they are. again: after it was gone. Raises DeviceTrouble."""
        raise NotImplementedError(f"{type(self).__name__} has no connect()")

    # -- the board

    def open(self) -> Stream:
        if not isinstance(self.clock, WallClock):
            raise WrongUse(f"{self.part_name()} is a real device.", "It runs on the wall clock only.")
        self.close()
        self._closed = False
        self._link, stream = self.connect(again=False)
        self._stream = stream.but(label=self.label)
        self._samples = SampleClock(stream.rate)
        self._ready: deque[Chunk] = deque()
        self._next: int | None = None  # index of the sample to come
        self._number = 0  # its number
        self._anew = False  # connected again, and nothing has come
        self._lost = self._repeated = 0
        self._time = -math.inf
        self._heard = self._came = WALL.now()
        self._state, self._note = "connecting", ""
        return self._stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        deadline = WALL.now() + timeout
        while not self._ready:
            if self._closed or self._state in ("ended", "lost"):
                return None
            left = deadline - WALL.now()
            if self._again is not None:
                self._returned(self._again)
                WALL.sleep_until(min(deadline, WALL.now() + LOOK_S))
            elif self._link is not None:
                try:
                    for piece in self._link.take(max(0.0, min(left, LOOK_S))):
                        self._take(piece)
                except Gone as gone:
                    self._leave(str(gone))
                    return None  # so that whoever reads sees that it is gone
                self._look()
            if left <= 0 and not self._ready:
                return None
        return self._ready.popleft()

    def close(self) -> None:
        self._closed = True
        if self._state != "lost":
            self._state = "ended"
        again, self._again = self._again, None
        if again is not None:
            again.cancel()
        link, self._link = self._link, None
        if link is not None:
            link.close()

    @property
    def status(self) -> Status:
        if not hasattr(self, "_samples"):
            return Status(self._state, note=self._note)
        clock = self._samples
        known = clock.newest is not None
        notes = [self._note, self._link.note if self._link is not None else ""]
        if self._repeated:
            notes.append(f"{self._repeated} samples repeated or out of order")
        return Status(
            self._state,
            WALL.now() - (self._time if known else self._heard),
            clock.rate_hz if known and clock.rate_error < RATE_KNOWN else math.nan,
            self._lost,
            clock.uncertainty_s if known else math.nan,
            "; ".join(n for n in notes if n),
        )

    def index_of(self, time: float) -> tuple[float, float]:
        index, uncertainty = self._samples.index_of(time)
        if math.isnan(index):  # nothing has come yet: the first sample is still to be
            return (time - WALL.now()) * self._stream.rate, LOOK_S
        return index, uncertainty

    # -- taking what came

    def _take(self, piece: Piece) -> None:
        """The piece, cut where its numbers jump, as chunks."""
        if not len(piece.data):
            return
        numbers, turn, cuts = piece.numbers, self._link.turn if self._link else 0, [0, len(piece.data)]
        if numbers is not None:
            steps = np.diff(numbers) % turn if turn else np.diff(numbers)
            cuts[1:1] = (np.flatnonzero(steps != 1) + 1).tolist()
        last = len(piece.data)
        for a, z in pairwise(cuts):
            late = (last - z) / self._stream.rate  # what lies behind it came no later than the end
            self._place(piece.data[a:z], None if numbers is None else int(numbers[a]), piece.arrival - late, turn)
        self._heard = self._came = WALL.now()
        self._state, self._note = "streaming", ""

    def _place(self, data: np.ndarray, number: int | None, arrival: float, turn: int) -> None:
        rate, first = self._stream.rate, self._next
        if first is None:
            first = 0
        elif number is not None and number != self._number:
            ahead = number - self._number
            if turn:
                ahead = (ahead + turn // 2) % turn - turn // 2
            by_clock = (arrival - self._samples.time_of(first + len(data) - 1)) * rate
            if -REPEATED_S * rate <= ahead < 0 and not self._anew:
                self._repeated += len(data)
                return
            agrees = ahead > 0 and abs(by_clock - ahead) <= NEAR_S * rate
            first += ahead if agrees else max(0, round(by_clock))  # else the board counts anew
        elif number is None and self._anew:
            first += max(0, round((arrival - self._samples.time_of(first + len(data) - 1)) * rate))
        self._lost += first - (self._next or 0) if self._next is not None else 0
        self._next, self._anew = first + len(data), False
        if number is not None:
            self._number = (number + len(data)) % turn if turn else number + len(data)
        self._samples.update(self._next - 1, arrival)
        self._time = max(self._samples.time_of(self._next - 1), self._time)
        self._ready.append(Chunk(data, first, self._time))

    # -- silence and coming back

    def _look(self) -> None:
        since, silent = WALL.now() - self._heard, WALL.now() - self._came
        if self._state == "streaming" and since >= self.stale_s:
            self._state = "stale"
        if silent >= max(self.reconnect_s, self.stale_s):
            what = f"{self.part_name()} has sent nothing for {silent:.0f} s."
            self.close()
            self._state, self._note = "lost", what
            raise DeviceTrouble(what, "It stands still or is out of reach.", "Look at the board, then start again.")
        if since >= max(AGAIN_S, self.stale_s) and self._link is not None:
            self._leave(f"nothing came for {since:.0f} s")

    def _leave(self, why: str) -> None:
        link, self._link = self._link, None
        self._state, self._note = "reconnecting", why
        self._again = Again(self, link)

    def _returned(self, again: Again) -> None:
        if again.alive:
            return
        self._again = None
        if again.result is None:
            self._state, self._note = "lost", again.error.what
            raise again.error
        link, stream = again.result
        if (stream.channels, stream.rate) != (self._stream.channels, self._stream.rate):
            link.close()
            self._state, self._note = "lost", "another stream came back"
            raise DeviceTrouble(
                f"{self.part_name()} came back with {len(stream.channels)} channels at {stream.rate:g} Hz; "
                f"it had {len(self._stream.channels)} at {self._stream.rate:g} Hz.",
                "Another board, or other settings.",
                "Start again, so that everything behind it knows.",
            )
        self._link, self._heard, self._anew = link, WALL.now(), True
