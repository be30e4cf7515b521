"""Cuts a window after each named event: trials, as a decoder is trained on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Chunk, Event, Stream
from ._past import Past
from ._signals import flat

LATE_S = 2.0  # an event may become known so long after its window was over


@dataclass(eq=False)
class Epoch(Past):
    """(samples, channels) in, (trials, channels, lags) out, same unit, irregular: one trial for each named event, in the
    order in which they became known. A window begins `after` s behind the event, on the nearest sample, and is `length` s
    long; windows may overlap. The event goes out under the name of what it means, its index that of its trial.

    Trial k of the stream has index k, whatever was lost: where samples of it are missing, it is all NaN. NaN among samples
    that came is filled with the channel's last good value. The stated delay is half a window.
    Raises WrongUse where an event is named twice.
    """

    exempt = {  # noqa: RUF012
        "indices_and_times": "trials are counted, so they lie on no grid of the input; its own test keeps the rest",
        "faults_leave_no_trace": "an output is a trial, not a time; its own test shows that a fault stays in its trials",
    }

    events: Annotated[tuple[str, ...], Setting("what opens a trial: NAME or NAME=VALUE, and :MEANING where it differs")] = (
        "cue",
    )
    after: Annotated[float, Setting("from the event to the window's first sample", "s", low=-60, high=600)] = 0.0
    length: Annotated[float, Setting("length of a window", "s", low=0.001, high=600)] = 1.0

    def setup(self, s: Stream) -> Stream:
        flat(s, "epoch")
        pairs = [(pattern, meaning or pattern) for pattern, meaning in map(_parted, self.events)]
        self.meanings = dict(pairs)
        if len(self.meanings) < len(pairs) or not pairs:
            raise WrongUse("epoch:events names an event twice, or none.", f"It is {'+'.join(self.events) or 'empty'}.")
        self.whole = max(round(self.length * s.rate), 1)
        self.pieces: tuple[int, ...] = (self.whole,)  # samples of a trial with which it comes
        self.need = self.whole + round(LATE_S * s.rate)
        self.forget(s)
        self._open: list[list[int]] = []  # of what is to come: its first sample, the one it was known at, how many
        self._known = self._given = 0  # trials
        self._row = 0  # the sample that the last trial was given at
        return s.but(rate=0.0, shape=(*s.shape, self.whole), delay=s.delay + (self.whole - 1) / 2 / s.rate)

    def meaning(self, e: Event) -> str | None:
        """What trial the event opens, or None."""
        return self.meanings.get(f"{number(e.name)}={number(e.value)}") or self.meanings.get(number(e.name))

    def step(self, c: Chunk) -> Chunk:
        if self._begin is None:
            self._begin = c.first
        x, _ = self._held(c.data)
        past, first = self.with_past(x), c.first - (self.need - 1)
        events = tuple(self._entered(e, c.first) for e in sorted(c.events, key=lambda e: max(e.index, c.first)))
        trials, given, rows = [], self._given, []
        while self._open:
            begin, known, lags = self._open[0]
            row = max(begin + lags - 1, known, self._row)
            if row >= c.end:
                break
            lost = begin < max(self._begin, row - (self.need - 1))
            trials.append(trial := np.full(self.out.shape, np.nan, x.dtype))
            if not lost:
                trial[:, :lags] = past[begin - first : begin - first + lags].T
            rows.append(max(row - c.first, 0))
            self._open, self._row, self._given = self._open[1:], row, self._given + 1
        y = np.array(trials, x.dtype).reshape(-1, *self.out.shape)
        return Chunk(y, given, np.array([c.time_at(row, self.into.rate) for row in rows], float), events)

    def _entered(self, e: Event, first: int) -> Event:
        meaning = self.meaning(e)
        if meaning is None:
            return Event(self._known - 0.5, e.name, e.value, e.uncertainty)
        begin, known = math.floor(e.index + self.after * self.into.rate + 0.5), max(math.floor(e.index), first)
        self._open += [[begin, known, lags] for lags in self.pieces]
        self._known += len(self.pieces)
        return Event(self._known - len(self.pieces), meaning, e.value, e.uncertainty)

    def gap(self, seconds: float) -> None:
        """Trials go on being counted; those that it interrupts are lost."""
        self._begin = self._last = None

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls(events=("left", "tap=1.5:a tap"), after=0.2, length=0.5)
        yield cls(events=("left", "tap", "begin"), after=-0.1, length=1.5)


def number(value: Any) -> str:
    """Names and values as patterns write them: numbers without needless zeros."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def _parted(text: str) -> tuple[str, str]:
    pattern, _, meaning = text.partition(":")
    name, equals, value = pattern.partition("=")
    return (f"{number(name)}={number(value)}" if equals else number(name)), meaning or pattern
