"""The published list of faults, on which `explain` is measured: each is put into a simulated run, whose trail alone is then
asked which part was responsible for a command behind it. `bcikit audit explain --faults 200`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.clock import JumpClock
from ..core.errors import NotConsented
from ..core.label import SIMULATED, Label
from ..core.loop import Loop
from ..core.parts import Board, Stage, Status
from ..core.pipeline import Pipeline
from ..core.stream import Channel, Chunk, Stream
from ..decode.kinematics.kalman import Kalman
from ..decode.map.limit import Limit
from ..decode.map.steady import Steady
from ..effectors.hand import Hand
from ..ethics import audit
from ..ethics.gate import Gate
from ..preprocess.bandpass import Bandpass
from .explain import Replay, Run, explain
from .trail import Trail

RATE, SECONDS, CHANNELS, CHUNK = 100.0, 4.0, 6, 5
BEHIND = (15, 40)  # samples from the fault to the command that is asked about: a fault takes time to be one
PERSON = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))


@dataclass
class Bench:
    """A run to be spoilt: simulated signals that the movement of a hand is decoded from. at: the sample of the fault."""

    rng: np.random.Generator
    at: int
    gate: Gate
    hand: Hand

    def __post_init__(self) -> None:
        n = round(RATE * SECONDS)
        meant = np.cumsum(self.rng.standard_normal((n, 1)), axis=0) * 0.05
        mixed = meant @ self.rng.standard_normal((1, CHANNELS)) + 0.3 * self.rng.standard_normal((n, CHANNELS))
        self.data, self.index = (20 * mixed).astype(np.float32), np.arange(n)
        kalman = Kalman(outputs=("close",), unit="rad/s")
        kalman.fit(self.data, np.clip(meant, -1, 1))
        self.stages: list[Stage] = [Bandpass(low=0.3, high=20), kalman, Steady(gain=0.8, smooth=0.1), Limit(speed=1.2)]
        self.when: dict[int, Callable[[], Any]] = {}  # what happens when this sample is read
        self.label = SIMULATED

    @property
    def column(self) -> int:
        return int(self.rng.integers(CHANNELS))

    def loses(self, samples: int) -> None:
        keep = (self.index < self.at) | (self.index >= self.at + samples)
        self.data, self.index = self.data[keep], self.index[keep]

    def behind(self, place: int, change: Callable[[Chunk], Chunk]) -> None:
        """From the fault on, the stage gives something else."""
        stage = self.stages[place]

        def spoil() -> None:  # not before the run: a stage that starts forgets what it is not told to keep
            step = stage.step
            stage.step = lambda c: change(step(c))  # type: ignore[method-assign]

        self.when[self.at] = spoil

    def spoilt(self, place: int) -> Callable[[Chunk], Chunk]:
        """A number of its output with one bit turned."""
        bit = np.uint32(1) << np.uint32(self.rng.integers(8, 30))

        def change(c: Chunk) -> Chunk:
            y = c.data.copy()
            y.view(np.uint32)[-1] ^= bit
            return c.but(data=y)

        return change

    def orders(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """From the fault on, the supervisor lets something else through."""

        def spoil() -> None:
            sup: Any = self.hand._sup
            step = sup.step

            def other(*a: Any) -> np.ndarray:
                sup.value = change(step(*a))
                return sup.value

            sup.step = other

        self.when[self.at] = spoil

    def does(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """From the fault on, the device does something else than it is told."""

        def spoil() -> None:
            device: Any = self.hand._device
            step = device.step
            device.step = lambda command, dt: step(change(command), dt)

        self.when[self.at] = spoil


class Played(Board):
    """Plays a bench's samples on a clock that jumps."""

    live = False

    def __init__(self, bench: Bench) -> None:
        self.bench, self._at, self.label = bench, 0, bench.label

    def open(self) -> Stream:
        return Stream("simulated", RATE, tuple(Channel(f"E{i}") for i in range(CHANNELS)), label=self.label)

    def read(self, timeout: float = 0.1) -> Chunk | None:
        b, a = self.bench, self._at
        if a >= len(b.index):
            return None
        n = CHUNK
        steps = np.flatnonzero(np.diff(b.index[a : a + n]) != 1)
        end = min(a + (int(steps[0]) + 1 if len(steps) else n), len(b.index))
        self._at, last = end, int(b.index[end - 1])
        for at in [k for k in b.when if k <= last]:
            b.when.pop(at)()
        self.clock.sleep_until(last / RATE)
        return Chunk(b.data[a:end], int(b.index[a]), last / RATE)

    @property
    def status(self) -> Status:
        return Status("ended" if self._at >= len(self.bench.index) else "streaming")

    def index_of(self, time: float) -> tuple[float, float]:
        return time * RATE, 0.0


