"""Covariances and their geometry, against pyRiemann; decoders of rhythms on what is known."""

from __future__ import annotations

import numpy as np
import pytest
from pyriemann.estimation import Covariances
from pyriemann.geometry.geodesic import geodesic_riemann
from pyriemann.geometry.mean import mean_riemann
from pyriemann.tangentspace import TangentSpace
from sklearn.cross_decomposition import CCA

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream
from bcikit.decode import _riemann as riemann
from bcikit.decode.motor_imagery.band_tangent import BandTangent
from bcikit.decode.ssvep._tones import correlation, simulated, sines
from bcikit.decode.ssvep.flicker_tangent import FlickerTangent

RNG = np.random.default_rng(0)
X = RNG.normal(0, [[3.0], [1.0], [20.0], [0.5], [7.0]], (40, 5, 90))
C = riemann.covariances(X)


def test_covariances_are_pyriemanns():
    np.testing.assert_allclose(C, Covariances("oas").transform(X), rtol=1e-9)


def test_mean_tangent_space_and_geodesic_are_pyriemanns():
    M = riemann.mean(C)
    np.testing.assert_allclose(M, mean_riemann(C, tol=1e-10), rtol=1e-6)
    T = riemann.tangent(C, riemann.whitener(M))
    its = TangentSpace().fit(C)
    np.testing.assert_allclose(T @ T.T, its.transform(C) @ its.transform(C).T, atol=1e-6)
    np.testing.assert_allclose(riemann.between(C[0], C[1], 0.3), geodesic_riemann(C[0], C[1], 0.3), rtol=1e-8)


def test_tangent_is_pyriemanns_chain_with_scikit_learns_regression():
    from pyriemann.estimation import Covariances
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from bcikit.decode.covariance import Covariance
    from bcikit.decode.tangent import Tangent

    rng = np.random.default_rng(1)
    y = np.arange(90) % 3
    x = rng.normal(0, 1 + 0.5 * (np.arange(5) == y[:, None])[..., None], (90, 5, 100)) @ np.eye(100)
    for kind in ("oas", "scm"):
        its = make_pipeline(Covariances(kind), TangentSpace(), LogisticRegression()).fit(x[:60], y[:60])
        stage = Covariance(kind=kind)
        stage.start(Stream("trials", 0.0, tuple(Channel(c) for c in "abcde"), (5, 100)))
        covariances = stage.rows(x)
        mine = Tangent().fit(covariances[:60], y[:60])
        np.testing.assert_allclose(mine.predict_proba(covariances[60:]), its.predict_proba(x[60:]), atol=1e-5)
        np.testing.assert_array_equal(mine.predict(covariances), its.predict(x))
    with pytest.raises(WrongUse, match="covariance"):
        Tangent().fit(x, y)


def test_many_bands_at_once_are_each_alone():
    both = np.stack([C, C[::-1] * 3], axis=1)
    np.testing.assert_allclose(riemann.mean(both)[0], riemann.mean(C), rtol=1e-6)


def test_a_flat_or_doubled_channel_leaves_matrices_definite():
    x = X.copy()
    x[:, 1], x[:, 2] = 0, x[:, 0]
    assert (np.linalg.eigvalsh(riemann.covariances(x)) > 0).all()
    assert (np.linalg.eigvalsh(riemann.covariances(0 * x)) > 0).all()


def test_correlation_is_scikit_learns():
    x = RNG.normal(0, 1, (3, 4, 200)) + np.sin(2 * np.pi * 9 * np.arange(200) / 100)
    base = sines(9, [1, 2], 200, 100.0)
    for r, trial in zip(correlation(x, base), x, strict=True):
        u, v = CCA(1, max_iter=5000, tol=1e-12).fit_transform(trial.T, base)
        assert r == pytest.approx(np.corrcoef(u[:, 0], v[:, 0])[0, 1], abs=1e-5)


def test_a_tagged_sine_is_always_told_and_shuffled_labels_never():
    x, y, _ = simulated((0.0, 9.0, 12.0, 15.0), 160, 2.0)  # the first is rest
    hz = ("class 1:9", "class 2:12", "class 3:15")
    assert FlickerTangent(hz=hz, rate=128).fit(x[:80], y[:80]).score(x[80:], y[80:]) == 1.0
    shuffled = np.random.default_rng(1).permutation(y)
    assert FlickerTangent(hz=hz, rate=128).fit(x[:80], shuffled[:80]).score(x[80:], shuffled[80:]) < 0.45


def test_calibrated_it_is_as_sure_as_it_is_right_and_says_the_same():
    x, y, _ = simulated((9.0, 12.0, 15.0), 240, 2.0)
    rng = np.random.default_rng(2)
    x = x + rng.normal(0, 2.5 * x.std(), x.shape)  # so that some are told wrong
    hz, half = ("class 0:9", "class 1:12", "class 2:15"), slice(120, None)
    plain, sure = (FlickerTangent(hz=hz, rate=128, calibrated=c).fit(x[:120], y[:120]) for c in (False, True))
    p, q = plain.predict_proba(x[half]), sure.predict_proba(x[half])
    np.testing.assert_array_equal(p.argmax(axis=1), q.argmax(axis=1))
    right = (sure.predict(x[half]) == y[half]).mean()
    assert 0.5 < right < 1.0
    assert abs(q.max(axis=1).mean() - right) < 0.5 * abs(p.max(axis=1).mean() - right)


def imagery(n, mixing, seed):
    """Simulated: 12 Hz is strong over one of two places, seen through `mixing`."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(160) / 128
    tone = np.sin(2 * np.pi * 12 * t + rng.uniform(0, 6, (n, 2, 1))) * np.where(np.eye(2)[y] > 0, 2.0, 1.0)[..., None]
    x = rng.normal(0, 0.5, (n, 4, 160))
    x[:, :2] += tone
    return mixing @ x, np.array(["left", "right"])[y]


def test_another_day_that_mixes_the_places_is_recentred():
    x1, y1 = imagery(80, np.eye(4), 1)
    mixed = np.random.default_rng(3).standard_normal((4, 4))
    day = 0.3 * np.eye(4) + mixed @ mixed.T / 4  # gains alone would be undone without recentring
    x2, y2 = imagery(80, day, 2)
    decoder = BandTangent(rate=128, strength=0.1).fit(x1, y1)
    assert (decoder.predict(x2) == y2)[30:].mean() > 0.9
    decoder = BandTangent(rate=128, strength=0.1, prior=1e6).fit(x1, y1)  # never recentred
    assert (decoder.predict(x2) == y2)[30:].mean() < 0.8


def test_what_a_rhythm_decoder_must_know():
    x, y = imagery(20, np.eye(4), 0)
    with pytest.raises(WrongUse, match="rate"):
        BandTangent().fit(x, y)
    with pytest.raises(WrongUse, match="60 Hz"):
        BandTangent(rate=50).fit(x, y)
    with pytest.raises(WrongUse, match="LABEL:HZ"):
        FlickerTangent(hz=("left",), rate=128).fit(x, y)
    stream = Stream("s", 128.0, tuple(Channel(str(i)) for i in range(4)))
    assert BandTangent().fit(x, y, stream=stream).rate_ == 128
