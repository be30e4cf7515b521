"""Scenarios: seeded, headless, the same outcome each time; success rates over 100 seeds are for the long tests."""

from __future__ import annotations

import json

import pytest

from bcikit.cli.main import main
from bcikit.core.errors import WrongUse
from bcikit.ethics.gate import Gate
from bcikit.tasks import scenario

WANTED = {name: 0.92 if name == "cup" else 0.90 for name in scenario.names()}
QUICK = ("kick",)


@pytest.mark.parametrize("name", scenario.names())
def test_a_page_says_what_it_is_about(name):
    page = scenario.load(name)
    assert "simulated" in page["about"] and page["seconds"] > 0


@pytest.mark.parametrize("name", QUICK)
def test_a_seed_gives_the_same_outcome_twice(name, capsys):
    first = scenario.run(name, 0, Gate())
    assert first.success, first.why
    assert main(["scenario", name, "--json"]) == 0
    trial, summary = map(json.loads, capsys.readouterr().out.strip().split("\n"))
    assert trial["seconds"] == first.seconds and trial["more"] == dict(first.more)
    assert summary["simulated"] and summary["success"] == 1


def test_a_cup_is_brought_to_the_mouth():
    pytest.importorskip("mujoco", reason="left out: the arm needs MuJoCo (the extra robot)")
    outcome = scenario.run("cup", 0, Gate())
    assert outcome.success and outcome.more["helped"] == 0, outcome.why


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", scenario.names())
def test_most_of_a_hundred_seeds_succeed(name):
    if name in ("cup", "shake"):
        pytest.importorskip("mujoco", reason="left out: it needs MuJoCo (the extra robot)")
    assert sum(scenario.run(name, seed, Gate()).success for seed in range(100)) >= 100 * WANTED[name]


def test_an_unknown_scenario_is_said():
    with pytest.raises(WrongUse, match="no scenario called 'cups'"):
        scenario.load("cups")
