"""The board `synthetic`: settings, pacing, the person's answers, truth, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bcikit.acquire.synthetic import ORDER, Synthetic
from bcikit.core.clock import JumpClock
from bcikit.core.errors import WrongUse
from bcikit.core.find import parse
from bcikit.core.label import SIMULATED, Label
from bcikit.files.montage import position, spelled
from bcikit.testing import BOARD_LAWS
from tests.conftest import LATE_S

EXAMPLES = list(Synthetic.examples())


def play(board, seconds, timeout=0.5, acts=()):
    """(samples, events) on a clock that jumps; acts: [(seconds, call)], each called when the clock has come so far."""
    board.clock = JumpClock()
    board.open()
    acts, data, events = list(acts), [], []
    while sum(map(len, data)) < seconds * board.rate:
        while acts and board.clock.now() >= acts[0][0]:
            acts.pop(0)[1](board)
        c = board.read(timeout)
        if c is not None:
            data.append(c.data)
            events += c.events
    board.close()
    return np.concatenate(data)[: round(seconds * board.rate)], events


@pytest.mark.parametrize("law", BOARD_LAWS.values(), ids=BOARD_LAWS)
@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_law(law, example):
    law(lambda: Synthetic(**example.settings()))


# -- what it is


def test_it_says_that_it_is_simulated():
    board = Synthetic()
    board.label = Label(subjects=frozenset({"S1"}))
    stream = board.open()
    assert stream.label == SIMULATED and "simulated" in stream.name and "simulated" in board.status.note
    assert stream.names == ("Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2") and stream.rate == 250
    assert all(c.kind == "eeg" and c.unit == "µV" and c.position == position(c.name) for c in stream.channels)


def test_montages():
    assert len(set(ORDER)) == 64 and all(spelled(n) == n for n in ORDER)
    for n in (1, 16, 32, 64):
        assert Synthetic(n=n).open().names == ORDER[:n]
    assert Synthetic(channels=("cz", "FP1")).open().names == ("Cz", "Fp1")
    assert parse("board", "synthetic:channels=Cz+Oz,script=closed:5+flicker:12:3").open().names == ("Cz", "Oz")


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": ("Cz", "EMG1")},
        {"channels": ("Cz", "cz")},
        {"bad": "Cz"},
        {"rate": 10},
        {"rate": float("nan")},
        {"n": 0},
        {"n": 65},
        {"mains": 400},
        {"seed": -1},
        {"chunk": 0},
        {"script": ("dance:5",)},
        {"script": ("left",)},
        {"script": ("left:-3",)},
        {"script": ("flicker:5",)},
        {"script": ("flicker:300:5",)},
        {"amplitude": "loud"},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(WrongUse) as error:
        Synthetic(**wrong)
    assert error.value.why or error.value.do


def test_what_cannot_be_asked():
    board = Synthetic()
    for call in (lambda: board.read(0), lambda: board.intend("left"), lambda: board.index_of(0.0)):
        with pytest.raises(WrongUse, match="not open"):
            call()
    board.open()
    for call in (lambda: board.intend("fly"), lambda: board.intend("flicker:soon"), lambda: board.eyes("wide")):
        with pytest.raises(WrongUse):
            call()
    board.close()
    assert board.read(0) is None and board.status.state == "ended"


# -- the clock


def test_samples_are_due_when_they_are_taken():
    board = Synthetic(rate=500, chunk=0.05)
    board.clock = JumpClock(1000.0)
    board.open()
    assert board.read(0.01) is None and board.clock.now() == 1000.01
    c = board.read(1.0)
    assert c.first == 0 and len(c) == 25 and c.time == board.clock.now() == 1000.0 + 24 / 500
    assert board.index_of(1000.5) == (250.0, 0.0)
    assert board.status.state == "streaming" and board.status.rate_hz == 500 and board.status.age_s == 0


def test_a_late_reader_catches_up_and_loses_nothing():
    late, punctual = Synthetic(seed=2), Synthetic(seed=2)
    late.clock = JumpClock()
    late.open()
    got = [late.read(0.1)]
    late.clock.sleep_until(5.0)
    while got[-1].time < 4.98:
        got.append(late.read(0.0))
        assert got[-1] is not None and len(got[-1]) <= 0.5 * 250
        assert got[-1].first == got[-2].end
    assert len(got) < 15, "it catches up in small steps"
    x = np.concatenate([c.data for c in got])
    assert np.array_equal(x, play(punctual, len(x) / 250)[0])


@pytest.mark.realtime
def test_it_keeps_the_pace_of_the_wall_clock():
    board = Synthetic()
    t0 = time.monotonic()
    board.open()
    n, ages = 0, []
    while n < 500:
        c = board.read(0.5)
        n += len(c)
        ages.append(time.monotonic() - c.time)
    assert n / 250 - 0.03 <= time.monotonic() - t0 < n / 250 + LATE_S
    assert min(ages) >= 0 and np.median(ages) < LATE_S


def test_it_is_the_same_at_any_length_of_chunk():
    a, told_a = play(Synthetic(seed=1, chunk=0.004), 12)
    b, told_b = play(Synthetic(seed=1, chunk=0.5), 12)
    assert a.tobytes() == b.tobytes()
    assert told_a == [e for e in told_b if e.index < len(a)] and told_a


@given(st.lists(st.sampled_from([0.0, 0.003, 0.02, 0.11, 0.7]), min_size=1, max_size=8).filter(any), st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_it_is_the_same_however_it_is_read(timeouts, seed):
    board = Synthetic(seed=seed, script=("left:0.5", "closed:0.4", "clench:0.3"))
    board.clock = JumpClock()
    board.open()
    data, turn = [], 0
    while sum(map(len, data)) < 750:
        c = board.read(timeouts[turn % len(timeouts)])
        turn += 1
        if c is not None:
            data.append(c.data)
    assert np.concatenate(data)[:750].tobytes() == play(Synthetic(**board.settings()), 3)[0].tobytes()


# -- the person


def test_the_script_shows_something_and_truth_tells_it():
    board = Synthetic(n=16, seed=5)
    x, events = play(board, 40)
    acts = [(e.name, e.value) for e in events if e.name in ("truth:eyes", "truth:intention")]
    assert acts[:4] == [
        ("truth:eyes", "closed"),
        ("truth:eyes", "open"),
        ("truth:intention", "left"),
        ("truth:intention", "rest"),
    ]
    first = next(e for e in events if e.value == "closed")
    assert first.index == np.ceil(board.reaction * 250)
    assert {"truth:blink", "truth:clench"} <= {e.name for e in events}
    sos = signal.butter(4, [8, 13], "band", fs=250, output="sos")
    alpha = signal.sosfiltfilt(sos, x[:, 6:8], axis=0).std(axis=1)
    assert alpha[500:1250].mean() > 1.5 * alpha[1750:2500].mean()
    quiet, none = play(Synthetic(n=16, seed=5, truth=False), 40)
    assert none == [] and np.array_equal(x, quiet)


def test_an_intention_begins_a_reaction_behind_the_moment_it_is_given_for():
    board = Synthetic(script=("rest",), artefacts=False, reaction=0.4)
    _, events = play(
        board, 8, acts=[(2.0, lambda b: b.intend("left", time=1.9)), (5.0, lambda b: b.intend("rest", time=5.5))]
    )
    assert [(e.index, e.value) for e in events] == [(round((1.9 + 0.4) * 250), "left"), (round((5.5 + 0.4) * 250), "rest")]


def test_an_intention_that_comes_late_begins_at_once():
    board = Synthetic(script=("rest",), artefacts=False)
    _, events = play(board, 6, acts=[(4.0, lambda b: b.intend("left", time=1.0))])
    assert [e.value for e in events] == ["left"] and events[0].index == pytest.approx(1000, abs=5)


def test_whoever_asks_ends_the_script_and_finds_the_person_at_rest():
    board = Synthetic(artefacts=False, reaction=0.0)
    _, events = play(board, 30, acts=[(2.0, lambda b: b.intend("right")), (20.0, lambda b: b.flash(True))])
    assert [e.value for e in events] == ["closed", "open", "right", "target"]


def test_the_eyes_can_be_closed():
    acts = [(10.0, lambda b: b.eyes("closed"))]
    x, _ = play(Synthetic(script=("rest",), seed=3), 25, acts=acts)
    sos = signal.butter(4, [8, 13], "band", fs=250, output="sos")
    alpha = signal.sosfiltfilt(sos, x[:, 6:8].astype(float), axis=0)
    assert alpha[3000:].std() > 1.7 * alpha[500:2400].std()


def test_a_loop_closed_over_the_board_is_repeatable():
    """Headless: the intention follows from what was read, so the bytes are those of the seed alone."""

    def run():
        def decide(b):
            b.intend("left" if b.clock.now() % 2 < 1 else "right")

        return play(Synthetic(script=("rest",), seed=9), 10, acts=[(t / 2, decide) for t in range(1, 18)])

    one, two = run(), run()
    assert one[0].tobytes() == two[0].tobytes() and one[1] == two[1]


def test_it_may_be_asked_from_any_thread():
    board = Synthetic(chunk=0.004, script=("rest",), artefacts=False)
    board.clock = JumpClock()
    board.open()
    asked, errors = 200, []

    def ask():
        try:
            for k in range(asked):
                board.intend("left" if k % 2 else "rest", time=0.0)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    chunks = []
    while any(t.is_alive() for t in threads):
        chunks.append(board.read(0.1))
    chunks += [board.read(0.1) for _ in range(100)]
    for t in threads:
        t.join()
    told = [e for c in chunks if c is not None for e in c.events]
    assert not errors and len(told) == 4 * asked, "an intention was lost"
    at = [e.index for e in told]
    assert at == sorted(at)


# -- what it costs


def test_ten_minutes_pass_in_a_moment():
    t0 = time.process_time()
    x, _ = play(Synthetic(chunk=0.5), 600)
    assert len(x) == 150_000 and np.isfinite(x).all()
    assert time.process_time() - t0 < 60


@pytest.mark.parametrize("n, rate, share", [(8, 250, 0.03), (64, 1000, 0.25)])
def test_it_leaves_the_processor_alone(n, rate, share):
    """Of one core, at the default chunk; the bound is the budget, the usual figure a third of it or less."""
    board = Synthetic(n=n, rate=rate)
    play(board, 2)
    t0 = time.process_time()
    play(board, 20)
    assert (time.process_time() - t0) / 20 < share


def test_start_up_needs_numpy_alone():
    """Nothing heavy is imported on the way to the first chunk."""
    code = (
        "import sys; from bcikit.core.find import parse; b = parse('board', 'synthetic'); b.open(); c = b.read(1.0);"
        "heavy = {'scipy', 'mne', 'sklearn', 'brainflow', 'pylsl', 'rich', 'click', 'torch'} & set(sys.modules);"
        "print(len(c), sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split(" ", 1) == ["5", "[]\n"]
