"""The lock before what is decoded leaks nothing."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Channel, Event, Pipeline, Stream, WrongUse
from bcikit.core.find import part
from bcikit.core.stream import recording

STREAM = Stream("d", 20.0, (Channel("p", "probability", ""),))


def given(events, n=200, sizes=(), **settings):
    x = np.arange(1, n + 1, dtype=np.float32).reshape(-1, 1)
    out = Pipeline([part("stage", "unlock")(**settings)]).run(recording(STREAM, x, events), sizes)
    y = out.data[:, 0]
    open_at = np.flatnonzero(np.isfinite(y))
    assert np.array_equal(y[open_at], x[open_at, 0])  # what passes is unchanged, and in its own place
    return open_at.tolist()


def test_nothing_passes_without_the_unlock():
    assert given(()) == [] and given((Event(3, "other"), Event(9, "lock"))) == []


def test_it_opens_on_the_sample_of_the_event_and_locks_by_itself():
    assert given((Event(50, "unlock"),), seconds=1.0) == list(range(50, 70))
    assert given((Event(50.5, "unlock"),), seconds=1.0) == list(range(51, 71))


def test_it_locks_at_once_and_a_further_unlock_begins_the_time_anew():
    assert given((Event(50, "unlock"), Event(55, "lock")), seconds=1.0) == list(range(50, 55))
    assert given((Event(50, "unlock"), Event(60, "unlock")), seconds=1.0) == list(range(50, 80))


@pytest.mark.parametrize("seed", range(20))
def test_what_came_before_is_never_given_later_whatever_the_cuts(seed):
    rng = np.random.default_rng(seed)
    names = rng.choice(["unlock", "lock", "cue"], 12)
    events = tuple(sorted((Event(float(rng.uniform(0, 199)), str(n)) for n in names), key=lambda e: e.index))
    whole = given(events, seconds=0.7)
    sizes = rng.integers(0, 9, 400).tolist()
    assert given(events, sizes=iter(sizes), seconds=0.7) == whole
    opens, until = [], -1
    queue = list(events)
    for i in range(200):  # sample by sample, as it is said
        while queue and np.ceil(queue[0].index) <= i:
            e = queue.pop(0)
            until = (
                int(np.ceil(e.index)) + 14 if e.name == "unlock" else int(np.ceil(e.index)) if e.name == "lock" else until
            )
        opens += [i] if i < until else []
    assert whole == opens


def test_what_it_cannot_hold_back_is_refused():
    with pytest.raises(WrongUse, match="steady rate"):
        part("stage", "unlock")().start(STREAM.but(rate=0.0))
    with pytest.raises(WrongUse, match="both open and lock"):
        part("stage", "unlock")(by="x", lock="x").start(STREAM)
