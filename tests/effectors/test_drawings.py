"""Each simulated effector draws itself, alone from its own file; pictures and films are made of that."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import WrongUse
from bcikit.effectors import _picture
from bcikit.effectors._drawing import ROLES, Drawing, ball, box, line
from bcikit.ethics.gate import Gate
from bcikit.tasks import scenario, show

SHOWN = ("arm", "cursor", "drones", "feedback", "gamepad", "hand", "leg", "speller", "stimulator", "vehicle")


class Enough(Exception):
    """It was watched for long enough."""


def watched(name, bins):
    """(effector, drawing) of the bins of a run that are named."""
    seen, k = [], 0

    def watch(implant, effector, around):
        nonlocal k
        if k in bins:
            seen.append((effector, (effector.drawing() + around).plain()))
        if k == max(bins):
            raise Enough
        k += 1

    with pytest.raises(Enough):
        show.run(show.known(name), 0, Gate(), watch)
    return seen


def test_each_simulated_effector_can_be_shown():
    assert set(show.effectors()) >= set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_drawing_moves_and_is_made_of_what_a_page_knows(name):
    if name == "arm":
        pytest.importorskip("mujoco", reason="left out: the arm needs MuJoCo (the extra robot)")
    (_, before), (_, after) = watched(name, (2, 62))
    strokes = [*after["lines"], *after["balls"], *after["words"]]
    assert strokes and {s[0] for s in strokes} <= set(ROLES)
    assert json.loads(json.dumps(after, allow_nan=False)) == after
    assert before != after


def test_words_are_written_by_the_simulated_decisions():
    ((speller, _),) = watched("speller", (50 * 12,))
    assert speller.text == "hello world"
    assert "a simulation; not for medical purposes" in [text for _, _, text in speller.drawing().words]


@pytest.mark.parametrize("name", ["spreller", "lsl", "osc"])
def test_what_cannot_be_shown_is_said(name):
    with pytest.raises(WrongUse, match=f"nothing to show called '{name}'"):
        show.known(name)


def test_an_effector_stands_for_the_scenario_that_moves_it():
    assert show.known("leg") == "kick" and show.known("drones") == "gates" and show.known("hand") == "hand"


def test_what_is_near_hides_what_is_far():
    wall = line("body", (-1, 0, 0), (1, 0, 0), width=0.5)
    behind, ahead = (_picture.painted(Drawing((wall,), (ball("thing", (0, y, 0), 0.1),), span=2.0)) for y in (1, -1))
    middle = tuple(n // 2 for n in behind.shape[:2])
    assert tuple(behind[middle]) == _picture.COLOURS["body"] and tuple(ahead[middle]) == _picture.COLOURS["thing"]


def test_seen_from_above_height_does_not_matter():
    low, high = (
        np.argwhere(_picture.painted(Drawing(balls=(ball("body", (0.2, 0.1, z), 0.05),), tilt=np.pi / 2))[..., 0] == 58)
        for z in (0.0, 0.4)
    )
    assert low.mean(axis=0) == pytest.approx(high.mean(axis=0), abs=1)
    assert low.mean(axis=0) == pytest.approx((240 - 0.1 * 640, 320 + 0.2 * 640), abs=1)


def test_a_box_has_twelve_edges():
    _, points, _ = box("limit", (0, 0, 0), (1, 2, 3))
    edges = {frozenset(map(tuple, pair)) for pair in pairwise(points)}
    assert len(edges) == 12 and all(np.count_nonzero(np.subtract(*e)) == 1 for e in edges)


def test_a_kick_as_pictures_and_as_a_film(tmp_path, capsys):
    av = pytest.importorskip("av", reason="left out: a film needs PyAV (the extra robot)")
    film = tmp_path / "kick.mp4"
    assert main(["scenario", "leg", "--pictures", str(tmp_path / "p"), "--film", str(film), "--json"]) == 0
    seconds = json.loads(capsys.readouterr().out.splitlines()[0])["seconds"]
    assert sorted(p.name for p in (tmp_path / "p").iterdir())[0] == "00000.png"
    with av.open(str(film)) as f:
        frames = [x.to_ndarray(format="rgb24") for x in f.decode(video=0)]
    assert len(frames) == pytest.approx(25 * seconds, abs=1) and frames[0].shape == (480, 640, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 100


def test_a_film_has_the_name_of_one(capsys):
    assert main(["scenario", "kick", "--film", "kick.gif"]) == 2
    assert "--film kick.mp4" in capsys.readouterr().err


def test_every_scenario_says_which_effector_it_moves():
    for name in scenario.names():
        effector = scenario.load(name)["about"].partition(":")[0]
        assert show.known(effector) in scenario.names()
