"""How far somebody could be told by what was shared: attackers are trained on exactly that, and scored on what they
never saw.

An attacker that does no better than chance here is no proof that a better one would not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Recording

WINDOW_S = 2.0
BANDS = ((1, 4), (4, 8), (8, 13), (13, 20), (20, 30), (30, 45))  # Hz
MOST = 300  # windows of one recording
FOLDS = 5


def features(r: Recording) -> np.ndarray:
    """(windows, features): log power of each channel in BANDS, and how channels covary, in windows of WINDOW_S."""
    n = round(WINDOW_S * r.stream.rate)
    rows = []
    for c in r.chunks:
        x = np.asarray(c.data, float).reshape(len(c.data), -1)
        for a in range(0, len(x) - n + 1, n):
            w = x[a : a + n] - x[a : a + n].mean(axis=0)
            if np.isfinite(w).all():
                rows.append(_row(w, r.stream.rate))
            if len(rows) >= MOST:
                break
    return np.array(rows)


def _row(w: np.ndarray, rate: float) -> np.ndarray:
    power = np.abs(np.fft.rfft(w * np.hanning(len(w))[:, None], axis=0)) ** 2
    hz = np.fft.rfftfreq(len(w), 1 / rate)
    bands = [np.log(power[(hz >= lo) & (hz < hi)].mean(axis=0) + 1e-12) for lo, hi in BANDS if hi < rate / 2]
    scale = w.std(axis=0) + 1e-12
    cov = (w / scale).T @ (w / scale) / len(w)
    return np.concatenate([*bands, cov[np.triu_indices(cov.shape[0], 1)]])


def leakage(recordings: Sequence[Recording], known: Mapping[str, Sequence[str]], seed: int = 0) -> list[dict[str, Any]]:
    """For each thing known of the recordings ({"identity": [of each], "sex": ..., "session": ...}): accuracy (balanced) of a
    regularised logistic regression, over runs of neighbouring windows or, where each class has several recordings, whole
    recordings left out; and chance, the 95th percentile of the same with labels drawn anew. Raises WrongUse."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = [features(r) for r in recordings]
    width = {m.shape[1] for m in made if len(m)}
    if len(width) != 1:
        raise WrongUse("These recordings have different channels, or are too short to tell anything.")
    x = np.concatenate([m for m in made if len(m)])
    which = np.repeat(np.arange(len(made)), [len(m) for m in made])
    rng = np.random.default_rng(seed)
    told = []
    for name, labels in known.items():
        if len(set(labels)) < 2:
            told.append({"attacker": name, "classes": len(set(labels)), "note": "one class alone: nothing to tell apart"})
            continue
        y = np.asarray(labels, dtype=str)[which]
        several = min(len({i for i in range(len(made)) if labels[i] == one}) for one in set(labels)) > 1
        block = np.concatenate([np.arange(len(m)) * FOLDS // max(1, len(m)) for m in made if len(m)])
        groups = which if several else block
        folds = GroupKFold(min(FOLDS, len(set(groups))))
        attacker = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))

        def score(labels: np.ndarray, attacker: Any = attacker, folds: Any = folds, groups: np.ndarray = groups) -> float:
            return float(balanced_accuracy_score(labels, cross_val_predict(attacker, x, labels, cv=folds, groups=groups)))

        chance = []
        for _ in range(20):
            drawn = rng.permutation(len(labels)) if several else None
            chance.append(score(np.asarray(labels, dtype=str)[drawn][which] if several else rng.permutation(y)))
        told.append(
            {
                "attacker": name,
                "classes": len(set(labels)),
                "windows": len(y),
                "left_out": "recordings" if several else "runs of windows of the same recordings",
                "accuracy": score(y),
                "chance": 1 / len(set(labels)),
                "chance_95": float(np.percentile(chance, 95)),
            }
        )
    return told
