"""The laws tested themselves: each fault planted here is caught by the law that exists for it, and by name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import pytest
from scipy.signal import butter, lfilter, sosfiltfilt

from bcikit import Event, Setting, Stage, WrongUse
from bcikit.core.grid import Grid
from bcikit.core.label import Label, Level
from bcikit.core.parts import Board, Part, Sink
from bcikit.core.stream import Channel, Chunk, Stream
from bcikit.testing import BOARD_LAWS, SINK_LAWS, STAGE_LAWS, Case, noise

SOS = butter(2, [1, 40], "bandpass", fs=250, output="sos")
A = np.float32(0.9)
Seconds = Annotated[float, Setting("time constant", "s", low=0.01, high=5)]


class Honest(Stage):
    """A leaky integrator for each channel, written row by row: keeps every law."""

    settle = 1.0

    def setup(self, s):
        self._y = np.zeros(s.shape, np.float32)
        return s

    def rows(self, x):
        out = np.empty(x.shape, np.float32)
        for i, row in enumerate(x):
            self._y = A * self._y + (1 - A) * row
            out[i] = self._y
        return out


class HonestMeans(Stage):
    """Means of ten samples on the grid: keeps every law."""

    n: ClassVar[int] = 10

    def setup(self, s):
        self.grid, self.need = Grid(p=self.n, off=self.n - 1), self.n
        self._old = np.zeros((self.n - 1, *s.shape), np.float32)
        return s.but(rate=s.rate / self.n)

    def ticks(self, x, due):
        x = np.concatenate([self._old, x])
        self._old = x[len(x) - self.n + 1 :].copy()
        rows = [x[d : d + self.n].astype(float).sum(axis=0) / self.n for d in due]
        return np.array(rows, np.float32).reshape(len(due), *self.into.shape)


class HonestMeansOfOne(HonestMeans):
    """It could change the rate, and does not."""

    n: ClassVar[int] = 1


@pytest.mark.parametrize("law", STAGE_LAWS)
@pytest.mark.parametrize("cls", [Honest, HonestMeans, HonestMeansOfOne])
def test_an_honest_stage_passes(cls, law):
    STAGE_LAWS[law](Case(cls(), noise()))


# -- faults, each with the law that must catch it

FAULTS: list[tuple[type[Part], str]] = []


def caught_by(law):
    def plant(cls):
        FAULTS.append((cls, law))
        return cls

    return plant


@caught_by("any_cut_same_bytes")
class ForgetsItsStateAtACut(Honest):
    def rows(self, x):
        self._y = np.zeros_like(self._y)
        return super().rows(x)


@caught_by("keeps_its_hands_off")
class ChangesItsInputInPlace(Honest):
    def step(self, c):
        data = c.data
        while not data.flags.writeable and data.base is not None:
            data = data.base
        data *= 2
        return super().step(c)


@caught_by("keeps_its_hands_off")
class KeepsItsInputByReference(Honest):
    def setup(self, s):
        self._old = np.zeros((1, *s.shape), np.float32)
        return super().setup(s)

    def rows(self, x):
        y = np.concatenate([self._old, x])[: len(x)]
        if len(x):
            self._old = x[-1:]
        return y


@caught_by("keeps_its_hands_off")
class ReusesItsOutputBuffer(Honest):
    def setup(self, s):
        self._scratch = np.zeros((5000, *s.shape), np.float32)
        return super().setup(s)

    def rows(self, x):
        self._scratch[: len(x)] = super().rows(x)
        return self._scratch[: len(x)]


@caught_by("keeps_its_hands_off")
class HandsItsInputOn(Honest):
    def rows(self, x):
        return x


@caught_by("indices_and_times")
class StampsAWindowByItsChunk(HonestMeans):
    def step(self, c):
        out = super().step(c)
        return out.but(time=c.time - 0.1)


@caught_by("indices_and_times")
class CountsFromWhereItBegan(HonestMeans):
    def step(self, c):
        start = self._begin if self._begin is not None else c.first
        out = super().step(c)
        return out.but(first=out.first - start // self.n)


@caught_by("any_cut_same_bytes")
class CountsWindowsFromEachChunk(HonestMeans):
    def step(self, c):
        n = len(c) // self.n
        data = c.data[: n * self.n].reshape(n, self.n, *self.into.shape).mean(axis=1, dtype=np.float32)
        return Chunk(data, c.first // self.n, c.time, ())


@caught_by("causal")
class FiltersWithZeroPhase(Honest):
    def rows(self, x):
        return sosfiltfilt(SOS, x, axis=0).astype(np.float32) if len(x) > 40 else super().rows(x)


@caught_by("causal")
class StandardisesTheWholeRecording(Honest):
    def rows(self, x):
        return ((x - x.mean(0)) / (x.std(0) + 1)).astype(np.float32) if len(x) else super().rows(x)


@caught_by("any_cut_same_bytes")
class MultipliesAChunkSizedMatrix(Honest):
    holds = False

    def setup(self, s):
        self.mix = np.random.default_rng(0).standard_normal((len(s.channels), 48)).astype(np.float32)
        self.back = np.random.default_rng(1).standard_normal((48, len(s.channels))).astype(np.float32)
        return s

    def rows(self, x):
        return x @ self.mix @ self.back


@caught_by("faults_leave_no_trace")
class KeepsNanInAFilter(Honest):
    holds = False


@caught_by("faults_leave_no_trace")
class SpreadsNanOverTheChannels(Honest):
    holds = False

    def rows(self, x):
        return (x - x.mean(axis=1, keepdims=True)).astype(np.float32)


@caught_by("faults_leave_no_trace")
class NeverForgetsARail(Honest):
    def rows(self, x):
        out = np.empty_like(x)
        for i, row in enumerate(x):
            self._y = np.maximum(self._y, np.abs(row))
            out[i] = row / (self._y + 1)
        return out


@caught_by("restart_is_fresh")
class SharesStateBetweenInstances(Honest):
    shared: ClassVar[dict] = {}

    def setup(self, s):
        self.shared.setdefault("y", np.zeros(s.shape, np.float32))
        return s

    def rows(self, x):
        out = np.empty_like(x)
        for i, row in enumerate(x):
            self.shared["y"] = A * self.shared["y"] + (1 - A) * row
            out[i] = self.shared["y"]
        return out


@caught_by("restart_is_fresh")
class RemembersAcrossStarts(Honest):
    def start(self, s):
        old = getattr(self, "_y", None)
        out = super().start(s)
        if old is not None:
            self._y = old
        return out


@caught_by("saves_and_loads")
class HidesItsState(Honest):
    def setup(self, s):
        self.hidden = np.zeros(s.shape, np.float32)  # by its name it is derived, so it is not saved
        return s

    def rows(self, x):
        out = np.empty_like(x)
        for i, row in enumerate(x):
            self.hidden = A * self.hidden + (1 - A) * row
            out[i] = self.hidden
        return out


@caught_by("saves_and_loads")
class SavesAReference(Honest):
    def rows(self, x):
        out = np.empty_like(x)
        for i, row in enumerate(x):
            self._y *= A
            self._y += (1 - A) * row
            out[i] = self._y
        return out

    def state(self):
        return {n: v for n, v in vars(self).items() if n[0] == "_"}


@caught_by("indices_and_times")
class LosesAGap(Honest):
    def gap(self, seconds):
        super().gap(seconds)
        self._lost = True

    def step(self, c):
        out = super().step(c)
        return out.but(events=tuple(e for e in out.events if e.name != "gap"))


@caught_by("indices_and_times")
class MovesAnEvent(HonestMeans):
    def step(self, c):
        out = super().step(c)
        return out.but(events=tuple(Event(max(e.index, out.first), e.name, e.value) for e in out.events))


@caught_by("indices_and_times")
class LosesEventsOfChunksWithoutOutput(HonestMeans):
    def step(self, c):
        out = super().step(c)
        return out if len(out) else out.but(events=())


@caught_by("any_cut_same_bytes")
class DoublesAnEventAtACut(Honest):
    def setup(self, s):
        self._seen = []
        return super().setup(s)

    def step(self, c):
        out = super().step(c)
        again = tuple(Event(*e) for e in self._seen if e[0] == c.first - 1)
        self._seen = [(e.index, e.name, e.value, e.uncertainty) for e in c.events]
        return out.but(events=again + out.events)


@caught_by("bounded")
class KeepsEverything(Honest):
    def setup(self, s):
        self._all = []
        return super().setup(s)

    def rows(self, x):
        self._all.append(float(x.sum()))
        return super().rows(x)


@caught_by("causal")
class ForgetsTheDelayBeforeIt(Honest):
    def setup(self, s):
        return super().setup(s).but(delay=0.04)


@caught_by("label_is_kept")
class WashesTheLabel(Honest):
    def start(self, s):
        return super().start(s).but(label=s.label.__class__(Level.AGGREGATE))


@caught_by("step_never_learns")
class LearnsInStep(Honest):
    def __init__(self):
        self.mean_ = 0.0

    def rows(self, x):
        self.mean_ += float(x.sum())
        return super().rows(x)


@dataclass(eq=False)
class Deaf(Honest):
    """A setting that nothing listens to."""

    tau: Seconds = 0.5


@dataclass(eq=False)
class CountsInChunks(Honest):
    """A time constant counted in chunks, not in seconds."""

    tau: Seconds = 0.5

    def rows(self, x):
        if not len(x):
            return np.empty(x.shape, np.float32)
        self._y = self._y + np.float32(self.tau / 5) * (x[-1] - self._y)
        return np.asarray(x - self._y, np.float32)


FAULTS += [(Deaf, "every_setting_matters"), (CountsInChunks, "any_cut_same_bytes")]


# -- boards

LEFT: list[Callable[[], object]] = []  # ends what a planted fault leaves behind


class HonestBoard(Board):
    """Whole numbers drawn by a seed, a hundred a second: keeps every law."""

    def open(self):
        self._rng, self._next, self._began = np.random.default_rng(0), 0, self.clock.now()
        return Stream("drawn", 100.0, (Channel("a"), Channel("b")), label=self.label)

    def read(self, timeout=0.1):
        self.clock.sleep_until(self.clock.now() + timeout)
        first, self._next = self._next, int((self.clock.now() - self._began) * 100 + 1e-6)
        if self._next == first:
            return None
        return Chunk(self.draw(self._next - first), first, self._began + (self._next - 1) / 100)

    def draw(self, n):
        return self._rng.integers(0, 9, (n, 2)).astype(np.float32)

    def index_of(self, time):
        return (time - self._began) * 100, 0.0


@caught_by("board_gives_the_same_bytes")
class DrawsByTheReading(HonestBoard):
    def draw(self, n):
        return np.sort(super().draw(n), axis=0)


@caught_by("board_gives_the_same_bytes")
class SharesOneGenerator(HonestBoard):
    _rng: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def draw(self, n):
        return SharesOneGenerator._rng.integers(0, 9, (n, 2)).astype(np.float32)


@caught_by("board_counts_its_samples")
class CountsEachChunkFromNought(HonestBoard):
    def read(self, timeout=0.1):
        c = super().read(timeout)
        return c and c.but(first=0)


@caught_by("board_counts_its_samples")
class GivesDoublesWhereFloatsAreSaid(HonestBoard):
    def draw(self, n):
        return super().draw(n).astype(np.float64)


@caught_by("board_counts_its_samples")
class NamesTwoChannelsAlike(HonestBoard):
    def open(self):
        return super().open().but(channels=(Channel("a"), Channel("a")))


@caught_by("board_closes")
class LeavesAThread(HonestBoard):
    def open(self):
        end = threading.Event()
        threading.Thread(target=end.wait).start()
        LEFT.append(end.set)
        return super().open()


@caught_by("board_closes")
class LeavesAFileOpen(HonestBoard):
    def open(self):
        LEFT.append(Path(os.devnull).open("rb").close)
        return super().open()


@caught_by("board_label_is_true")
class ForgetsWhoSitsAtIt(HonestBoard):
    def open(self):
        return super().open().but(label=Label())


@caught_by("board_places_marks")
class PlacesMarksByTheSecond(HonestBoard):
    def index_of(self, time):
        return time - self._began, 0.0


# -- sinks


class HonestSink(Sink):
    """Keeps the newest sample: keeps every law."""

    def send(self, c):
        if len(c):
            self.newest = c.data[-1].copy()


@caught_by("sink_needs_a_permit")
class OpensToAnybody(HonestSink):
    def open(self, s, permit):
        self.stream = s


@caught_by("sink_takes_any_chunk")
class TakesWhatItIsGivenForItsOwn(HonestSink):
    def send(self, c):
        data = c.data.base
        data[...] = np.nan_to_num(data)


# -- they are caught

LAWS = STAGE_LAWS | BOARD_LAWS | SINK_LAWS


@pytest.mark.parametrize("cls, law", FAULTS, ids=[f"{c.__name__}-{w}" for c, w in FAULTS])
def test_the_fault_is_caught(cls, law):
    with pytest.raises(AssertionError):
        LAWS[law](Case(cls(), noise()) if issubclass(cls, Stage) else cls)
    while LEFT:
        LEFT.pop()()


@pytest.mark.parametrize("cls, law", [(HonestBoard, law) for law in BOARD_LAWS] + [(HonestSink, law) for law in SINK_LAWS])
def test_an_honest_board_and_an_honest_sink_pass(cls, law):
    LAWS[law](cls)


def test_every_law_has_a_fault_that_it_catches():
    assert {law for _, law in FAULTS} >= set(LAWS) - {"recipe_round_trips"}


def test_lowering_a_level_without_being_registered_is_refused():
    class Lowers(Honest):
        def setup(self, s):
            return super().setup(s).but(label=s.label.__class__(Level.DECISION))

    with pytest.raises(WrongUse, match="privacy level"):
        Lowers().start(noise(0.1).stream)


def test_a_stage_equals_its_own_slow_twin():
    """The honest integrator is right, not only consistent."""
    case = Case(Honest(), noise())
    want = lfilter([0.1], [1, -0.9], case.input.data.astype(float), axis=0)
    assert np.allclose(case.run().data, want, rtol=1e-4, atol=1e-2)
