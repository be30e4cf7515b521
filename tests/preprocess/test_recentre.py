"""Recentring, against pyRiemann's means of the same covariances."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Recording, Stream, recording
from bcikit.preprocess.recentre import SHRINK, Recentre

try:
    from pyriemann.geometry.geodesic import geodesic_riemann
    from pyriemann.geometry.mean import gmean
except ImportError:  # before 0.12
    from pyriemann.utils.geodesic import geodesic_riemann
    from pyriemann.utils.mean import mean_covariance as gmean

MIX = np.random.default_rng(5).standard_normal((4, 4))


def trials(n=30, seed=0, gain=1.0):
    x = np.einsum("ij,njt->nit", MIX * gain, np.random.default_rng(seed).standard_normal((n, 4, 200)))
    return recording(Stream("trials", 0.0, tuple(Channel(f"E{i}") for i in range(4)), (4, 200)), x)


def signal(seconds=30, seed=0, gain=1.0):
    x = np.random.default_rng(seed).standard_normal((round(seconds * 250), 4)) @ MIX.T * gain
    return recording(Stream("signal", 250.0, tuple(Channel(f"E{i}") for i in range(4))), x)


def shrunk(x):
    covs = np.einsum("nit,njt->nij", x, x) / x.shape[-1]
    return (1 - SHRINK) * covs + SHRINK * np.trace(covs, axis1=1, axis2=2)[:, None, None] / 4 * np.eye(4)


@pytest.mark.parametrize("way", ["euclid", "riemann"])
def test_the_mean_is_that_of_all_trials_until_now(way):
    source = trials()
    stage = Recentre(memory=1000, mean=way)
    Pipeline([stage]).run(source)
    wanted = gmean(shrunk(source.data.astype(float)), metric=way)
    # Riemannian: the recursive mean is near the whole one; arithmetic: it is the same
    assert np.linalg.norm(stage._mean - wanted) < (0.01 if way == "riemann" else 1e-9) * np.linalg.norm(wanted)


def test_one_step_of_the_riemannian_mean_is_the_geodesic():
    source = trials(3)
    stage = Recentre(memory=2)
    Pipeline([stage]).run(source)
    a, b, c = shrunk(source.data.astype(float))
    wanted = geodesic_riemann(geodesic_riemann(a, b, 0.5), c, 0.5)
    assert np.allclose(stage._mean, wanted, rtol=1e-9)


@pytest.mark.parametrize("way", ["euclid", "riemann"])
@pytest.mark.parametrize("source", [trials(60), signal(60)], ids=["trials", "signal"])
def test_what_comes_out_is_white_and_the_same_whatever_the_mixing_and_gain(way, source):
    out = Pipeline([Recentre(mean=way)]).run(source).data
    x = np.concatenate(list(out[40:]), axis=1).T if out.ndim == 3 else out[5000:]
    assert np.abs(np.cov(x.T) - np.eye(4)).max() < 0.15


def test_a_changed_gain_is_made_good_within_the_memory():
    before, after = signal(20), signal(40, 1, gain=5.0)
    whole = recording(before.stream, np.concatenate([before.data, after.data]))
    for hop in (0.25, 1.0):
        out = Pipeline([Recentre(memory=4, hop=hop)]).run(whole).data
        assert 0.8 < out[3000:5000].std() < 1.2
        assert out[5000:5100].std() > 3
        assert 0.8 < out[-2500:].std() < 1.2


def test_trials_without_sense_move_nothing():
    source = trials(12)
    x = source.data.copy()
    x[4, 2, 7], x[5] = np.nan, 0.0
    out = Pipeline([Recentre()]).run(recording(source.stream, x)).data
    without = Pipeline([Recentre()]).run(recording(source.stream, np.delete(source.data, [4, 5], axis=0))).data
    assert np.isnan(out[4]).any() and np.array_equal(out[6:], without[4:])


def test_it_tells_how_far_the_mean_moved():
    before, after = trials(20), trials(20, 1, gain=3.0)
    out = Pipeline([Recentre(memory=5)]).run(recording(before.stream, np.concatenate([before.data, after.data])))
    told = [(e.index, e.value) for e in out.events]
    assert [i for i, _ in told] == [9, 19, 29, 39]
    assert told[2][1] > 3 * told[1][1]


def test_a_short_gap_leaves_the_mean_and_a_long_one_does_not():
    source = signal(10)
    head, tail = source.chunks[0].cut(1250, 250.0)
    for seconds, kept in ((5, True), (120, False)):
        stage = Recentre()
        line = Pipeline([stage])
        line.start(source.stream)
        line.step(head)
        out = line.step(Chunk(tail.data[:10], tail.first + seconds * 250, tail.time))
        assert np.isfinite(out.data).all() == kept


def test_decisions_are_refused():
    with pytest.raises(WrongUse, match="recentre takes"):
        Recentre().start(Stream("decisions", 0.0, (Channel("a", "probability"),)))


def test_chunks_of_no_rows_are_no_trouble():
    source = trials(4)
    empty = Chunk(source.data[:0], 0, np.empty(0))
    out = Pipeline([Recentre()]).run(Recording(source.stream, (empty, *source.chunks)))
    assert out.data.shape == source.data.shape


def test_euclidean_alignment_is_pyriemanns_and_that_written_out():
    from pyriemann.transfer import TLCenter, encode_domains
    from scipy.linalg import inv, sqrtm

    source = trials(25, 3)
    x = source.data.astype(float)
    out = Pipeline([Recentre(memory=1000, mean="euclid")]).run(source).data
    covs = shrunk(x)
    _, encoded = encode_domains(covs, np.arange(25) % 2, np.full(25, "target"))
    its = TLCenter("target", metric="euclid").fit(covs, encoded).transform(covs[-1:])[0]
    white = inv(sqrtm(covs.mean(axis=0)))
    np.testing.assert_allclose(white @ covs[-1] @ white, its, atol=1e-6)
    np.testing.assert_allclose(out[-1], white @ x[-1], atol=1e-5)  # float32 comes out
