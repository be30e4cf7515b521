"""Takes bursts out: blinks, jaw, a cable that moves; whatever is larger, in some direction, than the calibration has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.pipeline import Pipeline
from ..core.stream import Channel, Event, Recording, Stream, recording
from ._design import butterworth, settling, steady
from ._filter import Begins
from ._reporting import Reporting
from ._signals import BRAIN, chosen

FLOOR_S = 5.0  # what an electrode stands at: the median over so long
MOST = 0.66  # of the directions, so many may be taken out
LEAST_S = 5.0  # a calibration shorter than this knows nothing
TO_SD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation
LEAST_INSIDE = 0.25  # share of the windows in bounds, below which the bounds themselves are taken for wrong
OUTLIER = 3.5  # SD from the middle, at which a stretch of calibration is left out
SHELVES = ((2.0, 9.0, True), (15.0, 3.0, False), (55.0, 3.0, False))  # Hz, gain below or above it: see `_shaping`

# mixing matrix, directions (its columns), middle and spread of the rms in each
Calibration = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(eq=False)
class Asr(Reporting, Begins):
    """Artifact subspace reconstruction, causal. (samples, channels) in, same unit out, `delay` s later (NaN until then).

    Every `hop` s the covariance over the last `window` s is looked at in its own directions. One that has more than `cutoff`
    SD above the middle of what the calibration has there is taken out, and filled with what the others tell of it by the
    calibration's covariance. While nothing is out of bounds the signal passes with the same bytes.
    Calibrated by `fit`, which is learnt and kept, or over the first `calibrate` s, which pass as they are; `adaptive` renews
    the latter with what is in bounds of every further such stretch (with all of it where that is under a quarter). Windows
    with a channel far out (robust z above 3.5) are left out. Every `report` s an event `asr` tells which share of the
    variance was taken; `asr calibrated` tells when it begins.
    To be put behind a highpass of 0.5 Hz or more. A calibration of which more than half is spoilt is not made good.
    Reference: Kothe & Jung 2016, US 2016/0113587; Mullen et al. 2015, doi:10.1109/TBME.2015.2481482; Chang et al. 2020,
    doi:10.1109/TBME.2019.2930186, on `cutoff` (from 20 on hardly a brain signal is lost; below 5 much is).
    Raises WrongUse where there are fewer than three channels, or not those of the calibration.
    """

    holds = False  # it does so itself: what is no number comes out `delay` later

    cutoff: Annotated[float, Setting("a direction above this is an artefact", "SD", low=1, high=1000)] = 10.0
    calibrate: Annotated[float, Setting("length of the calibration, where not fitted", "s", low=LEAST_S)] = 30.0
    adaptive: Annotated[bool, Setting("calibrate again and again, where not fitted")] = False
    window: Annotated[float, Setting("length over which bursts are looked for", "s", low=0.05, high=5)] = 0.4
    hop: Annotated[float, Setting("how often", "s", low=0.01, high=1)] = 0.04
    delay: Annotated[float, Setting("how long the signal waits for its judgement", "s", low=0.01, high=5)] = 0.2
    report: Annotated[float, Setting("how often it tells what it took", "s", low=0.1, high=60)] = 1.0
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others wait and pass. Without: those of the brain")
    ] = ()

    @property
    def exempt(self) -> Mapping[str, str]:  # type: ignore[override]
        if hasattr(self, "calibration_"):
            return {f"setting {n}": "nothing for what was fitted" for n in ("calibrate", "adaptive", "channels")}
        if self.adaptive:
            return {}
        return {"faults_leave_no_trace": "a fault within the calibration moves its bounds a little, for good"}

    def fit(self, source: Recording) -> Self:
        """Calibrate on a recording of the same channels, highpassed, clean for the most part. Raises WrongUse where it holds
        less than 5 s of use."""
        seconds = sum(map(len, source)) / source.stream.rate if source.stream.rate else 0.0
        twin = type(self)(**{**self.settings(), "calibrate": seconds + LEAST_S})  # so that it only gathers
        Pipeline([twin]).run(source)
        if (twin._gathered + 1) * twin.blocks * twin.size < LEAST_S * source.stream.rate:
            raise WrongUse(f"asr cannot be fitted on {source.stream.name}: it needs {LEAST_S:g} s or more without a gap.")
        self.calibration_: Calibration = _calibrated(twin._covs[: twin._gathered])
        return self

    def setup(self, s: Stream) -> Stream:
        self.choose(s, ())
        self.columns = np.array(chosen(s, self.channels, "asr", BRAIN))
        n = len(self.columns)
        self._begun = np.zeros(n, bool)
        if n < 3:
            raise WrongUse(f"asr needs at least three channels; of {s.name} it works on {n}.")
        if hasattr(self, "calibration_") and len(self.calibration_[0]) != n:
            raise WrongUse(f"asr was fitted on {len(self.calibration_[0])} channels; {s.name} has {n}.", do="Fit it anew.")
        self.size = max(round(self.hop * s.rate), 1)
        self.lag = max(round(self.delay * s.rate / self.size), 1)  # hops that the signal waits
        self.blocks = max(round(self.window * s.rate / self.size), 2)  # hops in a window
        self.wanted = int(self.calibrate * s.rate / (self.size * self.blocks))  # windows in a calibration
        self.telling = max(round(self.report * s.rate / self.size), 1)
        self.floors = max(round(FLOOR_S * s.rate / self.size), 1)
        self.blend = ((1 - np.cos(np.pi * np.arange(1, self.size + 1) / self.size)) / 2)[:, None]
        self.sos = _shaping(s.rate)
        self.steady = steady(self.sos)[:, :, None]
        waits = self.lag * self.size / s.rate
        self.settle = settling(self.sos) / s.rate + FLOOR_S + self.window + waits + 2 * self.hop
        if self.adaptive and not hasattr(self, "calibration_"):
            self.settle += 2 * self.calibrate
        self._state = np.zeros((len(self.sos), 2, n))
        self._now = np.zeros((self.size, *s.shape), np.float32)  # the hop that is being filled
        self._lost = np.zeros((self.size, *s.shape), bool)  # where it was no number
        self._shaped = np.zeros((self.size, n))
        self._waiting = [np.full_like(self._now, np.nan)] * (self.lag - 1)
        self._missed = [np.ones_like(self._lost)] * (self.lag - 1)
        self._ready = np.full_like(self._now, np.nan)
        self._outer: list[np.ndarray] = []  # of each hop in the window: products, and means of each for the floor
        self._means: list[np.ndarray] = []
        self._floor: np.ndarray | None = None
        self._take: np.ndarray | None = None  # what is taken out: the identity less the reconstruction
        self._calibration = getattr(self, "calibration_", None)
        self._covs = np.zeros((0 if hasattr(self, "calibration_") else self.wanted, n, n))  # windows to calibrate on,
        self._inside = np.zeros(len(self._covs), bool)  # which of them were in bounds,
        self._gathered = 0  # and how many there are
        self._new = 0  # hops since the last window of the calibration
        self._power = np.zeros(2)  # taken, and there, since last told
        self._told = 0
        return s.but(delay=s.delay + waits)

    def rows(self, x: np.ndarray) -> np.ndarray:
        x, self.bad = self._held(x)
        shaped, y, row = self.begun(x), np.empty(x.shape, np.float32), 0
        if len(x) and self.at == self._begin:
            self._now[:], self._lost[:] = x[0], True
        while row < len(x):
            at = (self.at + row) % self.size
            n = min(self.size - at, len(x) - row)
            self._now[at : at + n] = x[row : row + n]
            self._lost[at : at + n] = False if self.bad is None else self.bad[row : row + n]
            self._shaped[at : at + n] = shaped[row : row + n]
            y[row : row + n] = self._ready[at : at + n]
            row += n
            if at + n == self.size:
                self.turn(self.at + row - 1)
        self.bad = None
        return y

    def run(self, x: np.ndarray) -> np.ndarray:
        return kernels.biquads(x, self.sos, self._state)

    def prime(self, columns: np.ndarray, values: np.ndarray) -> None:
        self._state[:, :, columns] = self.steady * values

    def turn(self, index: int) -> None:
        """A hop is full: judge the window that ends with it, and clean the hop whose time has come. Shapes are fixed."""
        self._outer = [*self._outer[1 - self.blocks :], self._shaped.T @ self._shaped]
        self._means = [*self._means[1 - self.floors :], self._now[:, self.columns].mean(axis=0, dtype=np.float64)]
        cov = np.sum(self._outer, axis=0) / (len(self._outer) * self.size)
        take = None
        if len(self._outer) == self.blocks:
            if self._calibration is not None:
                take = _taken(cov, self._calibration, self.cutoff)
            self._gather(cov, take is None, index)
        self._waiting.append(self._now.copy())
        self._missed.append(self._lost.copy())
        x, lost = self._waiting.pop(0), self._missed.pop(0)
        floor = np.median(self._means, axis=0)
        self._ready = self._cleaned(x, take, floor if self._floor is None else self._floor, floor)
        self._ready[lost] = np.nan
        self._take, self._floor = take, floor
        self._told += 1
        if self._told % self.telling == 0:
            self.tell(index, "asr", round(float(self._power[0] / max(self._power[1], 1e-30)), 4))
            self._power = np.zeros(2)

    def _cleaned(self, x: np.ndarray, take: np.ndarray | None, old: np.ndarray, floor: np.ndarray) -> np.ndarray:
        """The hop x, what is taken out of it turned smoothly from what was before; what it stands at is left alone."""
        z = x[:, self.columns] - (old + self.blend * (floor - old))
        z = np.where(np.isfinite(z), z, 0.0)
        self._power[1] += np.sum(z * z)
        if take is None and self._take is None:
            return x.copy()
        gone = np.zeros_like(z)
        for part, matrix in ((1 - self.blend, self._take), (self.blend, take)):
            if matrix is not None:
                gone += part * (z @ matrix.T)
        self._power[0] += np.sum(gone * gone)
        y = x.copy()
        y[:, self.columns] = x[:, self.columns] - gone
        return y

    def _gather(self, cov: np.ndarray, inside: bool, index: int) -> None:
        """Keep windows, one beside the other, until there are enough to calibrate on: a statistic of the signal."""
        if hasattr(self, "calibration_") or (self._calibration is not None and not self.adaptive):
            return
        self._new += 1
        if self._new < self.blocks:
            return
        self._covs[self._gathered], self._inside[self._gathered] = cov, inside
        self._new, self._gathered = 0, self._gathered + 1
        if self._gathered == self.wanted:
            use = self._inside if self._inside.mean() > LEAST_INSIDE else slice(None)
            self._calibration, self._gathered = _calibrated(self._covs[use]), 0
            self.tell(index, "asr calibrated", self.wanted * self.blocks * self.size / self.into.rate)

    def gap(self, seconds: float) -> None:
        """The calibration stays, what was gathered for it too; all else begins anew."""
        kept = self._calibration, self._covs, self._inside, self._gathered
        super().gap(seconds)
        self._calibration, self._covs, self._inside, self._gathered = kept

    @classmethod
    def examples(cls) -> Iterator[Any]:
        from ..simulate.bursts import bursts

        made = bursts(1, channels=5, calibration=12, seconds=12)
        s = Stream("simulated bursts", 250.0, tuple(Channel(f"E{i}") for i in range(5)), label=SIMULATED)
        quiet = recording(s, made.raw[: made.calibration])
        loud = recording(s, made.raw[made.calibration :], (Event(300.5, "tap"),))
        yield cls().fit(quiet), loud
        chosen = ("E0", "E1", "E3")
        yield cls(calibrate=5, adaptive=True, hop=0.1, delay=0.1, channels=chosen), recording(s, made.raw)


def _calibrated(covs: np.ndarray) -> Calibration:
    """covs (windows, channels, channels) -> mixing matrix, directions, and the middle and spread of the rms in each."""
    powers = np.log(np.diagonal(covs, axis1=1, axis2=2) + 1e-12)
    far = np.abs(powers - np.median(powers, axis=0))
    good = (far <= OUTLIER * TO_SD * np.median(far, axis=0) + 1e-9).all(axis=1)
    if good.sum() >= len(covs) / 4:
        covs = covs[good]
    power, directions = np.linalg.eigh(_geometric_median(covs))
    mixing = (directions * np.sqrt(np.maximum(power, 0))) @ directions.T
    rms = np.sqrt(np.maximum(np.einsum("ci,ncd,di->ni", directions, covs, directions), 0))
    middle = np.median(rms, axis=0)
    spread = TO_SD * (np.quantile(rms, 0.75, axis=0) - middle)  # of the upper half: the lower is shorter
    return mixing, directions, middle, np.maximum(spread, 0.01 * middle + 1e-9)


def _taken(cov: np.ndarray, calibration: Calibration, cutoff: float) -> np.ndarray | None:
    """What to take out of a window with this covariance, or None where it is in bounds."""
    mixing, directions, middle, spread = calibration
    n = len(cov)
    power, own = np.linalg.eigh(cov)
    limits = np.sum(((middle + cutoff * spread)[:, None] * (directions.T @ own)) ** 2, axis=0)
    keep = (power < limits) | (np.arange(n) < n - int(MOST * n + 0.5))  # the smallest always
    if keep.all():
        return None
    return np.eye(n) - mixing @ np.linalg.pinv((own.T @ mixing) * keep[:, None]) @ own.T


def _geometric_median(covs: np.ndarray) -> np.ndarray:
    """The matrix with the least sum of (Frobenius) distances to all. Weiszfeld 1937; Vardi & Zhang 2000,
    doi:10.1073/pnas.97.4.1423."""
    x = covs.reshape(len(covs), -1)
    middle = np.median(x, axis=0)
    for _ in range(200):
        weight = 1 / np.maximum(np.linalg.norm(x - middle, axis=1), 1e-12 * np.linalg.norm(middle) + 1e-12)
        new = (weight[:, None] * x).sum(axis=0) / weight.sum()
        moved, middle = np.linalg.norm(new - middle), new
        if moved <= 1e-7 * np.linalg.norm(middle):
            break
    return middle.reshape(covs.shape[1:])


def _shaping(rate: float) -> np.ndarray:
    """Sections that make alpha and beta count for less than what bursts are made of, delta and gamma, and offsets for
    nothing: the course of the original's filter. Shelves: R. Bristow-Johnson, Cookbook formulae for audio EQ biquads."""
    sections = [butterworth(1, 1.0, None, rate)]
    for hertz, gain, low in SHELVES:
        if hertz >= 0.45 * rate:
            continue
        a, w = np.sqrt(gain), 2 * np.pi * hertz / rate
        sign, slope = (1 if low else -1), 2 * np.sqrt(a) * np.sin(w) / np.sqrt(2)
        up, down, c = a + 1, a - 1, np.cos(w) * sign
        b = a * np.array([up - down * c + slope, 2 * (down - up * c) * sign, up - down * c - slope])
        d = np.array([up + down * c + slope, -2 * (down + up * c) * sign, up + down * c - slope])
        sections.append(np.array([[*(b / d[0]), *(d[1:] / d[0])]]))
    return np.concatenate(sections)
