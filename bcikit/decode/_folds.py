"""What a decoder says of trials that it did not learn from: for weighing several, and for how sure it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ._linear import softmax

FOLDS = 5
SHARPEST = 100.0  # times as sure, or as unsure
STRENGTH = 10.0


def folds(y: np.ndarray, groups: np.ndarray) -> Iterator[np.ndarray]:
    """Masks of the trials left out: those of a run where there are several, else stretches of time, of each class."""
    runs = np.unique(groups)
    if len(runs) > 1:
        part = np.searchsorted(runs, groups) % FOLDS
    else:
        part = np.empty(len(y), int)
        for k in np.unique(y):
            own = np.flatnonzero(y == k)
            part[own] = np.arange(len(own)) * min(FOLDS, len(own)) // len(own)
    for f in np.unique(part):
        if len(np.unique(y[part != f])) == len(np.unique(y)):
            yield part == f


def weighed(scores: Callable[[np.ndarray, np.ndarray], np.ndarray], y: np.ndarray, groups: np.ndarray) -> tuple:
    """How much each of several scores (log odds of class 1 to class 0) counts: (weights (scores,), bias), by logistic
    regression on trials left out. scores(train, test): masks -> (test trials, scores)."""
    from sklearn.linear_model import LogisticRegression

    S, t = [], []
    for out in folds(y, groups):
        S.append(scores(~out, out))
        t.append(y[out])
    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(np.vstack(S), np.concatenate(t))
    return model.coef_[0], float(model.intercept_[0])


def sharpness(odds: Callable[[np.ndarray, np.ndarray], np.ndarray], y: np.ndarray, groups: np.ndarray) -> float:
    """What log odds are to be multiplied by for probabilities to mean what they say: the temperature, inverted, that makes
    the classes of trials left out most likely (Guo et al., ICML 2017, arXiv:1706.04599), as if beside them one more had been
    of every class in equal parts, so that nothing is ever certain. odds(train, test): masks -> (test trials, classes)."""
    from scipy.optimize import minimize_scalar

    told = [(odds(~out, out), y[out]) for out in folds(y, groups)]
    if not told:
        return 1.0
    Z = np.vstack([z for z, _ in told])
    wanted = np.eye(Z.shape[1])[np.concatenate([t for _, t in told])]
    wanted = (len(Z) * wanted + 1 / Z.shape[1]) / (len(Z) + 1)

    def unlikely(log: float) -> float:
        return -float((wanted * np.log(np.maximum(softmax(np.exp(log) * Z), 1e-300))).sum())

    far = np.log(SHARPEST)
    return float(np.exp(minimize_scalar(unlikely, bounds=(-far, far), method="bounded").x))
