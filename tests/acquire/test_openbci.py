"""The board openbci over BrainFlow's own driver, against the emulated boards on pseudo-terminals and loopback."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from bcikit.acquire import _ports
from bcikit.acquire._brainflow import EXITS
from bcikit.acquire._ports import Port
from bcikit.acquire.emulate._cyton import CytonFirmware
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.acquire.emulate.ganglion import Ganglion
from bcikit.acquire.emulate.wifi import Wifi
from bcikit.acquire.openbci import GAINS, MONTAGE, Openbci
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.label import Label
from bcikit.files.montage import position
from bcikit.files.read import read
from tests.conftest import LATE_S

pytestmark = pytest.mark.realtime
GUI = "openbci-gui/gui-v6.txt"
COUNT_UV = 4.5e6 / (2**23 - 1)  # at gain 1; docs.openbci.com, Cyton Data Format


class Played:
    """What a board gives: its chunks, and the moment of each change of state."""

    def __init__(self, board, seconds=0.0, until=None):
        self.chunks, self.states = [], []
        begin = time.monotonic()
        while time.monotonic() - begin < seconds or (until and not until(self)):
            assert time.monotonic() - begin < 40, "waited in vain"
            c = board.read(0.05)
            if c is not None:
                self.chunks.append(c)
            if not self.states or self.states[-1][0] != board.status.state:
                self.states.append((board.status.state, time.monotonic()))
        self.data = np.concatenate([c.data for c in self.chunks])
        self.index = np.concatenate([np.arange(c.first, c.end) for c in self.chunks])

    def when(self, state, nth=0):
        return [t for s, t in self.states if s == state][nth]

    @property
    def gaps(self):
        return [(a.end, b.first - a.end) for a, b in zip(self.chunks, self.chunks[1:], strict=False) if b.first != a.end]


def resumed(p):
    return [s for s, _ in p.states].count("streaming") > 1 and p.chunks[-1].end > p.gaps[-1][0] + p.gaps[-1][1] + 200


class Constant:
    """A source that measures the same all the time; `at` may be replaced."""

    channels = 16

    def __init__(self, microvolts):
        self.microvolts = np.asarray(microvolts, float)

    def at(self, tick, rate):
        return self.microvolts, np.array([0.5, -1.0, 2.0])


@pytest.fixture
def gui(shared):
    recording = read(shared(GUI))
    return shared(GUI), recording.data[:, recording.stream.of_kind("eeg")]


# -- what comes is what was measured


def test_the_microvolts_are_those_of_the_recording(gui):
    path, truth = gui
    with Cyton(file=path) as emulator:
        board = Openbci(port=emulator.port)
        board.label = Label(subjects=frozenset({"S1"}))
        with board:
            stream = board.open()
            p = Played(board, 4)
            status = board.status
    assert stream.names[:8] == tuple(MONTAGE[:8]) and stream.rate == 250 and stream.label == board.label
    assert all(c.kind == "eeg" and c.unit == "µV" and c.position == position(c.name) for c in stream.channels[:8])
    assert [(c.kind, c.unit) for c in stream.channels[8:]] == [("accel", "g")] * 3
    assert stream.info["model"] == "cyton" and stream.info["firmware"].startswith("v3")
    assert np.abs(p.data[:, :8] - truth[p.index]).max() < COUNT_UV / 24 / 2
    assert status.lost == 0 and not p.gaps and len(p.index) > 900
    assert status.rate_hz == pytest.approx(250, rel=0.05) and 0 < status.clock_s < LATE_S and abs(status.age_s) < LATE_S


def test_every_gain_changes_the_command_and_the_scale(gui):
    path, truth = gui
    gains = (*GAINS, 24)
    with Cyton(file=path) as emulator, Openbci(port=emulator.port, gain=gains, bias=False, off=()) as board:
        board.open()
        p = Played(board, 2)
        told = [s[1:6] for s in emulator.firmware.settings[:8]]
    assert told == [f"{GAINS.index(g)}0010" for g in gains]
    error = np.abs(p.data[:, :8] - np.clip(truth[p.index], -np.inf, np.inf)).max(axis=0)
    assert (error <= COUNT_UV / np.array(gains) / 2 + 0.01).all()


@pytest.mark.parametrize("gain, full_mv", [(24, 187.5), (1, 4500.0)])  # docs.openbci.com: ±4.5 V / gain
def test_complaint_01_full_scale_is_the_vendors_range(gain, full_mv):
    with Cyton() as emulator, Openbci(port=emulator.port, gain=(gain,)) as board:
        emulator.firmware.source = Constant([9e6, -9e6, 0, 1e3 * full_mv / 2] * 4)
        board.open()
        p = Played(board, 0.5)
    assert p.data[-1, :4] == pytest.approx([1e3 * full_mv, -1e3 * full_mv, 0, 1e3 * full_mv / 2], rel=1e-6, abs=0.3)
    assert p.data[-1, 8:11] == pytest.approx([0.5, -1, 2], abs=0.002 / 16), "accelerometer, g"


def test_complaint_03_a_ganglions_scale_is_the_vendors():
    full = 1.2e6 / (1.5 * 51)  # docs.openbci.com, Ganglion Data Format
    step = 2**6 * full / 8388607  # 18 bits of 24
    with Ganglion(drop=0.03, seed=5) as emulator, Openbci(model="ganglion", port=emulator.port) as board:
        emulator.firmware.source = Constant([full, -full, full / 2, 100.0])
        stream = board.open()
        p = Played(board, 3)
        status, fates = board.status, dict(emulator.fates)
    assert stream.rate == 200 and stream.names[:4] == ("EEG1", "EEG2", "EEG3", "EEG4") and not status.note
    assert np.abs(p.data[:, :4] - [full, -full, full / 2, 100]).max() < 2 * step
    assert status.lost % 2 == 0 and abs(status.lost - 2 * fates["dropped"]) <= 4 and status.lost > 0


def test_a_daisy_is_recognised_and_its_losses_counted():
    with Cyton(daisy=True) as emulator, Openbci(port=emulator.port) as board:
        emulator.firmware.source = Constant(np.arange(16) * 10.0)
        stream = board.open()
        p = Played(board, 1.5)
        assert not p.gaps and board.status.lost == 0
        emulator.drop = 0.05
        p = Played(board, 4)
        emulator.drop = 0.0
        lost, dropped = board.status.lost, emulator.fates["dropped"]
    assert stream.rate == 125 and stream.names[:16] == tuple(MONTAGE)
    assert np.abs(p.data[:, :16] - np.arange(16) * 10).max() < COUNT_UV / 24
    assert 0.8 * dropped <= lost <= dropped  # two lost halves may be of one sample


@pytest.mark.parametrize("aux, kinds", [("analog", {"aux"}), ("digital", {"digital"}), ("off", set())])
def test_auxiliary_inputs_are_channels_of_their_kinds(aux, kinds):
    with Cyton() as emulator, Openbci(port=emulator.port, aux=aux) as board:
        stream = board.open()
        p = Played(board, 1.5)
    assert {c.kind for c in stream.channels[8:]} == kinds
    for i, c in enumerate(stream.channels[8:], 8):
        if c.kind == "digital":
            assert set(p.data[:, i]) <= {0.0, 1.0}
        else:
            assert c.unit == "V" and (p.data[:, i] >= 0).all() and (p.data[:, i] <= 3.3).all() and p.data[:, i].std() > 0
    if aux == "digital":
        assert set(p.data[:, 8]) == {0.0, 1.0}


@pytest.mark.parametrize(
    "under, model, rate", [("cyton", "auto", 500), ("daisy", "daisy_wifi", None), ("ganglion", "auto", None)]
)
def test_over_wifi(under, model, rate):
    try:
        emulator = Wifi(under, drop=0.02, seed=1)
        emulator.open()
        emulator.close()
    except DeviceTrouble as trouble:
        pytest.skip(f"left out: {trouble.what} {trouble.why}")
    with Wifi(under, drop=0.02, seed=1) as emulator, Openbci(ip=emulator.address, model=model, rate=rate) as board:
        stream = board.open()
        p = Played(board, 2)
        lost, dropped = board.status.lost, emulator.fates["dropped"]
    assert stream.rate == (rate or (1600 if under == "ganglion" else 1000))
    assert len(stream.of_kind("eeg")) == {"cyton": 8, "daisy": 16, "ganglion": 4}[under]
    assert 0 < lost <= dropped + 1 and len(p.data) > 1.2 * stream.rate
    if under != "daisy":
        assert lost >= dropped - 10


# -- losses and silence


def test_lost_packets_are_counted_exactly(gui, tmp_path):
    path, truth = gui
    log = tmp_path / "packets.csv"
    with Cyton(file=path, drop=0.03, seed=3, log=log) as emulator, Openbci(port=emulator.port) as board:
        board.open()
        p = Played(board, 5)
        lost = board.status.lost
    fates = [line.split(",")[-1] for line in log.read_text().splitlines()]
    sent = [i for i, fate in enumerate(fates) if fate == "sent"]
    sent = np.array(sent[: len(p.index)]) - sent[0]
    assert np.array_equal(p.index, sent), "each sample stands where it was taken"
    assert lost == sent[-1] + 1 - len(sent) > 10
    assert np.abs(p.data[:, :8] - truth[p.index + fates.index("sent")]).max() < COUNT_UV / 24 / 2


def test_complaint_08_silence_is_said_nothing_is_repeated_and_the_gap_is_where_it_was(gui):
    path, truth = gui
    with Cyton(file=path, stall=((1.5, 2.0),)) as emulator, Openbci(port=emulator.port) as board:
        board.open()
        p = Played(board, until=resumed)
        stalled = emulator.fates["stalled"]
    (end, gap), *more = p.gaps
    newest = p.when("streaming") + end / 250
    assert p.when("stale") - newest < 0.3 + 0.15
    assert p.when("streaming", 1) - (newest + stalled / 250) < 1.0
    assert not more and abs(gap - stalled) <= 1
    assert np.abs(p.data[:, :8] - truth[p.index]).max() < COUNT_UV / 24 / 2


def test_a_port_that_vanishes_and_comes_back(gui):
    path, truth = gui
    with Cyton(file=path, vanish=((1.5, 1.5),)) as emulator, Openbci(port=emulator.port) as board:
        board.open()
        p = Played(board, until=resumed)
    (end, _), *more = p.gaps
    assert "reconnecting" in dict(p.states) and not more
    assert p.when("streaming", 1) - (p.when("streaming") + end / 250 + 1.5) < 2.0 + 0.5
    wrong = [np.abs(p.data[p.index > end, :8] - truth[p.index[p.index > end] + k]).max() for k in range(-3, 4)]
    assert min(wrong) < COUNT_UV / 24 / 2, "the samples behind the gap stand within 3 of their place"


def test_a_ganglion_whose_dongle_vanishes_neither_hangs_nor_forgets():
    with Ganglion(vanish=((1.0, 1.0),)) as emulator, Openbci(model="ganglion", port=emulator.port) as board:
        board.open()
        p = Played(board, until=resumed)
    assert "reconnecting" in dict(p.states) and p.gaps[0][1] > 100


def test_garbled_packets_are_lost_and_nothing_is_invented(gui):
    path, truth = gui
    with Cyton(file=path, garble=0.05, seed=2) as emulator, Openbci(port=emulator.port) as board:
        board.open()
        p = Played(board, 4)
        lost, garbled = board.status.lost, emulator.fates["garbled"]
    assert np.abs(p.data[:, :8] - truth[p.index]).max() < COUNT_UV / 24 / 2
    assert lost == p.index[-1] + 1 - len(p.index) and 0 < lost <= 15 * garbled


def test_complaint_10_a_board_that_stays_away_is_lost_after_a_stated_time():
    for fault in ({"vanish": ((0.5, 60.0),)}, {"stall": ((0.5, 60.0),)}):
        with Cyton(**fault) as emulator, Openbci(port=emulator.port, reconnect_s=1.0) as board:
            board.open()
            begin = time.monotonic()
            with pytest.raises(DeviceTrouble) as told:
                Played(board, 20)
            assert time.monotonic() - begin < 6 + LATE_S and board.status.state == "lost" and told.value.do
            assert board.read(0.01) is None


def test_another_board_on_the_same_port_is_refused(tmp_path):
    link = tmp_path / "port"
    board = Openbci(port=str(link))
    with board:
        with Cyton(link=link):
            board.open()
            Played(board, 0.5)
        with Cyton(link=link, daisy=True), pytest.raises(DeviceTrouble, match="came back with 19 channels at 125 Hz"):
            Played(board, 20)


def test_a_board_that_was_switched_off_and_on_streams_again():
    with Cyton() as emulator, Openbci(port=emulator.port) as board:
        board.open()
        Played(board, 0.5)
        emulator.firmware.streaming = False  # as after its switch: there, but not told to stream
        p = Played(board, until=lambda p: "stale" in dict(p.states) and p.states[-1][0] == "streaming")
        lost = board.status.lost
    assert lost == pytest.approx(250 * (p.states[-1][1] - p.when("stale") + 0.25), abs=60)


# -- rates, units, times


def test_a_device_of_another_rate_is_said(monkeypatch):
    monkeypatch.setattr(CytonFirmware, "packets_per_s", 256.0)
    with Cyton() as emulator, Openbci(port=emulator.port) as board:
        board.open()
        Played(board, until=lambda p: "not 250" in board.status.note)
        status = board.status
    assert status.rate_hz == pytest.approx(256, rel=0.002) and "not 250" in status.note


@pytest.mark.parametrize("scale, said", [(1e4, True), (1.0, False)])
def test_complaint_02_units_that_are_off_by_powers_of_ten_are_flagged(scale, said):
    source = Constant(np.zeros(16))
    source.at = lambda tick, rate: (np.full(16, 30.0 * scale * (1 if tick % 20 < 10 else -1)), np.zeros(3))
    with Cyton() as emulator, Openbci(port=emulator.port) as board:
        emulator.firmware.source = source
        board.open()
        p = Played(board, 1.5)
        note = board.status.note
    events = [e for c in p.chunks for e in c.events]
    assert [e.name for e in events] == ["units"] * said and ("µV" in note) == said


def test_marks_stand_where_they_were_made_and_times_do_not_run_backwards():
    with Cyton() as emulator, Openbci(port=emulator.port) as board:
        board.open()
        early, _ = board.index_of(time.monotonic())
        p = Played(board, 3)
        index, uncertainty = board.index_of(p.chunks[-1].time)
        later, _ = board.index_of(p.chunks[-1].time + 1)
    assert abs(early) < 25 and 0 < uncertainty < 0.02
    assert index == pytest.approx(p.chunks[-1].end - 1, abs=2) and later - index == pytest.approx(250, rel=0.01)
    assert (np.diff([c.time for c in p.chunks]) >= 0).all()


# -- what a user can do wrong


def test_what_is_wrong_with_the_port_is_told_apart(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceTrouble, match="There is no port"):
        Openbci(port=str(tmp_path / "none")).open()
    with pytest.raises(DeviceTrouble, match="not a serial port"):
        Openbci(port=str(tmp_path / "file")).open()
    with Cyton(power=False) as off, pytest.raises(DeviceTrouble, match="no board answers on any radio channel"):
        Openbci(port=off.port).open()
    with Cyton(channel=7, dongle_channel=3) as astray:
        with pytest.raises(DeviceTrouble, match="on radio channel 7, the dongle on 3") as told:
            Openbci(port=astray.port).open()
        assert "radio_channel=7" in told.value.do and astray.dongle_channel == 3
        with Openbci(port=astray.port, radio_channel=7) as board:
            board.open()
            assert len(Played(board, 0.3).data)


def test_one_port_two_boards():
    with Cyton() as emulator, Openbci(port=emulator.port) as board:
        board.open()
        with pytest.raises(DeviceTrouble, match="in use by this process"):
            Openbci(port=emulator.port).open()
        assert len(Played(board, 0.3).data), "the first one goes on"


def test_the_port_is_found_where_there_is_one_and_asked_for_where_there_are_more(monkeypatch):
    with Cyton() as emulator:
        dongles = [
            Port(emulator.port, "OpenBCI dongle (FTDI)", "0403", "6015", "A1"),
            Port("/dev/ttyACM9", "Arduino", "2341"),
        ]
        monkeypatch.setattr(_ports, "ports", lambda: dongles)
        with Openbci() as board:
            board.open()
            assert len(Played(board, 0.3).data)
        dongles.append(Port("/dev/ttyUSB7", "OpenBCI dongle (FTDI)", "0403", "6015", "B2"))
        with pytest.raises(DeviceTrouble, match=r"2 OpenBCI dongles.*B2"):
            Openbci().open()
        del dongles[0], dongles[-1]
        with pytest.raises(DeviceTrouble, match="No OpenBCI dongle"):
            Openbci().open()


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"channels": ("A", "B")}, "has 8 inputs"),
        ({"channels": ("A",) * 8}, "different names"),
        ({"gain": (24, 24)}, "can have 1, or 8"),
        ({"off": (9,)}, "has 8 inputs"),
        ({"rate": 500}, "fixed rate"),
        ({"model": "daisy"}, "no Daisy"),
    ],
)
def test_settings_that_do_not_fit_the_board(settings, said):
    with Cyton() as emulator:
        with pytest.raises((WrongUse, DeviceTrouble), match=said):
            Openbci(port=emulator.port, **settings).open()
        with Openbci(port=emulator.port) as board:  # and the port is free again
            board.open()


def test_settings_out_of_bounds():
    for settings in ({"gain": "5"}, {"model": "cytn"}, {"stale_s": "-1"}, {"radio_channel": "26"}):
        with pytest.raises(WrongUse):
            Openbci.make(settings)


def test_a_clock_that_jumps_is_refused():
    board = Openbci(port="/dev/null")
    board.clock = JumpClock()
    with pytest.raises(WrongUse, match="wall clock"):
        board.open()


def test_closing_is_final_and_leaves_nothing():
    def left():
        return threading.active_count(), sorted(os.readlink(f"/proc/self/fd/{f}") for f in os.listdir("/proc/self/fd")[:-1])

    with Cyton() as emulator:
        with Openbci(port=emulator.port) as board:
            board.open()  # libraries open what they keep for good
        board = Openbci(port=emulator.port)
        board.close()
        before = threading.active_count(), len(os.listdir("/proc/self/fd"))
        board.open()
        Played(board, 0.3)
        board.close()
        board.close()
        assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
        assert board.read(0.01) is None and board.status.state == "ended"
        board.open()  # and it may be opened again, as new
        assert Played(board, 0.3).index[0] == 0
        board.close()


def test_every_error_of_the_driver_that_has_words_exists():
    from brainflow import BrainFlowExitCodes

    assert set(EXITS) <= {e.name for e in BrainFlowExitCodes}
