"""A board with no hardware and no person: a simulated implant of up to 16,384 electrodes that answers to an intention.

    board = Implant(n=1024, array="utah")      bcikit stream --board implant --opt n=96 --opt array=threads
    board.intend(1.0, 0.0)                     a full movement to the right, at once; ends the script
    board.truth.spikes(first, end)             which unit fired when, of the last ten seconds
    Implant(truth_file="day1.npz")             all of it in a side file: bcikit.simulate.truth.read

What the signal is made of, and where each number comes from, is in `bcikit/simulate/implant_facts.py`.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Board, Part, Setting, Status
from ..core.stream import Channel, Chunk, Event, Stream
from ..simulate.arrays import ARRAYS, SURFACE
from ..simulate.broadband import Broadband
from ..simulate.implant_facts import fact
from ..simulate.neurons import TICK_S
from ..simulate.truth import Truth
from ._sharp import sharp

MOST_S = 0.1  # the longest chunk, however late the reader is
SCRIPT_TICKS = 20  # how often a script says what is intended


@dataclass(eq=False)
class Implant(Board):
    """Simulated broadband signal (int16, 0.195 µV a count) of Utah arrays, threads, or films on the surface.

    The same settings and intentions give the same bytes, however the board is read; on a clock that jumps it runs as fast as
    the machine can. A late reader catches up: nothing is lost. Events: `stimulation` on the sample of each pulse,
    `truth:movement` where an artefact begins. An intention is taken up at the next millisecond to be rendered.
    """

    live = False
    label = SIMULATED

    array: Annotated[str, Setting("kind of array", choices=ARRAYS)] = "utah"
    n: Annotated[int, Setting("electrodes: 96 on a Utah array, 16 on a thread, 1,024 on a film", low=32, high=16384)] = 1024
    rate: Annotated[int, Setting("sampling rate, Hz", choices=(20000, 30000))] = 30000
    dims: Annotated[int, Setting("dimensions of the intention", choices=(2, 3))] = 2
    seed: Annotated[int, Setting("seed of everything random", low=0, high=2**32 - 1)] = 0
    script: Annotated[str, Setting("what is intended until `intend` is called", choices=("rest", "circle", "reach"))] = (
        "reach"
    )
    mains: Annotated[float, Setting("mains frequency, 0 for none", "Hz", low=0, high=60)] = 50.0
    dead: Annotated[float, Setting("part of the electrodes that are dead", low=0, high=1)] = fact("dead")
    noisy: Annotated[float, Setting("part that are noisy", low=0, high=1)] = fact("noisy")
    movement: Annotated[float, Setting("artefacts of movement at all electrodes", "1/min", low=0, high=600)] = 2.0
    stimulation: Annotated[float, Setting("pulses by the first electrode, 0 for none", "1/s", low=0, high=300)] = 0.0
    day: Annotated[int, Setting("nights since the first, in which impedances wander, and the noise", low=0, high=3650)] = 0
    truth_file: Annotated[str | None, Setting("side file (.npz) for spikes, units and intention")] = None
    chunk: Annotated[float, Setting("length of a chunk", "s", low=TICK_S, high=MOST_S)] = 0.001

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dead + self.noisy > 1:
            raise WrongUse("implant: dead and noisy are more than all electrodes.", do="Together they are 1 at most.")
        self._lock = threading.Lock()
        self._made: Broadband | None = None
        self._closed = False

    @classmethod
    def examples(cls) -> Iterator[Part]:
        yield cls(n=32, chunk=0.01)
        yield cls("threads", 48, 20000, dims=3, seed=5, script="circle", stimulation=20, movement=60, chunk=0.02)

    # -- the board

    def open(self) -> Stream:
        made = Broadband(
            self.array, self.n, self.rate, self.dims, self.seed,
            self.mains, self.dead, self.noisy, self.movement, self.stimulation, self.day,
        )  # fmt: skip
        facts = {
            "home": made.home, "nearest": made.nearest, "peaks": made.peaks, "impedance": made.impedance,
            "dead": made.faults.dead, "noisy": made.faults.noisy,
            **{k: getattr(made.neurons, k) for k in ("baseline", "depth", "direction")},
        }  # fmt: skip
        self.truth = Truth(self.rate, self.dims, facts, self.truth_file)
        self._block = max(1, round(self.chunk / TICK_S))
        self._plan: list[tuple[int, int, tuple[float, ...]]] = []  # tick, order of asking, intention; sorted
        self._asked, self._own_way = 0, self.script != "rest"
        self._made, self._closed = made, False
        sharp()
        self._began = self.clock.now()
        kind = "ecog" if self.array in SURFACE else "broadband"
        return Stream(
            "simulated implant",
            float(self.rate),
            tuple(Channel(f"e{k + 1}", kind, "µV", (p[0], p[1], p[2])) for k, p in enumerate(made.places.tolist())),
            scale=fact("scale"),
            label=self.label,
            info={"model": "simulated implant", "units": made.neurons.count, **self.settings()},
        )

    def read(self, timeout: float = 0.1) -> Chunk | None:
        made = self._made
        if made is None:
            if self._closed:
                return None
            raise WrongUse("implant is not open.", do="Call open() first.")
        due = self._time_of(made.at + self._block * made.tick_rows - 1)
        latest = self.clock.now() + timeout
        self.clock.sleep_until(min(due, latest))
        if due > latest:
            return None
        late = int((self.clock.now() - due) / TICK_S) // self._block
        ticks = self._block * min(1 + late, max(1, round(MOST_S / TICK_S) // self._block))
        with self._lock:
            if self._made is not made:
                return None  # closed meanwhile
            first = made.at
            data, events = self._render(made, ticks)
        return Chunk(data, first, self._time_of(first + len(data) - 1), tuple(events))

    def _render(self, made: Broadband, ticks: int) -> tuple[np.ndarray, list[Event]]:
        """The next ticks, with a cut wherever the intention changes."""
        end, pieces, events = made.neurons.tick + ticks, [], []
        while made.neurons.tick < end:
            now = made.neurons.tick
            if self._own_way and now % SCRIPT_TICKS == 0:
                self._take_up(made, self._scripted(now))
            while self._plan and self._plan[0][0] <= now:
                self._own_way = False
                self._take_up(made, self._plan.pop(0)[2])
            until = min(end, self._plan[0][0]) if self._plan else end
            if self._own_way:
                until = min(until, (now // SCRIPT_TICKS + 1) * SCRIPT_TICKS)
            at = made.at
            data, sample, unit, happened = made.ticks(until - now)
            self.truth.add(at, sample, unit)
            pieces.append(data)
            events += happened
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces), events

    def close(self) -> None:
        with self._lock:
            was, self._made, self._closed = self._made, None, True
            if was is not None:
                self.truth.flush()

    @property
    def status(self) -> Status:
        made = self._made
        if made is None:
            return Status("ended" if self._closed else "connecting")
        age = self.clock.now() - self._time_of(made.at - 1)
        return Status("streaming", max(0.0, age), float(self.rate), clock_s=0.0, note="simulated")

    def index_of(self, time: float) -> tuple[float, float]:
        if self._made is None:
            raise WrongUse("implant is not open.", do="Call open() first.")
        return (time - self._began) * self.rate, 0.0

    def _time_of(self, index: int) -> float:
        return self._began + index / self.rate

    # -- the intention

    def intend(self, vx: float, vy: float, vz: float = 0.0, time: float | None = None) -> None:
        """Intend a velocity (1 is a full movement) from a moment of the clock on (now, where none is given); from any
        thread. With two dims, vz is not looked at. Raises WrongUse where it is no number or the board is not open."""
        wanted = (vx, vy, vz)[: self.dims]
        if not np.isfinite(wanted).all():
            raise WrongUse(f"implant cannot intend {wanted}.", "An intention is numbers; 1 is a full movement.")
        index, _ = self.index_of(self.clock.now() if time is None else time)
        tick = int(np.ceil(round(index / (self.rate * TICK_S), 6)))
        with self._lock:
            bisect.insort(self._plan, (tick, self._asked, wanted))
            self._asked += 1

    @property
    def intention(self) -> np.ndarray:
        """What is intended in what was read last."""
        if self._made is None:
            raise WrongUse("implant is not open.", do="Call open() first.")
        return self._made.neurons.intention.copy()

    def _take_up(self, made: Broadband, wanted: tuple[float, ...]) -> None:
        made.neurons.intend(np.array(wanted))
        self.truth.intend(made.at, made.neurons.intention)

    def _scripted(self, tick: int) -> tuple[float, ...]:
        """circle: one turn in four seconds. reach: out and back, a second each, to eight targets (and, in three dimensions,
        up or down with each)."""
        t = tick * TICK_S
        if self.script == "circle":
            turn = 2 * np.pi * t / 4
            v = (np.cos(turn), np.sin(turn), np.sin(2 * turn))
        else:
            reach, back = divmod(int(t), 2)
            size = np.sin(np.pi * (t % 1)) ** 2 * (-1 if back else 1)
            turn = 2 * np.pi * (3 * reach % 8) / 8
            v = (size * np.cos(turn), size * np.sin(turn), size * (0.7 if reach % 2 else -0.7))
        return tuple(float(x) for x in v[: self.dims])
