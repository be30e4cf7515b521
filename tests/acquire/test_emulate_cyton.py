"""The emulated Cyton: its bytes against the format as OpenBCI states it, its port against BrainFlow's own driver."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
import time
import tty

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.acquire.emulate._cyton import GAINS, CytonFirmware
from bcikit.acquire.emulate._source import Simulated
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.core.errors import WrongUse
from tests.acquire.brainflow_driver import driver, until

COUNT_UV = 4.5e6 / 24 / (2**23 - 1)  # stated by OpenBCI for gain 24


def firmware(**settings):
    return CytonFirmware(Simulated(settings.get("channels", 8), 0), **{"channels": 8, "resistance": (5e3,), **settings})


class Constant:
    def __init__(self, microvolts, g=(0.5, -0.25, 1.0)):
        self.microvolts, self.g, self.channels = np.asarray(microvolts, float), np.asarray(g, float), len(microvolts)

    def at(self, tick, rate):
        return self.microvolts, self.g


def parsed(data):
    """(number, counts, aux, footer) of 33 bytes, by the table in OpenBCI's "Cyton Data Format"."""
    assert len(data) == 33 and data[0] == 0xA0 and data[32] >> 4 == 0xC
    return (
        data[1],
        [int.from_bytes(data[2 + 3 * i : 5 + 3 * i], "big", signed=True) for i in range(8)],
        data[26:32],
        data[32],
    )


class Terminal:
    """A host that reads the port byte for byte."""

    def __init__(self, port):
        self.fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)

    def ask(self, command, upto=b"$$$"):
        os.write(self.fd, command)
        return self.read(upto)

    def read(self, upto):
        """Until `upto`, or so many bytes."""
        said, end = b"", time.monotonic() + 5
        while not (len(said) >= upto if isinstance(upto, int) else said.endswith(upto)):
            assert select.select([self.fd], [], [], end - time.monotonic())[0], f"only {said!r} came"
            said += os.read(self.fd, upto - len(said) if isinstance(upto, int) else 1)
        return said

    def close(self):
        os.close(self.fd)


@contextlib.contextmanager
def terminal(port):
    host = Terminal(port)
    try:
        yield host
    finally:
        host.close()


# -- bytes


@given(st.lists(st.floats(-2e5, 2e5), min_size=8, max_size=8), st.integers(0, 6), st.integers(0, 10_000))
def test_a_packet_holds_the_microvolts_to_half_a_count(microvolts, code, number):
    board = firmware()
    board.source = Constant(microvolts)
    for channel in "12345678":
        assert board.hear(f"x{channel}0{code}0110X".encode()) == f"Success: Channel set for {channel}$$$".encode()
    n, counts, aux, footer = parsed(board.packet(number, number))
    scale = COUNT_UV * 24 / GAINS[code]
    wanted = np.clip(microvolts, -(2**23) * scale, (2**23 - 1) * scale)
    assert n == number % 256 and footer == 0xC0
    assert np.abs(np.array(counts) * scale - wanted).max() <= scale / 2 * (1 + 1e-6)
    accel = [int.from_bytes(aux[i : i + 2], "big", signed=True) * 0.002 / 16 for i in (0, 2, 4)]
    assert np.allclose(accel, [0.5, -0.25, 1.0], atol=0.002 / 32)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_commands_may_come_in_any_pieces(said, cuts):
    whole, parts = firmware(), firmware()
    edges = [0, *sorted(c for c in cuts if c < len(said)), len(said)]
    assert b"".join(parts.hear(said[a:b]) for a, b in itertools.pairwise(edges)) == whole.hear(said)
    assert parts.settings == whole.settings and parts.packet(0, 0) == whole.packet(0, 0)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("~~", "Success: Sample rate is 250Hz$$$"),
        ("~5", "Success: Sample rate is 500Hz$$$"),
        ("~9", "Failure: sample value out of bounds$$$"),
        ("//", "Success: default$$$"),
        ("/2", "Success: analog$$$"),
        ("/x", "Failure: invalid board mode value.$$$"),
        ("z310Z", "Success: Lead off set for 3$$$"),
        ("z310Y", "Failure: Err: 5th char not Z$$$"),
        ("x1060110Y", "Failure: Err: 9th char not X$$$"),
        ("xQ060110X", "Failure: too few chars$$$"),
        ("C", "no daisy to attach!8$$$"),
        ("c", "no daisy to remove!$$$"),
        ("d", "updating channel settings to default$$$"),
        ("D", "060110$$$"),
        ("V", "v3.1.2$$$"),
        ("b", ""),
        ("9", ""),
        ("bd", ""),
    ],
)
def test_answers_are_those_of_the_firmware(command, answer):
    assert firmware().hear(command.encode()).decode() == answer


