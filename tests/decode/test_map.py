"""Mappers: what they choose and steer, against what a person would write down."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Chunk, Stream, recording
from bcikit.decode.map.gather import Gather
from bcikit.decode.map.select import Select
from bcikit.decode.map.steady import Steady
from bcikit.decode.map.touch import Touch
from bcikit.effectors.stimulator import Stimulator
from bcikit.testing import OpenGate


def said(stage, p, rate=10.0, names=("left", "right")):
    channels = tuple(Channel(n, "probability", "") for n in names)
    source = recording(Stream("simulated", rate, channels, alphabet=names), np.asarray(p))
    out = stage.start(source.stream)
    return out, stage.step(source.chunks[0]).data


def test_a_choice_waits_holds_and_rests():
    p = np.repeat([0.5, 0.85, 0.65, 0.3, 0.9, 0.9], [2, 5, 3, 1, 4, 6])
    out, y = said(Select(on=0.8, off=0.6, dwell=0.3, pause=0.5), np.column_stack([p, 1 - p]))
    assert out.alphabet == ("left", "right", "none")
    words = [out.alphabet[int(k)] for k in y[:, 0]]
    # 0.3 s are three decisions behind the first that was sure; held while above 0.6, then 0.5 s of rest, then 0.3 s again
    assert words == ["none"] * 5 + ["left"] * 5 + ["none"] * (1 + 4 + 3) + ["left"] * 3


def test_what_flickers_or_is_ignored_is_never_chosen():
    p = np.tile([0.9, 0.1], 30)
    assert (said(Select(on=0.8, off=0.6, dwell=0.2), np.column_stack([p, 1 - p]))[1] == 2).all()
    sure = np.column_stack([np.full(60, 0.95), np.full(60, 0.05)])
    assert (said(Select(ignore=("left",)), sure)[1] == 2).all()
    assert (said(Select(dwell=0), sure)[1] == 0).all()
    sure[20:30] = np.nan
    assert (said(Select(dwell=0), sure)[1] == 0).all()


def test_evidence_adds_up_as_bayes_says():
    p = np.random.default_rng(0).dirichlet([2, 2, 2], 6)
    _, y = said(Gather(sure=1.0, least=6, most=6), p, names=("a", "b", "c"))
    for k in range(6):
        together = np.prod(p[: k + 1], axis=0)
        np.testing.assert_allclose(y[k, :3], together / together.sum(), rtol=1e-5)
    assert (y[:5, 3] == -1).all() and y[5, 3] == np.argmax(np.prod(p, axis=0))


def test_it_stops_as_soon_as_it_is_sure_and_begins_anew():
    p = np.column_stack([np.full(12, 0.8), np.full(12, 0.2)])
    _, y = said(Gather(sure=0.98, least=1, most=50), p)
    odds = np.log(0.8 / 0.2) * np.arange(1, 5)
    needed = int(np.argmax(1 / (1 + np.exp(-odds)) >= 0.98)) + 1
    assert np.flatnonzero(y[:, 2] >= 0).tolist() == list(range(needed - 1, 12, needed))
    holed = p.copy()
    holed[1] = np.nan
    assert np.flatnonzero(said(Gather(sure=0.98, least=1, most=50), holed)[1][:, 2] >= 0)[0] == needed
    assert np.flatnonzero(said(Gather(sure=0.98, most=50, weight=0.5), p)[1][:, 2] >= 0)[0] == 2 * needed - 1


def test_fewer_trials_are_asked_for_where_they_say_more():
    rng = np.random.default_rng(1)

    def taken(strength):
        z = rng.normal(strength, 1, 4000)
        p = 1 / (1 + np.exp(-2 * strength * z))
        _, y = said(Gather(sure=0.95, least=1, most=100), np.column_stack([p, 1 - p]))
        chosen = y[y[:, 2] >= 0, 2]
        return 4000 / len(chosen), np.mean(chosen == 0)

    (weak, right), (strong, also) = taken(0.5), taken(1.5)
    assert strong < weak / 2 and min(right, also) > 0.94


def test_a_velocity_is_still_then_grows_without_a_jump():
    s = Stream("simulated", 50.0, (Channel("x", "velocity", "m/s"), Channel("y", "velocity", "m/s")))
    speed = np.linspace(0, 1, 101)
    stage = Steady(gain=2, dead=0.2, smooth=0)
    stage.start(s)
    y = stage.step(recording(s, np.column_stack([0.6 * speed, 0.8 * speed])).chunks[0]).data
    np.testing.assert_allclose(np.hypot(*y.T), 2 * np.maximum(speed - 0.2, 0), atol=1e-6)
    np.testing.assert_allclose(y[50:, 0] / y[50:, 1], 0.75, rtol=1e-5)
    slow = Steady(smooth=0.5)
    assert slow.start(s).delay == 0.5
    step = slow.step(recording(s, np.ones((100, 2))).chunks[0]).data[:, 0]
    np.testing.assert_allclose(step, 1 - np.exp(-np.arange(1, 101) / 25), rtol=1e-5)


def test_what_they_cannot_read_is_said():
    voltage = Stream("voltage", 100.0, (Channel("Cz"),))
    for stage in (Select(), Gather(), Steady()):
        with pytest.raises(WrongUse):
            stage.start(voltage)
    p = Stream("p", 10.0, (Channel("none", "probability", ""), Channel("b", "probability", "")))
    with pytest.raises(WrongUse, match="is a class"):
        Select().start(p)
    with pytest.raises(WrongUse, match="above"):
        Select(on=0.5, off=0.7).start(p)
    with pytest.raises(WrongUse, match="more than"):
        Gather(least=9, most=3).start(p)
    with pytest.raises(WrongUse, match="rate"):
        Select().start(p.but(rate=0.0))
    mixed = Stream("v", 50.0, (Channel("x", "velocity", "m/s"), Channel("y", "velocity", "cm/s")))
    with pytest.raises(WrongUse, match="one vector"):
        Steady().start(mixed)


def test_what_is_felt_becomes_trains_that_the_stimulator_gives():
    (_, felt), (near, _) = Touch.examples()
    line = Touch(channel="grip", high=8.0, low=2.0)
    stream = line.start(felt.stream)
    rows = np.array([[2.0, 0], [2.001, 0], [5.0, 0], [8.0, 0], [99.0, 0], [np.nan, 0]], np.float32)
    trains = line.step(Chunk(rows, 0, 0.0))
    assert trains.data[:, 1] == pytest.approx([0, 20.01, 50, 80, 80, 0], abs=0.01)
    assert (trains.data[:, 7] == np.float32(1 / 50)).all()
    made = Stimulator(lockstep=True)
    OpenGate().open(made, stream).send(trains)
    assert (made.given, made.refused, made.felt) == (4, 0, 0.0)
    near.start(felt.stream)
    nearer = near.step(Chunk(np.array([[0, 3.0], [0, 2.0], [0, 0.5]], np.float32), 0, 0.0))
    assert nearer.data[:, 1] == pytest.approx([0, 50, 80]) and (nearer.data[:, 0] == 2).all()


def test_touch_says_what_cannot_be_felt():
    stream = next(iter(Touch.examples()))[1].stream
    for touch, s, why in (
        (Touch(channel="grip", high=0.0), stream, "both 0"),
        (Touch(channel="force", high=1.0), stream, "no channel 'force'"),
        (Touch(channel="grip", high=1.0), stream.but(rate=0.0), "steady rate"),
    ):
        with pytest.raises(WrongUse, match=why):
            touch.start(s)
