"""EEG loops closed: people answer by imagery, flicker and flashes; a recording replays to the same bytes; who is elsewhere
answers nothing; what the screen shows tells the decoder nothing of what is wanted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.acquire.synthetic import Synthetic
from bcikit.bench import eeg
from bcikit.core.clock import JumpClock
from bcikit.core.errors import WrongUse
from bcikit.core.parts import Sink
from bcikit.core.pipeline import Pipeline
from bcikit.decode._model import load
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.gate import Gate
from bcikit.evaluate.calibrate import Calibration, taught
from bcikit.files.read import read
from bcikit.tasks.asked import KINDS, Answer, Asked, scored, task_of
from bcikit.tasks.cued._task import task

FEW = {"mi": 8, "ssvep": 12, "p300": 10}


def board(kind, session=0, **settings):
    return Synthetic(
        channels=KINDS[kind].channels, script=("rest",), artefacts=False, seed=1, chunk=0.05, session=session, **settings
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model for a kind, trained once."""
    made = {}

    def of(kind):
        if kind not in made:
            shown, quiet = task(KINDS[kind].calibration, n=FEW[kind]), lambda text: None
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = taught(Calibration(board(kind), shown, "me", folder, JumpClock(), Gate(), quiet, quiet))[2]
        return load(made[kind])

    return of


class All(Sink):
    inline = True

    def open(self, s, permit):
        super().open(s, permit)
        self.rows = []

    def send(self, c):
        self.rows.append(c.data)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_person_answers_and_the_recorded_board_replays_to_the_same_bytes(kind, model, tmp_path):
    loop, out = Asked(board(kind, 1), task_of(kind, n=3, seed=2), model(kind), Gate(), JumpClock()), All()
    loop.add(Xdf(path=str(tmp_path / "use.xdf")))
    loop.add(out, "out")
    answers = list(loop.run())
    assert len(answers) == 3 and all(a.given in ("", *KINDS[kind].choices) and a.seconds > 0 for a in answers)
    again = Pipeline(task_of(kind).stages(model(kind))).run(read(tmp_path / "use.xdf"))
    live = np.concatenate(out.rows)
    assert len(live) > 20 and again.data.tobytes() == live.tobytes()
    names = {e.name for e in read(tmp_path / "use.xdf").events if not e.name.startswith("truth")}
    if kind == "p300":  # only what flashed, never what was wanted
        assert names == {"anew", *(f"flash {c}" for c in "ABCDEF")}
        text = "".join(a.given for a in answers)
        assert loop.task.speller.text == text


def test_the_cursor_is_held_until_all_that_is_decoded_is_of_the_imagery_asked_for(model):
    its = task_of("mi", n=4, seed=2)
    loop = Asked(board("mi", 1), its, model("mi"), Gate(), JumpClock())
    answers = list(loop.run())
    soonest = its.hold_s + its.there / its.speed
    assert all(a.given in its.choices and soonest - 0.2 <= a.seconds <= its.most_s for a in answers)
    x = its.cursor.place[0]
    assert abs(x) >= its.there and answers[-1].given == ("right" if x > 0 else "left")


def test_a_person_who_is_elsewhere_selects_nothing_by_flicker(model):
    asked = {}
    for lapse in (0.0, 1.0):
        loop = Asked(board("ssvep", 1, lapse=lapse), task_of("ssvep", n=6, seed=2), model("ssvep"), Gate(), JumpClock())
        asked[lapse] = sum(a.given == a.wanted for a in loop.run())
    assert asked[0.0] >= 4 and asked[1.0] <= 1


def test_scores_are_of_all_the_time_and_what_is_not_answered_is_wrong():
    s = scored([Answer("A", "A", 4.0)] * 8 + [Answer("A", "B", 4.0), Answer("A", "", 9.0)], 6, 3.0)
    assert s["accuracy"] == 0.8 and s["unanswered"] == 0.1 and s["seconds_an_answer"] == pytest.approx(7.5)
    bits = np.log2(6) + 0.8 * np.log2(0.8) + 0.2 * np.log2(0.2 / 5)
    assert s["bits_per_min"] == pytest.approx(8 * bits)


def test_the_command_tells_each_answer_and_the_scores(capsys, monkeypatch):
    from bcikit.cli.main import main

    monkeypatch.setattr(eeg, "TRIALS", {"mi": 3})
    monkeypatch.setattr(eeg, "ASKED", 2)
    told = []
    for _ in range(2):
        assert main(["demo", "mi", "--headless", "--seed", "3", "--lapse", "0.5", "--json"]) == 0
        told.append(capsys.readouterr().out)
    lines = [json.loads(line) for line in told[0].splitlines()]
    assert told[0] == told[1] and len(lines) == 3 and all(line["simulated"] for line in lines)
    assert lines[-1]["lapse"] == 0.5 and {"accuracy", "bits_per_min"} <= set(lines[-1])
    assert main(["demo", "mi", "--json"]) == 2 and "--headless" in capsys.readouterr().err
    with pytest.raises(WrongUse, match="ssvep"):
        task_of("sssvep")
