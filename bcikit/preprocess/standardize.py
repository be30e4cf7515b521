"""Makes channels comparable: how many standard deviations from the middle, robustly, over the last seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._reporting import Reporting
from ._signals import CHANNELS, chosen, flat

KEPT = 512  # samples of the window that are looked at, evenly spaced
FIRST_S = 1.0  # from here on middle and spread are known
TO_SD = 1.4826  # median absolute deviation of a normal distribution to its standard deviation


@dataclass(eq=False)
class Standardize(Reporting):
    """(x - median) / (1.4826 median |x - median|) over the last `window` s. (samples, channels) in and out, unit SD.

    Median and deviation are renewed every `every` s from at most 512 evenly spaced samples of the window, and hold for the
    samples behind; NaN until 1 s (or a shorter window) has been seen. What lies farther out than `limit` is set to it, so
    that a pop or a rail cannot overwhelm what follows; an event `standardize` tells, where they are renewed, which share of
    the values since the last was. A channel that stands still is 0. No delay. A gap shorter than the window leaves the
    statistics as they are.
    Reference: Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013; Rousseeuw & Croux 1993, doi:10.1080/01621459.1993.10476408.
    """

    window: Annotated[float, Setting("length of the running statistics", "s", low=0.1, high=3600)] = 10.0
    every: Annotated[float, Setting("how often they are renewed", "s", low=0.01, high=600)] = 0.5
    limit: Annotated[float, Setting("farthest from the middle", "SD", low=0.01)] = 20.0
    channels: Annotated[tuple[str, ...], Setting(CHANNELS)] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "standardize")
        self.columns = np.array(chosen(s, self.channels, "standardize"))
        n = max(round(self.window * s.rate), 2)
        self.apart = max(n // KEPT, 1)
        self.hop = max(round(self.every * s.rate), 1)
        self.first = min(round(FIRST_S * s.rate), n)
        self.settle = (n + self.hop) / s.rate
        self._seen = 0
        self._kept = np.zeros((n // self.apart, len(self.columns)), np.float32)
        self._middle = np.full(len(self.columns), np.nan, np.float32)
        self._spread = np.ones(len(self.columns), np.float32)
        self._far = np.zeros(2, int)  # values beyond the limit, and all, since last told
        made = [replace(c, unit="SD") if i in self.columns else c for i, c in enumerate(s.channels)]
        return s.but(channels=tuple(made))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y, at = x.copy(), 0
        x = np.take(x, self.columns, axis=1)
        while at < len(x):
            end = min(at + self._to_next(), len(x))
            part = (x[at:end] - self._middle) / self._spread
            y[at:end, self.columns] = np.clip(part, -self.limit, self.limit)
            self._far += np.count_nonzero(np.abs(part) > self.limit), part.size
            self._keep(x[at:end], self.at + end - 1)
            at = end
        return y

    def _to_next(self) -> int:
        """Samples up to where the statistics are renewed."""
        return self.first - self._seen if self._seen < self.first else self.hop - (self._seen - self.first) % self.hop

    def _keep(self, x: np.ndarray, index: int) -> None:
        numbers = np.arange(self._seen, self._seen + len(x))
        mine = numbers % self.apart == 0
        self._kept[numbers[mine] // self.apart % len(self._kept)] = x[mine]
        self._seen += len(x)
        if self._seen >= self.first and (self._seen - self.first) % self.hop == 0:
            kept = self._kept[: -(-self._seen // self.apart)]
            if self._far[0]:
                self.tell(index, "standardize", round(float(self._far[0] / self._far[1]), 4))
            self._far[:] = 0
            self._middle = np.median(kept, axis=0)
            spread = TO_SD * np.median(np.abs(kept - self._middle), axis=0)
            self._spread = np.where(spread > 0, spread, np.finfo(np.float32).tiny).astype(np.float32)

    def gap(self, seconds: float) -> None:
        if seconds >= self.window:
            super().gap(seconds)

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(window=2, every=0.1, limit=4, channels=("C3", "accel z"))
