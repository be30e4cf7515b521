"""Tasks judge what is selected, and when."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.tasks.center_out import CenterOut
from bcikit.tasks.fitts import Fitts
from bcikit.tasks.grid import Grid
from bcikit.tasks.keyboard import Keyboard
from bcikit.tasks.pursuit import Pursuit

STEP = 0.02
NO = np.zeros(1, bool)


def stay(task, place, seconds, click=NO):
    return np.sum([task.step(np.array([place], float), click) for _ in range(round(seconds / STEP))], axis=0)[:, 0]


def test_a_stay_selects_once_and_a_wrong_one_counts_against():
    task = Grid([0], STEP, 0.3, 6)
    there = task.target[0].copy()
    assert stay(task, there, 0.32).tolist() == [1, 0]
    assert stay(task, there, 2.0).tolist() == [0, 0]  # it is no longer the target, and was not left
    assert stay(task, task.place((int(task.goal[0]) + 1) % 36), 0.32).tolist() == [0, 1]
    assert task.bits_per_s()[0] == 0.0
    for _ in range(5):
        stay(task, task.target[0].copy(), 0.34)
    assert task.bits_per_s()[0] == pytest.approx(math.log2(35) * 5 / task.seconds)


def test_a_click_selects_what_is_under_it():
    task = Grid([0], STEP, None, 8)
    yes = np.ones(1, bool)
    assert [a[0] for a in task.step(task.target.copy(), NO)] == [False, False]
    goal = int(task.goal[0])
    assert [a[0] for a in task.step(task.target.copy(), yes)] == [True, False]
    assert task.goal[0] != goal
    assert [a[0] for a in task.step(-task.target.copy(), yes)] == [False, True]


def test_every_cell_is_where_it_is_found():
    task = Grid([0], STEP, None, 7)
    for cell in range(49):
        assert task.under(task.place(cell)[None])[0] == cell


def test_runs_do_not_depend_on_each_other():
    one, two = Grid([5], STEP), Grid([3, 5], STEP)
    for _ in range(5):
        assert np.array_equal(one.target[0], two.target[1])
        one._end(0, True, np.zeros(2))
        two._end(1, True, np.zeros(2))
        two._end(0, True, np.zeros(2))


def test_measures_of_a_straight_way():
    task = Grid([0], STEP, 0.1, 4)
    start = np.zeros((1, 2))
    task.step(start, NO)
    goal, size = task.target[0].copy(), task.size[0]
    for part in np.linspace(0.05, 1, 20):
        task.step(goal[None] * part, NO)
    stay(task, goal, 0.2)
    trial = task.trials[0]
    assert trial.distance == pytest.approx(np.hypot(*goal)) and trial.hit
    assert task.path_efficiency()[0] == pytest.approx(1.0)
    assert task.throughput()[0] == pytest.approx(math.log2(trial.distance / (2 * size) + 1) / trial.seconds)


def test_center_out_visits_every_way_and_comes_back():
    task, seen = CenterOut([0], STEP, 0.1), []
    for _ in range(32):
        seen.append(tuple(task.target[0].round(6)))
        stay(task, task.target[0].copy(), 0.14)
    assert len(set(seen[::2])) == 8 and set(seen[1::2]) == {(0.0, 0.0)}
    assert all(math.hypot(*p) == pytest.approx(0.35, abs=1e-5) for p in seen[::2])


def test_a_target_that_is_not_reached_is_given_up_and_counted():
    task = Pursuit([0], STEP, 0.3, timeout_s=1.0)
    before = task.target[0].copy()
    stay(task, -before, 1.02)
    assert not np.array_equal(task.target[0], before)
    assert [t.hit for t in task.trials] == [False] and task.seconds_to_target()[0] == pytest.approx(1.0)
    assert np.isnan(task.throughput()[0])


def test_pursuit_keeps_its_targets_on_the_screen():
    task = Pursuit([3], STEP)
    for _ in range(200):
        assert (np.abs(task.target[0]) + task.size[0] <= 0.5).all() and 0.03 <= task.size[0] <= 0.1
        task.choose(0, task._chance[0])


def test_fitts_goes_across_and_its_throughput_is_that_of_what_was_done():
    task, rng, seen = Fitts([0], STEP, 0.1), np.random.default_rng(0), []
    for _ in range(26):
        goal = task.target[0].copy()
        seen.append(tuple(goal.round(6)))
        stay(task, goal + rng.uniform(-0.02, 0.02, 2), 0.4)
    assert len(set(seen)) == 13
    far = [math.dist(a, b) for a, b in pairwise(seen)]
    assert min(far) > 1.9 * 0.35
    mt = np.mean([t.seconds for t in task.trials])
    wide = 4.133 * 0.04 / math.sqrt(12)  # of ends that are even within 0.04
    assert task.effective()[0] == pytest.approx(math.log2(np.mean(far) / wide + 1) / mt, rel=0.15)
    with pytest.raises(ValueError, match="odd"):
        Fitts([0], STEP, ways=12)


def test_the_keyboard_types_its_text_and_counts_wrong_keys():
    task = Keyboard([0], STEP, None, "cab")
    yes, typed = np.ones(1, bool), ""
    for _ in range(6):
        typed += task.keys[task.under(task.target)[0]]
        task.step(task.target.copy(), yes)
    assert typed == "cabcab" and task.correct[0] == 6
    task.step(-task.target.copy(), yes)
    assert task.wrong[0] == 1
    assert task.letters_per_min()[0] == pytest.approx(5 / task.seconds * 60)
    with pytest.raises(WrongUse, match="no key for 'ß'"):
        Keyboard([0], STEP, text="ß")
