"""Decoders of flicker against scikit-learn, SciPy and sums written out, and on sines whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.cross_decomposition import CCA

from bcikit.core.errors import WrongUse
from bcikit.decode.ssvep._tones import bank, canonical, simulated, sines
from bcikit.decode.ssvep.cca import Cca
from bcikit.decode.ssvep.ecca import Ecca
from bcikit.decode.ssvep.fbcca import Fbcca
from bcikit.decode.ssvep.tdca import Tdca
from bcikit.decode.ssvep.trca import Trca, related

HZ = ("class 1:9", "class 2:12", "class 3:15")  # class 0 is rest
ALL = pytest.mark.parametrize("cls", [Cca, Fbcca, Ecca, Trca, Tdca])
RNG = np.random.default_rng(0)


def trials(n, seed=0):
    return simulated((0.0, 9.0, 12.0, 15.0), n, 2.5, seed=seed, locked=True)


@ALL
def test_a_tagged_sine_and_rest_are_told_and_shuffled_labels_are_not(cls):
    X, y, _ = trials(160)
    assert cls(hz=HZ, rate=128).fit(X[:80], y[:80]).score(X[80:], y[80:]) == 1.0
    wrong = np.random.default_rng(1).permutation(y)
    assert cls(hz=HZ, rate=128).fit(X[:80], wrong[:80]).score(X[80:], wrong[80:]) < 0.45


@ALL
def test_probabilities_are_honest(cls):
    """Where it says 70 %, about 70 % are right: in noise so strong that many are wrong."""
    X, y, _ = trials(480)
    X += np.random.default_rng(2).normal(0, 8, X.shape)
    p = cls(hz=HZ, rate=128).fit(X[:240], y[:240]).predict_proba(X[240:])
    right = p.argmax(axis=1) == np.searchsorted(np.unique(y), y[240:])
    assert 0.3 < right.mean() < 0.999
    assert abs(p.max(axis=1).mean() - right.mean()) < 0.08


@ALL
def test_what_it_must_know(cls):
    X, y, _ = trials(40)
    with pytest.raises(WrongUse, match="rate"):
        cls(hz=HZ).fit(X, y)
    with pytest.raises(WrongUse, match="class 0, class 1 have no flicker"):
        cls(hz=HZ[1:], rate=128).fit(X, y)
    with pytest.raises(WrongUse, match="needs more than"):
        cls(hz=HZ, rate=20).fit(X, y)


def test_weights_of_canonical_variates_are_scikit_learns():
    x = RNG.normal(0, 1, (4, 300)) + np.sin(2 * np.pi * 9 * np.arange(300) / 100)
    y = RNG.normal(0, 1, (3, 300)) + x[:3]
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    u, _ = CCA(1, max_iter=5000, tol=1e-14).fit_transform(x.T, y.T)
    assert abs(np.corrcoef(canonical(x, y) @ x, u[:, 0])[0, 1]) == pytest.approx(1, abs=1e-6)


def test_task_related_components_are_those_of_the_sums_written_out():
    X = RNG.normal(0, 1, (7, 4, 90)) + np.sin(np.arange(90) / 3) * np.array([2.0, 1.0, 0.0, -1.0])[:, None]
    X -= X.mean(axis=-1, keepdims=True)
    S, Q = np.zeros((4, 4)), np.zeros((4, 4))
    for h1 in range(7):
        for h2 in range(7):
            (Q if h1 == h2 else S)[:] += X[h1] @ X[h2].T
    w = eigh(S, Q)[1][:, -1]
    assert abs(w @ related(X)) / np.linalg.norm(w) / np.linalg.norm(related(X)) == pytest.approx(1, abs=1e-10)


def test_trca_and_its_ensemble_are_correlations_through_those_filters():
    X, y, _ = trials(60)
    X, y = X[y != "class 0"], y[y != "class 0"]
    for ensemble in (False, True):
        decoder = Trca(hz=HZ, rate=128, ensemble=ensemble).fit(X, y)
        Z = decoder.banded(X)[0]
        means = [Z[y == c].mean(axis=0) for c in decoder.classes_]
        w = [related(Z[y == c]) for c in decoder.classes_]
        for k in range(3):
            W = np.stack(w) if ensemble else w[k][None]
            wanted = np.corrcoef((W @ Z[5]).ravel(), (W @ means[k]).ravel())[0, 1]
            assert decoder.scores(Z[None])[5, k] == pytest.approx(wanted, abs=1e-9)


def test_tdca_is_the_discriminant_of_the_sums_written_out():
    X, y, _ = trials(60)
    X, y = X[y != "class 0"], y[y != "class 0"]
    decoder = Tdca(hz=HZ, rate=128, delays=2, components=2).fit(X, y)
    Z, n = decoder.banded(X)[0], 256 - 2
    laid = []
    for trial, label in zip(Z, y, strict=True):
        late = np.vstack([trial[:, 0:n], trial[:, 1 : n + 1], trial[:, 2 : n + 2]])
        base = sines(float(dict(t.split(":") for t in HZ)[label]), [1, 2], n, 128.0)
        laid.append(np.hstack([late, late @ (base @ base.T)]))
    laid = np.array(laid)
    means = [laid[y == c].mean(axis=0) for c in decoder.classes_]
    between = sum((m - sum(means) / 3) @ (m - sum(means) / 3).T for m in means)
    within = sum(
        (x - means[list(decoder.classes_).index(c)]) @ (x - means[list(decoder.classes_).index(c)]).T
        for x, c in zip(laid, y, strict=True)
    )
    W = eigh(between, within)[1][:, :-3:-1]
    ours = decoder.filters_[0].T
    np.testing.assert_allclose(np.abs(np.linalg.qr(W)[0].T @ np.linalg.qr(ours)[0]).max(axis=0), 1, atol=1e-6)


def test_the_bank_is_scipys_filter():
    from scipy.signal import butter, sosfilt

    X = RNG.normal(0, 1, (2, 3, 200))
    X -= X[..., :1]
    wanted = [sosfilt(butter(4, f, "high", fs=128, output="sos"), X) for f in (6, 14)]
    np.testing.assert_allclose(bank(X, (6, 14), 128.0), wanted, atol=1e-4)


def test_trca_is_meegkits():
    trca = pytest.importorskip("meegkit.trca").trca
    X = RNG.normal(0, 1, (5, 4, 256)) + np.sin(np.arange(256) / 4) * np.array([2.0, 1.0, 0.0, -1.0])[:, None]
    X -= X.mean(axis=-1, keepdims=True)
    its = np.real(trca(X.transpose(2, 1, 0).copy()))
    assert abs(its @ related(X)) / np.linalg.norm(its) / np.linalg.norm(related(X)) == pytest.approx(1, abs=1e-9)
