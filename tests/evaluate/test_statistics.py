"""Scores, intervals and chance against scikit-learn, SciPy and arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.evaluate.protocols import Scored
from bcikit.evaluate.statistics import accuracy, auc, compared, summary, withheld


def scored(subject, y, p, split="1", classes=("a", "b")):
    return Scored(subject, f"{subject}/{split}", list(classes), [classes[k] for k in y], p.tolist(), [True] * len(y))


def coin(n=200, right=0.8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    said = np.where(rng.random(n) < right, y, 1 - y)
    return y, np.eye(2)[said] * 0.6 + 0.2


@pytest.mark.parametrize("seed", range(3))
def test_auc_is_scikit_learns_with_ties_too(seed):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=150)
    p = np.round(rng.random((150, 2)), 1)
    assert auc(y, p) == pytest.approx(roc_auc_score(y, p[:, 1]), abs=1e-12)


def test_the_interval_is_that_of_the_binomial():
    y, p = coin()
    s = summary([scored("A", y, p)], {})
    share = accuracy(y, p)
    half = 1.96 * np.sqrt(share * (1 - share) / len(y))
    assert s["ci"] == pytest.approx([share - half, share + half], abs=0.015)


def test_the_interval_of_the_auc_is_hanley_and_mcneils():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4 == 0
    p = np.column_stack([np.zeros(400), 1 / (1 + np.exp(-rng.normal(y * 1.2, 1)))])
    s = summary([scored("A", y.astype(int), p)], {"target": "b"})
    a = s["mean"]
    q1, q2, n1, n0 = a / (2 - a), 2 * a * a / (1 + a), 100, 300  # doi:10.1148/radiology.143.1.7063747
    se = np.sqrt((a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)) / (n1 * n0))
    assert s["ci"] == pytest.approx([a - 1.96 * se, a + 1.96 * se], abs=0.02)


def test_chance_of_classes_that_are_not_balanced_is_not_one_half():
    y = (np.arange(100) < 10).astype(int)
    always = np.tile([0.9, 0.1], (100, 1))
    s = summary([scored("A", y, always)], {})
    assert s["mean"] == 0.9 and s["chance"]["mean"] == pytest.approx(0.9) and s["p"] == 1.0


def test_people_are_drawn_too_where_there_are_many():
    people = [scored(f"P{k}", *coin(400, 0.6 + 0.06 * k, seed=k)) for k in range(6)]
    wide = summary(people, {})
    narrow = summary(people[:4], {})
    assert wide["ci"][1] - wide["ci"][0] > 1.5 * (narrow["ci"][1] - narrow["ci"][0])
    assert next(iter(wide["worst"])) == "P0"


def test_wilcoxon_and_its_effect():
    a = {"per_subject": {str(k): 0.7 + 0.01 * k for k in range(8)}, "per_split": {}}
    b = {"per_subject": {str(k): 0.6 + 0.005 * k for k in range(8)}, "per_split": {}}
    c = compared(a, b)
    assert c["effect"] == 1.0 and c["p"] == pytest.approx(2 / 2**8) and c["over"] == "per_subject"
    assert compared(a, a) == {"over": "per_subject", "n": 8, "p": 1.0, "effect": 0.0, "difference": 0.0}


def test_what_is_withheld_is_what_is_least_sure_and_calibration_is_what_it_says():
    from sklearn.metrics import brier_score_loss

    rng = np.random.default_rng(0)
    said = rng.uniform(0.5, 1, 4000)
    y = (rng.random(4000) > said).astype(int)  # class 0 is right as often as it is said to be
    honest = withheld([(y, np.column_stack([said, 1 - said]))])
    assert honest["calibration"] < 0.03 and honest["said"] == pytest.approx(0.75, abs=0.01)
    assert honest["brier"] == pytest.approx(2 * brier_score_loss(y == 0, said))
    for row in honest["answered"]:  # the surest share of an even distribution from one half to one
        assert row["sure"] == pytest.approx(1 - row["share"] / 2, abs=0.02)
        assert row["accuracy"] == pytest.approx(1 - row["share"] / 4, abs=0.03)
    boasting = withheld([(y, np.tile([1.0, 0.0], (4000, 1)))])
    assert boasting["calibration"] == pytest.approx(0.25, abs=0.03)
    assert boasting["said"] == 1.0 and boasting["brier"] > honest["brier"]
    lost = withheld([(np.zeros(10, int), np.full((10, 2), np.nan))])  # no answer is a wrong one, and the least sure
    assert lost["answered"][0]["accuracy"] == 0.0 and lost["brier"] == 1.0


def test_splits_that_learnt_other_classes_are_counted_where_they_belong():
    first = scored("A", [0, 1], np.eye(2)[[0, 0]], "1", ("a", "c"))
    second = scored("A", [0, 1, 2], np.eye(3), "2", ("a", "b", "c"))
    s = summary([first, second], {})
    assert s["classes"] == ["a", "b", "c"] and s["confusion"] == [[2, 0, 0], [0, 1, 0], [1, 0, 1]]


def test_a_split_of_one_class_has_no_auc_and_no_say():
    y, p = coin()
    whole, alone = scored("A", y, p), scored("A", [1, 1], np.eye(2), "2")
    assert summary([whole, alone], {"metric": "AUC"})["mean"] == summary([whole], {"metric": "AUC"})["mean"] == auc(y, p)
    nothing = summary([alone], {"target": "b"})
    assert np.isnan(nothing["mean"]) and nothing["p"] == 1.0
