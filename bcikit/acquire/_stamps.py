"""From the stamps that a sender put on its samples to their running index and time: what is lost, what is only late."""

from __future__ import annotations

from collections import deque

import numpy as np

from ._clock import SampleClock

GRID_S, GRID = 20e-6, 0.05  # seconds, and periods: no busy computer stamps so evenly, only a device's clock does
DRIFT = 1e-4  # of a device's clock, at most
STEADY_S = 1.0  # of such stamps before one missing from the grid is a lost sample
AHEAD_S = 0.05  # a stamp so far in the future is wrong
ASTRAY_S = 0.25  # so far before its sample's time, too
NO_TIME_S = 1e10  # so far from now it is no time at all: centuries
ASTRAY_LASTS_S = 1.0  # then the sender's clock has been set anew
LASTS_S = 0.2  # jittered stamps: all late for so long, so much is lost
SILENCE_S = 0.05  # of a silence no more counts for that: what was held back comes all at once and late
LEAST_LOSS_S = 0.04  # jittered stamps: less than that may be a busy sender


class Stamps:
    """Indices of a regular stream's samples, and the clock that gives their times.

    LSL samples bear no counter: what is lost shows only as a jump of the stamps. Where they lie on a grid to some
    microseconds (a device's clock), each jump is counted at its sample. Where they jitter or come in bursts, one that is
    late looks like one that is lost: then a loss of 40 ms or more is believed when all samples have been late for 0.2 s,
    and a smaller one shows in the rate alone. Times are those of a line along the earliest stamps.

    lost: samples missing. odd: stamps that went back, repeated on a grid, or lie where no sample can.
    """

    def __init__(self, rate: float) -> None:
        self.clock = SampleClock(rate)
        self.next = 0
        self.lost = self.odd = 0
        self._stamp = np.nan  # the last one
        self._steady = 0  # samples since a stamp last left the grid
        self._origin: float | None = None  # stamp of the first of them
        self._whole = 0  # periods of the grid since then, those of lost samples among them
        self._recent: deque[float] = deque(maxlen=64)  # seconds from stamp to stamp
        self._lead = 0.0  # how far ahead of now the last stamps were
        self._heard, self._now = 0.0, np.inf  # seconds in which samples came; when they last did
        self._behind: deque[tuple[float, float]] = deque()  # (seconds heard, lateness of the least late sample)
        self._astray: float | None = None  # since when no stamp can be right
        self._resumed = False

    def resume(self) -> None:
        """The sender was away: what is missing follows from the time of what comes next."""
        self._stamp, self._steady, self._origin, self._resumed = np.nan, 0, None, True
        self._behind.clear()

    @property
    def exact(self) -> bool:
        """The stamps lie on a grid."""
        return self._steady >= max(STEADY_S * self.clock.nominal_hz, 8)

    def place(self, stamps: np.ndarray, shift: float, now: float) -> np.ndarray:
        """Index of each sample. stamps (n,): seconds of the sender's clock, in order of arrival; shift: seconds to add
        for the clock of `now`."""
        n = len(stamps)
        stamps = np.where(np.abs(stamps + shift - now) < NO_TIME_S, stamps, np.nan)
        times = stamps + shift
        apart = np.diff(stamps, prepend=self._stamp)  # nan at a beginning
        self._recent.extend(apart[np.isfinite(apart)][-64:])
        period = self._period()
        steps = apart / period
        whole = np.where(np.isnan(steps), 1.0, np.rint(steps))
        bound = min(GRID_S, GRID * period) + DRIFT * np.abs(apart)
        off = ~((np.abs(apart - whole * period) < bound) & (whole >= 1)) & ~np.isnan(steps)
        self.odd += int((steps < 0).sum() + (steps[off] == 0).sum() * self.exact)
        index = self.next + np.arange(n)
        if self._resumed:
            index += self._missing(float(np.min(times - self._due(index))))
            self._resumed = False
        elif self.clock.newest is not None:
            late = times - self._due(index)
            if self.exact and not off.any():
                missing = np.where(whole > 1, whole - 1, 0)
                missing[(times > now + AHEAD_S + max(self._lead, 0.0)) | np.isnan(steps)] = 0
                index += np.cumsum(missing).astype(np.int64)
            else:
                index += self._slipped(float(late.min()), now)
        self.lost += int(index[-1]) - self.next - (n - 1)
        left = np.flatnonzero(off)
        self._steady = n - 1 - int(left[-1]) if len(left) else self._steady + n
        if len(left) or self._origin is None:
            begin = int(left[-1]) if len(left) else 0
            self._origin = float(stamps[begin]) if np.isfinite(stamps[begin]) else None
            self._whole = int(whole[begin + 1 :].sum())
        else:
            self._whole += int(whole.sum())
        self._follow(index, times, now)
        self.next, self._stamp, self._lead = int(index[-1]) + 1, stamps[-1], float(times[-1]) - now
        return index

    def _period(self) -> float:
        """Of the grid, where there is one: known long before the clock has fitted it."""
        if self.exact and self._origin is not None and self._whole > 0:
            return (self._stamp - self._origin) / self._whole
        usual, nominal = float(np.median(self._recent)) if len(self._recent) > 8 else np.nan, 1 / self.clock.nominal_hz
        return usual if abs(usual - nominal) < nominal / 10 else 1 / self.clock.rate_hz

    def _due(self, index: np.ndarray) -> np.ndarray:
        return self.clock.time_of(self.next) + (index - self.next) / self.clock.rate_hz

    def _missing(self, late: float) -> int:
        return max(round(late * self.clock.rate_hz), 0) if np.isfinite(late) else 0

    def _slipped(self, late: float, now: float) -> int:
        """Samples that must be missing: everything of the last while was late by more than it ever jitters."""
        self._heard += min(max(now - self._now, 0.0), SILENCE_S)
        self._now = now
        self._behind.append((self._heard, late))
        while len(self._behind) > 3 and self._behind[1][0] <= self._heard - LASTS_S:
            self._behind.popleft()
        least = min(x for _, x in self._behind)
        bound = max(1.5 / self.clock.rate_hz, 4 * self.clock.residual_s, LEAST_LOSS_S)
        if len(self._behind) < 3 or self._heard - self._behind[0][0] < LASTS_S or least <= bound:
            return 0
        self._behind.clear()
        return self._missing(least)

    def _follow(self, index: np.ndarray, times: np.ndarray, now: float) -> None:
        """Let the clock know of the least late of these samples; of stamps that cannot be right, only if they last."""
        known = np.isfinite(times)
        if self.clock.newest is None:
            late = times - (times[known][-1] if known.any() else np.nan) + (index[-1] - index) / self.clock.nominal_hz
        else:
            late = times - self._due(index)
        good = known & (late > -ASTRAY_S) & (times <= now + AHEAD_S + max(self._lead, 0.0))
        self.odd += int((~good).sum())
        if good.any():
            self._astray = None
            best = int(np.argmin(np.where(good, late, np.inf)))
            self.clock.update(int(index[best]), float(times[best]))
            return
        self._astray = now if self._astray is None else self._astray
        if now - self._astray >= ASTRAY_LASTS_S and known[-1]:
            self._astray = None
            self.clock = SampleClock(self.clock.nominal_hz)
            self.clock.update(int(index[-1]), float(times[-1]))
