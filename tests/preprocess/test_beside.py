"""beside: the lines' outputs stand side by side, each as it would be alone."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Event, Pipeline, WrongUse, stage
from bcikit.preprocess.beside import Beside
from bcikit.testing import noise


def lines(*stages):
    return Beside([Pipeline([s] if not isinstance(s, list) else s) for s in stages])


def test_each_line_is_as_it_would_be_alone():
    r = noise()
    both = Pipeline([lines(stage("bandpass", low=8, high=12), stage("bandpass", low=13, high=30))]).run(r)
    alone = [Pipeline([stage("bandpass", low=a, high=b)]).run(r).data for a, b in ((8, 12), (13, 30))]
    assert both.data.tobytes() == np.concatenate(alone, axis=1).tobytes()
    assert both.stream.names[0] == "Fp1.1" and both.stream.names[len(r.stream.channels)] == "Fp1.2"
    assert both.events == r.events


def test_slower_lines_are_waited_for():
    r = noise()
    one, two = stage("window", length=0.5, hop=0.1), stage("window", length=0.5, hop=0.1)
    out = Pipeline([lines([stage("bandpass"), one], [two])]).run(r, [13] * 200)
    alone = Pipeline([stage("window", length=0.5, hop=0.1)]).run(r)
    assert out.data[:, len(r.stream.channels) :].tobytes() == alone.data.tobytes()
    assert out.index.tolist() == alone.index.tolist()


def test_lines_on_other_grids_are_refused():
    with pytest.raises(WrongUse, match="grid"):
        lines(stage("bandpass"), stage("window", length=0.5, hop=0.1)).start(noise().stream)


def test_no_lines_are_refused():
    with pytest.raises(WrongUse, match="no lines"):
        Beside([]).start(noise().stream)


def test_what_a_gap_does_to_each_line_is_said_once():
    r = noise()
    c = r.chunks[0].but(events=(Event(10, "mark"),))
    a, rest = c.cut(300, 250)
    _, b = rest.cut(100, 250)
    line = Pipeline([lines(stage("bandpass"), stage("lowpass"))])
    line.start(r.stream)
    events = [*line.step(a).events, *line.step(b).events]
    assert [e.name for e in events] == ["mark", "gap"]
