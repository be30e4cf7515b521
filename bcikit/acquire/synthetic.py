"""A board with no hardware and no person: simulated EEG, paced like a real one, that answers to an intention.

    board = Synthetic(seed=1)                  bcikit stream --board synthetic --opt n=16 --opt script=motor
    board.intend("left")                       imagines the left hand, after the reaction time
    board.intend("flicker:12")                 looks at a light of 12 Hz
    board.eyes("closed")
    board.flash(target=True)                   sees the flash it waits for

These may be called from any thread while the board is open; the first of them ends the script. What the EEG is made of, and
where each number comes from, is in `bcikit/simulate/facts.py`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from ..core.errors import WrongUse, nearest
from ..core.label import SIMULATED
from ..core.parts import Board, Part, Setting, Status
from ..core.stream import Channel, Chunk, Stream
from ..files.montage import position, positions, spelled
from ..simulate.eeg import Person, check
from ..simulate.facts import fact
from ..simulate.script import SCRIPTS, steps

# the first n of these are a fair montage for any n: 8 and 16 as OpenBCI places them, 19 is 10-20, 64 is 10-10
ORDER = tuple(
    (
        "Fp1 Fp2 C3 C4 P7 P8 O1 O2 F7 F8 F3 F4 T7 T8 P3 P4 Fz Cz Pz Oz FC1 FC2 CP1 CP2 FC5 FC6 CP5 CP6 AF3 AF4 PO3 PO4 "
        "C1 C2 C5 C6 FC3 FC4 CP3 CP4 FCz CPz POz Fpz AFz PO7 PO8 AF7 AF8 F1 F2 F5 F6 FT7 FT8 TP7 TP8 P1 P2 P5 P6 FT9 FT10 Iz"
    ).split()
)
MOST_S = 0.5  # the longest chunk, however late the reader is


@dataclass(eq=False)
class Synthetic(Board):
    """A simulated person's EEG (µV, against linked ears) at the electrodes of the 10-20 and 10-10 systems.

    The same settings and intentions give the same bytes, however the board is read; on a clock that jumps it runs as fast as
    the machine can. A late reader catches up: nothing is lost. With `truth`, what happens comes as events on the sample on
    which it begins: `truth:` and intention, lapse, eyes, blink, clench, pop or flash.
    """

    live = False
    label = SIMULATED

    rate: Annotated[float, Setting("sampling rate", "Hz", low=80, high=4000)] = 250.0
    n: Annotated[int, Setting("number of channels, where they are not named", low=1, high=len(ORDER))] = 8
    channels: Annotated[tuple[str, ...], Setting("names of 10-05 electrodes, in place of n")] = ()
    seed: Annotated[int, Setting("seed of everything random", low=0, high=2**32 - 1)] = 0
    session: Annotated[int, Setting("another sitting of the same person: other noise", low=0, high=2**32 - 1)] = 0
    mains: Annotated[float, Setting("mains frequency, 0 for none", "Hz", low=0, high=60)] = 50.0
    script: Annotated[tuple[str, ...], Setting(f"what the person does: {', '.join(SCRIPTS)} or act:seconds+...")] = ("demo",)
    artefacts: Annotated[bool, Setting("blinks, jaw clenches and electrode pops come by themselves")] = True
    bad: Annotated[str | None, Setting("name of an electrode with poor contact")] = None
    amplitude: Annotated[float, Setting("times everything that is of the person", low=0, high=100)] = 1.0
    lapse: Annotated[float, Setting("share of what the person is asked to do that they miss", low=0, high=1)] = 0.0
    reaction: Annotated[float, Setting("from an intention's time to its beginning", "s", low=0, high=5)] = fact("reaction_s")
    truth: Annotated[bool, Setting("what happens travels as events")] = True
    chunk: Annotated[float, Setting("length of a chunk", "s", low=0.001, high=MOST_S)] = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        self._names = self._electrodes()
        self._lock = threading.Lock()
        self._person: Person | None = None
        self._closed = False
        bad = None if self.bad is None else spelled(self.bad)
        if self.bad is not None and bad not in self._names:
            raise WrongUse(
                f"synthetic:bad={self.bad} is none of its channels.",
                f"It has {', '.join(self._names)}.",
                nearest(self.bad, list(self._names)),
            )
        self._bad = bad
        self._steps = steps(self.script)
        for act, _ in self._steps:
            check(act, self._names, self.rate)

    @classmethod
    def examples(cls) -> Iterator[Part]:
        yield cls()
        yield cls(rate=500, n=16, mains=60, bad="C3", script=("motor",), seed=3, chunk=0.1)

    def _electrodes(self) -> tuple[str, ...]:
        if not self.channels:
            return ORDER[: self.n]
        names = [spelled(name) for name in self.channels]
        for name, known in zip(self.channels, names, strict=True):
            if known is None:
                raise WrongUse(f"synthetic has no electrode {name!r}.", nearest(name, list(positions())))
            if names.count(known) > 1:
                raise WrongUse(f"synthetic:channels names {known} twice.", do="Name each electrode once.")
        return tuple(name for name in names if name)

    # -- the board

    def open(self) -> Stream:
        told = {n: getattr(self, n) for n in ("seed", "session", "mains", "amplitude", "artefacts", "lapse")}
        self._person = Person(self._names, self.rate, bad=self._bad, **told)
        self._closed = False
        self._block = max(1, round(self.chunk * self.rate))
        self._began = self.clock.now()
        self._own_way = bool(self._steps)  # follows its script until somebody asks for something
        self._step, self._step_at = 0, 0.0
        return Stream(
            "simulated EEG",
            self.rate,
            tuple(Channel(name, "eeg", "µV", position(name)) for name in self._names),
            label=SIMULATED,
            info={"model": "simulated person", "reference": "linked ears", **self.settings()},
        )

    def read(self, timeout: float = 0.1) -> Chunk | None:
        person = self._person
        if person is None:
            if self._closed:
                return None
            raise WrongUse("synthetic is not open.", do="Call open() first.")
        due = self._time_of(person.at + self._block - 1)
        latest = self.clock.now() + timeout
        self.clock.sleep_until(min(due, latest))
        if due > latest:
            return None
        late = int((self.clock.now() - due) * self.rate) // self._block
        n = self._block * min(1 + late, max(1, int(MOST_S * self.rate) // self._block))
        with self._lock:
            if self._person is not person:
                return None  # closed meanwhile
            first = person.at
            self._follow(person, first + n)
            data, events = person.samples(n)
        return Chunk(data, first, self._time_of(first + n - 1), tuple(events) if self.truth else ())

    def close(self) -> None:
        self._person, self._closed = None, True

    @property
    def status(self) -> Status:
        person = self._person
        if person is None:
            return Status("ended", math.nan, self.rate, note="simulated") if self._closed else Status()
        age = self.clock.now() - self._time_of(person.at - 1)
        return Status("streaming", max(0.0, age), self.rate, clock_s=0.0, note="simulated")

    def index_of(self, time: float) -> tuple[float, float]:
        if self._person is None:
            raise WrongUse("synthetic is not open.", do="Call open() first.")
        return (time - self._began) * self.rate, 0.0

    def _time_of(self, index: int) -> float:
        return self._began + index / self.rate

    # -- the person

    def intend(self, act: str, time: float | None = None) -> None:
        """Take up an intention (rest, left, right, both, feet, flicker:HZ) or do something (blink, clench, pop, pop:C3), at
        a moment of the clock (now, where none is given) plus the reaction time. Raises WrongUse for what it cannot do."""
        self._ask(act, time, self.reaction)

    def eyes(self, state: str, time: float | None = None) -> None:
        """Open or close the eyes ("open", "closed"), after the reaction time."""
        if state not in ("open", "closed"):
            raise WrongUse(f"Eyes cannot be {state!r}.", "They can be open or closed.")
        self._ask(state, time, self.reaction)

    def flash(self, target: bool, time: float | None = None) -> None:
        """See a flash at a moment of the clock: one that the person waits for, or another."""
        self._ask("flash:target" if target else "flash:other", time, 0.0)

    def _ask(self, act: str, time: float | None, wait: float) -> None:
        check(act, self._names, self.rate)
        index, _ = self.index_of(self.clock.now() if time is None else time)
        with self._lock:
            person = self._person
            if person is None:
                return  # closed meanwhile
            if self._own_way:
                self._own_way = False
                person.forget()
                for wrong, right in ((person.eyes, "open"), (person.intention, "rest")):
                    if wrong != right:
                        person.plan(person.at, right)
            person.plan(math.ceil(index + wait * self.rate), act)

    def _follow(self, person: Person, until: int) -> None:
        """Plan what the script says before a sample."""
        while self._own_way and self._step_at * self.rate < until:
            act, seconds = self._steps[self._step % len(self._steps)]
            person.plan(math.ceil((self._step_at + self.reaction) * self.rate), act)
            self._step, self._step_at = self._step + 1, self._step_at + seconds
