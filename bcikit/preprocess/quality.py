"""Says which channels can be trusted: good, mains, noisy, flat, railed or nan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from .. import kernels
from ..core.label import SIMULATED
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Chunk, Event, Recording, Stream, recording
from ._signals import SIGNALS, flat

LOOK_S = 0.25  # length of a bin
BINS = 4  # a judgement is over the last second
MAINS_HZ = (50.0, 60.0)
MICROVOLTS = {"V": 1e6, "mV": 1e3, "µV": 1.0, "uV": 1.0, "μV": 1.0, "microvolts": 1.0, "nV": 1e-3}
LEAST_MAINS_UV = 5.0  # rms below which mains is no fault
STUCK_UV = 5000.0  # a channel that stands still so far from zero is on its rail
STATES = ("good", "mains", "noisy", "flat", "railed", "nan")  # what is written later outweighs what is earlier


@dataclass(frozen=True)
class Limits:
    """When a channel is no longer good; see the settings of `Quality`."""

    flat: float = 0.1
    rail: float = 150_000.0
    noisy: float = 150.0
    mains: float = 0.5


def quality(x: np.ndarray, s: Stream, limits: Limits | None = None) -> tuple[str, ...]:
    """The state of each channel of s over all of x (samples, channels): one of STATES, or "unknown" for under 8 samples."""
    if len(x) < 8 or not s.rate > 0:
        return ("unknown",) * len(s.channels)
    limits, size = limits or Limits(), min(_size(s), len(x))
    table, bins = _table(size, s.rate), []
    for at in range(0, len(x) - size + 1, size):
        bins.append(np.zeros((FACTS, len(s.channels))))
        _gather(bins[-1], np.asarray(x[at : at + size], np.float32), table, _rails(s, limits))
    return _judged(np.array(bins), size, table, s, limits)


@dataclass(eq=False)
class Quality(Stage):
    """Passes the signal on unchanged, NaN and all, and adds an event `quality` ("C3 railed", "C3 good") where the state of a
    channel changes: every 0.25 s, judged over the last second. Before the first judgement a channel counts as good.

    nan: half of it is no number. railed: a tenth of it beyond `rail`, or still and millivolts from zero. flat: rms below
    `flat`. mains: 50 or 60 Hz makes up more than the share `mains` of the power, and over 5 µV rms. noisy: rms above `noisy`
    (EEG alone: other signals may be large). The rms is around the mean of each 0.25 s: an offset or drift is no fault.
    Channels whose unit is no voltage are told good or nan. To be put before filters; no delay.
    """

    holds = False
    settle = LOOK_S * (BINS + 1)

    flat: Annotated[float, Setting("a channel below this rms is flat", "µV", low=0)] = Limits.flat
    rail: Annotated[float, Setting("beyond this is the amplifier's rail", "µV", low=1)] = Limits.rail
    noisy: Annotated[float, Setting("an EEG channel above this rms is noisy", "µV", low=0)] = Limits.noisy
    mains: Annotated[float, Setting("share of the power that is too much mains", low=0.01, high=1)] = Limits.mains

    def setup(self, s: Stream) -> Stream:
        flat(s, "quality")
        self.limits = Limits(self.flat, self.rail, self.noisy, self.mains)
        self.size = _size(s)
        self.table = _table(self.size, s.rate)
        c = len(s.channels)
        self.rails = _rails(s, self.limits)
        self._facts = np.zeros((FACTS, c))
        self._bins: list[np.ndarray] = []
        self._states = ["good"] * c
        return s

    def rows(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    def step(self, c: Chunk) -> Chunk:
        out = super().step(c)
        return out.but(events=(*out.events, *self._watch(c.data, c.first)))

    def _watch(self, x: np.ndarray, index: int) -> Iterator[Event]:
        assert self._begin is not None
        at = 0
        while at < len(x):
            done = (index + at - self._begin) % self.size
            end = min(at + self.size - done, len(x))
            _gather(self._facts, x[at:end], self.table[done : done + end - at], self.rails)
            at = end
            if (index + at - self._begin) % self.size == 0:
                self._bins = [*self._bins[1 - BINS :], self._facts]
                self._facts = np.zeros_like(self._facts)
                now = _judged(np.array(self._bins), self.size, self.table, self.into, self.limits)
                for name, state, before in zip(self.into.names, now, self._states, strict=True):
                    if state != before:
                        yield Event(index + at - 1, "quality", f"{name} {state}")
                self._states = list(now)

    def gap(self, seconds: float) -> None:
        """What was said of the channels still stands; the judgement begins anew."""
        states = self._states
        super().gap(seconds)
        self._states = states

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(), _faulty()


# -- what is gathered of each channel over a bin: how many samples are no number, and how many on the rail; the sum of
#    squares; the sum; cosine and sine sums at 50 and at 60 Hz

FACTS = 8


def _gather(facts: np.ndarray, x: np.ndarray, table: np.ndarray, rails: np.ndarray) -> None:
    """Add the samples x to the facts (FACTS, channels), in place."""
    good = np.isfinite(x)
    if not good.all():
        x = np.where(good, x, np.float32(0))
        facts[0] += len(x) - good.sum(axis=0)
    facts[1] += (np.abs(x) >= rails).sum(axis=0)
    kernels.squares(x, facts[2])
    kernels.weighted(x, table, facts[3:])


def _scales(s: Stream) -> np.ndarray:
    """Microvolts in each channel's unit; NaN where it is no voltage of the body."""
    return np.array([MICROVOLTS.get(c.unit, np.nan) if c.kind in SIGNALS else np.nan for c in s.channels])


