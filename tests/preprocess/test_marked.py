"""What marks say, as channels: from the sample behind the mark on, at any cut, and late ones as they come."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.stream import Channel, Chunk, Event, Stream, recording
from bcikit.preprocess.marked import Marked

STREAM = Stream("simulated", 50.0, (Channel("u1", "spikes", "count"),), label=SIMULATED)


def said(stage, source, cuts):
    stage.start(source.stream)
    return np.concatenate([stage.step(c).data for c in source.recut(cuts)])


def test_a_mark_holds_from_the_sample_behind_it_until_the_next():
    marks = (Event(2, "x", 1.0), Event(2.5, "y", 7), Event(4.25, "x", -1.0), Event(5, "x", "no number"), Event(9, "x", 8.0))
    source = recording(STREAM, np.arange(8.0)[:, None], marks)
    stage = Marked(names=("x", "y"))
    got = said(stage, source, (8,))
    nan = np.nan
    assert np.array_equal(got[:, 1], [nan, nan, nan, 1, 1, -1, -1, -1], equal_nan=True)
    assert np.array_equal(got[:, 2], [nan, nan, nan, 7, 7, 7, 7, 7], equal_nan=True)
    assert got[:, 0].tolist() == list(range(8))
    for cuts in ((1,) * 8, (3, 0, 5), (2, 6)):
        assert said(stage, source, cuts).tobytes() == got.tobytes()
    assert [c.kind for c in stage.out.channels] == ["spikes", "position", "position"]


def test_a_late_mark_holds_from_the_sample_it_comes_with():
    stage = Marked(names=("x",))
    stage.start(STREAM)
    stage.step(Chunk(np.zeros((4, 1), np.float32), 0))
    later = stage.step(Chunk(np.zeros((2, 1), np.float32), 4, events=(Event(1.0, "x", 3.0),)))
    assert later.data[:, 1].tolist() == [3.0, 3.0] and later.events[0].name == "x"


def test_names_must_be_there_and_free():
    for names in ((), ("u1",), ("x", "x")):
        with pytest.raises(WrongUse, match="cannot name its channels"):
            Marked(names=names).start(STREAM)
