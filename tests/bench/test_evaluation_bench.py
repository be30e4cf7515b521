"""The race of evaluations: the same folds and method give the same scores, and ours is the faster one."""

from __future__ import annotations

from bcikit.bench import evaluation


def test_the_same_work_gives_the_same_scores_and_ours_is_faster(monkeypatch):
    monkeypatch.setattr(evaluation, "RUNS", 2)
    monkeypatch.setattr(evaluation, "TRIALS", 24)
    monkeypatch.setattr(evaluation, "LEAST", 1)
    said = [row for row in evaluation.evaluation(0.0, people=1) if isinstance(row, dict)]
    assert len([row for row in said if "method" in row]) == len(evaluation.RACES)
    for row in said:
        assert row["score_apart"] < 1e-6 or "MOABB" in row["name"]
    assert all(row["ratio_cpu"] > 1 for row in said if "method" in row)
