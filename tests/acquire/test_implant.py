"""The simulated implant as a board: true to the intention, paced, the same for any reading, with its truth beside it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from bcikit.acquire.implant import Implant
from bcikit.core.clock import JumpClock, WallClock
from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.core.label import SIMULATED
from bcikit.simulate import truth
from tests.conftest import LATE_S


def opened(**settings):
    board = Implant(**{"n": 32, "script": "rest", "chunk": 0.02, **settings})
    board.clock = JumpClock()
    return board, board.open()


def take(board, seconds):
    """What is read up to a sample."""
    chunks, end = [], round(seconds * board.rate)
    while not chunks or chunks[-1].end < end:
        c = board.read(0.5)
        assert c is not None
        chunks.append(c)
    return chunks


@pytest.mark.parametrize("array, kind", [("utah", "broadband"), ("threads", "broadband"), ("films", "ecog")])
def test_the_stream_says_what_it_is(array, kind):
    board, stream = opened(array=array, rate=20000, n=100)
    with board:
        assert stream.rate == 20000 and stream.scale == 0.195 and stream.dtype == np.int16 and stream.label == SIMULATED
        assert {c.kind for c in stream.channels} == {kind} and {c.unit for c in stream.channels} == {"µV"}
        assert len({c.position for c in stream.channels}) == 100
        c = board.read()
        assert c.data.shape == (400, 100) and c.data.dtype == np.int16 and c.first == 0
    assert board.read() is None and board.status.state == "ended"


def test_spikes_follow_the_intention_from_its_moment_on():
    board, _ = opened(n=96, seed=2)
    with board:
        neurons = board._made.neurons
        board.intend(1.0, 0.0, time=2.0)
        board.intend(-1.0, 0.0, time=4.0)
        take(board, 6.0)
        _, unit = zip(*(board.truth.spikes(a * 30_000, (a + 2) * 30_000) for a in (0, 2, 4)), strict=True)
        rest, right, left = (np.bincount(u, minlength=neurons.count) / 2 for u in unit)
        pull = neurons.depth * neurons.direction[:, 0]
        assert np.corrcoef(right - left, pull)[0, 1] > 0.8
        assert np.polyfit(pull, right - rest, 1)[0] == pytest.approx(1, abs=0.3)
        assert board.intention.tolist() == [-1.0, 0.0]


def test_an_intention_of_a_moment_past_or_from_another_thread_is_taken_up_at_once():
    board, _ = opened()
    with board:
        take(board, 0.1)
        other = threading.Thread(target=board.intend, args=(0.3, 0.4))
        other.start()
        other.join()
        board.read(0.5)
        assert board.intention.tolist() == pytest.approx([0.3, 0.4])
        board.intend(0.1, 0.0, time=-5.0)
        board.read(0.5)
        assert board.intention.tolist() == pytest.approx([0.1, 0.0])


def test_the_moment_of_an_intention_is_exact_in_any_chunk(tmp_path):
    for chunk in (0.001, 0.02, 0.1):
        board, _ = opened(chunk=chunk, truth_file=str(tmp_path / f"{chunk}.npz"))
        with board:
            board.intend(0.5, 0.5, time=0.1234)
            take(board, 0.3)
        assert truth.read(tmp_path / f"{chunk}.npz")["intention_at"].tolist() == [124 * 30]


def test_chunks_of_any_length_hold_the_same_signal():
    whole = []
    for chunk in (0.001, 0.01, 0.1):
        board, _ = opened(chunk=chunk, script="circle", dims=3, stimulation=30, movement=300, noisy=0.1)
        with board:
            board.intend(0.2, 0.1, -0.4, time=0.31)
            chunks = take(board, 0.6)
            data = np.concatenate([c.data for c in chunks])[:18_000]
            events = [(e.index, e.name) for c in chunks for e in c.events if e.index < 18_000]
            whole.append((data.tobytes(), events, [a.tobytes() for a in board.truth.spikes(0, 17_000)]))
    assert whole[0] == whole[1] == whole[2] and len(whole[0][1]) > 15


def test_another_seed_and_each_script_differ():
    def first(**settings):
        board, _ = opened(**settings)
        with board:
            return take(board, 0.5)[-1].data.tobytes()

    assert len({first(), first(seed=1), first(script="circle"), first(script="reach"), first(dims=3, script="circle")}) == 5


def test_the_side_file_holds_what_happened_and_grows_as_it_goes(tmp_path):
    path = tmp_path / "day.npz"
    board, _ = opened(truth_file=str(path), dead=0.1, array="threads", n=64)
    board.intend(0.7, -0.2, time=1.0)
    made = board._made
    take(board, 21.0)
    early = truth.read(path)  # before it is closed: as after a crash
    assert early["sample"].max() > 9 * 30_000
    recent = board.truth.spikes(15 * 30_000, 20 * 30_000)
    with pytest.raises(FileTrouble, match="exists"):
        Implant(truth_file=str(path)).open()
    board.close()
    got = truth.read(path)
    kept = (got["sample"] >= 15 * 30_000) & (got["sample"] < 20 * 30_000)
    assert np.array_equal(got["sample"][kept], recent[0])
    assert (np.bincount(got["unit"][kept], minlength=3) == np.bincount(recent[1], minlength=3)).all()
    assert got["intention"].tolist() == [pytest.approx([0.7, -0.2])] and got["intention_at"].tolist() == [30_000]
    assert np.array_equal(got["home"], made.home) and got["simulated"] and len(got["dead"]) == 6
    assert len(board.truth._recent) < 600  # ten seconds are kept, no more


def test_the_true_trough_lies_in_the_signal():
    board, _ = opened(n=64, seed=3, mains=0, dead=0, noisy=0, movement=0)
    with board:
        made = board._made
        x = np.concatenate([c.data for c in take(board, 5.0)]) * 0.195
        sample, unit = board.truth.spikes(300, 148_000)
    u = int(np.argmax(made.peaks))
    column = made.nearest[u]
    mean = np.mean([x[s - 40 : s + 60, column] for s in sample[unit == u]], axis=0)
    assert mean.argmin() == 40 and mean.max() - mean.min() > 0.8 * made.peaks[u]


def test_wrong_use_is_told(tmp_path):
    for said, act in {
        "out of bounds": lambda: Implant(n=31),
        "can be 20000": lambda: Implant(rate=25000),
        "more than all": lambda: Implant(dead=0.8, noisy=0.4),
        "not open": lambda: Implant().intend(1, 0),
        "Call open": lambda: Implant().read(),
        "cannot intend": lambda: opened()[0].intend(float("nan"), 0),
    }.items():
        with pytest.raises(WrongUse, match=said):
            act()
    with pytest.raises(FileTrouble, match="no side file"):
        truth.read(tmp_path / "none.npz")
    with pytest.raises(FileTrouble, match="cannot be written"):
        Implant(n=32, truth_file=str(tmp_path / "no" / "folder.npz")).open()


@pytest.mark.realtime
def test_it_is_paced_and_a_late_reader_loses_nothing():
    board = Implant(n=32, chunk=0.005)
    board.clock = WallClock()
    with board:
        board.open()
        begin = time.monotonic()
        at = 0
        while at < 6000:
            c = board.read(0.2)
            assert c.first == at and c.time <= time.monotonic()
            at = c.end
            if at == 3000:
                time.sleep(0.3)
        assert at / 30_000 - 0.02 <= time.monotonic() - begin < at / 30_000 + LATE_S
