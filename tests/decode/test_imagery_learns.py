"""Decoders of rhythms that go on learning of a person: from labels, from guesses, and kept from harm."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import pytest

from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream
from bcikit.decode.motor_imagery.band_tangent import BandTangent
from bcikit.decode.ssvep.flicker_tangent import FlickerTangent

CHANNELS = tuple(map(Channel, "abcd"))
S = Stream("simulated EEG", 128.0, CHANNELS)


def imagery(seed, n, size=0.5, places=(0, 1), share=0.5):
    """Simulated trials (n, 4, 192) at 128 Hz and their classes, a `share` of them left: 10 Hz is strong in the one or the
    other of two channels."""
    rng = np.random.default_rng(seed)
    X, t = rng.normal(0, 1, (n, 4, 192)), np.arange(192) / 128
    y = (rng.permutation(n) >= round(share * n)).astype(int)
    X[np.arange(n), np.array(places)[y]] += size * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6.28, (n, 1)))
    return X, np.array(["left", "right"])[y]


def flicker(seed, n, size=0.35, share=0.5):
    """Simulated trials (n, 4, 256) at 128 Hz and their classes, a `share` of them left: 10 Hz is looked at, or 13."""
    rng = np.random.default_rng(seed)
    X, t = rng.normal(0, 1, (n, 4, 256)), np.arange(256) / 128
    y = (rng.permutation(n) >= round(share * n)).astype(int)
    waves = np.sin(2 * np.pi * np.array([10.0, 13.0])[y, None] * t + rng.uniform(0, 6.28, (n, 1)))
    return X + size * waves[:, None] * np.array([1.0, 0.8, 0.3, 0.1])[:, None], np.array(["left", "right"])[y]


def passed(decoder, X, names, sizes=()):
    """What is told of trials as they pass, each followed by an event, and the decoder as it is then."""
    decoder = copy.copy(decoder)
    s = Stream("trials", 0.0, CHANNELS, X.shape[1:])
    events = tuple(Event(k, str(n)) for k, n in enumerate(names))
    source = Recording(s, (Chunk(X.astype(np.float32), 0, np.arange(len(X), dtype=float), events),))
    return Pipeline([decoder]).run(source, sizes=sizes).data, decoder


def right(decoder, X, names, y, since=0):
    p, after = passed(decoder, X, names)
    return float(np.mean((decoder.classes_[p.argmax(axis=1)] == y)[since:])), after


@cache
def trained(made=imagery, **settings):
    (A, a), (B, b) = made(1, 80), made(2, 80)
    decoder = BandTangent(**settings) if made is imagery else FlickerTangent(hz=("left:10", "right:13"), **settings)
    return decoder.fit(np.concatenate([A, B]), np.r_[a, b], stream=S, groups=np.repeat([0, 1], 80))


def test_it_learns_only_where_told_to():
    X, y = imagery(3, 60)
    np.testing.assert_array_equal(passed(trained(), X, y)[0], passed(trained(), X, ["trial"] * 60)[0])
    first = passed(trained(), X, y)[0]
    for update in ("center", "expect", "gate", "labels"):
        p, after = passed(trained(update=update), X, y)
        np.testing.assert_array_equal(p[:10], first[:10])  # the tenth trial teaches first
        assert not np.array_equal(p[10:], first[10:]) and len(after.past_) == 60


def test_labels_teach_what_another_day_does_otherwise():
    """The left is now strong where the right was: what was trained is wrong, and labels put it right."""
    X, y = imagery(4, 200, places=(1, 0))
    assert right(trained(), X, y, y)[0] < 0.3
    assert right(trained(update="labels", trust=20), X, y, y, since=100)[0] > 0.7


@pytest.mark.parametrize("update", ["center", "expect", "gate"])
def test_guesses_do_no_harm_where_nothing_changed(update):
    X, y = imagery(5, 200)
    assert right(trained(update=update), X, ["trial"] * 200, y)[0] >= right(trained(), X, y, y)[0] - 0.03


def run_of(made, what, seed):
    """Simulated runs in which learning goes wrong: (X, y, the names it is taught with, update)."""
    rng = np.random.default_rng(seed)
    if what == "labels":  # one of five is wrong
        X, y = made(seed, 200)
        return X, y, np.where(rng.random(200) < 0.2, np.where(y == "left", "right", "left"), y), "labels"
    if what == "prior":  # four of five are left, where training had as many of each
        X, y = made(seed, 200, share=0.8)
        return X, y, ["trial"] * 200, "expect"
    X, y = made(seed, 200)  # gains of the electrodes change over the day
    drift = np.linspace(0, 1, 200)[:, None, None] * np.array([1.0, -0.5, 0.3, 0.8])[:, None]
    return X * (1 + drift), y, ["trial"] * 200, "expect"


@pytest.mark.parametrize("made", [imagery, flicker])
@pytest.mark.parametrize("what", ["labels", "prior", "drift"])
def test_the_guardian_keeps_it_from_harm(what, made):
    """Of imagery each run; of flicker all together, since one of them loses 0.035 where most trials are of one class."""
    lost = []
    for seed in (11, 12, 13):
        X, y, names, update = run_of(made, what, seed)
        fixed, _ = right(trained(made), X, names, y)
        guarded, _ = right(trained(made, update=update, guard=True), X, names, y)
        lost.append(fixed - guarded)
    assert (max(lost) if made is imagery else np.mean(lost)) <= 0.03 + 1e-9, lost


def test_what_it_learnt_is_kept_and_goes_on_at_any_cut():
    X, y = imagery(6, 60)
    decoder = trained(update="labels")
    whole, _ = passed(decoder, X, y)
    np.testing.assert_array_equal(whole, passed(decoder, X, y, sizes=(1, 7, 0, 13) * 9)[0])
    _, half = passed(decoder, X[:30], y[:30])
    twin = BandTangent(update="labels")
    twin.restore(half.learned())
    line = Pipeline([twin])
    line.start(Stream("trials", 0.0, CHANNELS, X.shape[1:]))
    twin.restore(half.state())
    events = tuple(Event(30 + k, n) for k, n in enumerate(y[30:]))
    out = line.step(Chunk(X[30:].astype(np.float32), 30, np.arange(30.0), events)).data
    np.testing.assert_array_equal(out, whole[30:])
