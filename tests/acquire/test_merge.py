"""Boards merged: known pulses of simulated boards on a clock that jumps, and of real LSL streams of two processes."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquire.lsl import Lsl
from bcikit.acquire.merge import Merge
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.find import parse
from bcikit.core.label import SIMULATED, Label
from bcikit.core.parts import Board, Status
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream

spec = importlib.util.spec_from_file_location("lsl_helpers", Path(__file__).with_name("test_lsl.py"))
lsl_helpers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lsl_helpers)
sender = lsl_helpers.sender


class Pulses(Board):
    """Sample i is taken at begin + i / rate and is 1 where a pulse falls into the time since the one before, else 0; it can
    be had `lag` seconds later."""

    def __init__(self, rate=250.0, begin=0.0, pulses=(), block=5, lag=0.0, end=4.0, name="C3", scale=None, skip=()):
        self.rate, self.begin, self.pulses, self.block, self.lag, self.last = rate, begin, pulses, block, lag, end
        self.name, self.scale, self.skip = name, scale, skip
        self.closed = 0

    def open(self):
        self.at, self.state = 0, "streaming"
        return Stream(f"board {self.name}", self.rate, (Channel(self.name),), label=self.label, scale=self.scale)

    def read(self, timeout=0.1):
        n = self.at + self.block
        newest = self.begin + (n - 1) / self.rate
        if newest > self.last:
            self.state = "ended"
            return None
        until = self.clock.now() + timeout
        self.clock.sleep_until(min(newest + self.lag, until))
        if newest + self.lag > until:
            return None
        t = self.begin + np.arange(self.at, n) / self.rate
        x = np.array(
            [[any(a - 1 / self.rate < p <= a for p in self.pulses)] for a in t],
            np.float32 if self.scale is None else np.int16,
        )
        first, self.at = self.at, n
        if any(first <= s < n for s in self.skip):
            return self.read(max(until - self.clock.now(), 0.0))
        return Chunk(x, first, newest)

    def close(self):
        self.closed += 1
        self.state = "ended"

    @property
    def status(self):
        return Status(getattr(self, "state", "connecting"), 0.0, self.rate)

    def index_of(self, time):
        return (time - self.begin) * self.rate, 0.001


class Marks(Board):
    """Events at known times; each can be had `lag` seconds later."""

    def __init__(self, times, lag=0.0):
        self.times, self.lag = sorted(times), lag

    def open(self):
        self.n = 0
        return Stream("marks", 0.0, (Channel("m", "marker", ""),), label=self.label)

    def read(self, timeout=0.1):
        due = [t for t in self.times[self.n :] if t + self.lag <= self.clock.now()]
        if not due:
            self.clock.sleep_until(self.clock.now() + timeout)
            return None
        first, self.n = self.n, self.n + len(due)
        events = tuple(Event(first + i, "pulse", t, 0.002) for i, t in enumerate(due))
        return Chunk(np.zeros((len(due), 1), np.float32), first, np.array(due), events)


def run(merge, timeout=0.05, turns=10_000):
    merge.clock = JumpClock()
    stream, chunks = merge.open(), []
    for _ in range(turns):
        c = merge.read(timeout)
        if c is not None:
            chunks.append(c)
        elif merge.status.state == "ended":
            break
    merge.close()
    return Recording(stream, tuple(chunks))


TIMES = (0.5, 1.2345, 2.0, 3.1)


def test_marks_lie_on_the_pulse_to_one_sample():
    r = run(Merge.of(Pulses(pulses=TIMES, begin=0.013), Marks((-0.5, *TIMES), lag=0.1)))  # the first is of before
    pulses = r.index[r.data[:, 0] == 1]
    assert len(r.events) == 4 and r.stream.names == ("C3",) and r.stream.delay == 0
    for e, pulse in zip(r.events, pulses, strict=True):
        assert pulse - 1 < e.index <= pulse and e.index == pytest.approx((e.value - 0.013) * 250)
        assert e.uncertainty == pytest.approx(math.hypot(0.002, 0.001))


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_mark_without_a_time_is_told_and_does_not_wait_for_ever(time):
    merge = Merge.of(Pulses(), Marks((0.5,)))
    merge.clock = JumpClock()
    merge.open()
    merge._marks.append(("no time", None, time, 0.0))
    r = [c for _ in range(200) if (c := merge.read(0.05))]
    assert [e.name for c in r for e in c.events] == ["pulse"] and not merge._marks
    assert "1 marks bore no time" in merge.status.note
    merge.close()


@given(
    rate=st.sampled_from([30.0, 100.0, 250.0, 1000.0]),
    begin=st.integers(0, 300).map(lambda ms: ms / 1000 + 0.00033),  # no moment of both boards is the same
    lag=st.floats(0, 0.05),
    block=st.integers(1, 30),
    timeout=st.sampled_from([0.0, 0.003, 0.05, 1.0]),
)
@settings(max_examples=12, deadline=None)
def test_another_boards_signal_is_the_newest_sample_not_younger_than_the_row(rate, begin, lag, block, timeout):
    first, other = Pulses(pulses=TIMES), Pulses(rate, begin, TIMES, block, lag, name="gaze")
    wait = lag + block / rate + 1e-6
    r = run(Merge.of(first, other, wait_s=wait, stale_s=0.5), timeout=max(timeout, 1e-3))
    assert r.stream.names == ("C3", "gaze") and r.stream.delay == pytest.approx(wait)
    assert len(r.data) == 1000, "nothing of the first board is lost"
    said = 0
    for row, t in zip(r.data[:, 1], r.time, strict=True):
        exact = (t - begin + 1e-6) * rate
        i = math.floor(exact)  # the newest sample that is not younger
        taken = begin + i / rate
        if i < 0:
            assert math.isnan(row)
        elif 1e-6 < exact - i < 1 - 1e-6 and i < (4.0 - begin) * rate - block:
            assert row == any(taken - 1 / rate < p <= taken for p in TIMES)
            said += 1
    assert said > 500


def test_late_samples_are_counted_and_stale_ones_are_nan():
    late = Merge.of(Pulses(), Pulses(100.0, lag=0.2, name="late"), wait_s=0.0, stale_s=0.05)
    r = run(late)
    assert np.isnan(r.data[:, 1]).all() and np.isfinite(r.data[:, 0]).all()
    assert "came later than wait_s" in late.status.note
    gone = run(Merge.of(Pulses(), Pulses(100.0, end=2.0, name="gone"), wait_s=0.1, stale_s=0.25))
    silent = np.isnan(gone.data[:, 1])
    assert not silent[(gone.time > 0) & (gone.time < 2.2)].any() and silent[gone.time > 2.3].all()


def test_a_gap_of_the_first_board_stays_and_counts_are_scaled():
    r = run(Merge.of(Pulses(skip=(100,), scale=0.5, pulses=TIMES), Pulses(100.0, name="C3")))
    assert 1 < np.diff(r.index).max() <= 6 and r.stream.names == ("C3", "board C3 C3") and r.stream.scale is None
    assert set(np.unique(r.data[:, 0])) == {0.0, 0.5}
    counts = run(Merge.of(Pulses(scale=0.5, pulses=TIMES), Marks(TIMES)))
    assert counts.data.dtype == np.int16 and counts.stream.scale == 0.5, "marks alone change no bytes"


def test_labels_are_joined_and_given():
    merge = Merge.of(Pulses(), Marks(()))
    merge.label = Label(subjects=frozenset({"S1"}))
    assert run(merge).stream.label == merge.label


def test_simulated_boards_are_simulated_before_they_open_and_after():
    merge = Merge(("implant:n=32", "synthetic:n=2"))
    assert not merge.live and merge.label == SIMULATED
    assert merge.open().label == SIMULATED
    merge.close()
    mixed, person = Merge.of(parse("board", "synthetic:n=2"), Pulses()), Label(subjects=frozenset({"S1"}))
    mixed.label = person
    assert mixed.live and mixed.open().label == person
    mixed.close()


def test_the_line_says_the_same():
    merge = Merge.of(parse("board", "synthetic:n=3,seed=2"), Lsl(name="Marks"), wait_s=0.1)
    assert merge.boards == ("synthetic:n=3,seed=2", "lsl:name=Marks")
    again = Merge.make({"boards": "synthetic:n=3,seed=2+lsl:name=Marks", "wait_s": "0.1"})
    assert again.recipe() == merge.recipe()


def test_wrong_use():
    with pytest.raises(WrongUse, match="two boards"):
        Merge(("synthetic",)).open()
    with pytest.raises(WrongUse, match="nosuch"):
        Merge(("synthetic", "nosuch")).open()
    first = Pulses()
    with pytest.raises(WrongUse, match="irregular"):
        Merge.of(Marks(()), first).open()
    assert first.closed == 1


def test_a_board_that_does_not_open_closes_the_others():
    other = Pulses()
    with pytest.raises(DeviceTrouble):
        Merge.of(Lsl(name="there is no such stream", wait_s=0.1), other).open()
    assert other.closed == 1
    merge = Merge.of(Pulses(), other)
    merge.close()
    assert merge.read(0.0) is None


@pytest.mark.realtime
def test_two_lsl_streams_of_two_processes():
    """Sample k of either stream is taken at k / 250 s, so rows of both that are joined must say the same k."""
    with sender(n=1) as (_, a), sender(n=1, block=10) as (_, b), sender(mode="markers", format="string", n=1) as (_, m):
        with Merge.of(Lsl(source_id=a), Lsl(source_id=b), Lsl(source_id=m), wait_s=0.3) as merge:
            stream = merge.open()
            chunks = lsl_helpers.gather(merge, 3.0)
    r = Recording(stream, tuple(chunks))
    assert len(stream.channels) == 2, "text gives marks, no channel"
    both = np.isfinite(r.data[:, 1])
    assert both.mean() > 0.8 and both[np.argmax(both) :].all()
    assert np.abs(r.data[both, 0] - r.data[both, 1]).max() <= 1, "one sample at most"
    steps = np.diff([e.index for e in r.events])
    assert len(steps) > 5 and np.all(steps > 20) and np.median(steps) < 35, "a mark each 0.1 s, which is 25 samples"
    assert r.events[-1].index == pytest.approx(r.index[-1], abs=150), "marks do not wait for the rows"
