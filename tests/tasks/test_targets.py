"""Tasks judge what is selected, and when."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bcikit.tasks.grid import Grid

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
