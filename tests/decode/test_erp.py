"""Decoders of evoked and slow potentials against independent references, and on what goes wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream
from bcikit.decode._folds import folds
from bcikit.decode.erp._erp import deviations, flat
from bcikit.decode.erp._xdawn import covariances, filters_of
from bcikit.decode.erp.flashes import Flashes
from bcikit.decode.erp.readiness import Readiness
from bcikit.decode.erp.toeplitz_lda import ToeplitzLda, toeplitz
from bcikit.decode.erp.xdawn_tangent import XdawnTangent

S = Stream("simulated", 100.0, tuple(Channel(n) for n in "abcd"))


def flashes(n=300, seed=0, delay=0, size=1.5):
    """Simulated: (X, y), a bump in half the channels after one flash in five, in noise that is smooth in time."""
    rng = np.random.default_rng(seed)
    X = lfilter([1], [1, -0.9], rng.normal(0, 1, (n, 4, 160)), axis=2)[..., 100:] * 0.6
    y = np.where(np.arange(n) % 5 == 2, "target", "other")
    bump = size * np.exp(-((np.arange(60) - 30 - delay) ** 2) / 50)
    X[y == "target"] += np.array([1.0, 0.8, 0.3, 0.0])[:, None] * bump
    return X * 4, y


def test_toeplitz_is_the_mean_of_each_block_diagonal():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(12, 40))
    C = A @ A.T
    T = toeplitz(C, 3)
    for i in range(4):
        for j in range(4):
            d = abs(i - j)
            same = [C[3 * a : 3 * a + 3, 3 * b : 3 * b + 3] for a in range(4) for b in range(4) if b - a == j - i]
            np.testing.assert_allclose(T[3 * i : 3 * i + 3, 3 * j : 3 * j + 3], np.mean(same, axis=0) * (1 - d / 4))
    assert np.linalg.eigvalsh(T).min() > 0


def test_without_structure_it_is_shrinkage_lda(monkeypatch):
    from sklearn.covariance import ledoit_wolf
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    X, y = flashes()
    monkeypatch.setattr("bcikit.decode.erp.toeplitz_lda.toeplitz", lambda C, width: C)
    ours = ToeplitzLda(smooth=0.03, clip=1000).fit(X, y, stream=S)
    F = flat(ours.tamed(X, np.broadcast_to(ours.scale_, X.shape[:2])))
    means = {k: F[y == k].mean(axis=0) for k in ("other", "target")}
    within = F - np.array([means[k] for k in y])
    C, _ = ledoit_wolf(within, assume_centered=True)
    shares = np.array([np.mean(y == "other"), np.mean(y == "target")])
    reference = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Given(C), priors=shares).fit(F, y)
    np.testing.assert_allclose(
        np.diff(ours.log_odds(F, 0.0), axis=1)[:, 0], reference.decision_function(F), rtol=1e-6, atol=1e-8
    )


class _Given:
    """A covariance estimator that knows the answer."""

    def __init__(self, C):
        self.C = C

    def get_params(self, deep=True):
        return {"C": self.C}

    def fit(self, X):
        self.covariance_ = self.C
        return self


def test_structure_helps_where_trials_are_few():
    from sklearn.metrics import roc_auc_score

    class Plain(ToeplitzLda):
        def structured(self, C):
            return (1 - self.shrinkage_) * C + self.shrinkage_ * np.trace(C) / len(C) * np.eye(len(C))

    def auc(decoder, seed):
        (X, y), (Z, truth) = flashes(60, seed=seed), flashes(600, seed=seed + 100)
        return roc_auc_score(truth == "target", decoder.fit(X, y, stream=S).predict_proba(Z)[:, 1])

    gain = [auc(ToeplitzLda(), seed) - auc(Plain(), seed) for seed in range(6)]
    assert np.mean(gain) > 0.01 and np.sum(np.array(gain) > 0) >= 5


def test_xdawn_is_pyriemanns():
    from pyriemann.estimation import Xdawn

    X, y = flashes()
    X = X - X.mean(axis=2, keepdims=True)
    W, P = filters_of(X, (y == "target").astype(int), 2)
    theirs = Xdawn(nfilter=2, classes=["other", "target"], estimator="scm").fit(X, y)
    for mine, other in zip(W, theirs.filters_, strict=True):
        cosine = abs(mine @ other) / np.linalg.norm(mine) / np.linalg.norm(other)
        assert cosine > 0.999
    C = covariances(W, P, X)
    assert C.shape == (len(X), 8, 8) and np.linalg.eigvalsh(C).min() > 0


def test_xdawn_tangent_scores_as_pyriemann_does():
    from pyriemann.estimation import XdawnCovariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline

    X, y = flashes(size=2)
    Z, truth = flashes(seed=3, size=2)
    ours = XdawnTangent(filters=2, clip=1000, smooth=0).fit(X, y, stream=S)
    theirs = make_pipeline(XdawnCovariances(2, estimator="oas"), TangentSpace(), LogisticRegression(C=1.0)).fit(X, y)
    a, b = (roc_auc_score(truth == "target", d.predict_proba(Z)[:, 1]) for d in (ours, theirs))
    assert a > 0.8 and a > b - 0.03


def test_a_decision_is_the_mean_of_both_opinions():
    X, y = flashes()
    both = Flashes(smooth=0.02, update="none").fit(X, y, stream=S)
    one = ToeplitzLda(smooth=0.02).fit(X, y, stream=S)
    other = XdawnTangent(smooth=0.02).fit(X, y, stream=S)
    odds = [np.diff(np.log(d.predict_proba(X)), axis=1)[:, 0] for d in (both, one, other)]
    np.testing.assert_allclose(odds[0], (odds[1] + odds[2]) / 2, atol=1e-6)


def test_opinions_are_weighed_on_people_left_out_and_the_one_that_adapts_takes_over():
    X, y = flashes(400, size=2)
    noise = np.random.default_rng(9).normal(0, 5, X.shape)
    groups = np.repeat([0, 1], 200)
    weighs = Flashes(trust=40, every=10).fit(X + noise, y, stream=S, groups=groups)
    assert 0.1 <= weighs.other_ <= 10.0 and weighs.other_ != 1.0
    assert weighs.left == 1.0
    weighs.past_, weighs.beside_ = np.zeros((120, weighs.past_.shape[1]), np.float32), np.zeros((120, 2))
    assert weighs.left == 40 / 160


def test_a_jump_of_an_electrode_costs_little():
    X, y = flashes(400, size=2)
    Z, truth = flashes(400, seed=5, size=2)
    clean = Flashes(update="none").fit(X, y, stream=S).score(Z, truth)
    X[7, 3] += 5000
    X[107, 2, 20:] -= 9000
    assert Flashes(update="none").fit(X, y, stream=S).score(Z, truth) > clean - 0.02


def test_the_scale_is_that_of_the_past():
    X, y = flashes()
    decoder = ToeplitzLda().fit(X, y, stream=S)
    p = decoder.predict_proba(X)
    np.testing.assert_allclose(decoder.predict_proba(X[:50]), p[:50])
    louder = decoder.predict_proba(10 * X)
    assert np.mean((louder[100:, 1] > 0.5) == (p[100:, 1] > 0.5)) > 0.95
    np.testing.assert_allclose(deviations(np.random.default_rng(0).normal(0, 3, (1, 1, 100_000))), 3, rtol=0.02)


def test_three_classes_and_vectors_are_refused():
    X, y = flashes(60)
    with pytest.raises(WrongUse, match="two classes"):
        Flashes().fit(X, np.arange(60) % 3, stream=S)
    with pytest.raises(WrongUse, match="two classes"):
        Flashes().fit(X[:, 0], y)
    with pytest.raises(WrongUse, match="rate"):
        Readiness().fit(X, y)
    with pytest.raises(WrongUse, match="no band"):
        Readiness(low=30, high=60).fit(X, y, stream=S)


def test_folds_leave_out_runs_or_stretches_with_every_class():
    y = np.array([0, 0, 0, 1] * 10)
    parts = list(folds(y, np.zeros(40, int)))
    assert len(parts) == 5 and (np.sum(parts, axis=0) == 1).all() and all(len(set(y[p])) == 2 for p in parts)
    runs = np.repeat([0, 1, 2], [10, 10, 20])
    assert [set(runs[p]) for p in folds(y, runs)] == [{0}, {1}, {2}]


def test_readiness_weighs_the_potential_and_the_rhythm():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    t = np.arange(50) / 100

    def trials(potential, rhythm):
        X = rng.normal(0, 3, (200, 4, 50))
        X[:, 0] += np.where(y, potential, -potential)[:, None] * t
        X[:, 1] += np.where(y, rhythm, 0)[:, None] * np.sin(2 * np.pi * (25 * t + rng.uniform(size=(200, 1))))
        return X

    slow = Readiness().fit(trials(12, 0), y, stream=S)
    beta = Readiness().fit(trials(0, 5), y, stream=S)
    assert slow.score(trials(12, 0), y) > 0.8 and beta.score(trials(0, 5), y) > 0.8
    assert slow.score(trials(0, 5), y) < 0.65 and beta.score(trials(12, 0), y) < 0.65
