"""What a decoder says of trials that it did not learn from: for weighing several against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

FOLDS = 5
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
