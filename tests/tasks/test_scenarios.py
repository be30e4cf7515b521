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


def test_steps_are_made_by_turns_and_the_harness_helps():
    outcome = scenario.run("steps", 0, Gate(), changes={"steps": 2})
    assert outcome.success and outcome.more["foot_m"] > 0.06 and 300 < outcome.more["load_n"] < 600, outcome.why


@pytest.mark.parametrize("feel", [1, 0])
def test_a_hand_is_shaken_by_what_is_felt_and_lost_without(feel):
    pytest.importorskip("mujoco", reason="left out: the arm needs MuJoCo (the extra robot)")
    outcome = scenario.run("handshake", 0, Gate(), changes={"feel": feel})
    assert outcome.success == bool(feel) and outcome.why == ("" if feel else "the hand slipped")
    assert 0.5 < outcome.more["along"] < 1.5


def test_a_page_is_changed_only_where_it_has_a_number(capsys):
    with pytest.raises(WrongUse, match="no number 'unitz'"):
        scenario.run("kick", 0, Gate(), changes={"unitz": 96})
    assert main(["scenario", "kick", "--set", "seconds=0.1", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.strip().split("\n")[-1])
    assert summary["scenario"] == "kick seconds=0.1" and summary["success"] == 0
    assert main(["scenario", "kick", "--set", "seconds"]) == 2
    assert main(["scenario", "speller", "--set", "seconds=1"]) == 2
    assert "no page" in capsys.readouterr().err


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", scenario.names())
def test_most_of_a_hundred_seeds_succeed(name):
    if name in ("cup", "handshake"):
        pytest.importorskip("mujoco", reason="left out: it needs MuJoCo (the extra robot)")
    assert sum(scenario.run(name, seed, Gate()).success for seed in range(100)) >= 100 * WANTED[name]


def test_an_unknown_scenario_is_said():
    with pytest.raises(WrongUse, match="no scenario called 'cups'"):
        scenario.load("cups")
