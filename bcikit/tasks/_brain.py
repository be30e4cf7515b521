"""A simulated person with an implant who drives an effector in space: neurons, a decoder that was calibrated, and a will.

The decoder knows nothing of the neurons but their counts in a calibration; the person knows nothing of the decoder but what
they see, late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from ..core.label import SIMULATED
from ..core.stream import Channel, Chunk, Stream, recording
from ..decode.kinematics.kalman import Kalman
from ..simulate.loop_facts import fact
from ..simulate.neurons import Neurons

BIN_S = 0.02
CALIBRATION_S = 180.0
PACE_S = 0.6  # how long an intention of the calibration lasts


class Implant:
    """`units` simulated neurons tuned to an intention of so many dimensions, as counts in bins of 20 ms, and a Kalman filter
    calibrated on three minutes of what the person was asked to intend. full: a full push, in what is decoded; push, counts,
    decoded: of the newest bin. hand: a real person's push, made from what the simulated one intends, in its place."""

    def __init__(self, units: int, names: tuple[str, ...], scale: np.ndarray, seed: int, unit: str = "m/s") -> None:
        self._neurons = Neurons(units, 30_000.0, len(names), seed)
        self._chance = np.random.default_rng([seed, 80])
        channels = tuple(Channel(f"u{k}", "spikes", "count") for k in range(units))
        self.stream = Stream("simulated implant counts", 1 / BIN_S, channels, label=SIMULATED)
        self.full, self._at = scale, 0
        held, turns = round(PACE_S / BIN_S), round(CALIBRATION_S / PACE_S)
        asked = self._chance.uniform(-1, 1, (turns, len(names))).repeat(held, axis=0)
        asked *= (self._chance.random((turns, 1)) > 0.2).repeat(held, axis=0)  # rests between
        counts = np.array([self._counts(w) for w in asked])
        self.decoder = Kalman(outputs=names, unit=unit, shrinkage=0.1).fit(counts, asked * scale)
        self.out = self.decoder.start(self.stream)
        self.hand: Callable[[np.ndarray], np.ndarray] | None = None
        self.push = self.decoded = np.zeros(len(names))
        self.counts = np.zeros(units, np.float32)

    def _counts(self, intention: np.ndarray) -> np.ndarray:
        return self._chance.poisson(self._neurons.rates(intention) * BIN_S).astype(np.float32)

    def decode(self, intention: np.ndarray) -> Chunk:
        """What is decoded in one bin in which the person intends this."""
        self.push = intention if self.hand is None else self.hand(intention)
        self.counts = self._counts(self.push)
        source = recording(self.stream, self.counts[None]).chunks[0]
        chunk = self.decoder.step(source.but(first=self._at, time=self._at * BIN_S))
        self.decoded = chunk.data[-1]
        self._at += 1
        return chunk


class Will:
    """Where the person wants the hand, or whatever it is: they see it `visual_s` late, reckon what they have done since,
    and push towards the target, fully when it is far and less within `slow_m`. full: m/s at a full push, as they have
    learnt it. ways: of how many numbers a place is."""

    def __init__(self, full: float, slow_m: float, seed: int, ways: int = 3) -> None:
        self.full, self.slow_m = full, slow_m
        self._late = round(fact("visual_s") / BIN_S)
        self._seen: deque[np.ndarray] = deque(maxlen=self._late + 1)
        self._done: deque[np.ndarray] = deque([np.zeros(ways)] * self._late, maxlen=self._late)
        self._chance = np.random.default_rng([seed, 81])

    def push(self, place: np.ndarray, target: np.ndarray, most: float = 1.0) -> np.ndarray:
        """The intended velocity, at most `most` long, in units of a full push."""
        self._seen.append(place.copy())
        now = self._seen[0] + np.sum(self._done, axis=0) * self.full * BIN_S
        way = (target - now) / self.slow_m
        size = float(np.linalg.norm(way))
        push = way * min(1.0, most / max(size, 1e-9))
        push = push + 0.05 * size / (1 + size) * self._chance.standard_normal(len(place))  # no push is exact
        self._done.append(push)
        return push

    def off(self, place: np.ndarray, target: np.ndarray) -> float:
        """How far it looks from the target, as seen now (late)."""
        return float(np.linalg.norm(self._seen[0] - target)) if self._seen else float(np.linalg.norm(place - target))
