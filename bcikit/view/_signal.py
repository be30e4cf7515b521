"""What a view remembers of a stream: enough to draw its traces and to say how large its channels are."""

from __future__ import annotations

import copy
import threading
from collections import deque

import numpy as np

from ..core.stream import Chunk, Stream

HISTORY_S = 30.0  # of traces that can be drawn
BINS_HZ = 300.0  # a finer grain than this is never drawn: faster streams are kept as the extremes of bins
FAST_HZ = 2000.0  # above this no band powers: they would cost more than a view may
BANDS = {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 45)}  # Hz
BANDS_S = 2.0
LOOK_S = 0.25  # of a fast stream no more samples are kept, for its quality
GAP_S = 0.1  # behind a longer one the newest samples begin anew, so that what is lost is not called a bad channel


class Signal:
    """`take` chunks in one thread, ask in another. Samples (of the newest lag, where they have lags) are kept as extremes
    and sums of bins of `step` samples; memory does not grow. Values are in the channels' units; NaN is left out."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.step = max(1, round(stream.rate / BINS_HZ))  # samples in a bin
        bins = round(HISTORY_S * stream.rate / self.step) if stream.rate else 600
        self._lock = threading.Lock()
        shape = (max(bins, 2), len(stream.channels))
        self._low, self._high = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
        self._sum, self._square, self._count = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int32)
        self._newest = -1  # number of the newest bin
        self.end = 0  # index behind the newest sample
        self.last = np.full(shape[1], np.nan)
        self.events: deque[tuple[float, str]] = deque(maxlen=50)
        n = round((BANDS_S if stream.rate <= FAST_HZ else LOOK_S) * stream.rate)
        self._raw = np.full((n, shape[1]), np.nan, np.float32) if n else None
        self._begin: int | None = None

    def take(self, c: Chunk) -> None:
        """Remember a chunk."""
        with self._lock:
            self.events.extend((e.index, e.name if e.value is None else f"{e.name} {e.value}") for e in c.events)
            if not len(c):
                return
            x = c.data if c.data.ndim == 2 else c.data.reshape(*c.data.shape[:2], -1)[..., -1]
            x = np.asarray(x, np.float32)
            if self.stream.scale is not None:
                x = x * np.asarray(self.stream.scale, np.float32)
            gap = c.first - self.end > GAP_S * self.stream.rate > 0
            if self._begin is None or c.first < self._begin or gap:
                self._begin = c.first
            self._bin(x, c.first)
            if self._raw is not None:
                self._keep(self._raw, x, c.first)
            self.end, self.last = c.end, x[-1].astype(float)

    def _bin(self, x: np.ndarray, first: int) -> None:
        size = len(self._low)
        newest = (first + len(x) - 1) // self.step
        drop = max(0, (newest - size + 1) * self.step - first)  # older than what is kept
        x, first = x[drop:], first + drop
        fresh = np.arange(max(self._newest + 1, newest - size + 1), newest + 1) % size
        if newest < self._newest - size:  # the stream began anew, far back
            fresh = np.arange(size)
        self._low[fresh] = self._high[fresh] = np.nan
        self._sum[fresh] = self._square[fresh] = self._count[fresh] = 0
        self._newest = newest
        begins = np.concatenate([[0], np.arange(self.step - first % self.step, len(x), self.step)])
        slots = (first // self.step + np.arange(len(begins))) % size
        good = np.isfinite(x)
        zeroed = np.where(good, x, 0).astype(float)
        holed = np.where(good, x, np.nan)
        self._low[slots] = np.fmin(self._low[slots], np.fmin.reduceat(holed, begins))
        self._high[slots] = np.fmax(self._high[slots], np.fmax.reduceat(holed, begins))
        self._sum[slots] += np.add.reduceat(zeroed, begins)
        self._square[slots] += np.add.reduceat(zeroed * zeroed, begins)
        self._count[slots] += np.add.reduceat(good.astype(np.int32), begins)

    def _keep(self, raw: np.ndarray, x: np.ndarray, first: int) -> None:
        missing = np.arange(max(self.end, first - len(raw)), first)
        raw[missing % len(raw)] = np.nan
        drop = max(0, len(x) - len(raw))
        raw[(first + np.arange(drop, len(x))) % len(raw)] = x[drop:]

    def still(self) -> Signal:
        """A copy as it is now."""
        with self._lock:
            twin = copy.copy(self)
            for name, value in vars(self).items():
                if isinstance(value, (np.ndarray, deque)):
                    setattr(twin, name, value.copy())
            twin._lock = threading.Lock()
            return twin

    # -- asking

    def newest(self) -> np.ndarray:
        """(samples, channels): the newest two seconds (of a fast stream less) behind the last gap; NaN where a few are
        missing."""
        if self._raw is None or self._begin is None:
            return np.empty((0, len(self.stream.channels)), np.float32)
        with self._lock:
            n = min(len(self._raw), self.end - self._begin)
            return self._raw[np.arange(self.end - n, self.end) % len(self._raw)]

    def rms(self, seconds: float = 1.0) -> np.ndarray:
        """(channels,): root mean square about the mean of the newest second; NaN where nothing came."""
        with self._lock:
            bins = max(1, min(len(self._low), round(seconds * (self.stream.rate or BINS_HZ) / self.step)))
            slots = np.arange(self._newest - bins + 1, self._newest + 1) % len(self._low)
            n = self._count[slots].sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = self._sum[slots].sum(axis=0) / n
                return np.sqrt(np.maximum(self._square[slots].sum(axis=0) / n - mean * mean, 0))

    def traces(self, seconds: float, columns: int, ahead: int = 0) -> tuple[np.ndarray, np.ndarray, int, float]:
        """The newest `seconds` in at most `columns` columns, ending `ahead` samples behind the newest one (nothing came
        there yet): low and high (columns, channels), the index of the first column's first sample, samples a column.
        Columns lie on multiples of their width, so that a trace moves but never shimmers."""
        with self._lock:
            size, rate = len(self._low), self.stream.rate or BINS_HZ
            wide = max(1, round(seconds * rate / self.step / columns))  # bins a column
            columns = min(columns, size // wide, max(2, round(seconds * rate / self.step / wide)))
            last = (self._newest + ahead // self.step) // wide
            numbers = np.arange((last - columns + 1) * wide, (last + 1) * wide)
            known = (numbers > self._newest - size) & (numbers <= self._newest) & (numbers >= 0)
            low = np.where(known[:, None], self._low[numbers % size], np.nan).reshape(columns, wide, -1)
            high = np.where(known[:, None], self._high[numbers % size], np.nan).reshape(columns, wide, -1)
            if wide == 1:
                low, high = low[:, 0], high[:, 0]
            else:
                low, high = np.fmin.reduce(low, axis=1), np.fmax.reduce(high, axis=1)
            return low, high, int(numbers[0]) * self.step, float(wide * self.step)

    def bands(self) -> np.ndarray | None:
        """(channels, 5): what part of the power of the newest two seconds between 1 and 45 Hz lies in each band (Hann
        window); NaN while they are not all there; None where the stream is too slow or too fast for it."""
        if self._raw is None or not 90 <= self.stream.rate <= FAST_HZ:
            return None
        x = self.newest()
        if len(x) < len(self._raw):
            return np.full((x.shape[1], len(BANDS)), np.nan)
        x = (x - x.mean(axis=0)) * np.hanning(len(x))[:, None]
        power = np.abs(np.fft.rfft(x, axis=0)) ** 2
        hz = np.fft.rfftfreq(len(x), 1 / self.stream.rate)
        parts = np.array([power[(hz >= low) & (hz < high)].sum(axis=0) for low, high in BANDS.values()])
        with np.errstate(invalid="ignore", divide="ignore"):
            return (parts / parts.sum(axis=0)).T
