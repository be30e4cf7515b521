"""Finds muscle in the EEG: power above what the brain makes, more of it than just before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Event, Stream, recording
from ._design import butterworth, settling, steady
from ._filter import Begins
from ._reporting import Reporting
from ._signals import BRAIN, below_nyquist, chosen

TO_SD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation
LEAST_SPREAD = 0.1  # of ln rms
LEAST = 20  # hops from which on there is a middle


@dataclass(eq=False)
class Muscle(Reporting, Begins):
    """Passes the signal on, with NaN where there is muscle if `blank`. (samples, channels) in and out, no delay.

    Every `hop` s the ln rms above `low` Hz (to `high`, or half the rate) is set against the `memory` s before: its robust z,
    of each channel and of the mean over channels. One above `limit` is muscle. Events: `muscle`, "on" or "off", on the
    sample at which a change is known; `muscle share`, every `report` s, which part of the hops was muscle. `blank` acts from
    the next hop on. The middle of `memory` is a median: muscle for more than half of it is taken for rest. Nothing is found
    in the first 20 hops.
    Reference: Muthukumaraswamy 2013, doi:10.3389/fnhum.2013.00138 (bands); Oostenveld et al. 2011, doi:10.1155/2011/156869
    (z over channels).
    Raises WrongUse where `low` or `high` is not below half the rate, or `low` not below `high`.
    """

    low: Annotated[float, Setting("muscle is looked for from here", "Hz", low=5)] = 55.0
    high: Annotated[float | None, Setting("up to here; none is half the rate", "Hz", low=6)] = None
    limit: Annotated[float, Setting("robust z of what is muscle", "SD", low=1, high=100)] = 6.0
    hop: Annotated[float, Setting("how often it is judged", "s", low=0.02, high=5)] = 0.1
    memory: Annotated[float, Setting("what it is set against", "s", low=2, high=600)] = 30.0
    blank: Annotated[bool, Setting("make muscle NaN")] = False
    report: Annotated[float, Setting("how often it tells the share", "s", low=0.1, high=60)] = 1.0
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        self.choose(s, ())
        self.columns = np.array(chosen(s, self.channels, "muscle", BRAIN))
        self._begun = np.zeros(len(self.columns), bool)
        below_nyquist(s, "muscle", low=self.low, high=self.high)
        if self.high is not None and self.low >= self.high:
            raise WrongUse(f"muscle: low={self.low:g} Hz is not below high={self.high:g} Hz.")
        self.sos = butterworth(4, self.low, self.high, s.rate)
        self.steady = steady(self.sos)[:, :, None]
        self.size = max(round(self.hop * s.rate), 2)
        self.kept = max(round(self.memory * s.rate / self.size), LEAST)
        self.telling = max(round(self.report * s.rate / self.size), 1)
        self.settle = settling(self.sos) / s.rate + 2 * self.memory
        self._state = np.zeros((len(self.sos), 2, len(self.columns)))
        self._squares = np.zeros(len(self.columns))
        self._seen = 0
        self._past: list[np.ndarray] = []
        self._on = False
        self._count = [0, 0]  # hops with muscle, hops
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        high, y = self.begun(x), x.copy()
        for rows, hop in self.walk(len(x)):
            if hop.start == 0:
                self._squares[:] = 0
            kernels.squares(high[rows], self._squares)
            if self._on and self.blank:
                y[rows, self.columns] = np.nan
        return y

    def run(self, x: np.ndarray) -> np.ndarray:
        return kernels.biquads(x, self.sos, self._state)

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        self._state[:, :, columns] = self.steady * values

    def turn(self, index: int) -> None:
        """A hop is full: judge it. Shapes are fixed."""
        size = 0.5 * np.log(self._squares / self.size + 1e-12)
        now = np.append(size, size.mean())
        on = False
        if len(self._past) >= LEAST:
            past = np.array(self._past)
            middle = np.median(past, axis=0)
            spread = np.maximum(TO_SD * np.median(np.abs(past - middle), axis=0), LEAST_SPREAD)
            on = bool(np.any(now > middle + self.limit * spread))
        self._past = [*self._past[1 - self.kept :], now]
        if on != self._on:
            self.tell(index, "muscle", "on" if on else "off")
        self._on = on
        self._count = [self._count[0] + on, self._count[1] + 1]
        if self._count[1] == self.telling:
            self.tell(index, "muscle share", round(self._count[0] / self._count[1], 4))
            self._count = [0, 0]

    def gap(self, seconds: float) -> None:
        """What it is set against stays where the gap is shorter than that."""
        past = self._past
        super().gap(seconds)
        if seconds < self.memory:
            self._past = past

    @classmethod
    def examples(cls) -> Iterator[Any]:
        rng = np.random.default_rng(0)
        s = Stream("simulated muscle", 250.0, tuple(map(Channel, ("C3", "T7", "T8"))), label=SIMULATED)
        x = 10 * rng.standard_normal((5000, 3))
        t = np.arange(300) / 250
        x[600:900, 1] += 60 * np.sin(2 * np.pi * 40 * t)
        x[1000:1300, 2] += 60 * np.sin(2 * np.pi * 112 * t)
        yield cls(memory=2, blank=True), recording(s, x, (Event(300.5, "tap"),))
        yield cls(memory=4, low=30, high=100, limit=4, channels=("T7", "T8")), recording(s, x)
