"""The limiter: bounds kept whatever comes, and nothing changed that is within them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream, recording
from bcikit.decode.map.limit import Limit

PLANE = Stream("v", 50.0, (Channel("x", "velocity", "m/s"), Channel("y", "velocity", "m/s"), Channel("g", "force", "N")))
wild = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 0.0]))


def run(stage, data):
    stage.start(PLANE)
    return stage.step(recording(PLANE, np.asarray(data, np.float32)).chunks[0]).data


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(wild, wild), min_size=1, max_size=60), st.floats(0.01, 10), st.floats(0.1, 100))
def test_bounds_are_kept_whatever_comes(rows, speed, acceleration):
    out = run(Limit(speed=speed, acceleration=acceleration), [(*r, 7.0) for r in rows])
    assert (out[:, 2] == 7).all()
    known = np.isfinite(out[:, :2]).all(axis=1)
    v = out[known, :2].astype(float)
    assert (np.hypot(*v.T) <= speed * (1 + 1e-6)).all()
    if known.all():
        change = np.hypot(*np.diff(np.vstack([[0, 0], v]), axis=0).T)
        assert (change <= acceleration / 50 + 1e-6 * speed).all()


def test_what_is_within_the_bounds_passes():
    t = np.arange(200) / 50
    data = np.column_stack([0.5 * np.sin(t), 0.2 * (1 - np.cos(t)), t])
    assert np.array_equal(run(Limit(speed=1, acceleration=5), data), data.astype(np.float32))


def test_a_step_becomes_a_ramp_of_the_stated_slope_and_keeps_its_direction():
    out = run(Limit(speed=2, acceleration=10), np.tile([30.0, 40.0, 0], (20, 1)))
    want = np.minimum(np.arange(1, 21) * 10 / 50, 2)[:, None] * [0.6, 0.8]
    assert np.abs(out[:, :2] - want).max() < 1e-6


def test_wrong_use_is_told():
    with pytest.raises(WrongUse, match="no channel 'velocity'"):
        Limit().start(Stream("s", 50.0, (Channel("Cz"),)))
    with pytest.raises(WrongUse, match="m/s and rad/s"):
        Limit().start(Stream("s", 50.0, (Channel("x", "velocity", "m/s"), Channel("w", "velocity", "rad/s"))))
    with pytest.raises(WrongUse, match="steady rate"):
        Limit().start(PLANE.but(rate=0.0))
