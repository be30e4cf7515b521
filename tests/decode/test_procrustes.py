"""Riemannian Procrustes analysis, against pyRiemann's steps and against a search; what it wins on a new person."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pyriemann.geometry.mean import mean_riemann
from pyriemann.transfer import TLCenter, TLRotate, TLScale, encode_domains
from scipy.linalg import expm
from scipy.optimize import minimize

from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream
from bcikit.decode import _riemann as riemann
from bcikit.decode.procrustes import Procrustes, class_means, rotation, spread, together


def turned(angle, n, seed=0):
    """An orthogonal matrix not far from the identity."""
    A = np.random.default_rng(seed).normal(size=(n, n))
    return expm(angle * (A - A.T) / np.linalg.norm(A - A.T))


def people(angles, n=90, seed=0, channels=4):
    """Simulated covariances of three classes, of people whose heads turn, mix and spread them otherwise."""
    rng = np.random.default_rng(seed)
    X, y, who = [], [], []
    for k, angle in enumerate(angles):
        y.append(np.arange(n) % 3)
        power = np.where(np.arange(channels) == y[-1][:, None], 1.2, 0.0)
        A = rng.normal(0, 0.35, (n, channels, channels))
        logs = (1 + 0.4 * k) * ((A + A.swapaxes(1, 2)) / 2 + power[..., None] * np.eye(channels))
        M = np.eye(channels) + 0.3 * np.abs(rng.normal(size=(channels, channels)))
        Q = M @ turned(angle, channels, seed=5 + k)
        X.append(Q @ riemann.exp(logs) @ Q.T * 9.0)
        who.append(np.full(n, k))
    return np.concatenate(X), np.concatenate(y), np.concatenate(who)


def test_recentred_and_stretched_as_by_pyriemann():
    X, y, who = people([0.0, 0.4, 0.9])
    _, encoded = encode_domains(X, y, who.astype(str))
    its = TLScale("2", centered_data=True).fit_transform(TLCenter("2").fit_transform(X, encoded), encoded)
    for k in range(3):
        logs = riemann.centred(X[who == k], 1e-10)[2]
        np.testing.assert_allclose(riemann.exp(logs / np.sqrt(spread(logs))), its[who == k], atol=1e-6)


def test_turned_as_by_pyriemann_where_one_is_the_other_turned():
    X, y, _ = people([0.3])
    Q = turned(0.7, 4)
    both, labels, who = np.concatenate([X, Q @ X @ Q.T]), np.concatenate([y, y]), np.repeat(["a", "b"], len(X))
    _, encoded = encode_domains(both, labels, who)
    its = TLRotate("b").fit(both, encoded).rotations_["a"]
    own, wanted = class_means(X, y, 3), class_means(Q @ X @ Q.T, y, 3)
    np.testing.assert_allclose(own, [mean_riemann(X[y == k], tol=1e-10) for k in range(3)], rtol=1e-6)
    mine = rotation(wanted, own, np.eye(4))
    np.testing.assert_allclose(mine, Q, atol=1e-6)
    np.testing.assert_allclose(mine @ own @ mine.T, its @ own @ its.T, atol=1e-6 * own.max())


@pytest.mark.parametrize("seed", range(3))
def test_the_turn_is_the_best_that_a_search_finds(seed):
    X, y, who = people([0.0, 0.8], seed=seed)
    wanted, own = (class_means(riemann.exp(riemann.centred(X[who == k])[2]), y[who == k], 3) for k in range(2))

    def off(a):
        S = np.zeros((4, 4))
        S[np.triu_indices(4, 1)] = a
        Q = expm(S - S.T)
        return ((wanted - Q @ own @ Q.T) ** 2).sum()

    Q = rotation(wanted, own, np.eye(4))
    np.testing.assert_allclose(Q @ Q.T, np.eye(4), atol=1e-12)
    best = min((minimize(off, a, tol=1e-14) for a in (np.zeros(6), np.full(6, 0.1))), key=lambda r: r.fun)
    assert ((wanted - Q @ own @ Q.T) ** 2).sum() <= best.fun * (1 + 1e-6)


def test_runs_turned_onto_each_other_lie_closer_and_one_alone_stays():
    X, y, who = people([0.0, 0.4, 0.8], n=300)
    logs = [riemann.centred(X[who == k])[2] for k in range(3)]
    own = np.array([class_means(riemann.exp(t / np.sqrt(spread(t))), y[who == k], 3) for k, t in enumerate(logs)])
    common, turns = together(own, np.full((3, 3), 100.0), 0.0)
    after = turns[:, None] @ own @ turns[:, None].swapaxes(-1, -2)
    assert ((after - common) ** 2).sum() < 0.5 * ((own - own.mean(axis=0)) ** 2).sum()
    np.testing.assert_array_equal(together(own[:1], np.full((1, 3), 9.0), 1.0)[1][0], np.eye(4))


def told(decoder, X, classes):
    """Probabilities of trials as they pass, each followed by an event that says its class; and the decoder after."""
    decoder = copy.copy(decoder)
    s = Stream("covariances", 0.0, tuple(map(Channel, "abcd")), X.shape[1:])
    events = tuple(Event(k, "was", str(c)) for k, c in enumerate(classes))
    source = Recording(s, (Chunk(X, 0, np.arange(len(X), dtype=float), events),))
    return Pipeline([decoder]).run(source).data, decoder


def test_a_new_person_is_told_better_by_each_step():
    X, y, who = people([0.0, 0.3, 1.9], n=240)
    new = who == 2
    right = {}
    for name, settings in {"recentred": {"stretch": False}, "stretched": {}, "turned": {"turn": True}}.items():
        decoder = Procrustes(prior=2, **settings).fit(X[~new], y[~new], groups=who[~new])
        p, after = told(decoder, X[new], y[new])
        right[name] = np.mean(p.argmax(axis=1)[60:] == y[new][60:])
        assert np.array_equal(decoder.rotation_, np.eye(4))
        assert np.array_equal(after.rotation_, np.eye(4)) == (name != "turned")
    assert right["turned"] > right["stretched"] + 0.05
    assert right["stretched"] >= right["recentred"] - 0.02


def test_a_label_teaches_from_the_next_trial_on_and_what_was_learnt_is_kept():
    X, y, who = people([0.0, 0.3, 1.0], n=60)
    new = who == 2
    decoder = Procrustes(turn=True).fit(X[~new], y[~new], groups=who[~new])
    right, after = told(decoder, X[new], y[new])
    wrong, _ = told(decoder, X[new], np.where(np.arange(60) < 30, y[new], (y[new] + 1) % 3))
    np.testing.assert_array_equal(right[:31], wrong[:31])
    assert not np.array_equal(right[31:], wrong[31:])
    twin = Procrustes(turn=True)
    twin.restore(after.learned())
    np.testing.assert_array_equal(told(twin, X[new], ["none"] * 60)[0], told(after, X[new], ["none"] * 60)[0])


def test_a_run_that_lacks_a_class_is_turned_by_the_others():
    X, y, who = people([0.0, 0.4], n=90)
    keep = (who == 0) | (y != 2)
    decoder = Procrustes(turn=True).fit(X[keep], y[keep], groups=who[keep])
    assert decoder.score(X[who == 0], y[who == 0]) > 0.6
