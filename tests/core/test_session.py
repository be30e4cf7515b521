"""Sessions from plain values: every key is checked, sinks stand where they should."""

from __future__ import annotations

import pytest

from bcikit import WrongUse
from bcikit.core.session import session

BOARD = {"use": "synthetic", "n": 4}


def test_a_whole_line():
    s = session(
        {
            "board": BOARD,
            "stages": [{"use": "bandpass", "low": 2, "high": 30.0}, {"use": "notch"}],
            "decoder": {"use": "threshold", "channels": ["C3", "C4"]},
            "mapper": {"use": "lookup", "values": [0, 2.5]},
            "effector": {"use": "console"},
            "sinks": [{"use": "jsonl", "at": "stages"}, {"use": "xdf", "path": "a.xdf", "at": "board"}],
        }
    )
    assert s.board.n == 4
    assert [x.part_name() for x in s.stages] == ["bandpass", "notch", "threshold", "lookup"]
    assert (s.stages[0].low, s.stages[2].channels, s.stages[3].values) == (2.0, ("C3", "C4"), (0.0, 2.5))
    assert [(x.part_name(), at) for x, at in s.sinks] == [("console", "out"), ("jsonl", "notch"), ("xdf", "board")]


@pytest.mark.parametrize(
    "at, place",
    [
        ("board", "board"),
        ("out", "out"),
        ("stages", "notch"),
        ("decoder", "threshold"),
        ("mapper", "threshold"),
        ("notch", "notch"),
    ],
)
def test_places(at, place):
    s = session(
        {
            "board": BOARD,
            "stages": [{"use": "notch"}],
            "decoder": {"use": "threshold"},
            "sinks": [{"use": "jsonl", "at": at}],
        }
    )
    assert s.sinks[0][1] == place


def test_without_stages_their_end_is_the_board():
    assert session({"board": BOARD, "sinks": [{"use": "jsonl", "at": "stages"}]}).sinks[0][1] == "board"


@pytest.mark.parametrize(
    "doc, said",
    [
        ({}, "not 0"),
        ({"board": [BOARD, BOARD]}, "not 2"),
        ({"boards": BOARD}, "Did you mean 'board'"),
        ({"board": {}}, "names no part"),
        ({"board": "synthetic"}, "names no part"),
        ({"board": 5}, "names no part"),
        ({"board": {"use": "nope"}}, "no board called 'nope'"),
        ({"board": {"use": 5}}, "no board called '5'"),
        ({"board": {"use": ["synthetic"]}}, "no board called"),
        ({"board": {"use": "../core/loop"}}, "no board called"),
        ({"board": {**BOARD, "nn": 1}}, "no setting 'nn'"),
        ({"board": {**BOARD, "n": "many"}}, "not a whole number"),
        ({"board": {**BOARD, "n": {"a": 1}}}, "not a whole number"),
        ({"board": {**BOARD, "n": True}}, "not a whole number"),
        ({"board": {**BOARD, "n": 1000}}, "1 to 64"),
        ({"board": {**BOARD, "bad": [1]}}, "not a text"),
        ({"board": {**BOARD, "at": "out"}}, "no setting 'at'"),
        ({"board": BOARD, "stages": [{"use": "console"}]}, "no stage called 'console'"),
        ({"board": BOARD, "stages": [3]}, "names no part"),
        ({"board": BOARD, "effector": {"use": "bandpass"}}, "no sink called 'bandpass'"),
        ({"board": BOARD, "sinks": [{"use": "jsonl", "at": "nope"}]}, "no place 'nope'"),
        ({"board": BOARD, "sinks": [{"use": "jsonl", "at": ["out"]}]}, "no place"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(doc, said):
    with pytest.raises(WrongUse) as told:
        session(doc)
    assert said in str(told.value) and len(str(told.value).splitlines()) <= 3
