"""A command of a run is replayed to the bit, and the part that was at fault is the one that is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit import FileTrouble, Label, NotConsented, Sink, WrongUse
from bcikit.cli import main as cli
from bcikit.custody.explain import WHO, Replay, Run, explain
from bcikit.custody.faults import FAULTS, Bench, drawn, ran, spoilt
from bcikit.custody.trail import Traced, as_text, from_text
from bcikit.effectors.hand import Hand
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate


@pytest.fixture
def whole(tmp_path):
    """A run in which nothing was at fault."""
    bench = Bench(np.random.default_rng(5), 200, Gate(), Hand(lockstep=True))
    return ran(bench, tmp_path / "trail")


def test_where_nothing_was_at_fault_nobody_is_named(whole):
    replay = Replay(whole)
    assert set(replay.first.values()) == {None} and not replay.effector
    for command in whole.commands[::37]:
        v = explain(whole, int(command), replay)
        assert (v.who, v.exact) == ("nobody", True), v


def test_the_value_of_a_command_is_the_one_that_was_recorded(whole):
    v = explain(whole, int(whole.commands[100]))
    assert v.value == tuple(map(float, whole.places[max(whole.places)].data[100]))


def test_every_kind_of_part_has_faults_in_the_list():
    assert {who for who, _ in FAULTS.values()} == set(WHO) - {"nobody"}


@pytest.mark.parametrize("who", sorted(set(WHO) - {"nobody"}))
def test_a_fault_is_laid_to_the_part_that_had_it(who):
    name = next(n for n, (its, _) in FAULTS.items() if its == who)
    found = spoilt(name, 11)
    assert found.named == who, found
    assert found.replayed == found.commands


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_of_two_hundred_faults_nineteen_in_twenty_are_named_right():
    found = list(drawn(200, 0))
    wrong = [f for f in found if f.named != f.who]
    assert len(wrong) <= 10, wrong
    assert sum(f.replayed for f in found) == sum(f.commands for f in found) > 0


def test_what_was_learnt_comes_back_to_the_bit():
    value = {"a": np.array([[0.1, np.nan]]), "b": [np.arange(3, dtype=np.int16), None, "x"], "c": {"d": np.float32([1 / 3])}}
    back = from_text(json.loads(json.dumps(as_text(value))))
    assert back["a"].tobytes() == value["a"].tobytes() and back["b"][1:] == [None, "x"]
    assert back["b"][0].dtype == np.int16 and back["c"]["d"].tobytes() == value["c"]["d"].tobytes()


def test_a_watched_effector_is_judged_as_what_it_is():
    class Motor(Sink):
        kind, real = "effector", True

    label = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
    Consent().grant("S1", "research", ["effector"])
    Gate().decide("effector", label, Traced(Hand(), None))
    with pytest.raises(NotConsented, match="stop"):
        Gate().decide("effector", label, Traced(Motor(), None))
    Consent().use_policy("version = 1\nsigned = true\n")
    with pytest.raises(NotConsented, match="signed limits"):
        Gate().decide("effector", label, Traced(Hand(), None))


def test_what_is_no_trail_and_a_command_that_never_was_are_told(tmp_path, whole):
    with pytest.raises(FileTrouble, match="no trail"):
        Run.read(tmp_path)
    with pytest.raises(WrongUse, match="no command 99999"):
        explain(whole, 99999)


SESSION = """
seconds = 1
[board]
use = "synthetic"
rate = 250
[[stages]]
use = "bandpass"
low = 1.0
high = 40.0
[effector]
use = "console"
change = 1000000.0
"""


def test_a_run_of_the_command_line_leaves_a_trail_that_explains_it(tmp_path, capsys):
    file, folder = tmp_path / "s.toml", tmp_path / "trail"
    file.write_text(SESSION)
    run = ["run", str(file), "--no-view", "--trail", str(folder)]
    assert cli.main(run) == 0
    capsys.readouterr()
    assert cli.main(["audit", "explain", "100", "--trail", str(folder), "--json"]) == 0
    v = json.loads(capsys.readouterr().out)
    assert (v["who"], v["exact"]) == ("nobody", True)
    assert cli.main(run) == 4 and "not empty" in capsys.readouterr().err