def test_the_banner_names_the_version_and_the_daisy():
    alone, both = firmware().hear(b"v").decode(), firmware(channels=16).hear(b"v").decode()
    assert alone.endswith("\n$$$") and "Firmware: v3.1" in alone and "Daisy" not in alone
    assert "On Daisy ADS1299 Device ID: 0x3E\n" in both
    board = firmware(channels=16)
    assert board.hear(b"cC") == b"daisy removed$$$daisy attached16$$$"


def test_the_own_test_signal_is_the_stated_one():
    board = firmware()
    board.hear(b"-")
    first = [parsed(board.packet(i, i))[1][0] * COUNT_UV for i in range(256)]
    assert np.allclose(np.abs(first), 4.5e6 / 2400, atol=COUNT_UV)  # 1.875 mV, ADS1299 data sheet
    assert np.sign(first[0]) != np.sign(first[200])


def test_channels_are_switched_off_and_on():
    board = firmware()
    board.source = Constant([100.0] * 8)
    board.hear(b"2x3160110Xx4011110X")
    counts = parsed(board.packet(0, 0))[1]
    assert counts[1] == counts[2] == counts[3] == 0 and counts[0] == counts[4] > 0
    board.hear(b"@")
    assert parsed(board.packet(0, 0))[1][1] == counts[0]


def test_analogue_digital_and_marker_modes_use_the_auxiliary_bytes():
    board = firmware()
    board.hear(b"/2")
    assert parsed(board.packet(0, 0))[3] == 0xC1
    board.hear(b"/3")
    seen = {parsed(board.packet(i, i))[2] for i in range(1024)}
    assert len(seen) == 32 and all(max(aux) <= 1 and aux[4] == 0 for aux in seen)
    board.hear(b"/4`A")
    assert [parsed(board.packet(i, i))[2][0] for i in range(3)] == [ord("A"), 0, 0]


# -- the port


def test_the_dongle_answers_for_itself():
    with Cyton(channel=7) as board, terminal(board.port) as host:
        assert host.ask(b"\xf0\x00") == b"Success: Host and Device on Channel number: 7\x07$$$"
        assert host.ask(b"\xf0\x07") == b"Success: System is Up$$$"
        assert host.ask(b"\xf0\x02\x09") == b"Success: Host override - Channel number: 9\x09$$$"
        assert host.ask(b"\xf0\x07") == b"Failure: System is Down$$$"
        assert host.ask(b"v") == b"Failure: Communications timeout - Device failed to poll Host$$$"
        assert host.ask(b"\xf0\x00") == b"Failure: Host on Channel number: 9\x09$$$"
        assert host.ask(b"\xf0\x01\x07").startswith(b"Failure: Channel Change Request")
        assert host.ask(b"\xf0\x02\x07").startswith(b"Success")
        assert host.ask(b"v").startswith(b"OpenBCI V3 8-16 channel\n")


def test_the_wrong_radio_channel_and_a_board_that_is_off_are_refused_by_brainflow():
    from brainflow.exit_codes import BrainFlowError, BrainFlowExitCodes

    for settings in ({"channel": 3, "dongle_channel": 4}, {"power": False}):
        with Cyton(**settings) as board, pytest.raises(BrainFlowError) as refused, driver(0, serial_port=board.port):
            pass
        assert refused.value.exit_code == BrainFlowExitCodes.BOARD_NOT_READY_ERROR.value


def test_the_link_is_removed_and_never_overwrites(tmp_path):
    link = tmp_path / "port"
    with Cyton(link=link) as board:
        assert board.port == str(link) and link.is_symlink()
        with pytest.raises(WrongUse, match="is there already"):
            Cyton(link=link)
    assert list(tmp_path.iterdir()) == []
    link.write_text("mine")
    with pytest.raises(WrongUse, match="is there already"):
        Cyton(link=link)
    assert link.read_text() == "mine"
    link.unlink()
    link.symlink_to("/dev/pts/nobody")  # left behind by one that was killed
    with Cyton(link=link) as board, terminal(board.port) as host:
        assert host.ask(b"V") == b"v3.1.2$$$"
    assert not threading.enumerate()[1:] or all("emulated" not in t.name for t in threading.enumerate())


def test_probabilities_are_checked():
    with pytest.raises(WrongUse, match="0 to 1"):
        Cyton(drop=1.5)


