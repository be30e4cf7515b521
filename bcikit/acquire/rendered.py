"""A board for timing: simulated broadband, rendered once into memory and played round and round.

bcikit bench latency --board rendered:n=256 --stage unit_features
Apart.of(Rendered(n=4096, pace=0))     as fast as it is taken, through the ring
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Board, Part, Setting, Status
from ..core.stream import Channel, Chunk, Stream
from ..simulate.played import SCALE, rendered
from ._sharp import sharp

BIN_S = 0.02  # a whole number of which is rendered


@dataclass(eq=False)
class Rendered(Board):
    """Simulated int16 noise and spikes, which answer to nobody: `implant` does. A chunk comes when its newest sample is due,
    `pace` times as fast as real time, or at once where `pace` is 0; a late reader catches up, and nothing is lost."""

    live = False
    label = SIMULATED

    n: Annotated[int, Setting("channels", low=1, high=65536)] = 1024
    rate: Annotated[float, Setting("sampling rate", "Hz", low=1000, high=100_000)] = 30_000.0
    chunk: Annotated[float, Setting("length of a chunk", "s", low=0.0001, high=0.1)] = 0.001
    pace: Annotated[float, Setting("times real time; 0: as fast as it is taken", low=0, high=1000)] = 1.0
    seconds: Annotated[float, Setting("of signal, after which it ends; 0: never", "s", low=0)] = 0.0
    seed: Annotated[int, Setting("seed of everything random", low=0, high=2**32 - 1)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at = 0
        self._state = "connecting"
        self._counts: np.ndarray | None = None

    @classmethod
    def examples(cls) -> Iterator[Part]:
        yield cls(n=5, rate=2000.0, chunk=0.01, seconds=2.5)

    @property
    def rows(self) -> int:
        """Samples a chunk."""
        return max(round(self.chunk * self.rate), 1)

    @property
    def counts(self) -> np.ndarray:
        """(samples, n) int16: what is played."""
        if self._counts is None:
            unit = int(np.lcm(self.rows, max(round(BIN_S * self.rate), 1)))
            self._counts = rendered(self.n, self.rate, unit, self.seed)
        return self._counts

    @property
    def stream(self) -> Stream:
        names = tuple(Channel(f"e{i + 1}", "broadband") for i in range(self.n))
        return Stream("simulated broadband", self.rate, names, scale=SCALE, label=self.label, info=self.settings())

    # -- the board

    def open(self) -> Stream:
        _ = self.counts
        sharp()
        self._at, self._began, self._state = 0, self.clock.now(), "streaming"
        return self.stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if self._state != "streaming":
            if self._state == "connecting":
                raise WrongUse("rendered is not open.", do="Call open() first.")
            return None
        x, first = self.counts, self._at
        rows = self.rows if not self.seconds else min(self.rows, round(self.seconds * self.rate) - first)
        if rows <= 0:
            self._state = "ended"
            return None
        due = self._time_of(first + rows - 1) if self.pace else self.clock.now()
        until = self.clock.now() + timeout
        if due > until:
            self.clock.sleep_until(until)
            return None
        self.clock.sleep_until(due)
        self._at += rows
        return Chunk(x[first % len(x) :][:rows], first, due)

    def close(self) -> None:
        self._state = "ended"

    @property
    def status(self) -> Status:
        if self._state != "streaming":
            return Status(self._state, note="simulated")
        age = max(0.0, self.clock.now() - self._time_of(self._at - 1)) if self.pace else 0.0
        return Status("streaming", age, self.rate * (self.pace or 1.0), clock_s=0.0, note="simulated")

    def index_of(self, time: float) -> tuple[float, float]:
        if self._state != "streaming":
            raise WrongUse("rendered is not open.", do="Call open() first.")
        return ((time - self._began) * self.rate * self.pace, 0.0) if self.pace else (float(self._at), 0.0)

    def _time_of(self, index: int) -> float:
        return self._began + index / (self.rate * self.pace)
