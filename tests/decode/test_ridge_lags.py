"""Ridge regression on lags: as scikit-learn has it, step is predict, and a run's border is not looked across."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream, recording
from bcikit.decode.kinematics.ridge_lags import RidgeLags


def lagged(n=900, units=6, seed=0):
    """Counts, and a movement that is a line through three of their bins; 20 bins a second."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(3.0, (n, units)).astype(float)
    W = rng.standard_normal((3, units, 2))
    Y = sum(np.roll(X, k, axis=0) @ W[k] for k in range(3)) + 0.1 * rng.standard_normal((n, 2))
    return X, Y


def stream(n, rate=20.0):
    return Stream("counts", rate, tuple(Channel(f"u{k}", "spikes", "count") for k in range(n)))


def test_it_is_scikit_learns_ridge_on_the_same_features():
    from sklearn.linear_model import Ridge

    X, Y = lagged()
    mine = RidgeLags(lags=3, alpha=10.0).fit(X, Y)
    past = np.concatenate([np.tile(X.mean(axis=0), (2, 1)), X])
    F = np.hstack([past[2 - k : len(past) - k] for k in range(3)])
    Z = (F - F.mean(axis=0)) / F.std(axis=0)
    assert np.allclose(mine.predict(X), Ridge(alpha=10.0).fit(Z, Y).predict(Z), atol=1e-9)
    assert np.abs(mine.predict(X)[5:] - Y[5:]).mean() < 0.2 < np.abs(RidgeLags(lags=1).fit(X, Y).predict(X) - Y).mean()


def test_step_and_predict_are_the_same_arithmetic():
    X, Y = lagged()
    k = RidgeLags(lags=5).fit(X, Y)
    k.start(stream(6))
    got = np.concatenate([k.step(c).data for c in recording(stream(6), X).recut([1, 2, 0, 300])])
    assert got.tobytes() == k.predict(X.astype(np.float32)).astype(np.float32).tobytes()


def test_no_bin_looks_across_the_border_of_its_run_and_what_is_silent_has_no_weight():
    X, Y = lagged()
    X[:, 2] = 0
    runs = np.repeat([0, 1], 450)
    k = RidgeLags(lags=4).fit(X, Y, runs)
    halves = k.predict(X, runs)
    assert np.array_equal(halves[450:], k.predict(X[450:])) and not np.array_equal(halves[450:453], k.predict(X)[450:453])
    assert not k.weights_.reshape(2, 4, 6)[:, :, 2].any()
    Y[100:200] = np.nan
    X[300, 1] = np.nan
    assert np.isfinite(RidgeLags(lags=4, alpha=0.0).fit(X, Y, runs).predict(X)).all()


def test_wrong_use_is_told():
    X, Y = lagged(200)
    with pytest.raises(WrongUse, match="Y \\(200, 1\\)"):
        RidgeLags().fit(X, Y[:, :1])
    with pytest.raises(WrongUse, match="9 bins"):
        RidgeLags().fit(X, np.where(np.arange(200)[:, None] < 9, Y, np.nan))
    with pytest.raises(WrongUse, match="not fitted"):
        RidgeLags().start(stream(6))
    with pytest.raises(WrongUse, match="has 5"):
        RidgeLags().fit(X, Y).start(stream(5))
