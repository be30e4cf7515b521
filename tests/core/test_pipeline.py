"""Gaps, counts, learning and recipes at the pipeline's entrance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import Channel, Chunk, Event, Pipeline, Recording, Setting, Stage, Stream, WrongUse, build, recording
from bcikit.core.grid import Grid

RATE = 250.0
STREAM = Stream("simulated", RATE, tuple(Channel(f"c{i}") for i in range(3)))


def ramp(n=1000):
    return np.arange(n, dtype=np.float32)[:, None] * np.ones(3, np.float32)


def pieces(data, *spans):
    """Chunks of the given (first, end) spans of one long recording."""
    return [Chunk(data[a:b], a, b / RATE) for a, b in spans]


class Copy(Stage):
    def setup(self, s):
        self.gaps = []
        return s

    def rows(self, x):
        return x.copy()

    def gap(self, seconds):
        self.gaps.append(seconds)


def test_a_short_gap_is_bridged_by_a_line_and_said():
    line = Pipeline([Copy()])
    line.start(STREAM)
    a, b = pieces(ramp(), (0, 100), (110, 200))
    line.step(a)
    out = line.step(b)
    assert (out.first, out.end) == (100, 200)
    assert np.allclose(out.data[:, 0], np.arange(100, 200), atol=1e-4)  # a ramp is its own bridge
    assert [(e.name, e.index, e.value) for e in out.events] == [("bridged", 110, 10 / RATE)]
    assert line.stages[0].gaps == []


@pytest.mark.parametrize("missing", [26, 51, 400])
def test_a_longer_gap_restarts_the_stages_and_is_said(missing):
    line = Pipeline([Copy()])
    line.start(STREAM)
    a, b = pieces(ramp(), (0, 100), (100 + missing, 700))
    line.step(a)
    out = line.step(b)
    assert out.first == 100 + missing and len(out) == len(b)
    assert [(e.name, e.value) for e in out.events] == [("gap", missing / RATE)]
    assert line.stages[0].gaps == [missing / RATE]


def test_an_index_that_goes_back_is_dropped_and_counted():
    line = Pipeline([Copy()])
    line.start(STREAM)
    for c in pieces(ramp(), (0, 100), (60, 90), (80, 130)):
        out = line.step(c)
    assert (out.first, out.end, line.repeated) == (100, 130, 50)
    assert out.data[0, 0] == 100


def test_an_empty_chunk_behind_a_gap_waits_for_the_sample_to_come():
    line = Pipeline([Copy()])
    line.start(STREAM)
    data = ramp()
    line.step(Chunk(data[:100], 0, 0.4))
    assert len(line.step(Chunk(data[:0], 300, 0.4))) == 0
    out = line.step(Chunk(data[300:350], 300, 1.4))
    assert [e.name for e in out.events] == ["gap"] and out.first == 300


@settings(max_examples=100, deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 60)), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 50), max_size=30),
)
def test_gaps_give_the_same_bytes_and_events_at_any_cut(spans, cuts):
    data, chunks, at = ramp(3000), [], 0
    for length, hole in spans:
        chunks.append(Chunk(data[at : at + length], at, (at + length) / RATE, (Event(at + 0.5, "e"),)))
        at += length + hole
    source = Recording(STREAM, tuple(c for c in chunks if len(c)))

    def run(sizes):
        out = Pipeline([Means()]).run(source, sizes)
        return out.data.tobytes(), out.index.tolist(), sorted((e.index, e.name, e.value) for e in out.events)

    assert run([]) == run(cuts)


class Means(Stage):
    """Means of five."""

    def setup(self, s):
        self.grid, self.need = Grid(p=5, off=4), 5
        self._old = np.zeros((4, *s.shape), np.float32)
        return s.but(rate=s.rate / 5)

    def ticks(self, x, due):
        x = np.concatenate([self._old, x])
        self._old = x[len(x) - 4 :].copy()
        return np.array([x[d : d + 5].astype(float).sum(0) for d in due], np.float32).reshape(len(due), *self.into.shape)


def test_a_bin_cut_off_by_a_gap_is_left_out_and_the_rest_keep_their_indices():
    data = ramp()
    out = Pipeline([Means()]).run(Recording(STREAM, tuple(pieces(data, (0, 103), (401, 500)))))
    assert out.index.tolist() == [*range(20), *range(81, 100)]
    assert out.data[20, 0] == sum(range(405, 410))


# -- integers


class Counts(Copy):
    counts = True


def test_integers_are_scaled_before_the_first_stage_that_does_not_take_them():
    s = Stream("counts", RATE, STREAM.channels, scale=(0.5, 1.0, 2.0))
    data = np.array([[2, 2, 2], [-4, 4, 6]], np.int16)
    plain, taking = Pipeline([Copy()]), Pipeline([Counts(), Copy()])
    assert plain.start(s).scale is None
    out = plain.step(Chunk(data, 0, 0.0))
    assert out.data.dtype == np.float32 and out.data.tolist() == [[1, 2, 4], [-2, 4, 12]]
    assert taking.start(s).scale == (0.5, 1.0, 2.0)
    assert taking.step(Chunk(data, 0, 0.0)).data.dtype == np.int16


def test_a_bridge_between_integers_is_of_integers():
    line = Pipeline([Counts()])
    line.start(Stream("counts", RATE, STREAM.channels, scale=1.0))
    line.step(Chunk(np.zeros((1, 3), np.int16), 0, 0.0))
    assert line.step(Chunk(np.full((1, 3), 9, np.int16), 3, 0.1)).data[:, 0].tolist() == [3, 6, 9]


# -- learning


@dataclass(eq=False)
class Learner(Stage):
    """Adds the number of labels it was taught, and the last sample it had seen when it learnt."""

    gain: Annotated[float, Setting("added for each label", low=0)] = 1.0
    learns_from: ClassVar[tuple[str, ...]] = ("label",)

    def setup(self, s):
        self._newest = 0.0
        self.lessons_ = getattr(self, "lessons_", 0)
        self.sum_ = getattr(self, "sum_", 0.0)
        return s

    def rows(self, x):
        if len(x):
            self._newest = float(x[-1, 0])
        return (x + np.float32(self.gain * self.lessons_ + self.sum_)).astype(np.float32)

    def adapt(self, event):
        self.lessons_ += 1
        self.sum_ += self._newest


@settings(max_examples=80, deadline=None)
@given(
    marks=st.lists(st.floats(-5, 405, allow_nan=False), max_size=6),
    cuts=st.lists(st.integers(0, 90), max_size=20),
)
def test_learning_gives_the_same_bytes_at_any_cut(marks, cuts):
    events = [Event(m, "label", i) for i, m in enumerate(marks)]
    source = recording(STREAM, ramp(400), events)

    def run(sizes):
        line = Pipeline([Copy(), Learner()])
        out = line.run(source, sizes)
        return out.data.tobytes(), line.learned(), sorted((e.index, e.name) for e in out.events)

    assert run([]) == run(cuts)


def test_a_label_teaches_behind_its_own_sample():
    line = Pipeline([Learner()])
    out = line.run(recording(STREAM, ramp(10), [Event(4.2, "label")]))
    assert out.data[:, 0].tolist() == [0, 1, 2, 3, 4, *[x + 1 + 4 for x in range(5, 10)]]


def test_a_label_on_the_far_side_of_a_rate_change_is_placed_on_that_axis():
    seen = []

    class Asks(Learner):
        def adapt(self, event):
            seen.append(event.index)

    Pipeline([Means(), Asks()]).run(recording(STREAM, ramp(100), [Event(54, "label")]))
    assert seen == [(54 - 4) / 5]


def test_state_and_learning_of_a_pipeline_are_saved_and_loaded():
    source = recording(STREAM, ramp(400), [Event(50, "label"), Event(300, "label")])
    whole = Pipeline([Copy(), Learner()]).run(source)
    one, two = Pipeline([Copy(), Learner()]), Pipeline([Copy(), Learner()])
    one.start(STREAM)
    two.start(STREAM)
    head, tail = source.chunks[0].cut(200, RATE)
    a = one.step(head)
    state, learnt = one.state(), one.learned()
    one.step(tail)
    two.restore(learnt)
    two.restore(state)
    assert np.concatenate([a.data, two.step(tail).data]).tobytes() == whole.data.tobytes()


# -- recipes


def test_a_recipe_that_names_nothing_known_says_so():
    with pytest.raises(WrongUse, match="no stage called 'bandpas'"):
        build({"stage": "bandpas"})
    with pytest.raises(WrongUse, match="names no stage"):
        build({"low": 1})


def test_pipelines_nest_and_so_do_their_recipes():
    inner = Pipeline([build({"stage": "bandpass", "low": 2.0})], bridge_n=7)
    recipe = Pipeline([inner]).recipe()
    assert build(recipe).recipe() == recipe
    assert recipe["stages"][0]["bridge_n"] == 7 and math.isclose(recipe["stages"][0]["stages"][0]["low"], 2.0)
