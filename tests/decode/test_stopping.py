"""Dynamic stopping as a stage: around any decoder of trials, live as on whole trials."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Event, Stream, recording
from bcikit.decode._model import load, save
from bcikit.decode.ssvep._tones import simulated
from bcikit.decode.stopping import Stopping
from bcikit.preprocess.epoch import Epoch

HZ = ("class 0:9", "class 1:12")
RATE = 128.0


def flicker(n=60, seed=0):
    """Simulated trials laid one behind the other, with events at their begins: (X, y, the recording)."""
    X, y, _ = simulated((9.0, 12.0), n, 2.6, locked=True)
    x = np.concatenate([t.T for t in X])
    events = [Event(k * X.shape[2], str(label)) for k, label in enumerate(y)]
    s = Stream("simulated flicker", RATE, tuple(Channel(str(i)) for i in range(X.shape[1])))
    return X, y, recording(s, x, events)


def taught(X, y, **settings):
    s = Stream("trials", RATE, tuple(Channel(str(i)) for i in range(X.shape[1])))
    made = Stopping(hz=HZ, shares=(0.25, 0.5, 1.0), **settings)
    return made.fit(X[:40], y[:40], stream=s, groups=np.arange(40) // 20)


@pytest.mark.parametrize("around", ["flicker_tangent", "fbcca", "trca", "tdca", "cca", "ecca"])
def test_live_it_answers_as_on_whole_trials_but_sooner(around, tmp_path):
    X, y, source = flicker()
    decoder = taught(X, y, around=around)
    epoch = Epoch(events=("class 0", "class 1"), length=X.shape[2] / RATE)
    whole = Pipeline([epoch, decoder]).run(source)
    line = Pipeline([epoch, decoder])
    line.start(source.stream)
    save(tmp_path, line, source.stream, {})
    live = load(tmp_path).live()
    out = Pipeline(live).run(source, iter([7, 64, 300] * 400))
    said = np.isfinite(out.data).all(axis=1)
    np.testing.assert_array_equal(out.data[said], whole.data[: said.sum()])
    assert said.sum() >= len(X) - 1  # a window of the last trial may not be over
    times = [e.value for e in out.events if e.name == "stopped"]
    assert times == [e.value for e in whole.events if e.name == "stopped"][: len(times)]
    assert out.time[said].shape == (said.sum(),) and (np.diff(out.time[said]) > 0).all()
    sooner = out.time[said] - whole.time[: said.sum()]
    assert (sooner <= 1e-9).all() and sooner.min() < -0.5


def test_the_surer_it_must_be_the_longer_it_looks_and_the_oftener_it_is_right():
    X, y, _ = flicker()
    took, right = [], []
    for sure in (0.4, 1.0):
        decoder = taught(X, y, around="flicker_tangent", sure=sure)
        out = Pipeline([decoder]).run(trials_of(X[40:], decoder))
        took.append(np.mean([e.value for e in out.events if e.name == "stopped"]))
        right.append((decoder.classes_[out.data.argmax(axis=1)] == y[40:]).mean())
    assert took[0] < took[1] == pytest.approx(X.shape[2] / RATE - 1.0, abs=1e-3) and right[1] >= right[0]


def trials_of(X, decoder):
    names = tuple(Channel(n) for n in decoder.names_)
    return recording(Stream("trials", 0.0, names, X.shape[1:]), X.astype(np.float32))


def test_how_sure_is_enough_is_learnt_and_a_long_pause_makes_it_more():
    X, y, _ = flicker()
    quick, slow = (taught(X, y, around="flicker_tangent", pause=pause).enough_ for pause in (0.0, 60.0))
    assert slow >= quick


def test_a_trial_with_a_gap_in_it_is_none_and_the_next_one_is():
    X, y, _ = flicker()
    decoder = taught(X, y, around="fbcca")
    clean, holed = X[40:].copy(), X[40:].copy()
    holed[3, 1, 50] = np.nan
    out, clean = (Pipeline([decoder]).run(trials_of(x, decoder)).data for x in (holed, clean))
    assert np.isnan(out[3]).all()
    np.testing.assert_array_equal(np.delete(out, 3, axis=0), np.delete(clean, 3, axis=0))


def test_what_cannot_be_stopped_is_said():
    with pytest.raises(WrongUse, match="around tangent"):
        Stopping(around="tangent").fit(np.ones((4, 2, 9)), [0, 1, 0, 1])
    with pytest.raises(WrongUse, match="rise to 1"):
        Stopping(shares=(0.5, 0.4, 1.0))
    with pytest.raises(WrongUse, match="not one that learns"):
        Stopping(around="bandpass").fit(np.ones((4, 2, 9)), [0, 1, 0, 1])
