"""Pointing and clicking in one decoder: the loop closes on clicks, and a recording gives the same decoder."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.acquire.units import Units
from bcikit.core.clock import JumpClock
from bcikit.core.pipeline import Pipeline
from bcikit.decode.kinematics.click import AGAIN_S, ELSEWHERE, MAYBE, SEEN_S, Presses, may_close
from bcikit.decode.kinematics.point_click import PointClick
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.gate import Gate
from bcikit.files.read import read
from bcikit.tasks import closed_loop
from bcikit.tasks.closed_loop import ClosedLoop
from bcikit.tasks.grid import Grid

STEP = 0.02
BLOCKS = ((20.0, 1.0), (20.0, 0.5), (25.0, 0.0))  # shorter than usual


def test_clicks_select_in_the_loop_and_a_recording_gives_the_same_decoder(tmp_path, monkeypatch):
    monkeypatch.setattr(closed_loop, "BLOCKS", BLOCKS)
    loop = ClosedLoop(Units(n=192, seed=1), PointClick(), Grid([1], STEP, None), Gate(), JumpClock())
    loop.add(Xdf(path=str(tmp_path / "use.xdf")))
    moments = list(loop.run(calibrate=True, seconds=20))
    facts = loop.facts()
    assert loop.task.dwell_s is None and facts["correct"] > 8 and facts["correct"] > 3 * facts["wrong"]
    ahead = [m.chunk.data[-1, 2] for m in moments[: round(BLOCKS[0][0] / STEP)]]
    assert not np.any(ahead)  # nothing is known of clicks before the first lesson
    line = Pipeline([PointClick()])
    again = line.run(read(tmp_path / "use.xdf"))
    assert again.data.tobytes() == np.concatenate([m.chunk.data for m in moments]).tobytes()
    assert line.stages[0].click_.tobytes() == loop.decoder.click_.tobytes()


def test_a_held_cursor_does_not_click():
    stage, use = next(PointClick.examples())
    assert Pipeline([stage]).run(use).data.shape[1] == 3
    loop = ClosedLoop(Units(n=16, seed=1), PointClick(), Grid([1], STEP, None), Gate(), JumpClock())
    loop.clicks = lambda closed: np.ones(1, bool)
    loop.cursor.held = True
    moments = list(loop.run(calibrate=False, seconds=1))
    assert len(moments) == 50 and not any(m.hit or m.wrong for m in moments)


def test_the_hand_may_close_on_target_and_shortly_after_and_nothing_is_said_where_the_target_is_unknown():
    cursor, target = np.zeros((60, 2)), np.zeros((60, 2))
    target[20:], target[50:] = 0.4, np.nan
    prior = may_close(cursor, target, np.full(60, 0.05), STEP)
    until = 20 + round(SEEN_S / STEP)
    assert (prior[:until] == MAYBE).all() and (prior[until:50] == ELSEWHERE).all() and np.isnan(prior[50:]).all()


@pytest.mark.parametrize("bins, clicks", [(5, 1), (30, 1)], ids=["at once", "held long"])
def test_a_press_is_one_click(bins, clicks):
    presses = Presses(1, STEP)
    says = [0.1] * 5 + [0.99] * bins + [0.1] * 5
    assert sum(int(presses(np.array([p]))[0]) for p in says) == clicks


def test_no_second_click_follows_at_once():
    presses, says = Presses(2, STEP), np.tile([[0.99, 0.0], [0.1, 0.0]], (20, 1))
    made = np.array([presses(p) for p in says])
    assert not made[:, 1].any()
    assert np.diff(np.flatnonzero(made[:, 0])).min() * STEP > AGAIN_S
