"""Flashes are added up as Bayes would have it, a choice ends them, and what flashed before `anew` counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Event, Stream, recording
from bcikit.decode.map.flashed import Flashed, _flashes


def flashes(p, names, events=()):
    s = Stream("flashes", 0.0, (Channel("other", "probability", ""), Channel("target", "probability", "")))
    its = [*(Event(k, n) for k, n in enumerate(names)), *events]
    p = np.asarray(p, float)
    return recording(s, np.column_stack([1 - p, p]), sorted(its, key=lambda e: e.index))


def run(source, **settings):
    return Pipeline([Flashed(items=("A", "B"), **settings)]).run(source).data


def test_probabilities_are_those_of_bayes_and_a_choice_is_made_once():
    y = run(flashes([0.8, 0.3, 0.8, 0.3, 0.9, 0.1], "ABABAB"), sure=0.9, least=2)
    odds = np.cumprod([4, 7 / 3, 4, 7 / 3, 9, 9])
    assert np.allclose(y[:, 0], odds / (1 + odds), atol=1e-6) and np.allclose(y[:, 0] + y[:, 1], 1)
    assert y[:, 2].tolist() == [-1, -1, -1, 0, -1, -1]  # sure at the third flash, but B had flashed once


def test_what_flashed_before_anew_and_what_is_no_number_count_for_nothing():
    y = run(flashes([0.99, 0.01, 0.99, np.nan, 0.2, 0.4], "ABABAB", [Event(1.5, "anew"), Event(3.5, "else")]), least=1)
    assert y[1, 2] == 0 and y[1, 0] > 0.99
    assert y[2, 0] == pytest.approx(0.99) and y[3].tolist() == y[2].tolist()
    assert y[5, 2] == 0, "sure enough once B had flashed"


def test_without_being_sure_it_ends_with_the_most_and_begins_anew_alone():
    y = run(flashes([0.5] * 12, "AB" * 6, [Event(7.5, "anew")]), sure=1.0, least=1, most=2)
    assert np.flatnonzero(y[:, 2] >= 0).tolist() == [3, 11]


def test_a_late_anew_behind_the_last_row_holds_for_the_next():
    source = _flashes(("A", "B", "C"))
    whole = Pipeline([Flashed(items=("A", "B", "C"))]).run(source)
    assert Pipeline([Flashed(items=("A", "B", "C"))]).run(source, sizes=[1] * 400).data.tobytes() == whole.data.tobytes()
    chosen = whole.data[whole.data[:, -1] >= 0, -1]
    assert len(chosen) == 10 and np.mean(chosen == 1) > 0.7


def test_wrong_use_is_told():
    with pytest.raises(WrongUse, match="two items"):
        Flashed(items=("A",)).start(flashes([0.5], "A").stream)
    with pytest.raises(WrongUse, match="least=3"):
        Flashed(least=3, most=2).start(flashes([0.5], "A").stream)
    with pytest.raises(WrongUse, match="no class 'hit'"):
        Flashed(target="hit").start(flashes([0.5], "A").stream)
