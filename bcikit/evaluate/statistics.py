"""Scores with what is needed to believe them: intervals, chance, and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .protocols import Scored

ANSWERED = (1.0, 0.9, 0.8, 0.6, 0.4)  # shares of trials, the surest first
DRAWS = 1000


def accuracy(y: np.ndarray, p: np.ndarray) -> float:
    """The share of trials told right. y (trials,) indices of classes, p (trials, classes); no answer (NaN) is wrong."""
    return float(_hits(y, p).mean())


def _hits(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(p).all(axis=1), np.argmax(p, axis=1), -1) == y


def auc(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the curve of class 1 against class 0: the chance that a trial of the one scores above one of the other
    (Mann & Whitney 1947, doi:10.1214/aoms/1177730491). Ties count half; no answer counts as the lowest score."""
    return float(_areas(p, (y == 1)[None], np.ones((1, len(y))))[0])


def _areas(p: np.ndarray, target: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(draws,) AUC with the targets (draws or 1, trials) and each trial counted so many times (draws or 1, trials)."""
    s = np.nan_to_num(p[:, 1], nan=-1.0)
    order = np.argsort(s, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(s[order]) > 0])
    ones = np.add.reduceat((target * times)[:, order], begins, axis=1)
    zeros = np.add.reduceat((~target * times)[:, order], begins, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    pairs = ones.sum(axis=1) * zeros.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (ones * below).sum(axis=1) / pairs


def _redrawn(of: Any, y: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(draws,) the score with the trials drawn anew, with replacement."""
    if of is auc:
        return _areas(p, (y == 1)[None], rng.multinomial(len(y), np.full(len(y), 1 / len(y)), DRAWS))
    return _hits(y, p)[rng.integers(len(y), size=(DRAWS, len(y)))].mean(axis=1)


def _shuffled(of: Any, y: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(draws,) the score with the labels shuffled."""
    labels = rng.permuted(np.tile(y, (DRAWS, 1)), axis=1)
    return _areas(p, labels == 1, np.ones((1, len(y)))) if of is auc else _hits(labels, p).mean(axis=1)


def metric(card_trials: Any) -> tuple[str, Callable[[np.ndarray, np.ndarray], float]]:
    """AUC where a rare target is looked for, or of two classes where the card's `metric` asks for it, else accuracy."""
    asked = card_trials.get("target") or card_trials.get("metric") == "AUC"
    return ("AUC", auc) if asked else ("accuracy", accuracy)


def arrays(s: Scored, target: str | None = None, last: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(y as indices, p), the target as class 1 where there is one."""
    classes = ordered(s.classes, target)
    order = [s.classes.index(c) for c in classes]
    y = np.array([classes.index(c) for c in s.y], int)
    p = np.array(s.p, float).reshape(len(y), len(classes))[:, order]
    keep = np.array(s.last, bool) if last else np.ones(len(y), bool)
    return y[keep], p[keep]


def ordered(classes: Iterable[str], target: str | None = None) -> list[str]:
    """Classes by name, the target last."""
    return sorted(classes, key=lambda c: (c == target, c))


def summary(scored: Sequence[Scored], told: Any, seed: int = 0, last: bool = False) -> dict[str, Any]:
    """Of all people: mean, per_subject, ci (95 %, trials drawn anew within each split, and people too where there are five
    or more), worst, spread (SD over people), chance (mean and 95th percentile with labels shuffled within splits) and its
    p, and the confusion matrix (rows: true). A person's score is the mean over its splits."""
    _, of = metric(told)
    target = told.get("target")
    rng = np.random.default_rng(seed)
    subjects = list(dict.fromkeys(s.subject for s in scored))
    pairs = {who: [arrays(s, target, last) for s in scored if s.subject == who] for who in subjects}
    per = {who: _mean([of(y, p) for y, p in its]) for who, its in pairs.items()}

    boot = np.array([_over([_redrawn(of, y, p, rng) for y, p in its]) for its in pairs.values()])  # (people, draws)
    if len(subjects) >= 5:
        boot = np.take_along_axis(boot, rng.integers(len(subjects), size=boot.shape), axis=0)
    shuffled = np.mean([_over([_shuffled(of, y, p, rng) for y, p in its]) for its in pairs.values()], axis=0)
    mean = _mean(list(per.values()))
    classes = ordered({c for s in scored for c in s.classes}, target)
    confusion = np.zeros((len(classes), len(classes)), int)
    for s in scored:  # one may not have learnt all classes
        y, p = arrays(s, target, last)
        known = np.array([classes.index(c) for c in ordered(s.classes, target)])
        good = np.isfinite(p).all(axis=1)
        np.add.at(confusion, (known[y[good]], known[np.argmax(p[good], axis=1)]), 1)
    worst = min(per, key=lambda who: per[who])
    return {
        "mean": mean,
        "per_subject": per,
        "ci": [float(q) for q in np.nanpercentile(boot.mean(axis=0), [2.5, 97.5])] if np.isfinite(mean) else [mean, mean],
        "worst": {worst: per[worst]},
        "spread": float(np.std(list(per.values()))),
        "chance": {"mean": _mean(shuffled), "p95": float(np.percentile(shuffled, 95))},
        "p": float((1 + (~(shuffled < mean)).sum()) / (1 + DRAWS)),  # of an unknown mean: 1
        "per_split": {s.split: of(*arrays(s, target, last)) for s in scored},
        "classes": list(classes),
        "confusion": confusion.tolist(),
        "trials": sum(len(s.y) for s in scored),
        **withheld([pair for its in pairs.values() for pair in its]),
    }


def withheld(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """What withholding decisions would bring, and whether probabilities mean what they say. answered: for each share of
    trials, the surest first, the accuracy among them and the highest probability from which on they are answered.
    calibration: the mean of how far accuracy lies from the probability said, over ten bins of it, weighed by trials (Naeini
    et al., Proc AAAI 29, 2015, doi:10.1609/aaai.v29i1.9602). said: the mean probability said, to be held against the
    accuracy: above it they boast. brier: the mean squared distance of all probabilities from what was (Brier, Mon Weather
    Rev 78:1, 1950); no answer counts as no probability."""
    top = np.nan_to_num(np.concatenate([p.max(axis=1) for _, p in pairs]), nan=0.0)
    hits = np.concatenate([_hits(y, p) for y, p in pairs])
    order, n = np.argsort(-top, kind="stable"), len(top)
    answered = []
    for share in ANSWERED:
        some = order[: max(round(share * n), 1)]
        answered.append({"share": share, "accuracy": float(hits[some].mean()), "sure": float(top[some[-1]])})
    bins = np.minimum((10 * top).astype(int), 9)
    apart = [abs(float(hits[bins == b].mean() - top[bins == b].mean())) * (bins == b).mean() for b in np.unique(bins)]
    off = [((np.nan_to_num(p) - np.eye(p.shape[1])[y]) ** 2).sum(axis=1) for y, p in pairs]
    told = {"calibration": float(sum(apart)), "said": float(top.mean()), "brier": float(np.concatenate(off).mean())}
    return {"answered": answered, **told}


def compared(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Wilcoxon's signed-rank test of two summaries, with the rank-biserial correlation as size of the effect (Kerby 2014,
    doi:10.2466/11.IT.3.1). Over people where there are five or more, else over splits, which are not independent."""
    from scipy.stats import rankdata, wilcoxon

    over = "per_subject" if len(a["per_subject"]) >= 5 else "per_split"
    common = [k for k in a[over] if k in b[over]]
    d = np.array([a[over][k] - b[over][k] for k in common])
    moved = d[d != 0]
    if not len(moved):
        return {"over": over, "n": len(d), "p": 1.0, "effect": 0.0, "difference": 0.0}
    ranks = rankdata(np.abs(moved))
    effect = float((ranks[moved > 0].sum() - ranks[moved < 0].sum()) / ranks.sum())
    p = float(wilcoxon(moved).pvalue)
    return {"over": over, "n": len(d), "p": p, "effect": effect, "difference": float(d.mean())}


def _over(draws: list[np.ndarray]) -> np.ndarray:
    """The mean over splits; one whose draw left no trial of a class has no say."""
    there = np.isfinite(draws)
    return np.where(there, draws, 0).sum(axis=0) / np.where(there.any(axis=0), there.sum(axis=0), np.nan)


def _mean(values: Any) -> float:
    """Of what is known: a split without a trial of a class has no AUC, and no say."""
    there = np.isfinite(values)
    return float(np.mean(np.asarray(values)[there])) if there.any() else float("nan")
