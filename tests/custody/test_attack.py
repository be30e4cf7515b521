"""The published attack suite gets nothing through; and sees it when something does."""

from __future__ import annotations

import json

import pytest

from bcikit.cli import main as cli
from bcikit.custody import attack
from bcikit.custody._shut_in import TRIES
from bcikit.ethics import gate, sandbox
from bcikit.ethics.judge import Allowed

SLOW = {"revocation", "models"}  # a home and keys each: the soak runs them too


@pytest.mark.parametrize("group", ["egress", "consent", "time", "policy", "audit", "files", "labels"])
def test_nothing_gets_through(group):
    score = attack.run(group)
    assert score["cases"] > 1 and score["got"] == [], {name: score["results"][name] for name in score["got"]}


@pytest.mark.parametrize("group", sorted(SLOW))
def test_nothing_gets_through_in_threads_processes_and_models(group):
    score = attack.run(group)
    assert score["cases"] > 5 and score["got"] == [], {name: score["results"][name] for name in score["got"]}


@pytest.mark.skipif(bool(sandbox.available()), reason=f"left out: {sandbox.available()}")
def test_nothing_gets_out_of_the_sandbox():
    score = attack.run("tier 2")
    assert score["cases"] >= 30 and len(TRIES) >= 30
    assert score["got"] == [], {name: score["results"][name] for name in score["got"]}


def test_there_are_enough_and_each_has_a_name_of_its_own():
    attack.run("none of them")
    assert len(attack.CASES) >= 60 and {group for group, _ in attack.CASES.values()} >= SLOW


def test_a_gate_that_lets_everything_through_is_seen(monkeypatch):
    """The suite itself is tested: with the decision taken out, it must cry."""
    monkeypatch.setattr(gate, "judge", lambda *a, **k: Allowed("anything goes", "none", 1e9))
    score = attack.run("egress")
    assert score["through"] >= 10


def test_the_scorecard_is_one_line_of_json_and_an_exit_code(capsys, monkeypatch):
    assert cli.main(["attack", "--only", "policy", "--json"]) == 0
    score = json.loads(capsys.readouterr().out)
    assert score["cases"] == len(score["results"]) > 10 and score["through"] == 0
    assert cli.main(["attack", "--only", "nothing is called so"]) == 1
    monkeypatch.setattr(gate, "judge", lambda *a, **k: Allowed("anything goes", "none", 1e9))
    assert cli.main(["attack", "--only", "no grant at all"]) == 1
    assert "THROUGH" in capsys.readouterr().out
