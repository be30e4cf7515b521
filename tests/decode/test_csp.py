"""Common spatial patterns against MNE's, on trials whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bcikit.core.errors import WrongUse
from bcikit.decode import _riemann as riemann
from bcikit.decode.motor_imagery.csp import Csp, filters

RNG = np.random.default_rng(0)
MIX = RNG.standard_normal((6, 6))


def imagery(n, classes):
    """Simulated: in class k, source k of six is weak."""
    y = np.arange(n) % classes
    X = RNG.standard_normal((n, 6, 120))
    for k in range(classes):
        X[y == k, k] *= 0.4
    return MIX @ X, y


def covs(X, kind="oas"):
    return (riemann.covariances if kind == "oas" else riemann.sample)(X)


@pytest.mark.parametrize("classes", [2, 3])
def test_sources_are_found_through_any_mixture(classes):
    X, y = imagery(90, classes)
    decoder = Csp().fit(covs(X[:60]), y[:60])
    assert decoder.score(covs(X[60:]), y[60:]) == 1.0
    seen = np.abs(decoder.filters_ @ MIX)
    assert set(range(classes)) <= set(seen.argmax(axis=1)) and (seen.max(axis=1) / seen.sum(axis=1)).max() > 0.7


def test_filters_are_mnes():
    csp = pytest.importorskip("mne.decoding").CSP
    X, y = imagery(40, 2)
    X -= X.mean(axis=-1, keepdims=True)
    its = csp(6, reg=None, log=True, cov_est="epoch", norm_trace=False).fit(X, y).filters_
    A, B = (np.mean([x @ x.T / x.shape[1] for x in X[y == k]], axis=0) for k in (0, 1))
    ours = filters(A, B, 3)
    unit = [w / np.linalg.norm(w, axis=1, keepdims=True) for w in (its, ours)]
    np.testing.assert_allclose(np.sort(np.abs(unit[0] @ unit[1].T).max(axis=1)), 1, atol=1e-6)


def test_it_is_mnes_patterns_with_scikit_learns_discriminant():
    csp = pytest.importorskip("mne.decoding").CSP
    X, y = imagery(80, 2)
    X -= X.mean(axis=-1, keepdims=True)
    its = csp(4, reg=None, log=True, cov_est="epoch", component_order="alternate").fit(X[:60], y[:60])
    last = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(its.transform(X[:60]), y[:60])
    mine = Csp(kind="scm", even=False).fit(covs(X[:60], "scm"), y[:60])
    np.testing.assert_allclose(mine.predict_proba(covs(X[60:], "scm")), last.predict_proba(its.transform(X[60:])), atol=1e-6)


def test_what_is_no_covariance_is_refused():
    for shape in ((4, 1, 1), (4, 3, 9)):
        with pytest.raises(WrongUse, match="two channels or more"):
            Csp().fit(np.ones(shape), [0, 1, 0, 1])
