"""The loop: sinks that are slow or fail, marks, stops, silence; headless on a clock that jumps, and on the wall clock."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from bcikit import Board, Channel, Chunk, DeviceTrouble, FileTrouble, Pipeline, Sink, Stage, Status, Stream, WrongUse
from bcikit.core.clock import JumpClock
from bcikit.core.label import SIMULATED
from bcikit.core.loop import Loop
from bcikit.testing import OpenGate


class Counter(Board):
    """A simulated board: sample i is the number i, at 100 Hz, due on its clock; silent between the samples of `silent`."""

    def __init__(self, n=1000, silent=(), fail_at=None):
        self.n, self.silent, self.fail_at = n, silent, fail_at
        self.closed, self.state = 0, "connecting"

    def open(self):
        self.at, self.began = 0, self.clock.now()
        self.state = "streaming"
        return Stream("simulated counter", 100.0, (Channel("c"),), label=SIMULATED)

    def read(self, timeout=0.1):
        if self.at >= self.n:
            self.state = "ended"
            return None
        if self.fail_at is not None and self.at >= self.fail_at:
            raise DeviceTrouble("The board is gone.", "Its plug was pulled.", "Plug it in.")
        due = self.began + (self.at + 10) / 100
        for a, b in self.silent:
            if a <= self.at < b:
                due = self.began + (b + 10) / 100
                self.state = "stale"
        if due > self.clock.now() + timeout:
            self.clock.sleep_until(self.clock.now() + timeout)
            return None
        self.clock.sleep_until(due)
        for a, b in self.silent:
            if a <= self.at < b:
                self.at = b
        self.state = "streaming"
        first, self.at = self.at, min(self.at + 10, self.n)
        return Chunk(np.arange(first, self.at, dtype=np.float32)[:, None], first, due)

    def close(self):
        self.closed += 1

    def index_of(self, time):
        return (time - self.began) * 100 - 1, 0.001

    @property
    def status(self):
        return Status(self.state)


class Keeps(Sink):
    kind = "record"

    def __init__(self):
        self.chunks, self.reports, self.closed = [], [], 0

    def send(self, c):
        self.chunks.append(c)

    def pulse(self, report):
        self.reports.append(report)

    def close(self):
        self.closed += 1

    @property
    def values(self):
        return np.concatenate([c.data[:, 0] for c in self.chunks]).tolist() if self.chunks else []


class Twice(Stage):
    def rows(self, x):
        return x * np.float32(2)


def test_every_sink_gets_what_stands_where_it_was_put():
    loop = Loop(Counter(100), Pipeline([Twice(), Twice()]), OpenGate(), JumpClock())
    raw, first, out = Keeps(), Keeps(), Keeps()
    loop.add(raw, at="board")
    loop.add(first, at="twice")
    loop.add(out)
    report = loop.run()
    assert raw.values == list(range(100))
    assert first.values == [2 * i for i in range(100)] and out.values == [4 * i for i in range(100)]
    assert report.samples == 100 and report.exit == 0
    assert all(s.closed for s in (raw, first, out))


def test_a_place_that_is_not_there_is_refused():
    loop = Loop(Counter(), Pipeline([Twice()]), OpenGate(), JumpClock())
    loop.add(Keeps(), at="notch")
    with pytest.raises(WrongUse, match="no stage 'notch'"):
        loop.run()


def test_a_sink_without_a_gate_is_refused():
    loop = Loop(Counter(), clock=JumpClock())
    loop.add(Keeps())
    with pytest.raises(WrongUse, match="needs a Gate"):
        loop.run()


def test_seconds_are_of_samples_to_the_sample():
    keeps = Keeps()
    loop = Loop(Counter(), gate=OpenGate(), clock=JumpClock())
    loop.add(keeps)
    assert loop.run(seconds=1.234).samples == 123
    assert keeps.values == list(range(123))


def test_a_silent_board_ends_a_timed_run_too():
    clock = JumpClock()
    report = Loop(Counter(1000, silent=[(50, 900)]), clock=clock).run(seconds=2)
    assert report.samples == 50 and 2 <= clock.now() < 3


def test_sinks_hear_at_once_that_the_board_is_silent_and_that_it_is_back():
    keeps = Keeps()
    loop = Loop(Counter(200, silent=[(50, 150)]), gate=OpenGate(), clock=JumpClock())
    loop.add(keeps)
    loop.run()
    states = [r.status.state for r in keeps.reports]
    changes = [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]]
    assert changes == ["streaming", "stale", "streaming", "ended"]
    stale = next(r for r in keeps.reports if r.status.state == "stale")
    assert stale.time_s < 0.5 + 0.3
    assert keeps.chunks[5].first == 150  # and the gap is a jump of `first`


def test_a_board_that_fails_closes_everything_and_says_why():
    board, keeps = Counter(fail_at=30), Keeps()
    loop = Loop(board, gate=OpenGate(), clock=JumpClock())
    loop.add(keeps)
    with pytest.raises(DeviceTrouble, match="plug was pulled"):
        loop.run()
    assert board.closed and keeps.closed and keeps.values == list(range(30))
    assert keeps.reports[-1].exit == 4


@pytest.mark.realtime
def test_complaint_26_a_slow_sink_never_stalls_the_loop_and_its_drops_are_counted():
    release = threading.Event()

    class Slow(Keeps):
        def send(self, c):
            release.wait(20)
            super().send(c)

    class Fast(Counter):  # a thousand times as fast, so that ten seconds of queue fill in a moment
        def read(self, timeout=0.1):
            self.began -= 1.0
            return super().read(timeout)

    slow, quick = Slow(), Keeps()
    loop = Loop(Fast(3000), gate=OpenGate())
    loop.add(slow)
    loop.add(quick)
    threading.Timer(2.0, release.set).start()
    began = time.monotonic()
    report = loop.run()
    release.set()
    assert loop.exit == 0 and time.monotonic() - began < 15
    dropped = slow.reports[-1].dropped["slow"]
    assert dropped > 0 and len(slow.chunks) + dropped == 300
    assert quick.reports[-1].dropped.get("keeps", 0) + len(quick.chunks) == 300
    assert report.samples == 3000


@pytest.mark.realtime
def test_a_recorder_of_what_is_not_live_is_waited_for_and_misses_nothing():
    class Flood(Counter):
        live = False

        def read(self, timeout=0.1):
            self.began -= 10.0
            return super().read(timeout)

    class Slowish(Keeps):
        def send(self, c):
            time.sleep(0.001)
            super().send(c)

    keeps = Slowish()
    loop = Loop(Flood(5000), gate=OpenGate())
    loop.add(keeps)
    assert loop.run().samples == 5000
    assert keeps.values == list(range(5000))


@pytest.mark.parametrize("clock", ["jump", pytest.param("wall", marks=pytest.mark.realtime)])
def test_a_failing_sink_is_told_and_ends_the_run_with_its_error(clock):
    class Full(Keeps):
        def send(self, c):
            if len(self.chunks) == 3:
                raise FileTrouble("The disk is full.", do="Free some space.")
            super().send(c)

    full, other = Full(), Keeps()
    loop = Loop(Counter(1000), gate=OpenGate(), **({"clock": JumpClock()} if clock == "jump" else {}))
    loop.add(full)
    loop.add(other)
    with pytest.raises(FileTrouble, match="disk is full"):
        loop.run(seconds=5)
    assert full.closed and other.closed and loop.exit == 4
    assert len(full.chunks) == 3 and len(other.chunks) >= 3


def test_marks_land_on_the_sample_of_their_time():
    clock, keeps = JumpClock(), Keeps()
    loop = Loop(Counter(100), gate=OpenGate(), clock=clock)
    loop.add(keeps)
    for chunk in loop.chunks():
        if chunk.first == 20:
            loop.mark("now")
            loop.mark("then", "x", time=0.105)
    events = [(e.index, e.name, e.value, e.uncertainty) for c in keeps.chunks for e in c.events]
    assert events == [(pytest.approx(29.0), "now", None, 0.001), (pytest.approx(9.5), "then", "x", 0.001)]


def test_stop_from_another_place_ends_cleanly():
    keeps = Keeps()
    loop = Loop(Counter(10_000), gate=OpenGate(), clock=JumpClock())
    loop.add(keeps)
    for chunk in loop.chunks():
        if chunk.end >= 500:
            loop.stop()
    assert keeps.values == list(range(500)) and keeps.closed and loop.exit == 0


def test_a_caller_who_walks_away_leaves_nothing_open():
    board, keeps = Counter(), Keeps()
    loop = Loop(board, gate=OpenGate(), clock=JumpClock())
    loop.add(keeps)
    for _ in loop.chunks():
        break
    assert board.closed and keeps.closed


def test_a_stage_that_looks_ahead_is_refused():
    class Ahead(Twice):
        leaky = True

    with pytest.raises(WrongUse, match="looks ahead"):
        Loop(Counter(), Pipeline([Ahead()]))


def test_headless_runs_give_the_same_bytes_and_leave_no_thread():
    before = threading.active_count()
    outs = []
    for _ in range(2):
        keeps = Keeps()
        loop = Loop(Counter(500), Pipeline([Twice()]), OpenGate(), JumpClock())
        loop.add(keeps)
        loop.run()
        outs.append([(c.data.tobytes(), c.first, c.time) for c in keeps.chunks])
    assert outs[0] == outs[1] and threading.active_count() == before