def test_a_recording_without_end_and_one_that_ends(tmp_path):
    file = tmp_path / "short.txt"
    rows = [f"{i}, {', '.join(str(10 * c + i) for c in range(8))}, 0, 0, 1, 10:00:00.000" for i in range(20)]
    file.write_text("%OpenBCI Raw EEG Data\n%Number of channels = 8\n%Sample Rate = 250.0 Hz\n" + "\n".join(rows) + "\n")
    with Cyton(file=file) as board, terminal(board.port) as host:
        for _ in range(2):  # what has ended begins anew
            os.write(host.fd, b"b")
            got = [parsed(host.read(33)) for _ in range(20)]
            assert [round(c[0] * COUNT_UV) for _, c, _, _ in got] == list(range(20))
            until(lambda: not board.streaming)
        assert host.ask(b"V") == b"v3.1.2$$$"
    with Cyton(file=file, loop=True) as board, terminal(board.port) as host:
        os.write(host.fd, b"b")
        got = [parsed(host.read(33)) for _ in range(50)]
        assert [round(c[0] * COUNT_UV) for _, c, _, _ in got] == [i % 20 for i in range(50)]


def test_faults_are_the_same_for_the_same_seed(tmp_path):
    fates = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        with Cyton(drop=0.3, garble=0.2, seed=seed, log=tmp_path / name) as board, terminal(board.port) as host:
            os.write(host.fd, b"b")
            until(lambda board=board: board.summary["packets"] >= 100)
        lines = (tmp_path / name).read_text().splitlines()
        assert [int(line.split(",")[0]) for line in lines] == list(range(len(lines)))
        fates.append([line.split(",")[2] for line in lines][:100])
    assert fates[0] == fates[1] != fates[2] and {"sent", "dropped", "garbled"} <= set(fates[0])


@pytest.mark.realtime
def test_packets_come_at_250_hz_and_number_on(tmp_path):
    with Cyton(log=tmp_path / "log") as board, terminal(board.port) as host:
        os.write(host.fd, b"b")
        numbers = [parsed(host.read(33))[0] for _ in range(600)]
    assert numbers == [i % 256 for i in range(600)]
    when = np.array([int(line.split(",")[1]) for line in (tmp_path / "log").read_text().splitlines()])[:600] * 1e-9
    late = when - np.arange(len(when)) / 250  # a busy machine may be late with some, not with each
    assert late[-200:].min() - late[:200].min() == pytest.approx(0, abs=0.01 * 400 / 250)


@pytest.mark.realtime
def test_a_stall_is_silence_and_the_person_goes_on():
    with Cyton(stall=((0.2, 0.8),), seed=1) as board, terminal(board.port) as host:
        os.write(host.fd, b"b")
        got = [parsed(host.read(33)) for _ in range(50)]
        until(lambda: board.silent)
        host.ask(b"V", b"poll Host$$$")  # the radio is out of reach: only the dongle answers, then the stream goes on
        got += [parsed(host.read(33)) for _ in range(50)]
    steps = np.diff([n for n, *_ in got]) % 256
    assert board.summary["stalled"] == steps.max() - 1 == 200
    assert np.sum(steps != 1) == 1


@pytest.mark.realtime
def test_the_port_vanishes_and_comes_back_under_its_name():
    with Cyton(vanish=((0.2, 0.3),)) as board:
        with terminal(board.port) as host:
            os.write(host.fd, b"b")
            until(lambda: not os.path.lexists(board.port))
            with pytest.raises(OSError):  # a hang-up, behind what was still in the line
                while os.read(host.fd, 4096):
                    pass
                raise OSError("end of file")
        until(lambda: os.path.exists(board.port))
        with terminal(board.port) as host:
            assert b"Firmware" in host.ask(b"v")
            os.write(host.fd, b"b")
            assert parsed(host.read(33))[0] == 0
        assert board.summary["vanished"] == 75  # 0.3 s


@pytest.mark.realtime
def test_a_stream_goes_on_where_the_person_is_after_a_reset_but_begins_anew_after_a_stop():
    with Cyton() as board, terminal(board.port) as host:
        os.write(host.fd, b"b")
        first = host.read(33)
        until(lambda: board.summary["packets"] > 50)
        os.write(host.fd, b"s")
        until(lambda: not board.streaming)
        host.ask(b"v")
        os.write(host.fd, b"b")
        assert host.read(33) == first
        host.ask(b"v")  # a reset amid the stream
        os.write(host.fd, b"b")
        again = parsed(host.read(33))
        assert again[0] == 0 and again[1] != parsed(first)[1]


# -- BrainFlow's own driver


def gui_rows(path):
    """µV and g, read with nothing but the file's own layout."""
    rows = [line.split(",") for line in path.read_text().splitlines() if line[:1].isdigit()]
    return np.array([r[1:12] for r in rows], float)


