"""Decoders that go on learning: each way by itself, taught by the events of a pipeline, and kept."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy.special import expit

from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream
from bcikit.decode._adaptive import balanced, moments
from bcikit.decode.erp.flashes import Flashes
from bcikit.decode.erp.toeplitz_lda import ToeplitzLda
from tests.decode.test_erp import S, flashes


def taught(decoder, X, names, cuts=()):
    """The probabilities of trials as they pass, each followed by an event; the decoder has learnt from them after."""
    decoder = copy.copy(decoder)
    s = Stream("trials", 0.0, tuple(Channel(n) for n in "abcd"), X.shape[1:])
    events = tuple(Event(k, str(n)) for k, n in enumerate(names))
    source = Recording(s, (Chunk(X.astype(np.float32), 0, np.arange(len(X), dtype=float), events),))
    return Pipeline([decoder]).run(source, sizes=cuts).data, decoder


def auc(p, y):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(y == "target", p[:, 1])


def another_person(seed=7, n=600):
    return flashes(n, seed=seed, delay=9, size=2.5)


@pytest.fixture(scope="module")
def known():
    (A, a), (B, b) = flashes(300, seed=1, size=2.5), flashes(300, seed=2, delay=3, size=2.5)
    return np.concatenate([A, B]), np.concatenate([a, b]), np.repeat([0, 1], 300)


@pytest.mark.parametrize("update, gain", [("expect", 0.02), ("labels", 0.02), ("gate", 0.0)])
@pytest.mark.parametrize("cls", [ToeplitzLda, Flashes])
def test_of_a_new_person_it_learns(known, cls, update, gain):
    X, y, groups = known
    Z, truth = another_person()
    names = truth if update == "labels" else ["trial"] * len(Z)
    decoder = cls(update=update).fit(X, y, stream=S, groups=groups)
    before = auc(cls(update="none").fit(X, y, stream=S, groups=groups).predict_proba(Z)[300:], truth[300:])
    p, after = taught(decoder, Z, names)
    assert auc(p[300:], truth[300:]) >= before + gain
    assert len(after.past_) == len(Z) and len(decoder.past_) == 0


def test_center_follows_an_offset_that_came_over_night(known):
    X, y, groups = known
    Z, truth = flashes(400, seed=3, size=2.5)
    Z = Z + np.array([6.0, 5.0, 2.0, 0.0])[:, None] * np.exp(-((np.arange(60) - 30) ** 2) / 50)
    fixed, moved = (
        taught(ToeplitzLda(update=u, trust=20).fit(X, y, stream=S, groups=groups), Z, ["trial"] * 400)[0]
        for u in ("none", "center")
    )
    right = [np.mean(np.where(p[200:, 1] > 0.5, "target", "other") == truth[200:]) for p in (fixed, moved)]
    assert right[1] > right[0] + 0.02


def test_without_labels_the_events_names_change_nothing(known):
    X, y, groups = known
    Z, truth = another_person()
    decoder = ToeplitzLda(update="expect").fit(X, y, stream=S, groups=groups)
    np.testing.assert_array_equal(taught(decoder, Z, truth)[0], taught(decoder, Z, ["trial"] * len(Z))[0])


def test_a_trial_is_decided_before_it_teaches_and_at_any_cut(known):
    X, y, groups = known
    Z, truth = another_person()
    decoder = ToeplitzLda(update="labels", every=1).fit(X, y, stream=S, groups=groups)
    p, _ = taught(decoder, Z[:100], truth[:100])
    lied = truth[:100].copy()
    lied[60:] = np.where(lied[60:] == "target", "other", "target")
    q, _ = taught(decoder, Z[:100], lied)
    np.testing.assert_array_equal(p[:61], q[:61])
    assert not np.array_equal(p[61:], q[61:])
    np.testing.assert_array_equal(p, taught(decoder, Z[:100], truth[:100], cuts=(1, 7, 0, 33) * 9)[0])


def test_every_setting_of_learning_matters(known):
    X, y, groups = known
    Z, truth = another_person()
    seen = set()
    for settings in (
        {},
        {"trust": 20},
        {"every": 7},
        {"memory": 50},
        {"update": "labels"},
        {"update": "none"},
        {"guard": True},
    ):
        decoder = ToeplitzLda(**{"update": "expect", **settings}).fit(X, y, stream=S, groups=groups)
        p, after = taught(decoder, Z[:200], truth[:200])
        seen.add(p.tobytes())
        assert len(after.past_) <= after.memory
    assert len(seen) == 7


def test_what_was_learnt_is_kept_and_goes_on(known):
    X, y, groups = known
    Z, truth = another_person()
    decoder = Flashes(update="labels").fit(X, y, stream=S, groups=groups)
    whole, _ = taught(decoder, Z[:200], truth[:200])
    _, half = taught(decoder, Z[:100], truth[:100])
    twin = Flashes(update="labels")
    twin.restore(half.learned())
    state = half.state()
    s = Stream("trials", 0.0, tuple(Channel(n) for n in "abcd"), Z.shape[1:])
    line = Pipeline([twin])
    line.start(s)
    twin.restore(state)
    events = tuple(Event(100 + k, n) for k, n in enumerate(truth[100:200]))
    out = line.step(Chunk(Z[100:200].astype(np.float32), 100, np.arange(100.0), events)).data
    np.testing.assert_array_equal(out, whole[100:])


def test_moments_are_those_of_each_class():
    rng = np.random.default_rng(0)
    F, y = rng.normal(size=(90, 4)), np.arange(90) % 3
    count, means, C = moments(F, np.eye(3)[y])
    np.testing.assert_allclose(count, 30)
    np.testing.assert_allclose(means, [F[y == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(C, np.mean([np.cov(F[y == k].T, bias=True) for k in range(3)], axis=0))


def test_balanced_has_the_shares_of_the_classes():
    rng = np.random.default_rng(0)
    z = rng.normal(3, 2, (400, 2))
    r = balanced(z, np.array([0.875, 0.125]))
    np.testing.assert_allclose(r.mean(axis=0), [0.875, 0.125], atol=1e-5)
    from scipy.optimize import brentq

    d = z[:, 1] - z[:, 0]
    off = brentq(lambda b: expit(d + b).mean() - 0.125, -20, 20)
    np.testing.assert_allclose(r[:, 1], expit(d + off), atol=1e-4)


def run_of(what, seed):
    """Simulated trials of a run in which learning goes wrong: (X, truth, the names it is taught with, update)."""
    rng = np.random.default_rng(seed)
    Z, truth = flashes(500, seed=seed, size=2.5)
    if what == "labels":  # one of five is wrong
        wrong = rng.random(len(truth)) < 0.2
        return Z, truth, np.where(wrong, np.where(truth == "target", "other", "target"), truth), "labels"
    if what == "prior":  # half of the flashes are targets, where training had one of five
        targets = np.flatnonzero(truth == "target")
        order = rng.permutation(np.r_[targets, np.flatnonzero(truth == "other")[: len(targets)]])
        return Z[order], truth[order], ["trial"] * len(order), "expect"
    drift = np.linspace(0, 1, len(Z))[:, None, None]  # the electrodes' gains and offsets change over the day
    Z = Z * (1 + drift * np.array([0.5, -0.4, 0.3, 0.8])[:, None]) + drift * np.array([4.0, -4.0, 4.0, 4.0])[:, None]
    return Z, truth, ["trial"] * len(Z), "expect"


@pytest.mark.parametrize("what", ["labels", "prior", "drift"])
@pytest.mark.parametrize("cls", [ToeplitzLda, Flashes])
def test_the_guardian_keeps_it_from_harm(known, cls, what):
    X, y, groups = known

    def right(**settings):
        decoder = cls(**settings).fit(X, y, stream=S, groups=groups)
        p, after = taught(decoder, Z, names)
        return np.mean(np.where(p[:, 1] > 0.5, "target", "other") == truth), after

    for seed in (13, 16):
        Z, truth, names, update = run_of(what, seed)
        fixed, _ = right(update="none")
        guarded, after = right(update=update, guard=True)
        assert guarded >= fixed - 0.03, (seed, after.undone_)


def test_what_harms_is_undone(known):
    X, y, groups = known
    Z, truth = flashes(300, seed=11, size=2.5)
    lies = np.where(truth == "target", "other", "target")
    _, after = taught(ToeplitzLda(update="labels", guard=True).fit(X, y, stream=S, groups=groups), Z, truth)
    assert after.undone_ == 0
    changed = np.r_[truth[:50], lies[50:120], truth[120:]]
    _, after = taught(ToeplitzLda(update="labels", trust=20, guard=True).fit(X, y, stream=S, groups=groups), Z, changed)
    assert after.undone_ > 0
