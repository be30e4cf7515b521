"""The supervisor: between whatever decodes and whatever moves, it alone says what is done.

    sup = Supervisor(limits, period=0.02)
    values = sup.step(now, command, felt)      # every limits.period_s, command or not

It has no clock, no thread and no randomness: the same calls give the same bytes. `_guardian.py` runs it in a process of its
own, effectors without one step it inline, and tests run a million `copies` side by side, each its own supervisor.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import WrongUse
from ..kernels import guide, hear, judge
from ._limits import Limits, values
from ._spec import CommandSpec, Felt

FUTURE_S = 0.01  # brain data may be newer than the supervisor's own reading of the clock by no more
TOUCH_M = 1e-9  # so far into a place that is kept out of is rounding


class Cause(IntFlag):
    """Why it does not move."""

    SILENT = 1  # no command yet
    NUMBERS = 2  # not finite, absurdly large, or too few
    STALE = 4  # the brain data behind the command
    LATE = 8  # the command itself
    PERSIST = 16  # the command never changes
    DEADMAN = 32  # the switch is not held
    FORCE = 64
    TORQUE = 128
    WORKSPACE = 256  # a point is where it may not be, or nobody knows where
    DISTANCE = 512  # a person is too near, or nobody knows how near
    DEVICE = 1024  # the device is silent
    CAP = 2048  # of the session or the day
    PARENT = 4096  # the program that commands is dead, or stopped
    HELD = 8192  # it was asked to hold
    ESTOP = 16384  # latched until a person resets it
    LEASE = 32768  # nobody holds the lease

    def words(self) -> str:
        """For a person."""
        return ", ".join(c.name.lower() for c in Cause if c in self and c.name) or "none"


class Command(NamedTuple):
    """What is wanted, of each copy: values (copies, channels), and about them (5, copies): their place `seq` in the order of
    sending, the `lease` of who sends them, `alive` while the dead-man switch is held, and when they were `written`, from
    data of the `brain` of when (seconds of the monotonic clock), as `seq, lease, alive, brain, written`."""

    values: np.ndarray
    about: np.ndarray

    @classmethod
    def of(
        cls, values: Sequence[float] | np.ndarray, seq: int, brain: float, written: float, lease: int = 1, alive: bool = True
    ) -> Command:
        """Of one copy."""
        about = np.array((seq, lease, alive, brain, written), float)
        return cls(np.asarray(values, float)[None], about[:, None])


class Seen(NamedTuple):
    """What the devices report, of each copy: points (copies, points, 3), and `told` (4, copies): when, force, torque, and
    distance to the nearest person."""

    points: np.ndarray
    told: np.ndarray

    @classmethod
    def of(cls, felt: Felt, heard: float) -> Seen:
        """Of one copy."""
        return cls(felt.points[None], np.array((heard, felt.force, felt.torque, felt.distance), float)[:, None])

    @classmethod
    def packed(cls, row: Sequence[float], points: int, heard: float) -> Seen:
        """Of one copy, from a row of `Felt.packed`."""
        k = 3 * points
        return cls(np.array(row[:k]).reshape(1, points, 3), np.array((heard, *row[k : k + 3]))[:, None])


class Supervisor:
    """Enforces `limits` on the commands for one device (or `copies` of it, each with its own command). period: seconds
    between the commands of the stream, as it declares. used_s: seconds of motion so far (in the session, today).

    cause (copies): why a copy does not move, 0 where it may. What is asked moves it only while there has been no cause for
    `rearm_s`; else it goes to its safe values. refused (copies): commands that were no command at all: replayed, not from
    the holder of the lease, or from the future.
    """

    def __init__(
        self,
        limits: Limits,
        spec: CommandSpec,
        period: float,
        copies: int = 1,
        used_s: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        limits.fits(spec)
        self.limits, self.dt, self.copies = limits, limits.period_s, copies
        self.stale_s = limits.stale_after(period)
        self.bounds = limits.bounds()
        self.low, self.high, _, _ = self.bounds
        self.middle, self.far = (self.low + self.high) / 2, limits.absurd * (self.high - self.low) / 2
        self.safe, self.away = values([c.safe for c in limits.channels]), values(limits.retract)
        self.rest = np.clip(np.array(spec.rest), self.low, self.high)
        self.speeds = np.array([c.order == "velocity" for c in limits.channels])
        self.places = (  # that are kept out of
            np.array([(*s.center, s.radius) for s in limits.spheres], float).reshape(-1, 4),
            np.array([(*b.low, *b.high) for b in limits.boxes], float).reshape(-1, 6),
        )
        self.around = self._around(spec.points)
        n, k = len(limits.channels), copies
        self.value = np.tile(self.rest, (k, 1))
        self.slope = np.zeros((k, n))
        self.asked = np.tile(self.rest, (k, 1))
        self.own = np.zeros((10, k))  # as `kernels.hear` says
        self.seq, self.lease, self.good, self.alive, self.brain, self.written = self.own[:6]
        self.refused, self.asks = self.own[8:]
        self.own[4:7] = -np.inf
        self.rules = self._rules()
        self.state = np.zeros((4, k))
        self.used_s, self.orphan, self.held = self.state[:2], self.state[2], self.state[3]
        self.used_s[:] = np.array(used_s)[:, None]  # in the session, today
        self.session_s, self.day_s = self.used_s
        self.latched = np.zeros(k, np.int64)
        self.cause = np.zeros(k, np.int64)
        self.free, self.since = np.zeros(k, bool), np.full(k, -np.inf)  # of any cause, and since when it is so

    def _around(self, points: int) -> tuple[Any, ...]:
        """What `kernels.guide` is to know."""
        limits = self.limits
        moved = [(i, c.point, "xyz".index(c.axis)) for i, c in enumerate(limits.channels) if c.axis]
        moves = np.array(moved, np.int64).reshape(-1, 3).T.copy()
        fence = np.tile([[-np.inf], [np.inf]], moves.shape[1])
        if limits.allowed:
            inside = np.array([[limits.margin], [-limits.margin]])
            fence = np.ascontiguousarray(np.array([limits.allowed.low, limits.allowed.high])[:, moves[2]] + inside)
        pairs = np.array(list(combinations(range(points), 2) if limits.apart else ()), np.int64).reshape(-1, 2)
        return moves, fence, *self.places, pairs, limits.apart or 0.0, limits.margin, self.dt

    def _rules(self) -> tuple[np.ndarray, np.ndarray]:
        """What `kernels.judge` is to know: of each thing that it looks at, the cause that it is, and from what on. What must
        stay below is at most the number before; what the limits do not bound is no cause."""
        lim = self.limits
        above = np.nextafter(-lim.stop_m, -np.inf)
        placed = lim.allowed or lim.apart or lim.spheres or lim.boxes
        rules = [
            (Cause.SILENT, -1.0),
            (Cause.LEASE, -1.0),
            (Cause.NUMBERS, -1.0),
            (Cause.DEADMAN if lim.dead_man or "hand" in lim.modes else 0, -1.0),
            (Cause.STALE, self.stale_s),
            (Cause.LATE, lim.command_s),
            (Cause.PERSIST, lim.persist_s),
            (Cause.DEVICE, lim.heartbeat_s),
            (Cause.FORCE, lim.force) if lim.force is not None else (0, 0.0),
            (Cause.TORQUE, lim.torque) if lim.torque is not None else (0, 0.0),
            (Cause.DISTANCE if "separation" in lim.modes else 0, above),
            (Cause.CAP, np.nextafter(lim.session_s, 0.0)),
            (Cause.CAP, np.nextafter(lim.day_s, 0.0)),
            (Cause.PARENT, 0.0),
            (Cause.HELD, 0.0),
            (Cause.WORKSPACE if placed else 0, TOUCH_M),
        ]
        return np.array([int(cause) for cause, _ in rules]), np.array([most for _, most in rules])

    # -- what a person, a holder and a guardian do

    def take(self, holder: int) -> None:
        """The lease for `holder` (not 0), who alone is listened to. Raises WrongUse while another has it."""
        if holder <= 0 or np.any((self.lease != 0) & (self.lease != holder)):
            raise WrongUse(f"The {self.limits.device} is led by somebody else.", "One controller at a time.")
        self.lease[:] = holder

    def release(self, holder: int) -> None:
        """Give the lease back."""
        self.lease[self.lease == holder] = 0

    def stop(self) -> None:
        """The emergency stop; only `reset` ends it."""
        self.latched |= Cause.ESTOP

    def reset(self, person: str) -> str:
        """A person has looked and allows motion again; gives what is to be written down. The next command counts, not the
        last one. Raises WrongUse where nobody is named."""
        if not person.strip():
            raise WrongUse("An emergency stop is reset by a person, who is named.")
        was = Cause(int(np.bitwise_or.reduce(self.latched)))
        self.latched[:] = 0
        self.good[:] = 0
        return f"{person} reset {was.words()}"

    def hold(self, on: bool = True) -> None:
        """Be safe while it is on; not latched."""
        self.held[:] = on

    # -- every step

    def step(self, now: float, command: Command | None, seen: Seen) -> np.ndarray:
        """What the devices are to do in the next `limits.period_s`: (copies, channels), always within the limits."""
        if command is not None:
            self._hear(now, command)
        self.cause = self._causes(now, seen) | self.latched
        free = self.cause == 0
        self.since = np.where(free == self.free, self.since, now)
        self.free = free
        moves = free & (now - self.since >= self.limits.rearm_s - 1e-9)
        target = self._wanted(seen) if moves.all() else np.where(moves[:, None], self._wanted(seen), self._safe(now))
        self.used_s += moves * self.asks * self.dt
        self.value, self.slope = self._guided(target, seen)
        return self.value

    def _hear(self, now: float, c: Command) -> None:
        """Take up each command that is newer, in order and in time, from who holds the lease."""
        values = c.values
        if values.shape[1] != len(self.low):  # too few or too many: nobody knows which is which
            values = np.full_like(self.asked, np.nan)
        hear(self.own, self.asked, c.about, values, self.middle, self.far, self.rest, now, now + FUTURE_S)

    def _causes(self, now: float, seen: Seen) -> np.ndarray:
        return judge(self.own, self.state, seen.told, seen.points, *self.places, *self.rules, now=now)

    def _wanted(self, seen: Seen) -> np.ndarray:
        target = np.minimum(np.maximum(self.asked, self.low), self.high)
        if "separation" in self.limits.modes:
            near, far = self.limits.stop_m, self.limits.slow_m
            share = np.clip((seen.told[3] - near) / (far - near), 0.0, 1.0)
            target = np.where(self.speeds, target * share[:, None], target)
        return target

    def _safe(self, now: float) -> np.ndarray:
        target = np.where(np.isnan(self.safe), self.value, self.safe)
        if self.limits.retract:
            back = (self.cause & (Cause.FORCE | Cause.TORQUE) > 0) & (now - self.since <= self.limits.retract_s)
            back &= self.latched == 0
            target = np.where(back[:, None], np.where(np.isnan(self.away), self.value, self.away), target)
        return target

    def _guided(self, target: np.ndarray, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
        """One step towards the target, where a stop begun after it would still end inside the workspace; else that stop is
        begun now. It was found to end inside by the step before."""
        return guide(self.value, self.slope, target, seen.points, self.bounds, *self.around)
