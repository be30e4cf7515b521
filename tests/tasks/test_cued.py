"""From a person to a decoder: a simulated person does what it is shown, the recording replays to the same model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.clock import JumpClock
from bcikit.core.errors import WrongUse
from bcikit.core.parts import Board
from bcikit.core.stream import Channel, Chunk, Event, Stream
from bcikit.evaluate.calibrate import _placed
from bcikit.files.read import read
from bcikit.tasks.cued._board import Cued
from bcikit.tasks.cued._task import names, task
from bcikit.tasks.cued.p300 import Flashes

MDM = "pyriemann:MDM"


@pytest.mark.parametrize("name", names())
def test_a_task_shows_every_class_as_often_and_the_card_knows_all_its_cues(name):
    made = task(name, n=4, seed=3)
    steps = list(made.steps())
    cues = [s.event for s in steps if s.event]
    assert set(cues) == set(made.classes()) == set(made.trials()["events"])
    if name != "p300":
        assert all(cues.count(c) == 4 for c in made.classes())
    assert [s.show for s in steps] == [s.show for s in made.steps()] != [s.show for s in task(name, n=4, seed=4).steps()]
    assert made.seconds() > 0 and steps[0].show == made.about


def test_what_is_no_task_is_said():
    with pytest.raises(WrongUse, match="rest"):
        task("rset")
    with pytest.raises(WrongUse, match="too few"):
        task("mi", n=1)


class Steady(Board):
    """100 samples a second in tenths, with a pulse of a photodiode 80 ms after each of the first cues."""

    live = False

    def __init__(self, pulses=()):
        super().__init__()
        self.at, self.pulses = 0, list(pulses)

    def open(self):
        return Stream("steady", 100.0, (Channel("C3"),))

    def read(self, timeout=0.1):
        self.clock.sleep_until((self.at + 10) / 100)
        first, self.at = self.at, self.at + 10
        events = tuple(Event(i, "light", 1.0) for i in self.pulses if first <= i < self.at)
        return Chunk(np.zeros((10, 1), np.float32), first, (self.at - 1) / 100, events)

    def index_of(self, time):
        return time * 100, 0.002


def events_of(board):
    board.clock = JumpClock()
    board.open()
    found = []
    while not board.done:
        found += board.read().events
    return [e for e in found if e.name in ("left", "right")]


def test_a_cue_bears_the_moment_it_was_shown_and_how_unsure_that_is():
    shown = []
    cued = Cued(Steady(), task("mi", n=2), shown.append, after=1.0, seen_s=0.03)
    events = events_of(cued)
    begins = np.cumsum([1.0, *(s.seconds for s in cued.task.steps())])[:-1]
    wanted = [b for b, s in zip(begins, cued.task.steps(), strict=True) if s.event]
    assert [e.uncertainty for e in events] == [pytest.approx(0.032)] * 4
    late = np.array([e.index / 100 for e in events]) - wanted
    assert (late >= 0).all() and (late <= 0.1).all()  # shown with the chunk in which the sample came
    assert [s.show for s in cued.task.steps()] == shown


def test_a_photodiode_outdoes_the_terminal():
    plain = events_of(Cued(Steady(), task("mi", n=2), lambda text: None))
    pulses = [round(e.index) + 8 for e in plain[:3]]
    exact = events_of(Cued(Steady(pulses), task("mi", n=2), lambda text: None, trigger="light=1"))
    assert [e.index for e in exact[:3]] == pulses and [e.uncertainty for e in exact[:3]] == [0.005] * 3
    assert exact[3] == plain[3]  # its pulse did not come


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.strip().splitlines()]


def test_a_simulated_person_calibrates_and_the_recording_replays_to_the_same_model(tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    args = ["calibrate", "--task", "rest", "--trials", "6", "--jump", "--json"]
    assert main([*args, "--board", "synthetic", "--opt", "n=4", "--opt", "channels=O1+O2+C3+C4", "--out", str(first)]) == 0
    *said, last = lines(capsys)
    assert any("cannot measure" in s["said"] for s in said) and any("4 of 4 channels good" in s["said"] for s in said)
    assert last["causal"]["mean"] == 1.0 and last["labels"] == ["closed", "open"] and last["trials"] == 12
    recording = read(first / "recording.xdf")
    assert [e.name for e in recording.events].count("closed") == 6 and recording.stream.label.simulated
    assert all(e.uncertainty >= 0.03 for e in recording.events if e.name == "open")
    assert (first / "report" / "index.html").is_file()
    metrics = json.loads((first / "model" / "model.json").read_text())["metrics"]
    assert metrics["mean"] == 1.0 and metrics["trials"] == last["causal"]["trials"]
    replay = ["--board", "replay", "--opt", f"file={first / 'recording.xdf'}", "--opt", "speed=0", "--out", str(again)]
    assert main([*args, *replay]) == 0
    assert lines(capsys)[-1]["causal"] == last["causal"]
    assert (again / "model" / "arrays.safetensors").read_bytes() == (first / "model" / "arrays.safetensors").read_bytes()
    assert main([*args, *replay]) == 2
    assert "holds a calibration already" in capsys.readouterr().err
    live = ["stream", "--board", "synthetic", "--opt", "channels=O1+O2+C3+C4", "--opt", "script=closed:8"]
    assert main([*live, "--decode", str(first / "model"), "--decode-every", "0.5", "--seconds", "0.5", "--json"]) == 0


def test_flashes_are_recorded_where_their_wave_is_and_other_electrodes_are_warned_of(tmp_path, capsys):
    args = ["calibrate", "--task", "p300", "--board", "synthetic", "--trials", "3", "--jump", "--json", "--decoder", MDM]
    assert main([*args, "--out", str(tmp_path / "asked")]) == 0
    assert not any("seen best" in s.get("said", "") for s in lines(capsys))
    assert read(tmp_path / "asked" / "recording.xdf").stream.names == ("Fz", "Cz", "Pz", "Oz", "P3", "P4", "PO7", "PO8")
    said: list[str] = []
    _placed(Stream("cap", 250.0, (Channel("Fp1"), Channel("cz"))), Flashes(), said.append)
    assert "none at Fz, Pz, Oz, P3, P4, PO7, PO8" in said[0] and "Move electrodes" in said[0]


def test_a_poor_signal_is_not_learnt_from_unless_wanted(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(0, 10, (5000, 3)).astype(np.float32)
    x[:, 1:] = 0  # two of three lie flat
    trig = np.zeros(len(x))
    np.savez(path := tmp_path / "flat.npz", y=x, trig=trig, fs=100.0, ch_names=np.array(["O1", "O2", "Pz"]))
    args = ["calibrate", "--task", "rest", "--jump", "--board", "replay", "--opt", f"file={path}", "--opt", "speed=0"]
    assert main([*args, "--out", str(tmp_path / "a")]) == 4
    said = capsys.readouterr().err
    assert "O2 flat, Pz flat" in said and "--anyway" in said and "1 of 3 channels good" in said
    assert main([*args, "--anyway", "--out", str(tmp_path / "b")]) == 2
    assert "No trial is in the recordings of me" in capsys.readouterr().err


def test_a_live_person_must_have_agreed_and_cannot_be_hurried(tmp_path, capsys):
    args = ["calibrate", "--task", "mi", "--board", "openbci", "--opt", "port=/dev/none", "--out", str(tmp_path / "x")]
    assert main([*args, "--jump"]) == 2
    assert "cannot be hurried" in capsys.readouterr().err
    assert main([*args, "--subject", "S1"]) == 3
    assert "bcikit consent grant S1" in capsys.readouterr().err
