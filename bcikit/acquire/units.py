"""A simulated implant in binned counts: an intention in, counts of each channel out, with what the screen shows.

    board = Units(n=192, seed=1)               bcikit stream --board units --opt n=96
    board.intend(1.0, 0.0)                     a full push to the right, from the next bin on; ends the script
    board.show(cursor, target, size)           what the person has before them, recorded beside the counts
    board.night()                              units are lost, others turn

The neurons are those of `bcikit/simulate/population.py`; the full signal at 30 kHz is the board `implant`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Board, Part, Setting, Status
from ..core.stream import Channel, Chunk, Stream
from ..simulate.population import Populations

SCREEN = ("cursor x", "cursor y", "target x", "target y", "target size")
TURN_S = 4.0  # of the script's circle


@dataclass(eq=False)
class Units(Board):
    """Counts of simulated units in bins (float32), and five channels of the screen, in widths of the workspace, NaN until
    `show` is called. The same settings and intentions give the same bytes. An intention holds from the bin to come."""

    live = False
    label = SIMULATED

    n: Annotated[int, Setting("channels, a unit each", low=1, high=16384)] = 192
    bin_s: Annotated[float, Setting("length of a bin", "s", low=0.005, high=0.2)] = 0.02
    seed: Annotated[int, Setting("seed of everything random", low=0, high=2**32 - 1)] = 0
    script: Annotated[str, Setting("what is intended until `intend` is called", choices=("rest", "circle"))] = "circle"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._lock = threading.Lock()
        self._neurons: Populations | None = None
        self._closed = False

    @classmethod
    def examples(cls) -> Iterator[Part]:
        yield cls(n=24)
        yield cls(n=8, bin_s=0.05, seed=3, script="rest")

    def open(self) -> Stream:
        self._neurons, self._closed = Populations(self.n, [self.seed], self.bin_s), False
        self._at, self._own_way = 0, self.script == "circle"
        self._push, self._click = np.zeros((1, 2)), np.zeros(1)
        self._screen = np.full(len(SCREEN), np.nan, np.float32)
        self._began = self.clock.now()
        channels = [Channel(f"u{k + 1}", "spikes", "count") for k in range(self.n)]
        channels += [Channel(name, "position", "width") for name in SCREEN]
        facts = {"model": "simulated implant, binned counts", **self.settings()}
        return Stream("simulated units", 1 / self.bin_s, tuple(channels), label=self.label, info=facts)

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if self._neurons is None:
            if self._closed:
                return None
            raise WrongUse("units is not open.", do="Call open() first.")
        due, latest = self._time_of(self._at), self.clock.now() + timeout
        self.clock.sleep_until(min(due, latest))
        if due > latest:
            return None
        with self._lock:
            neurons = self._neurons
            if neurons is None:
                return None  # closed meanwhile
            if self._own_way:
                turn = 2 * math.pi * self._at * self.bin_s / TURN_S
                self._push = np.array([[math.cos(turn), math.sin(turn)]])
            counts = neurons.counts(self._push, self._click)[0]
            row = np.concatenate([counts, self._screen])[None]
        self._at += 1
        return Chunk(row, self._at - 1, due)

    def close(self) -> None:
        with self._lock:
            self._neurons, self._closed = None, True

    @property
    def status(self) -> Status:
        if self._neurons is None:
            return Status("ended" if self._closed else "connecting")
        age = max(0.0, self.clock.now() - self._time_of(self._at - 1))
        return Status("streaming", age, 1 / self.bin_s, clock_s=0.0, note="simulated")

    def index_of(self, time: float) -> tuple[float, float]:
        self.neurons  # noqa: B018  (raises where it is not open)
        return (time - self._began) / self.bin_s - 1, 0.0

    def _time_of(self, index: int) -> float:
        """A bin is known when it is over."""
        return self._began + (index + 1) * self.bin_s

    # -- the person

    @property
    def neurons(self) -> Populations:
        """The population of one that is counted."""
        if self._neurons is None:
            raise WrongUse("units is not open.", do="Call open() first.")
        return self._neurons

    def intend(self, x: float, y: float, click: bool = False) -> None:
        """A push (1 is full) and whether the hand is closed in thought, from the bin to come; from any thread. Raises
        WrongUse where it is no number or the board is not open."""
        if not (math.isfinite(x) and math.isfinite(y)):
            raise WrongUse(f"units cannot intend ({x}, {y}).", "An intention is numbers; 1 is a full push.")
        self.neurons  # noqa: B018
        with self._lock:
            self._own_way = False
            self._push, self._click = np.array([[x, y]], float), np.array([float(click)])

    def show(self, cursor: Sequence[float], target: Sequence[float], size: float) -> None:
        """What the screen shows during the bin to come: cursor and target (x, y), the target's half width; NaN: unknown."""
        with self._lock:
            self._screen = np.array([*cursor, *target, size], np.float32)

    def observe(self, on: bool) -> None:
        """From the bin to come the person observes (open loop), or steers."""
        with self._lock:
            self.neurons.observe(on)

    def night(self) -> None:
        """A night passes."""
        with self._lock:
            self.neurons.tonight()

    def shock(self) -> None:
        """A bad night: part of the units is lost at once."""
        with self._lock:
            self.neurons.shock()
