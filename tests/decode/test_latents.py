"""Latents by factor analysis against scikit-learn and plain arithmetic; over a night they keep what they mean."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Event, Stream, recording
from bcikit.decode.kinematics.kalman import Kalman
from bcikit.decode.kinematics.latents import Latents, factors, turned
from bcikit.simulate.population import Populations

STEP = 0.02


def common(n=4000, c=12, k=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, k)) @ rng.standard_normal((k, c)) + rng.uniform(0.5, 2, c) * rng.standard_normal((n, c))


def test_the_factors_are_scikit_learns():
    from sklearn.decomposition import FactorAnalysis

    x = common()
    L, own = factors(np.cov(x.T, bias=True), 3)
    want = FactorAnalysis(3, svd_method="lapack", tol=1e-8, max_iter=5000).fit(x)
    assert L @ L.T + np.diag(own) == pytest.approx(want.get_covariance(), abs=0.02)
    assert own == pytest.approx(want.noise_variance_, abs=0.03)


def test_latents_are_the_mean_given_the_counts():
    """As by conditioning the joint normal distribution of latents and counts."""
    x = common(500, 6, 2)
    one = Latents(factors=2).fit(x)
    together = one.loadings_ @ one.loadings_.T + np.diag(one.own_)
    want = (x - x.mean(axis=0)) @ np.linalg.inv(together) @ one.loadings_
    assert one.transform(x) == pytest.approx(want, rel=1e-9)


def test_it_turns_by_the_channels_that_the_best_of_all_subsets_has():
    """Nine channels, three of them others by now: leaving out one after the other finds what trying all finds."""
    from scipy.linalg import orthogonal_procrustes

    rng = np.random.default_rng(3)
    before = rng.standard_normal((9, 2))
    turn, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    after = (before + 0.05 * rng.standard_normal((9, 2))) @ turn.T
    after[[1, 4, 8]] = rng.standard_normal((3, 2))

    def off(some):
        R, _ = orthogonal_procrustes(after[list(some)], before[list(some)])
        return float(((after[list(some)] @ R - before[list(some)]) ** 2).sum()), R

    best = min(combinations(range(9), 6), key=lambda some: off(some)[0])
    stable, got = turned(after, before, 6)
    assert stable.tolist() == list(best) == [0, 2, 3, 5, 6, 7]
    assert got == pytest.approx(off(best)[1], abs=1e-12) and got == pytest.approx(turn, abs=0.1)


def steered(neurons, n=4500, seed=0):
    """Simulated counts while pushes come and go, and these."""
    push = np.repeat(np.random.default_rng(seed).uniform(-1, 1, (n // 30, 2)), 30, axis=0)
    return np.stack([neurons.counts(p[None], np.zeros(1))[0] for p in push]), push


def agreement(decoder, latents, x, push):
    return float(np.corrcoef(decoder.predict(latents(x)).ravel(), push.ravel())[0, 1])


def test_after_nights_and_with_a_bank_of_channels_dead_it_reads_what_the_day_before_meant():
    neurons = Populations(96, [4], STEP)
    x, push = steered(neurons)
    latents = Latents().fit(x)
    decoder, static = Kalman().fit(latents.transform(x), push), Kalman(shrinkage=0.3).fit(x, push)
    for _ in range(4):
        neurons.tonight()
        latents.align(steered(neurons, seed=1)[0])
    neurons.alive[0, :16] = False  # a bank fails
    latents.align(steered(neurons, seed=2)[0])
    x, push = steered(neurons, seed=3)
    aligned = agreement(decoder, latents.transform, x, push)
    assert aligned > 0.7 and aligned > agreement(static, lambda x: x, x, push) + 0.05
    assert not latents.inverse_[:, :16].any() and np.isfinite(latents.transform(x)).all()


def test_in_a_stream_it_aligns_to_what_it_remembers_and_other_channels_pass():
    x = common(3000, 8, 2)
    screen = np.arange(3000.0)[:, None]
    s = Stream("counts", 50.0, (*(Channel(f"u{k}", "spikes", "count") for k in range(8)), Channel("x", "position", "")))
    stage = Latents(channels=("spikes",), factors=2, memory_s=20.0).fit(x[:500])
    want = Latents(factors=2).fit(x[:500])
    out = Pipeline([stage]).run(recording(s, np.hstack([x, screen]), [Event(1999.0, "stabilise")]))
    early = want.transform(x[:2000].astype(np.float32))
    want.align(x[1000:2000].astype(np.float32))
    assert out.data[:2000, :2] == pytest.approx(early, abs=1e-5)
    assert out.data[2000:, :2] == pytest.approx(want.transform(x[2000:]), abs=1e-5)
    assert np.array_equal(out.data[:, 2], screen[:, 0]) and out.stream.channels[0].kind == "latent"


def test_too_little_changes_nothing_and_is_told():
    stage = Latents(factors=2).fit(common(500, 6, 2))
    before = stage.inverse_.copy()
    stage.start(Stream("counts", 50.0, tuple(Channel(f"u{k}", "spikes", "count") for k in range(6))))
    stage.adapt(Event(0, "stabilise"))
    assert np.array_equal(stage.inverse_, before)
    with pytest.raises(WrongUse, match="cannot learn"):
        Latents(factors=2).fit(common(20, 6, 2))
    with pytest.raises(WrongUse, match="that vary"):
        Latents(factors=2).fit(np.ones((500, 6)))
    with pytest.raises(WrongUse, match="not fitted"):
        Latents().start(Stream("counts", 50.0, (Channel("u1", "spikes", "count"),)))
