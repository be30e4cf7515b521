"""The emulated Ganglion: its compressed packets against an independent reading, its dongle against BrainFlow's driver."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.acquire.emulate._ganglion import GanglionFirmware
from bcikit.acquire.emulate._source import Simulated
from bcikit.acquire.emulate.ganglion import Ganglion
from tests.acquire.brainflow_driver import driver, until

GANGLION = {"board_id": 1, "other_info": "fw:auto", "timeout": 5}
COUNT_UV = 1.2e6 / (2**23 - 1) / 1.5 / 51


class Rows:
    def __init__(self, rows):
        self.rows, self.channels = rows, 4

    def at(self, tick, rate):
        return np.array(self.rows[tick]), np.array([0.32, -0.16, 0.96])


@given(st.lists(st.lists(st.floats(-1.5e4, 1.5e4), min_size=4, max_size=4), min_size=2, max_size=2), st.booleans())
def test_a_packet_holds_two_samples_without_their_low_bits(rows, accelerometer):
    board = GanglionFirmware(Rows(rows), (5e3,))
    board.hear(b"n" if accelerometer else b"N")
    data, bits = board.packet(0, 0), 18 if accelerometer else 19
    assert len(data) == 20 and data[0] == (0 if accelerometer else 100)
    text = "".join(f"{byte:08b}" for byte in data[1:])
    for i, microvolts in enumerate(np.ravel(rows)):
        field = text[i * bits : (i + 1) * bits]
        assert field[0] == field[-1]  # the lowest bit is the sign again
        value = int(field[:-1], 2) - (int(field[0]) << (bits - 1))
        got = value * 2 * 2 ** (24 - bits)
        assert 0 <= np.rint(microvolts / COUNT_UV) - got < 2 * 2 ** (24 - bits)


def test_the_accelerometer_takes_turns():
    board = GanglionFirmware(Rows([[0.0] * 4] * 20), (5e3,))
    board.hear(b"n")
    last = [int.from_bytes(board.packet(i, i)[19:], "big", signed=True) * 0.016 for i in range(3)]
    assert np.allclose(last, [-0.96, -0.16, 0.32])


@pytest.mark.realtime
def test_brainflow_reads_the_recording_through_the_dongle(shared):
    path = shared("openbci-gui/gui-v3-ganglion.txt")
    rows = np.array([s.split(",")[1:5] for s in path.read_text().splitlines() if s[:1].isdigit()], float)
    with Ganglion(file=path) as board, driver(**GANGLION, serial_port=board.port) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 400)
        data = host.get_board_data()
        host.stop_stream()
    n = data.shape[1]
    assert np.array_equal(data[0], 100 + np.arange(n) // 2 % 100)
    off = rows[:n] - data[1:5].T
    assert -COUNT_UV < off.min() and off.max() < 64 * COUNT_UV + COUNT_UV  # 18 of 24 bits, cut off
    assert board.summary["unheard"] == 0


@pytest.mark.realtime
def test_brainflow_reads_impedance_and_accelerometer_through_the_dongle():
    with Ganglion(resistance=(3e3, 7e3, 20e3, 450e3, 9e3)) as board, driver(**GANGLION, serial_port=board.port) as host:
        host.config_board("n")
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 60)
        assert np.allclose(host.get_board_data()[5:8, -1], 0, atol=0.016 * 70)
        host.stop_stream()
        host.config_board("z")
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 6)
        ohms = host.get_board_data()[8:13, -1]
        host.stop_stream()
    assert ohms.tolist() == [3, 7, 20, 450, 9]


@pytest.mark.realtime
def test_brainflow_misses_exactly_the_packets_dropped(tmp_path):
    with Ganglion(drop=0.1, seed=2, log=tmp_path / "log") as board, driver(**GANGLION, serial_port=board.port) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 300)
        data = host.get_board_data()
        host.stop_stream()
    fates = [line.split(",")[2] for line in (tmp_path / "log").read_text().splitlines()]
    kept = [i for i, fate in enumerate(fates) if fate == "sent"][: data.shape[1] // 2]
    assert np.array_equal(data[0, ::2][: len(kept)], 100 + np.array(kept) % 100) and len(kept) < kept[-1]
    whole = Simulated(4, 2)
    wanted = np.array([whole.at(2 * i, 200)[0] for i in kept])
    assert np.abs(data[1:5, ::2].T[: len(kept)] - wanted).max() < 65 * COUNT_UV
    assert not os.path.lexists(board.port)
