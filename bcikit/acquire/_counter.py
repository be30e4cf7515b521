"""Where packets belong: their own number tells small losses, host time tells long ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ._clock import SampleClock

LATE_S = 0.05  # a packet this much later than its number says is held until it is clear whether it is late or has jumped
BLIND_LATE_S = 0.03  # the same where packets bear no number
SETTLE_S = 0.1  # what is held is decided on after so long
NEAR_S = 0.02  # a loss of whole turns of the number is believed if host time agrees so well


@dataclass
class _Held:
    """A packet not yet placed: its number, arrival, row, and its advance on the first packet of its run."""

    number: int
    arrival: float
    row: np.ndarray
    advance: int


class PacketCounter:
    """Gives each packet its index on the sample axis, from a number that wraps around after `turn` samples.

    A packet whose number and arrival agree is placed at once. One that is later than its number says is either late
    itself (the computer slept: those behind it catch up) or behind a loss of more than the number can tell, or a board
    whose number stood still: it waits, with those behind it, until one is on time again or `SETTLE_S` have passed; then
    the earliest of them tells the time, and the loss is the number of turns nearest to it, or the time itself where no
    turn fits. A packet that comes before its time bears a wrong number or is a copy: it is dropped and counted, unless
    those behind it go on from it, which is a board that began anew. turn=1: no number, host time alone.

    lost: samples known to be missing. repeated: packets dropped as copies or with a number that fits nowhere.
    """

    def __init__(self, clock: SampleClock, turn: int = 256) -> None:
        self.clock, self.turn = clock, turn
        self.lost = self.repeated = 0
        self.last: int | None = None  # index of the newest sample placed
        self._number = 0
        self._held: list[_Held] = []
        self._anew = False
        self._late_s = min(LATE_S if turn > 1 else BLIND_LATE_S, turn / clock.nominal_hz / 4 if turn > 1 else 1.0)

    def restart(self) -> None:
        """The connection was lost and made again: the next packets' numbers say nothing of how much is missing."""
        self._held.clear()
        self._anew = True

    def place(self, number: int, arrival: float, row: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
        """The packets, this one or those held before it, whose places are now known: (index, arrival, row), in order."""
        if self.last is None:
            self._anew = False
            self.clock.update(0, arrival)
            yield self._put(0, number, arrival, row)
            return
        ahead = self._step(self._number, number)
        if not self._anew and self._fits(ahead, self._elapsed(arrival) - ahead):
            index = self.last + ahead
            yield from self._late_ones(ahead)
            yield self._put(index, number, arrival, row)
            return
        if self._held and self._step(self._held[-1].number, number) > max(2, self.turn // 4):
            self.repeated += len(self._held)  # no run: single packets with numbers that fit nowhere
            self._held.clear()
        run = self._held[-1].advance + self._step(self._held[-1].number, number) if self._held else 0
        self._held.append(_Held(number, arrival, row, run))
        if arrival - self._held[0].arrival >= SETTLE_S:
            yield from self._decided()

    # -- reckoning

    def _step(self, a: int, b: int) -> int:
        """Samples from number a to number b, 1 to `turn`."""
        return (b - a - 1) % self.turn + 1

    def _elapsed(self, arrival: float) -> float:
        """Samples from the newest placed one to `arrival`, by the clock."""
        assert self.last is not None
        return (arrival - self.clock.time_of(self.last)) * self.clock.rate_hz

    def _fits(self, ahead: int, excess: float) -> bool:
        late = self._late_s * self.clock.rate_hz
        early = late + 3 * self.clock.uncertainty_s * self.clock.rate_hz
        return excess <= late and (excess >= -early or ahead <= early)

    def _late_ones(self, ahead: int) -> Iterator[tuple[int, float, np.ndarray]]:
        """Held packets that lie, in order, before one that is `ahead` of the newest placed: they were only late."""
        assert self.last is not None
        held, self._held = self._held, []
        base, number, done = self.last, self._number, 0
        for h in held:
            at = self._step(number, h.number)
            if done < at < ahead:
                done = at
                yield self._put(base + at, h.number, h.arrival, h.row)
            else:
                self.repeated += 1

    def _decided(self) -> Iterator[tuple[int, float, np.ndarray]]:
        """Nothing came on time: the run of held packets is where the earliest of them says."""
        assert self.last is not None
        held, self._held = self._held, []
        elapsed = min(self._elapsed(h.arrival) - h.advance for h in held)
        ahead = self._step(self._number, held[0].number)
        counted = ahead + round((elapsed - ahead) / self.turn) * self.turn
        if self._anew or counted < 1 or abs(elapsed - counted) > max(NEAR_S * self.clock.rate_hz, 1):
            counted = round(elapsed)
        first, self._anew = self.last + max(1, counted), False
        for h in held:
            yield self._put(first + h.advance, h.number, h.arrival, h.row)

    def _put(self, index: int, number: int, arrival: float, row: np.ndarray) -> tuple[int, float, np.ndarray]:
        if self.last is not None:
            self.lost += index - self.last - 1
        self.last, self._number = index, number
        return index, arrival, row