Fault = Callable[[Bench], None]
FAULTS: dict[str, tuple[str, Fault]] = {}


def fault(who: str, name: str) -> Callable[[Fault], Fault]:
    def add(f: Fault) -> Fault:
        FAULTS[name] = (who, f)
        return f

    return add


@fault("device", "a channel gives no numbers")
def _(b: Bench) -> None:
    b.data[b.at : b.at + 20, b.column] = np.nan


@fault("device", "an electrode falls off: the channel stands still")
def _(b: Bench) -> None:
    b.data[b.at : b.at + 40, b.column] = 0.0


@fault("device", "an amplifier is at its rail")
def _(b: Bench) -> None:
    b.data[b.at : b.at + 30, b.column] = 187_500.0


@fault("device", "a cable is pulled: one great jump")
def _(b: Bench) -> None:
    b.data[b.at, b.column] = 20_000.0 * b.rng.choice([-1, 1])


@fault("link", "some samples are lost")
def _(b: Bench) -> None:
    b.loses(int(b.rng.integers(1, 10)))


@fault("link", "nothing comes for a time")
def _(b: Bench) -> None:
    b.loses(int(b.rng.integers(20, 100)))


@fault("link", "samples come twice")
def _(b: Bench) -> None:
    b.index = b.index - np.where(b.index >= b.at, int(b.rng.integers(1, 5)), 0)


@fault("stage", "a bit turns in what the filter gives")
def _(b: Bench) -> None:
    b.behind(0, b.spoilt(0))


@fault("stage", "the filter gives the same again and again")
def _(b: Bench) -> None:
    b.behind(0, lambda c: c.but(data=np.repeat(c.data[:1], len(c), axis=0)))


@fault("stage", "the filter is of another cut-off than was said")
def _(b: Bench) -> None:
    other = Bandpass(low=0.3, high=float(b.rng.uniform(5, 15)))

    def spoil() -> None:
        other.start(b.stages[0].into)
        b.stages[0].step = other.step  # type: ignore[method-assign]

    b.when[b.at] = spoil


@fault("stage", "the smoothing forgets what it had")
def _(b: Bench) -> None:
    b.when[b.at] = lambda: setattr(b.stages[2], "_v", np.full(1, 0.5))


@fault("decoder", "a bit turns in what the decoder gives")
def _(b: Bench) -> None:
    b.behind(1, b.spoilt(1))


@fault("decoder", "a weight of the decoder is not the one that was learnt")
def _(b: Bench) -> None:
    def spoil() -> None:
        kalman: Any = b.stages[1]
        kalman.start(kalman.into)
        kalman.K_ = kalman.K_.copy()
        kalman.K_.flat[int(b.rng.integers(kalman.K_.size))] += 0.01
        kalman.start(kalman.into)

    b.when[b.at] = spoil


@fault("decoder", "the decoder gives no numbers")
def _(b: Bench) -> None:
    b.behind(1, lambda c: c.but(data=np.full_like(c.data, np.nan)))


@fault("decoder", "the decoder turns left and right about")
def _(b: Bench) -> None:
    b.behind(1, lambda c: c.but(data=-c.data))


@fault("policy", "a new policy forbids the effector")
def _(b: Bench) -> None:
    b.label = PERSON
    text = 'version = 1\n[[forbid]]\nsinks = ["effector"]\n'
    b.when[b.at] = lambda: b.gate.consent.use_policy(text)


