"""The race of evaluations: the same folds and method give the same scores, and ours is the faster one."""

from __future__ import annotations

from bcikit.bench import evaluation


def test_the_scores_are_the_same_and_ours_come_sooner(monkeypatch):
    monkeypatch.setattr(evaluation, "RUNS", 2)
    monkeypatch.setattr(evaluation, "TRIALS", 24)
    *rows, _ = [row for row in evaluation.evaluation(0.0, people=1) if isinstance(row, dict)]
    ours = [row for row in rows if row.get("name", "").startswith("bcikit, offline")]
    assert len(ours) == 2 and all(row["score_apart"] == 0 for row in ours)
    assert all(row["ratio_cpu"] > 1 for row in ours)
