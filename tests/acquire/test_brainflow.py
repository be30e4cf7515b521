"""The board brainflow: BrainFlow's own boards without hardware, and what a user can ask for wrongly."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from bcikit.acquire.brainflow import Brainflow, boards
from bcikit.core.errors import DeviceTrouble, FileTrouble, WrongUse
from bcikit.core.label import SIMULATED, Label


def taken(board, seconds):
    chunks, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        c = board.read(0.05)
        if c is not None:
            chunks.append(c)
    return chunks


@pytest.mark.realtime
def test_the_synthetic_board_streams_and_is_simulated():
    with Brainflow() as board, Brainflow(id="-1") as other:
        board.label = Label(subjects=frozenset({"S1"}))
        stream = board.open()
        other.open()
        chunks = taken(board, 3)
        status = board.status
        assert taken(other, 0.2), "two of them do not share one session"
    assert stream.label == SIMULATED and stream.rate == 250 and len(set(stream.names)) == len(stream.names)
    kinds = {c.kind for c in stream.channels}
    assert {"eeg", "accel", "gyro", "battery"} <= kinds and stream.channels[0].position is not None
    data = np.concatenate([c.data for c in chunks])
    assert len(data) > 500 and data.dtype == np.float32 and np.isfinite(data).all()
    assert status.rate_hz == pytest.approx(250, rel=0.02) and status.state == "streaming"


@pytest.mark.realtime
def test_playback_ends_and_is_not_called_simulated(tmp_path):
    from bcikit.acquire._brainflow import described

    cyton = described(0)
    data = np.zeros((300, cyton["num_rows"]))
    data[:, 0], data[:, 1] = np.arange(300) % 256, np.arange(300)
    data[:, cyton["timestamp_channel"]] = 1.7e9 + np.arange(300) / 250
    np.savetxt(tmp_path / "a.csv", data, delimiter="\t", fmt="%.6f")
    with Brainflow(id="playback_file", file=str(tmp_path / "a.csv"), master="cyton") as board:
        stream = board.open()
        got, end = [], time.monotonic() + 15
        while board.status.state != "ended" and time.monotonic() < end:
            c = board.read(0.05)
            if c is not None:
                got.append(c)
        assert board.status.state == "ended"
    assert not stream.label.simulated and stream.names[:2] == ("Fp1", "Fp2")
    x = np.concatenate([c.data for c in got])[:, 0]
    assert len(x) > 250 and np.array_equal(x, np.arange(len(x)) + x[0])


@pytest.mark.parametrize(
    "settings, error, said",
    [
        ({"id": "cytn"}, WrongUse, "Did you mean 'cyton'"),
        ({"id": "9999"}, WrongUse, "no board '9999'"),
        ({"id": "playback_file"}, WrongUse, "recorded from"),
        ({"id": "playback_file", "master": "cyton", "file": "/none.csv"}, FileTrouble, "no file"),
        ({"id": "cyton"}, DeviceTrouble, "refuses the settings"),
        ({"id": "freeeeg32", "port": "/dev/none"}, DeviceTrouble, "There is no port"),
        ({"id": "streaming", "master": "cyton"}, DeviceTrouble, "refuses the settings"),
    ],
)
def test_bad_requests(settings, error, said):
    with pytest.raises(error, match=said):
        Brainflow(**settings).open()


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "brainflow", None)
    with pytest.raises(DeviceTrouble, match="cannot be used") as told:
        Brainflow().open()
    assert "pip install" in told.value.do


def test_boards_have_names():
    known = boards()
    assert known["cyton"] == 0 and known["synthetic"] == -1 and "muse_2" in known and "no_board" not in known