@fault("policy", "the person's own policy forbids the purpose")
def _(b: Bench) -> None:
    b.label = PERSON
    text = 'version = 1\n[[forbid]]\nsinks = ["effector"]\npurposes = ["research"]\n'
    b.when[b.at] = lambda: b.gate.consent.use_policy(text, "S1")


@fault("limiter", "the limit stage lets more through than it may")
def _(b: Bench) -> None:
    b.behind(3, lambda c: c.but(data=(c.data * np.float32(1.7))))


@fault("limiter", "the supervisor orders more than was asked")
def _(b: Bench) -> None:
    b.orders(lambda v: v * 1.5 + 0.05)


@fault("limiter", "the supervisor orders the same again and again")
def _(b: Bench) -> None:
    b.orders(lambda v: np.full_like(v, 0.3))


@fault("effector", "the device does half of what it is told")
def _(b: Bench) -> None:
    b.does(lambda c: c * 0.5)


@fault("effector", "the device does the contrary")
def _(b: Bench) -> None:
    b.does(lambda c: -c)


@fault("effector", "the device drifts")
def _(b: Bench) -> None:
    b.does(lambda c: c + 0.02)


@fault("person", "the person takes the grant back")
def _(b: Bench) -> None:
    b.label = PERSON
    b.when[b.at] = lambda: b.gate.consent.revoke("S1", sinks=["effector"])


@fault("person", "the person presses the emergency stop")
def _(b: Bench) -> None:
    b.when[b.at] = b.hand.stop


@dataclass(frozen=True)
class Found:
    """who was at fault, who was named. commands: how many the run had where its line was not the fault, and how many of them
    replayed to the bit."""

    fault: str
    who: str
    named: str
    why: str
    commands: int
    replayed: int


def spoilt(name: str, seed: int) -> Found:
    """One fault, at a moment drawn by the seed, and what its trail was found to tell."""
    who, put = FAULTS[name]
    with _home() as home:
        rng, gate = np.random.default_rng([seed, 14]), Gate(home)
        gate.stop_exercised()
        gate.consent.grant("S1", "research", ["record", "effector"])
        bench = Bench(rng, int(rng.integers(150, 300)), gate, Hand(lockstep=True))
        put(bench)
        run = ran(bench, home / "trail")
        replay = Replay(run)
        wanted = bench.at + int(rng.integers(*BEHIND))
        command = int(run.commands[min(int(np.searchsorted(run.commands, wanted)), len(run.commands) - 1)])
        verdict = explain(run, command, replay)
        audit.settle()
    first = replay.first[max(replay.first)]
    same = len(run.commands) if first is None else int((run.commands < first).sum())
    spoiled = who in ("stage", "decoder") or "limit stage" in name  # what it gave must not come out again
    return Found(name, who, verdict.who, verdict.why, 0 if spoiled else len(run.commands), 0 if spoiled else same)


def ran(bench: Bench, folder: Path) -> Run:
    """Run it, and read its trail."""
    loop = Loop(Played(bench), Pipeline(bench.stages), bench.gate, JumpClock())
    trail = Trail(folder, loop, bench.gate)
    loop.add(trail.stand(bench.hand))
    with suppress(NotConsented), trail:
        loop.run()
    return Run.read(folder)


def drawn(count: int, seed: int) -> Iterator[Found]:
    """So many faults of the list, in turn, each at a moment of its own."""
    names = list(FAULTS)
    order = np.random.default_rng(seed).permutation(count)
    for k in order.tolist():
        yield spoilt(names[k % len(names)], seed * 1_000_003 + k)


@contextmanager
def _home() -> Iterator[Path]:
    before = os.environ.get("BCIKIT_HOME")
    with tempfile.TemporaryDirectory(prefix="bcikit-explain-", ignore_cleanup_errors=True) as place:
        os.environ["BCIKIT_HOME"] = place
        try:
            yield Path(place)
        finally:
            with suppress(KeyError):
                del os.environ["BCIKIT_HOME"]
            if before is not None:
                os.environ["BCIKIT_HOME"] = before
