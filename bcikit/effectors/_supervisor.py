"""The supervisor: between whatever decodes and whatever moves, it alone says what is done.

    sup = Supervisor(limits, period=0.02)
    values = sup.step(now, command, felt)      # every limits.period_s, command or not

It has no clock, no thread and no randomness: the same calls give the same bytes. `_guardian.py` runs it in a process of its
own, effectors without one step it inline, and tests run a million `copies` side by side, each its own supervisor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import combinations

import numpy as np

from ..core.errors import WrongUse
from ..kernels import gaps, hear, ramp, reach
from ._limits import Box, Limits, values
from ._spec import CommandSpec, Felt

FUTURE_S = 0.01  # brain data may be newer than the supervisor's own reading of the clock by no more
AXES = {"x": 0, "y": 1, "z": 2}


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


@dataclass(frozen=True)
class Command:
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
        return cls(np.asarray(values, float)[None], np.array([[seq], [lease], [alive], [brain], [written]], float))


@dataclass(frozen=True)
class Seen:
    """What the devices report, of each copy: points (copies, points, 3), force, torque, distance, and `heard`, when."""

    points: np.ndarray
    force: np.ndarray
    torque: np.ndarray
    distance: np.ndarray
    heard: np.ndarray

    @classmethod
    def of(cls, felt: Felt, heard: float) -> Seen:
        return cls(felt.points[None], *(np.array([x]) for x in (felt.force, felt.torque, felt.distance, heard)))


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
        self.low, self.high = limits.array("low"), limits.array("high")
        self.steep, self.bend = limits.array("steep"), limits.array("bend")
        self.middle, self.far = (self.low + self.high) / 2, limits.absurd * (self.high - self.low) / 2
        self.safe, self.away = values([c.safe for c in limits.channels]), values(limits.retract)
        self.rest = np.clip(np.array(spec.rest), self.low, self.high)
        self.speeds = np.array([c.order == "velocity" for c in limits.channels])
        self.moving = np.flatnonzero([bool(c.axis) for c in limits.channels])
        self.axis = np.array([AXES[limits.channels[i].axis] for i in self.moving], int)
        self.point = np.array([limits.channels[i].point for i in self.moving], int)
        self.spheres = np.array([(*s.center, s.radius) for s in limits.spheres], float).reshape(-1, 4)
        self.boxes = np.array([(*b.low, *b.high) for b in limits.boxes], float).reshape(-1, 6)
        self.kept_out = bool(limits.spheres or limits.boxes)
        self.pairs = np.array(list(combinations(range(spec.points), 2) if limits.apart else ()), int).reshape(-1, 2)
        self.member = (np.arange(spec.points) == self.pairs[:, :, None]).any(axis=1)  # (pairs, points)
        self.fence = self._fence(limits.allowed)
        self.placed = len(self.moving) > 0 and bool(limits.allowed or limits.apart or self.kept_out)
        n, k = len(limits.channels), copies
        self.value = np.tile(self.rest, (k, 1))
        self.slope = np.zeros((k, n))
        self.asked = np.tile(self.rest, (k, 1))
        self.own = np.zeros((9, k))  # as `kernels.hear` says
        self.seq, self.lease, self.good, self.alive, self.brain, self.written, self.changed, _, self.refused = self.own
        self.own[4:7] = -np.inf
        self.ages = np.array([[self.stale_s], [limits.command_s], [limits.persist_s]])  # of brain, written, changed, at most
        self.held, self.orphan = np.zeros((2, k), bool)
        self.latched = np.zeros(k, np.int64)
        self.cause = np.zeros(k, np.int64)
        self.since = np.full(k, np.nan)  # when the cause began
        self.freed = np.full(k, np.nan)  # when the last one ended
        self.used_s = np.tile(np.array(used_s)[:, None], k)  # in the session, today
        self.session_s, self.day_s = self.used_s
        self.caps = np.array([[limits.session_s], [limits.day_s]])

    def _fence(self, allowed: Box | None) -> tuple[np.ndarray, np.ndarray] | None:
        """(lowest, highest) place of each velocity that moves a point, the margin taken off."""
        if allowed is None:
            return None
        margin = self.limits.margin
        return np.array(allowed.low)[self.axis] + margin, np.array(allowed.high)[self.axis] - margin

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
        self.since = np.where(free, np.nan, np.where(np.isnan(self.since), now, self.since))
        self.freed = np.where(free, np.where(np.isnan(self.freed), now, self.freed), np.nan)
        moves = free & (now - self.freed >= self.limits.rearm_s - 1e-9)
        target = self._wanted(seen) if moves.all() else np.where(moves[:, None], self._wanted(seen), self._safe(now))
        self.used_s += (moves & (self.asked != self.rest).any(axis=1)) * self.dt
        self.value, self.slope = self._guided(target, seen)
        return self.value

    def _hear(self, now: float, c: Command) -> None:
        """Take up each command that is newer, in order and in time, from who holds the lease."""
        values = c.values
        if values.shape[1] != len(self.low):  # too few or too many: nobody knows which is which
            values = np.full_like(self.asked, np.nan)
        hear(self.own, self.asked, c.about, values, self.middle, self.far, now, now + FUTURE_S)

    def _causes(self, now: float, seen: Seen) -> np.ndarray:
        lim = self.limits
        silent, unled, bad, dead = self.own[:4] == 0
        stale, late, stuck = ~(now - self.own[4:7] <= self.ages)
        found = [
            (Cause.SILENT, silent),
            (Cause.LEASE, unled),
            (Cause.NUMBERS, bad),
            (Cause.STALE, stale),
            (Cause.LATE, late),
            (Cause.PERSIST, stuck & (self.asked != self.rest).any(axis=1)),
            (Cause.DEVICE, ~(now - seen.heard <= lim.heartbeat_s)),
            (Cause.CAP, (self.used_s >= self.caps).any(axis=0)),
            (Cause.PARENT, self.orphan),
            (Cause.HELD, self.held),
        ]
        if lim.dead_man or "hand" in lim.modes:
            found.append((Cause.DEADMAN, dead))
        if lim.force is not None:
            found.append((Cause.FORCE, ~(seen.force <= lim.force)))
        if lim.torque is not None:
            found.append((Cause.TORQUE, ~(seen.torque <= lim.torque)))
        if "separation" in lim.modes:
            found.append((Cause.DISTANCE, ~(seen.distance > lim.stop_m)))
        if self.placed:
            lost = ~np.isfinite(seen.points).all(axis=(1, 2))
            found.append((Cause.WORKSPACE, lost | self._trespass(seen.points)))
        return np.array([int(cause) for cause, _ in found]) @ np.array([where for _, where in found])

    def _wanted(self, seen: Seen) -> np.ndarray:
        target = np.minimum(np.maximum(self.asked, self.low), self.high)
        if "separation" in self.limits.modes:
            near, far = self.limits.stop_m, self.limits.slow_m
            share = np.clip((seen.distance - near) / (far - near), 0.0, 1.0)
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
        value, slope = self._ramp(target)
        if not self.placed:
            return value, slope
        back, forth = self._reach(value, slope)
        here = seen.points[:, self.point, self.axis]
        if self.fence is not None:
            low, high = self.fence
            leaves = ~(((here - back >= low) | (back == 0)) & ((here + forth <= high) | (forth == 0)))
            if leaves.any():
                value, slope = self._stopped(value, slope, leaves)
                back, forth = self._reach(value, slope)
        if self.kept_out or len(self.pairs):
            first, last = seen.points.copy(), seen.points.copy()
            first[:, self.point, self.axis] -= back
            last[:, self.point, self.axis] += forth
            nears = self._nears(seen.points, first, last)[:, self.point]
            if nears.any():
                value, slope = self._stopped(value, slope, nears)
        return value, slope

    def _stopped(self, value: np.ndarray, slope: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, with the first step of a stop for `which` (copies, velocities that move points)."""
        mask = np.zeros(value.shape, bool)
        mask[:, self.moving] = which
        stop_value, stop_slope = self._ramp(np.where(self.speeds, 0.0, self.value))
        return np.where(mask, stop_value, value), np.where(mask, stop_slope, slope)

    def _ramp(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ramp(self.value, self.slope, target, self.low, self.high, self.steep, self.bend, self.dt)

    def _reach(self, value: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far (backward, forward) each velocity that moves a point would still move it."""
        back, forth = reach(value, slope, self.steep, self.bend, self.dt)
        return back[:, self.moving], forth[:, self.moving]

    def _nears(self, here: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Whether something in the box from `first` to `last` is within the margin of a place that is kept out of (or of the
        distance that points keep), and nearer to it than `here`: (copies, points); all are (copies, points, 3)."""
        margin = self.limits.margin
        met = np.zeros(here.shape[:2], bool)
        if self.kept_out:
            then, now = self._gaps(first, last), self._gaps(here, here)
            met |= ((then < margin) & (then < now - 1e-12)).any(axis=2)
        if len(self.pairs):
            i, j = self.pairs.T
            gap = np.maximum(np.maximum(first[:, i] - last[:, j], first[:, j] - last[:, i]), 0.0)
            way = here[:, i] - here[:, j]
            then, now = np.sqrt((gap * gap).sum(axis=2)), np.sqrt((way * way).sum(axis=2))
            met |= ((then < (self.limits.apart or 0.0) + margin) & (then < now - 1e-12)) @ self.member
        return met

    def _trespass(self, points: np.ndarray) -> np.ndarray:
        """Whether a point is in a place that is kept out of: (copies). From outside the workspace it may still go in."""
        return np.asarray((self._gaps(points, points) < -1e-9).any(axis=(1, 2)))

    def _gaps(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How far the boxes from `first` to `last` are from each place that is kept out of: (copies, points, places)."""
        return gaps(first, last, self.spheres, self.boxes)
