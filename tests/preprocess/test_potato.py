"""The potato: fitted as pyRiemann's, moved as its definition says, and finding what is put in."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Stream, recording
from bcikit.preprocess.potato import Potato, fitted, renewed, z_score

try:
    from pyriemann.artifact_detection import Potato as Peer
except ImportError:  # before 0.12
    from pyriemann.clustering import Potato as Peer

NAMES = ("Fp1", "Fp2", "C3", "C4", "T7", "T8")


def covariances(n=80, seed=0, spoilt=()):
    x = np.random.default_rng(seed).standard_normal((n, 4, 100))
    x[list(spoilt)] *= np.array([5.0, 1, 1, 8])[:, None]
    return np.einsum("nit,njt->nij", x, x) / 100


def signal(seconds=60, seed=0):
    """(recording, hops of 0.25 s at which Fp1 and Fp2 have a blink)."""
    rng = np.random.default_rng(seed)
    x = 10 * rng.standard_normal((seconds * 250, 6)) + 8 * rng.standard_normal((seconds * 250, 1))
    at = np.arange(25, seconds - 2, 5) * 250
    for i in at:
        x[i : i + 100, :2] += 120 * np.hanning(100)[:, None]
    return recording(Stream("simulated", 250.0, tuple(map(Channel, NAMES))), x), at


@pytest.mark.parametrize("spoilt", [(), (3, 40, 41)])
def test_it_is_fitted_as_pyriemanns(spoilt):
    covs, fresh = covariances(spoilt=spoilt), covariances(20, 1, (5,))
    peer = Peer(threshold=3, n_iter_max=20).fit(covs)
    shape = fitted(covs, 3)
    assert np.allclose(shape[0], peer.covmean_, rtol=1e-6)
    assert np.allclose([z_score(c, shape) for c in fresh], peer.transform(fresh), atol=1e-4)


def test_it_is_moved_as_weights_say():
    """By a part of 1/n at the n-th it is mean and variance of all; and the distance is to the centre before the step."""
    covs = covariances(40)
    centre = fitted(covs, 100)[0]
    told = np.log([np.sqrt(np.sum(np.log(np.linalg.eigvals(np.linalg.solve(centre, c)).real) ** 2)) for c in covs])
    shape = centre, float(told[0]), 0.0
    for n, cov in enumerate(covs[1:], 2):
        _, mean, var = renewed((centre, *shape[1:]), cov, 1 / n)
        shape = centre, mean, var
    assert np.isclose(shape[1], told.mean()) and np.isclose(shape[2], told.var())
    same = renewed(shape, covs[3], 0.0)
    assert np.allclose(same[0], centre) and same[1:] == shape[1:]
    assert np.allclose(renewed(shape, covs[3], 1.0)[0], covs[3])


def test_it_stays_as_sharp_however_long_it_moves():
    """A variance reckoned to the mean already moved, or from averages, shrinks, and in the end all is out."""
    shape = fitted(covariances(100), 100)
    far = []
    for cov in covariances(2000, seed=2):
        far.append(z_score(cov, shape))
        shape = renewed(shape, cov, 0.02)
    assert abs(np.mean(far[500:])) < 0.15 and 0.9 < np.std(far[500:]) < 1.15


def test_each_group_finds_its_own():
    source, at = signal()
    stage = Potato(groups=("Fp1-Fp2", "C3-C4", "T7-T8"), limit=5)
    out = Pipeline([stage]).run(source)
    told = [(e.index, e.value) for e in out.events if e.name == "potato"]
    ons = [i for i, v in told if v == "Fp1-Fp2 out"]
    assert all(any(0 < i - a < 200 for i in ons) for a in at)
    assert sum(v.split()[0] != "Fp1-Fp2" for _, v in told) <= 2
    shares = [e.index for e in out.events if e.name == "potato share"]
    assert shares == [4 * 62 * k - 1 for k in range(1, 61)]  # a hop is a whole number of samples


def test_only_the_group_that_is_out_is_blanked():
    source, at = signal()
    got = Pipeline([Potato(groups=("Fp1-Fp2", "T7-T8"), blank=True, limit=5)]).run(source).data
    assert np.isnan(got[at[0] + 150, :2]).all()
    assert np.isfinite(got[:, 2:4]).all() and np.isnan(got[:, 4:]).mean() < 0.02
    assert np.isnan(got[:, :2]).mean() < 0.4


def test_a_drift_of_the_gain_is_followed():
    source, _ = signal(120)
    x = np.random.default_rng(3).standard_normal(source.data.shape) * np.linspace(10, 40, len(source.data))[:, None]
    lost = {
        m: np.isnan(Pipeline([Potato(memory=m, blank=True)]).run(recording(source.stream, x)).data).mean()
        for m in (10, 3600)
    }
    assert lost[10] < 0.2 < lost[3600]


def test_a_group_of_one_is_refused():
    with pytest.raises(WrongUse, match="two channels"):
        Potato(groups=("C3",)).start(signal(1)[0].stream)