@pytest.mark.realtime
def test_brainflow_reads_the_recordings_microvolts_to_half_a_count(shared):
    path = shared("openbci-gui/gui-v6.txt")
    with Cyton(file=path) as board, driver(0, serial_port=board.port) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 750)
        data = host.get_board_data()
        host.stop_stream()
    n = data.shape[1]
    rows = gui_rows(path)[:n]
    assert np.array_equal(data[0], np.arange(n) % 256)
    rail = np.clip(rows[:, :8], -(2**23) * COUNT_UV, (2**23 - 1) * COUNT_UV)
    ulp = np.spacing(np.float32(np.abs(rail).max())) / 2  # recordings are kept as float32
    assert np.abs(data[1:9].T - rail).max() <= COUNT_UV / 2 + ulp
    fresh = rows[:, 8] != 0  # the driver holds the accelerometer's last value
    assert np.allclose(data[9:12].T[fresh], rows[fresh, 8:], atol=0.002 / 32)
    assert board.summary["unheard"] == 0


@pytest.mark.realtime
def test_brainflow_loses_exactly_the_dropped_packets(shared, tmp_path):
    log = tmp_path / "log"
    path = shared("openbci-gui/gui-v6.txt")
    with Cyton(file=path, drop=0.03, seed=3, log=log) as board, driver(0, serial_port=board.port) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 700)
        data = host.get_board_data()
        host.stop_stream()
    fates = [line.split(",")[2] for line in log.read_text().splitlines()]
    kept = [i for i, fate in enumerate(fates) if fate == "sent"][: data.shape[1]]
    assert np.array_equal(data[0], np.array(kept) % 256)
    assert np.allclose(data[1], gui_rows(path)[kept, 0], atol=COUNT_UV)
    assert fates[: kept[-1]].count("dropped") == kept[-1] + 1 - len(kept) > 5


@pytest.mark.realtime
def test_brainflow_survives_garbled_packets():
    with Cyton(garble=0.1, seed=5) as board, driver(0, serial_port=board.port) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 500)
        data = host.get_board_data()
        host.stop_stream()
    garbled = board.summary["garbled"]
    assert garbled > 20
    whole = Simulated(8, 5)
    wanted = np.array([whole.at(i, 250)[0] for i in range(board.summary["packets"])])
    right = [np.abs(wanted - row).max(axis=1).min() < COUNT_UV for row in data[1:9].T]
    assert sum(right) >= data.shape[1] - 2 * garbled


@pytest.mark.realtime
def test_brainflow_measures_the_resistances():
    ohm = (1e3, 5e3, 1e4, 2e4, 5e4, 1e5, 3e5, 2e6)
    with Cyton(resistance=ohm) as board, driver(0, serial_port=board.port) as host:
        board.firmware.source = Constant([0.0] * 8)
        said = host.config_board("".join(f"z{c}10Z" if c % 2 else f"z{c}01Z" for c in range(1, 9)))
        assert said.count("Success: Lead off set") == 8
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 256)
        data = host.get_board_data()[1:9, :256]
        host.stop_stream()
    peak = 2 * np.abs(np.fft.rfft(data)[:, 32]) / 256  # 31.25 Hz
    assert np.allclose(peak * 1e-6 / 6e-9 - 2200, ohm, rtol=0.01, atol=10)
    rms = np.sqrt(2) * data.std(axis=1)  # OpenBCI's GUI
    assert np.allclose(rms * 1e-6 / 6e-9 - 2200, ohm, rtol=0.01, atol=10)


@pytest.mark.realtime
def test_brainflow_reads_sixteen_channels_of_a_daisy(shared):
    path = shared("openbci-gui/gui-v5-daisy-railed.txt")
    rows = np.array([s.split(",")[1:17] for s in path.read_text().splitlines() if s[:1].isdigit()], float)
    with Cyton(file=path) as board, driver(2, serial_port=board.port) as host:
        assert board.firmware.daisy
        host.config_board("".join(f"x{c}000110X" for c in "12345678QWERTYUI"))  # the recording was made at gain 1
        host.start_stream()
        until(lambda: host.get_board_data_count() >= 250)
        data = host.get_board_data()
        host.stop_stream()
    n = data.shape[1]
    scale = COUNT_UV * 24
    wanted = np.clip(rows[:n], -(2**23) * scale, (2**23 - 1) * scale)
    assert np.array_equal(data[0], 2 * np.arange(n) % 256)
    assert np.abs(data[1:17].T - wanted).max() <= scale  # half a count, and float32 at 4.5 V
    assert len(np.unique(np.round(data[1:17, 1]))) > 2
