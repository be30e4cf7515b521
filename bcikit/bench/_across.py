"""A day read by what another day's movements look like, without its labels and with other neurons: distribution alignment.

Factors of the counts, whitened, are turned until what they show in two dimensions is spread like the movements of the other
day: the squared difference of quantiles, along directions around the circle (E. L. Dyer et al., Nat. Biomed. Eng. 1:967-976,
2017, doi:10.1038/s41551-017-0169-7, by another distance). Scale and origin are those of the other day, in its standard
deviations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FACTORS, TRIED, REFINED, TURNS = 3, 1500, 10, 150
ANGLES = np.arange(16) * np.pi / 16
SHARES = np.linspace(0.005, 0.995, 100)


def across(counts: np.ndarray, moved: np.ndarray, other: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """counts (bins, units) of a day and its movement `moved` (bins, 2), which is only scored; other (bins, 2): movements of
    the other day. r2 of each axis; how far the distribution is off as found, and where the factors are turned as the
    movement itself would have them."""
    from sklearn.decomposition import FactorAnalysis

    own = np.sqrt(counts[:, counts.std(axis=0) > 0])
    F = FactorAnalysis(FACTORS, random_state=seed).fit_transform(own)
    U, _, _ = np.linalg.svd(F - F.mean(axis=0), full_matrices=False)
    Z, moved, other = U * np.sqrt(len(U)), _standard(moved), _standard(other)
    shape = np.linalg.cholesky(np.cov(other.T)).T
    wanted = _quantiles(other)

    def off(turn: np.ndarray) -> float:
        return float(((_quantiles(Z @ turn @ shape) - wanted) ** 2).mean())

    turn = _found(off, np.random.default_rng(seed))
    u, _, v = np.linalg.svd(np.linalg.lstsq(Z, moved @ np.linalg.inv(shape), rcond=None)[0], full_matrices=False)
    right = u @ v
    score = [[float(x) for x in 1 - ((moved - Z @ q @ shape) ** 2).mean(axis=0)] for q in (turn, right)]
    return {"velocity_r2": score[0], "off": off(turn), "turned_by_labels_r2": score[1], "turned_by_labels_off": off(right)}


def _found(off: Callable[[np.ndarray], float], rng: np.random.Generator) -> np.ndarray:
    """(FACTORS, 2) orthonormal: the best of many, refined."""
    some = [_frame(rng.standard_normal((FACTORS, 2))) for _ in range(TRIED)]
    some.sort(key=off)
    best: list[tuple[float, int, np.ndarray]] = []
    for turn in some[:REFINED]:
        now, size = off(turn), 0.2
        for _ in range(TURNS):
            next_ = _frame(turn + size * rng.standard_normal(turn.shape))
            if (then := off(next_)) < now:
                turn, now = next_, then
            else:
                size *= 0.97
        best.append((now, len(best), turn))
    return min(best)[2]


def _frame(v: np.ndarray) -> np.ndarray:
    """Its columns made orthonormal, none turned round."""
    q, r = np.linalg.qr(v)
    return q * np.sign(np.diag(r))


def _standard(v: np.ndarray) -> np.ndarray:
    return (v - v.mean(axis=0)) / v.std(axis=0)


def _quantiles(v: np.ndarray) -> np.ndarray:
    return np.quantile(v @ np.stack([np.cos(ANGLES), np.sin(ANGLES)]), SHARES, axis=0)
