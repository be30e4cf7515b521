"""What one program's effector feels, read by another: the board, and the session that gives it back to the person."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from bcikit import Chunk
from bcikit.acquire.felt import Felt
from bcikit.cli import main as cli
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.label import Label
from bcikit.effectors.hand import Hand
from bcikit.files.read import read
from bcikit.testing import OpenGate

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="left out: the supervisor's process needs Linux")

UNTIL_S = 20.0

SESSION = """
subject = "S1"
[board]
use = "felt"
effector = "hand"
[mapper]
use = "touch"
channel = "angle"
high = 1.0
[effector]
use = "stimulator"
[[sinks]]
use = "xdf"
path = "{path}"
"""


@pytest.fixture
def moved():
    """A hand that closes; what it is told goes on until the test ends."""
    hand = Hand()
    permit = OpenGate().open(hand, Hand.commands().stream)
    permit.send(Chunk(np.full((1, 1), 0.5, np.float32), 0, time.monotonic()))
    yield hand, permit
    permit.close()


def first(board):
    """The next chunk that comes."""
    until = time.monotonic() + UNTIL_S
    while time.monotonic() < until:
        if (c := board.read()) is not None:
            return c
    raise AssertionError("nothing came")


def test_it_gives_what_the_device_feels_until_nobody_moves_it(moved):
    hand, permit = moved
    before = len(os.listdir("/proc/self/fd"))
    board = Felt("hand")
    board.label = given = Label(subjects=frozenset({"S1"}))
    assert board.status.state == "connecting"
    stream = board.open()
    assert stream.name == "felt by simulated hand" and stream.label == given
    assert [(c.name, c.unit) for c in stream.channels] == [
        ("force", "N"),
        ("torque", "N m"),
        ("distance", "m"),
        ("angle", "rad"),
    ]
    chunks = [first(board) for _ in range(20)]
    indices, times = [c.first for c in chunks], [c.time for c in chunks]
    assert indices == sorted(set(indices)) and times == sorted(set(times))
    assert board.status.state == "streaming" and board.status.lost == indices[-1] - 19
    low, high = min(c.data[0, 3] for c in chunks), hand.sense().data[0, 3]
    assert np.isnan(chunks[-1].data[0, 0]) and low <= chunks[-1].data[0, 3] <= high + 1e-6  # it closes, or has stopped
    index, apart = board.index_of(times[-1])
    assert abs(index - indices[-1]) <= 1 + apart * stream.rate
    permit.close()
    until = time.monotonic() + UNTIL_S
    while board.status.state != "ended" and time.monotonic() < until:
        board.read()
    assert board.status.state == "ended" and board.read() is None
    board.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_session_file_gives_it_back_to_the_person(moved, tmp_path, capfd):
    session, recorded = tmp_path / "touch.toml", tmp_path / "touch.xdf"
    session.write_text(SESSION.format(path=recorded))
    assert cli.main(["run", str(session), "--seconds", "0.5"]) == 3  # nobody was asked
    assert cli.main(["consent", "grant", "S1", "--sink", "effector", "--sink", "record"]) == 0
    assert cli.main(["run", str(session), "--seconds", "0.5"]) == 0
    trains = read(Path(recorded))
    assert trains.stream.names[:2] == ("electrode", "current") and len(trains.data)
    angle = moved[0].sense().data[0, 3]
    assert (trains.data[:, 1] > 20).all() and trains.data[-1, 1] <= 20 + 60 * min(angle, 1) + 1e-3


def test_it_says_what_cannot_be_felt():
    with pytest.raises(DeviceTrouble, match="No supervisor of 'hand'"):
        Felt("hand", wait_s=0).open()
    with pytest.raises(WrongUse, match="cursor feels nothing"):
        Felt("cursor").open()
    board = Felt("hand")
    board.clock = JumpClock()
    with pytest.raises(WrongUse, match="wall clock"):
        board.open()
    with pytest.raises(WrongUse, match="before the board is open"):
        board.index_of(0.0)
    assert board.read() is None
    board.close()
