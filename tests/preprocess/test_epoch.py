"""Epochs against plain slicing, at any cut; late and early events, gaps, and names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream, recording
from bcikit.preprocess.epoch import Epoch

RATE = 100.0
S = Stream("simulated", RATE, (Channel("a"), Channel("b")))
X = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)


def cut(events, after=0.1, length=0.5, chunks=None, **settings):
    stage = Epoch(events=("go",), after=after, length=length, **settings)
    source = chunks or recording(S, X, events)
    return Pipeline([stage]).run(source)


def expected(index, after=0.1, length=0.5):
    begin = int(np.floor(index + after * RATE + 0.5))
    return X[begin : begin + round(length * RATE)].T


@settings(max_examples=30, deadline=None)
@given(
    places=st.lists(st.floats(0, 900), min_size=1, max_size=20),
    after=st.sampled_from([-0.2, 0.0, 0.13]),
    cuts=st.lists(st.integers(0, 150), max_size=40),
)
def test_trials_are_slices_at_any_cut(places, after, cuts):
    events = tuple(Event(p, "go") for p in sorted(places))
    whole = recording(S, X, events)
    out = Pipeline([Epoch(events=("go",), after=after, length=0.5)]).run(whole, sizes=cuts)
    begins = [int(np.floor(p + after * RATE + 0.5)) for p in sorted(places)]
    wanted = [X[b : b + 50].T if b >= 0 else np.full((2, 50), np.nan) for b in begins if b + 50 <= 1000]
    np.testing.assert_array_equal(out.data, np.array(wanted, np.float32).reshape(-1, 2, 50))
    assert [e.index for e in out.events] == list(range(len(places)))


def test_the_time_of_a_trial_is_that_of_its_last_sample():
    out = cut([Event(100, "go"), Event(333.4, "go")])
    assert out.time == pytest.approx([(110 + 49) / RATE, (343 + 49) / RATE])
    assert out.stream.rate == 0 and out.stream.delay == pytest.approx(0.245)


def test_an_event_that_comes_late_is_cut_from_what_is_remembered():
    late = Recording(S, (Chunk(X[:300], 0, 2.99), Chunk(X[300:400], 300, 3.99, (Event(200, "go"), Event(50, "go")))))
    out = cut((), chunks=late)
    np.testing.assert_array_equal(out.data[0], expected(200))
    np.testing.assert_array_equal(out.data[1], expected(50))
    too_late = Recording(S, (Chunk(X[:300], 0, 2.99), Chunk(X[300:400], 300, 3.99, (Event(5, "go"),))))
    assert np.isnan(cut((), after=0.0, length=0.01, chunks=too_late).data).all()


def test_a_trial_that_a_gap_interrupts_is_nan_and_the_others_keep_their_index():
    events = (Event(20, "go"), Event(180, "go"), Event(600, "go"))
    holed = Recording(S, (Chunk(X[:200], 0, 1.99, events[:2]), Chunk(X[500:], 500, 9.99, events[2:])))
    out = cut((), chunks=holed)
    assert [e.index for e in out.events if e.name == "go"] == [0, 1, 2]
    np.testing.assert_array_equal(out.data[0], expected(20))
    assert np.isnan(out.data[1]).all()
    np.testing.assert_array_equal(out.data[2], expected(600))


def test_a_fault_stays_in_its_trials():
    bad = X.copy()
    bad[150:170, 1] = np.nan
    events = tuple(Event(p, "go") for p in (20, 130, 400))
    clean, out = cut(events), Pipeline([Epoch(events=("go",), after=0.1, length=0.5)]).run(recording(S, bad, events))
    np.testing.assert_array_equal(out.data[[0, 2]], clean.data[[0, 2]])
    assert np.isfinite(out.data).all() and (out.data[1, 1, 10:30] == bad[149, 1]).all()


@pytest.mark.parametrize(
    "pattern, event, name",
    [
        ("T1", Event(100, "T1", 4.1), "T1"),
        ("T1:fists", Event(100, "T1", 4.1), "fists"),
        ("marker=3:21 Hz", Event(100, "marker", 3.0), "21 Hz"),
        ("2:left", Event(100, "2.000000000000000"), "left"),
        ("cue=left", Event(100, "cue", "left"), "cue=left"),
    ],
)
def test_what_opens_a_trial(pattern, event, name):
    other = Event(50, "marker", 1.0)
    out = Pipeline([Epoch(events=(pattern,), length=0.2)]).run(recording(S, X, (other, event)))
    assert len(out.data) == 1
    assert [(e.name, e.index) for e in out.events] == [("marker", -0.5), (name, 0)]


def test_a_name_given_twice_is_refused():
    with pytest.raises(WrongUse, match="twice"):
        Epoch(events=("3", "3.0:x")).start(S)
