"""Nights that pass by themselves: so many, none behind the last day, and what is learnt at which moment."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from bcikit.acquire.units import Units
from bcikit.cli import demo
from bcikit.core.clock import JumpClock
from bcikit.core.errors import WrongUse
from bcikit.decode.deep._network import missing
from bcikit.decode.kinematics.steering import Steering
from bcikit.ethics.gate import Gate
from bcikit.tasks import play
from bcikit.tasks.closed_loop import DECODERS, ClosedLoop
from bcikit.tasks.grid import Grid
from bcikit.tasks.play import FEATURES, CursorDemo


@pytest.mark.parametrize(
    ("learns", "said"),
    [("prit", ["prit", "prit fresh", "prit", "prit fresh", "prit"]), ("", [None, "fresh", None, "fresh", None]), (None, [])],
)
def test_it_learns_in_the_middle_and_at_the_end_of_a_day(learns, said):
    loop = ClosedLoop(Units(n=8, seed=1), Steering(), Grid([1], 0.02), Gate(), JumpClock())
    tuning, marks, days = [], [], []
    for moment in loop.run(False, 10.0, 2, 3.0, learns):
        tuning.append(loop.board.neurons.tuning.copy())
        marks += [e.value for e in moment.chunk.events if e.name == "recalibrate"]
        days.append(loop.day)
    assert marks[: len(said)] == said and days[149:151] == [0, 1] and days[300] == 2 and days[-1] == 2
    changed = [k for k in range(1, len(tuning)) if (tuning[k] != tuning[k - 1]).any()]
    assert changed == [150, 300]


def test_the_demo_names_the_decoders_there_are():
    assert set(demo.DECODERS) == set(DECODERS) and set(demo.FEATURES) == set(FEATURES)


@pytest.mark.parametrize("name", DECODERS)
def test_each_decoder_steers_a_loop(name):
    if name == "gru" and missing():
        pytest.skip(f"left out: {', '.join(missing())}")
    loop = CursorDemo(8, decoder=name).loop(Gate(), JumpClock())
    for _ in loop.run(calibrate=False, seconds=0.1):
        pass
    assert loop.facts()["correct"] == 0 and loop.facts()["throughput"] is None


def test_what_does_not_go_together_is_said_before_anything_runs(monkeypatch):
    with pytest.raises(WrongUse, match="--clicks goes without --decoder ridge"):
        CursorDemo(decoder="ridge", clicks=True)
    monkeypatch.setattr(play, "missing", lambda: ["torch"])
    with pytest.raises(WrongUse, match="torch, not installed") as said:
        CursorDemo(decoder="gru")
    assert "bcikit[deep]" in said.value.do
    run = CliRunner().invoke(demo.command, ["--features", "power", "--headless"])
    assert "goes with --raw" in str(run.exception)