def _rails(s: Stream, limits: Limits) -> np.ndarray:
    return limits.rail / _scales(s)


def _size(s: Stream) -> int:
    return max(round(LOOK_S * s.rate), 8)


def _table(size: int, rate: float) -> np.ndarray:
    """(size, 5): what x is multiplied with: 1, and cosine and sine of the mains under a Hann window."""
    i = np.arange(size)
    hann = np.sin(np.pi * (i + 0.5) / size) ** 2
    waves = [hann * wave(2 * np.pi * f / rate * i) for f in MAINS_HZ for wave in (np.cos, np.sin)]
    return np.stack([np.ones(size), *waves], axis=1)


def _judged(bins: np.ndarray, size: int, table: np.ndarray, s: Stream, limits: Limits) -> tuple[str, ...]:
    """bins (bins, facts, channels) -> the state of each channel."""
    n = len(bins) * size
    bad, railed = bins[:, 0].sum(axis=0) / n, bins[:, 1].sum(axis=0) / n
    scale = _scales(s)
    mean = bins[:, 3] / size
    offset = mean.mean(axis=0) * scale
    power = np.maximum(bins[:, 2] / size - mean**2, 0.0).mean(axis=0) * scale**2
    waves = bins[:, 4:] - table[:, 1:].sum(axis=0)[:, None] * mean[:, None]
    squared = (waves * (4 / size)) ** 2  # the Hann window adds up to half its length: amplitude is 2 / (size / 2)
    mains = squared.reshape(len(bins), len(MAINS_HZ), 2, -1).sum(axis=2).mean(axis=0).max(axis=0) / 2 * scale**2
    eeg = np.array([c.kind == "eeg" for c in s.channels])
    still = power < limits.flat**2
    state = np.zeros(len(s.channels), int)
    for name, is_so in {
        "noisy": eeg & (power > limits.noisy**2),
        "mains": (mains > limits.mains * power) & (mains > LEAST_MAINS_UV**2),
        "flat": still,
        "railed": (railed >= 0.1) | (still & (np.abs(offset) > STUCK_UV)),
        "nan": bad >= 0.5,
    }.items():
        state[is_so] = STATES.index(name)
    return tuple(STATES[i] for i in state)


def _faulty() -> Recording:
    """Simulated noise with a channel for each fault."""
    rate, rng = 250.0, np.random.default_rng(1)
    t = np.arange(round(6 * rate)) / rate
    x = 20 * rng.standard_normal((len(t), 6))
    x[round(0.25 * rate) : round(1.25 * rate), 0] = np.nan
    x[:, 1] = 200 * rng.standard_normal(len(x))
    x[:, 2] = 0.5 * rng.standard_normal(len(x)) - 20
    x[:, 3] = 100_000 + 20 * rng.standard_normal(len(x))
    x[:, 4] = 40 * np.sin(2 * np.pi * 50.2 * t) + 20 * rng.standard_normal(len(x))
    channels = tuple(Channel(f"E{i}") for i in range(1, x.shape[1] + 1))
    return recording(Stream("simulated faults", rate, channels, label=SIMULATED), x, (Event(300.5, "tap"),))
