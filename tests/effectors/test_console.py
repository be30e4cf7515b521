"""The console effector says what is new, every decision, and `safe` when data stop."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Channel, Chunk, Status, Stream
from bcikit.core.label import SIMULATED
from bcikit.core.parts import Report
from bcikit.effectors.console import Console
from bcikit.testing import OpenGate

WORDS = Stream("d", 10.0, (Channel("d", "decision", ""),), alphabet=("rest", "go"), label=SIMULATED)
SPEED = Stream("v", 10.0, (Channel("x", "velocity", "cm/s"), Channel("y", "velocity", "cm/s")), label=SIMULATED)


def opened(stream, **settings):
    console, said = Console(**settings), []
    console.say = said.append
    permit = OpenGate().open(console, stream)
    assert said.pop() == "(a simulation; not for medical purposes)"
    return console, permit, said


def chunk(*rows):
    return Chunk(np.array(rows, np.float32).reshape(len(rows), -1) if rows else np.empty((0, 1), np.float32), 0)


@pytest.mark.parametrize("cuts", [[7], [1] * 7, [3, 0, 4]])
def test_no_decision_is_skipped_and_none_is_told_twice(cuts):
    _, permit, said = opened(WORDS)
    rows = [0, 0, 1, 0, 1, 1, float("nan")]
    for n in cuts:
        permit.send(chunk(*rows[:n]))
        rows = rows[n:]
    assert said == ["rest", "go", "rest", "go", "unknown"]


def test_of_a_continuous_command_the_newest_is_told_where_it_changed_enough():
    _, permit, said = opened(SPEED, change=0.5)
    for rows in ([[0, 0], [9, 9], [1, 2]], [[1.4, 2]], [[1.6, 2]], [[1.6, float("nan")]], [[1.6, float("nan")]]):
        permit.send(chunk(*rows))
    assert said == ["x 1 cm/s  y 2 cm/s", "x 1.6 cm/s  y 2 cm/s", "x 1.6 cm/s  y nan cm/s"]


def test_it_goes_safe_when_data_stop_and_what_comes_then_is_new():
    console, permit, said = opened(WORDS)
    stale = Report(1.0, Status("stale"), 1, (0, 0), (0, 0), {})
    console.pulse(stale)
    permit.send(chunk(1))
    console.pulse(stale)
    console.pulse(stale)
    permit.send(chunk(1))
    permit.close()
    permit.close()
    assert said == ["go", "safe", "go", "safe"]
