"""xDAWN: what a class evokes, filters that make it large, and the covariances of trials with it, in tangent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _riemann as riemann

SOME = 400  # trials are enough for the point where the tangent space touches


def filters_of(X: np.ndarray, y: np.ndarray, filters: int) -> tuple[np.ndarray, np.ndarray]:
    """Trials (trials, channels, lags) of two classes -> filters (2 * filters, channels), and templates (2 * filters, lags):
    for each class those whose output of its mean is largest beside that of all trials (Rivet et al., IEEE Trans Biomed
    Eng 56:2035, 2009, doi:10.1109/TBME.2009.2012869)."""
    from scipy.linalg import eigh

    C = np.einsum("nct,ndt->cd", X, X) / (len(X) * X.shape[2])
    C += 1e-6 * np.trace(C) / len(C) * np.eye(len(C))
    found, templates = [], []
    for k in range(2):
        P = X[y == k].mean(axis=0)
        P = P - P.mean(axis=1, keepdims=True)
        W = eigh(P @ P.T / P.shape[1], C)[1][:, ::-1][:, :filters].T
        found.append(W)
        templates.append(W @ P)
    return np.vstack(found), np.vstack(templates)


def covariances(filters: np.ndarray, templates: np.ndarray, X: np.ndarray) -> np.ndarray:
    """(trials, channels, lags) -> (trials, 2k, 2k): of the k templates above the k filtered channels of each trial."""
    both = np.empty((len(X), 2 * len(templates), X.shape[2]))
    both[:, : len(templates)] = templates
    both[:, len(templates) :] = filters @ X
    return riemann.covariances(both)


def learnt(X: np.ndarray, y: np.ndarray, filters: int, strength: float) -> dict[str, Any]:
    """Filters, templates, the tangent space and logistic regression there."""
    from sklearn.linear_model import LogisticRegression

    W, P = filters_of(X, y, filters)
    C = covariances(W, P, X)
    white = riemann.whitener(riemann.mean(C[:: max(1, len(C) // SOME)], tolerance=1e-4))
    model = LogisticRegression(C=strength, max_iter=1000).fit(riemann.tangent(C, white), y)
    return {"filters": W, "templates": P, "white": white, "weights": model.coef_[0], "bias": float(model.intercept_[0])}


def log_odds(known: Mapping[str, Any], X: np.ndarray) -> np.ndarray:
    """(trials, channels, lags) -> (trials,) of the second class to the first."""
    C = covariances(known["filters"], known["templates"], X)
    return riemann.tangent(C, known["white"]) @ known["weights"] + known["bias"]
