"""When a sample was taken, from its index: a line fitted through arrivals, bent slowly as the two crystals drift apart."""

from __future__ import annotations

import math

FORGET_S = 30.0  # arrivals older than this have lost 63 % of their weight
SCALE_S = 5.0  # how fast the spread of arrivals is followed
FIRST_SPREAD_S = 0.005  # of arrivals, before it is known
LEAST_SPREAD_S = 20e-6
RATE_PRIOR = 0.01  # relative; how far a rate may be from what the maker states
RATE_MOST = 2.0  # times that, up or down: whatever the arrivals say
LATE_WEIGHT = 0.1  # of an arrival behind the line, beside one before it
CLIP = 3.0  # spreads; what is later tells nothing more
LASTING_S = 2.0  # all arrivals later than that for so long: the delay itself has changed


class SampleClock:
    """The map between sample indices and seconds of the monotonic clock.

    time = a + index / rate, by recursive least squares with exponential forgetting. An arrival can be late (a busy
    computer, USB, radio) but never early: what lies behind the line weighs a tenth and is clipped, so that the line runs
    along the earliest arrivals (an expectile fit) and one late burst does not move it.

    rate_hz: fitted. rate_error: its relative standard error. residual_s: rms of arrivals about the line, the clipped
    ones as clipped. uncertainty_s: standard error of `time_of` the newest index, never below the residual.
    A constant delay common to all arrivals cannot be seen from here and is not in it.

    Ref: Newey & Powell, Asymmetric least squares estimation and testing, Econometrica 55 (1987), doi:10.2307/1911031;
    recursive form: Ljung, System Identification (1999), section 11.2.
    """

    def __init__(self, rate_hz: float) -> None:
        if not rate_hz > 0:
            raise ValueError("a sample clock needs a rate above 0 Hz")
        self.nominal_hz = rate_hz
        self.newest: int | None = None  # index of the last update
        self._period = 1.0 / rate_hz
        self._time = math.nan  # of `newest`, on the line
        self._spread2 = FIRST_SPREAD_S**2
        self._prior = (RATE_PRIOR * self._period) ** 2 / self._spread2
        self._vtt, self._vtp, self._vpp = 1.0, 0.0, self._prior  # covariance of time and period, in squared spreads
        self._behind: tuple[int, float] | None = None  # since which index all arrivals were clipped, and the least lateness

    def update(self, index: int, arrival_s: float) -> None:
        """The sample `index`, the newest of its burst, arrived at `arrival_s`. An index that is not newer is ignored."""
        if not math.isfinite(arrival_s) or (self.newest is not None and index <= self.newest):
            return
        if self.newest is None:
            self.newest, self._time = index, arrival_s
            return
        n = index - self.newest
        step = n * self._period
        self.newest = index
        self._time += step
        keep = math.exp(min(step, FORGET_S) / FORGET_S)
        self._vtt = keep * (self._vtt + 2 * n * self._vtp + n * n * self._vpp)
        self._vtp = keep * (self._vtp + n * self._vpp)
        self._vpp *= keep
        if self._vpp > self._prior:  # never less sure of the rate than at first; their correlation stays as it is
            self._vtp *= math.sqrt(self._prior / self._vpp)
            self._vpp = self._prior

        late = self._believed(arrival_s - self._time)
        total = self._vtt + (1 / LATE_WEIGHT if late > 0 else 1.0)
        gain_t, gain_p = self._vtt / total, self._vtp / total
        self._time += gain_t * late
        nominal = 1.0 / self.nominal_hz
        self._period = min(max(self._period + gain_p * late, nominal / RATE_MOST), nominal * RATE_MOST)
        self._vpp -= gain_p * self._vtp
        self._vtp -= gain_p * self._vtt
        self._vtt -= gain_t * self._vtt
        part = 1 - math.exp(-step / SCALE_S)
        self._spread2 = max(self._spread2 + part * (late * late - self._spread2), LEAST_SPREAD_S**2)

    def _believed(self, late: float) -> float:
        """Lateness, clipped; where all arrivals were clipped for `LASTING_S`, the delay itself has changed: step there."""
        assert self.newest is not None
        limit = CLIP * math.sqrt(self._spread2 * (1 + self._vtt))
        if late <= limit:
            self._behind = None
            return late
        since, least = self._behind or (self.newest, late)
        least = min(least, late)
        if (self.newest - since) * self._period < LASTING_S:
            self._behind = since, least
            return limit
        self._behind = None
        self._time += least
        return min(late - least, limit)

    @property
    def rate_hz(self) -> float:
        return 1.0 / self._period

    @property
    def rate_error(self) -> float:
        return math.sqrt(self._vpp * self._spread2) / self._period

    @property
    def residual_s(self) -> float:
        return math.sqrt(self._spread2) if self.newest is not None else math.nan

    @property
    def uncertainty_s(self) -> float:
        return math.sqrt(self._spread2 * (1 + self._vtt)) if self.newest is not None else math.inf

    def time_of(self, index: float) -> float:
        """Seconds at which sample `index` was taken; nan before the first update."""
        return self._time + (index - self.newest) * self._period if self.newest is not None else math.nan

    def index_of(self, time_s: float) -> tuple[float, float]:
        """(index, not rounded, of what was taken at `time_s`; its uncertainty in seconds); before any update (nan, inf)."""
        if self.newest is None:
            return math.nan, math.inf
        n = (time_s - self._time) / self._period
        away = self._vtt + 2 * n * self._vtp + n * n * self._vpp
        return self.newest + n, math.sqrt(self._spread2 * (1 + max(away, 0.0)))
