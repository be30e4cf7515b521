"""Boards whose samples bear a number: what comes is what was sent, what is lost is counted, silence is told, and a
connection that breaks is made again. Intan's over its emulator, `socket` over sockets, Blackrock's over a stand-in."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

from bcikit.acquire.blackrock import Blackrock
from bcikit.acquire.emulate.rhx import FRAMES, Firmware, Rhx
from bcikit.acquire.intan import Commands, Intan
from bcikit.acquire.socket import Socket
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.label import Label
from bcikit.simulate.played import rendered
from tests.conftest import LATE_S

pytestmark = pytest.mark.realtime


class Played:
    """What a board gives, and its states in order."""

    def __init__(self, board, enough, most_s=20.0):
        self.chunks, self.states = [], []
        end = time.monotonic() + most_s
        while not enough(self):
            assert time.monotonic() < end, f"waited in vain: {self.states}, {board.status}"
            c = board.read(0.05)
            if c is not None:
                self.chunks.append(c)
            if self.states[-1:] != [board.status.state]:
                self.states.append(board.status.state)

    @property
    def n(self):
        return sum(map(len, self.chunks))

    @property
    def data(self):
        return np.concatenate([c.data for c in self.chunks])

    @property
    def index(self):
        return np.concatenate([np.arange(c.first, c.end) for c in self.chunks])

    @property
    def times(self):
        return np.array([c.time for c in self.chunks])


def came(n):
    return lambda p: p.n >= n


def again(p):
    """Streaming for the second time, and for a while."""
    return p.states.count("streaming") > 1 and p.chunks[-1].end > p.missing[-1][0] + p.missing[-1][1] + 2000


def rows(wave, index):
    return wave[index % len(wave)]


Played.missing = property(
    lambda p: [(a.end, b.first - a.end) for a, b in zip(p.chunks, p.chunks[1:], strict=False) if b.first != a.end]
)


# -- Intan


def intan(rhx, **settings):
    return Intan(port=rhx.where, **settings)


def test_the_counts_are_those_that_rhx_measured():
    truth = rendered(130, 20_000, FRAMES, seed=3)
    label = Label(subjects=frozenset({"S1"}))
    with Rhx(130, 20_000, port=0, seed=3) as rhx:
        board = intan(rhx)
        board.label = label
        with board:
            stream = board.open()
            p = Played(board, came(20_000))
            status = board.status
            assert rhx.streaming and rhx.firmware.blocks_per_write == 1
    assert stream.names[0] == "A-000" and stream.names[127:] == ("A-127", "B-000", "B-001")
    assert stream.rate == 20_000 and stream.scale == 0.195 and stream.dtype == np.int16 and stream.label == label
    assert p.data.dtype == np.int16 and np.array_equal(p.data, rows(truth, p.index)) and not p.missing
    assert status.lost == 0 and status.note == "" and abs(status.age_s) < LATE_S and 0 < status.clock_s < LATE_S
    assert (np.diff(p.times) > 0).all() and not rhx.streaming, "the run that it began ends with it"


def test_channels_are_chosen_by_their_names():
    truth = rendered(40, 30_000, FRAMES)
    with Rhx(40, port=0) as rhx, intan(rhx, channels=("a-007", "A-031")) as board:
        assert board.open().names == ("A-007", "A-031")
        p = Played(board, came(1000))
        assert np.array_equal(p.data, rows(truth, p.index)[:, [7, 31]])
    with Rhx(40, port=0) as rhx, pytest.raises(WrongUse, match="no channel B-000"):
        intan(rhx, channels=("B-000",)).open()


def test_a_run_that_is_under_way_is_taken_as_it_is_and_goes_on():
    with Rhx(4, port=0) as rhx:
        rhx.firmware.hear(b"set A-001.tcpdataoutputenabled true;")
        rhx._told(b"set runmode run")
        with intan(rhx) as board:
            assert board.open().names == ("A-001",)
            Played(board, came(500))
        assert rhx.streaming
        with pytest.raises(DeviceTrouble, match="sends 1 channels, not those asked for"):
            intan(rhx, channels=("A-002",)).open()


def test_a_client_that_takes_another_s_place_is_not_hung_up_with_it():
    rhx = Rhx(4, port=0)
    rhx.connect()
    try:
        where = ("127.0.0.1", rhx.where)
        with socket.create_connection(where):
            rhx.listen(5.0)
        with socket.create_connection(where, timeout=5.0) as new:  # both are news now: the old one's end, the new one
            rhx.listen(5.0)
            new.sendall(b"get RunMode;")
            rhx.listen(5.0)
            assert b"Stop" in new.recv(1000)
    finally:
        rhx.disconnect()


def test_blocks_that_rhx_drops_are_counted_by_its_timestamps():
    truth = rendered(8, 30_000, FRAMES, seed=2)
    with Rhx(8, port=0, drop=0.1, seed=2) as rhx, intan(rhx) as board:
        board.open()
        p = Played(board, lambda p: p.n >= 40_000 and board.status.lost == sum(n for _, n in p.missing))
        lost, fates = board.status.lost, dict(rhx.fates)  # a busy reader is behind with some of them
    assert all(n % FRAMES == 0 for _, n in p.missing)
    assert lost // FRAMES <= fates["dropped"] and lost // FRAMES > 10
    begins = range(0, 6 * FRAMES, FRAMES)  # the first blocks may be among the dropped
    assert any(np.array_equal(p.data, rows(truth, p.index + begin)) for begin in begins)


def test_what_is_no_block_is_skipped_and_told():
    with Rhx(8, port=0, garble=0.1, seed=1) as rhx, intan(rhx) as board:
        board.open()
        p = Played(board, came(30_000))
        note, lost = board.status.note, board.status.lost
    assert "bytes that are no packet" in note
    assert lost == sum(n for _, n in p.missing) and len(p.index) == len(set(p.index.tolist()))


def test_silence_is_stale_and_what_was_missed_is_counted():
    with Rhx(8, port=0, stall=((0.5, 0.8),)) as rhx, intan(rhx) as board:
        board.open()
        p = Played(board, lambda p: "stale" in p.states and again(p))
        lost = board.status.lost
    assert p.states == ["streaming", "stale", "streaming"]
    assert lost == sum(n for _, n in p.missing) and abs(lost - 0.8 * 30_000) <= FRAMES


def test_a_broken_connection_is_made_again_and_the_numbers_tell_the_loss():
    with Rhx(8, port=0, vanish=((0.4, 0.5),)) as rhx, intan(rhx) as board:
        board.open()
        p = Played(board, again)
        assert rhx.streaming
        lost = board.status.lost
    assert p.states == ["streaming", "reconnecting", "streaming"]
    assert lost == sum(n for _, n in p.missing) and 0.5 <= lost / 30_000 < 1.5 and lost % FRAMES == 0
    assert not rhx.streaming, "it was begun here"


def test_a_board_that_does_not_come_back_is_lost():
    with Rhx(8, port=0, vanish=((0.3, 30.0),)) as rhx, intan(rhx, reconnect_s=0.3) as board:
        board.open()
        with pytest.raises(DeviceTrouble, match="RHX"):
            Played(board, lambda p: False)
        assert board.status.state == "lost" and board.read(0.01) is None
    assert not [t for t in threading.enumerate() if t.name == "bcikit-reconnect"]


def test_what_cannot_be_is_told():
    with pytest.raises(DeviceTrouble, match="RHX does not answer at"):
        Intan(port=1, waveforms=1).open()
    with pytest.raises(WrongUse, match="no 2000 channels"):
        Rhx(2000)
    board = Intan()
    board.clock = JumpClock()
    with pytest.raises(WrongUse, match="wall clock"):
        board.open()
    with Rhx(4, port=0) as rhx:
        said = rhx.firmware.hear(b"get nothing; dance; set A-000.tcpdataoutputenabled maybe").decode()
    assert said == "Unrecognized parameterError - Command 1: Unrecognized commandError: not done"


@pytest.mark.parametrize("name", ["sampleratehertz", "a.numberamplifierchannels"])
@pytest.mark.parametrize("said", ["nan", "-5", "1e12", "many"])
def test_a_number_that_cannot_be_is_told(monkeypatch, name, said):
    tell = Firmware._tell
    answer = f"Return: {name.rpartition('.')[2]} {said}"
    monkeypatch.setattr(Firmware, "_tell", lambda self, asked: answer if asked == name else tell(self, asked))
    with Rhx(channels=4) as rhx, pytest.raises(DeviceTrouble, match="RHX says that its"):
        intan(rhx).open()


def test_what_talks_without_end_and_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("bcikit.acquire.intan.CONNECT_S", 0.3)
    ours, theirs = socket.socketpair()

    def talk():
        with theirs, contextlib.suppress(OSError):
            while True:
                theirs.send(b"well, ")
                time.sleep(0.01)

    thread = threading.Thread(target=talk)
    thread.start()
    with ours, pytest.raises(DeviceTrouble, match="does not answer"):
        Commands(ours).get("RunMode")
    thread.join()


def test_bcikit_emulate_rhx_at_1024_channels():
    run = [sys.executable, "-m", "bcikit.cli.main", "emulate", "rhx", "--channels", "1024", "--port", "0", "--seconds", "12"]
    process = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
    try:
        assert select.select([process.stdout], [], [], 20)[0]
        host, port = process.stdout.readline().removeprefix("port: ").strip().rsplit(":", 1)
        with Intan(address=host, port=int(port)) as board:
            assert len(board.open().channels) == 1024
            p = Played(board, came(15_000))
            assert board.status.lost == 0 and not p.missing
        process.terminate()
        assert json.loads(process.communicate(timeout=10)[0].splitlines()[-1])["sent"] > 100
    finally:
        process.kill()
        process.wait()


# -- any socket


class Sender:
    """Packets of a header (magic, number) and 10 rows of 3 channels, 2,000 samples a second, to whoever connects."""

    def __init__(self, packets=range(10_000), udp=None, pace=0.005):
        self.packets, self.pace, self.udp = iter(packets), pace, udp
        self.server = socket.create_server(("127.0.0.1", 0)) if udp is None else None
        self.halt, self.cut, self.quiet = threading.Event(), threading.Event(), threading.Event()

    @property
    def port(self):
        return self.server.getsockname()[1]

    @staticmethod
    def packet(k):
        x = np.arange(k * 10, k * 10 + 10)[:, None] * [1, 2, 3]
        return b"\x4b\x0b" + (k * 10 % 65536).to_bytes(2, "big") + x.astype(">i2").tobytes()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.halt.set()
        if self.server is not None:
            socket.create_connection(self.server.getsockname()).close()
        self.thread.join(5)
        if self.server is not None:
            self.server.close()

    def run(self):
        while not self.halt.is_set():
            to = self.server.accept()[0] if self.server is not None else socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            due = time.monotonic()
            with to:
                while not (self.halt.is_set() or self.cut.is_set()):
                    due += self.pace
                    time.sleep(max(0.0, due - time.monotonic()))
                    k = next(self.packets)
                    if k is None or self.quiet.is_set():
                        continue
                    try:
                        to.sendall(self.packet(k)) if self.udp is None else to.sendto(
                            self.packet(k), ("127.0.0.1", self.udp)
                        )
                    except OSError:
                        break
            self.cut.clear()


LAID_OUT = dict(n=3, rate=2000.0, samples=10, order="big", header=4, magic="4b0b", counter=2, counter_type="u2", scale=0.5)


def steps(p):
    """The rows that came, as what `Sender` counts."""
    assert np.array_equal(p.data[:, 1], (p.data[:, 0].astype(int) * 2).astype(np.int16))
    return p.data[:, 0]


def test_a_socket_gives_what_was_sent_across_the_turn_of_its_number():
    with Sender(range(6500, 20_000)) as sender, Socket(port=sender.port, **LAID_OUT) as board:
        stream = board.open()
        assert stream.scale == 0.5 and stream.names == ("e1", "e2", "e3") and stream.rate == 2000
        p = Played(board, came(1500))
        assert board.status.lost == 0 and not p.missing
    assert np.array_equal(steps(p), (65_000 + p.index).astype(np.int16))


def test_what_a_socket_lost_is_counted_to_the_sample():
    gone = {20, 21, 22, 60}
    with Sender(k for k in range(10_000) if k not in gone) as sender, Socket(port=sender.port, **LAID_OUT) as board:
        board.open()
        p = Played(board, came(1000))
        assert board.status.lost == 40
    assert p.missing == [(200, 30), (600, 10)] and np.array_equal(steps(p), p.index.astype(np.int16))


def test_a_sockets_silence_is_stale_and_its_end_is_mended():
    with Sender() as sender, Socket(port=sender.port, stale_s=0.1, **LAID_OUT) as board:
        board.open()
        p = Played(board, came(200))
        sender.quiet.set()
        assert Played(board, lambda p: "stale" in p.states).states[-1] == "stale"
        sender.quiet.clear()
        q = Played(board, came(100))
        sender.cut.set()
        r = Played(board, lambda p: p.states[-2:] == ["reconnecting", "streaming"])
        lost = board.status.lost
    for one in (p, q, r):
        assert np.array_equal(steps(one), one.index.astype(np.int16))
    assert q.chunks[0].first > p.chunks[-1].end and lost >= 100


def test_a_source_that_counts_anew_goes_on_by_the_clock():
    later = [None] * 100
    with Sender([*range(5000, 5100), *later, *range(100)]) as sender, Socket(port=sender.port, **LAID_OUT) as board:
        board.open()
        p = Played(board, came(1500))
    (at, n), *more = p.missing
    assert at == 1000 and not more and abs(n - 1000) < 200, "half a second, by the clock"
    assert np.array_equal(p.data[at:, 0], np.arange(len(p.data) - at))


def test_datagrams_that_come_twice_or_late_are_left_out():
    order = [*range(30), 29, 28, *range(30, 50), 51, 50, *range(52, 300)]
    free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with Socket(port=port, protocol="udp", **LAID_OUT) as board:
        board.open()
        with Sender(order, udp=port):
            p = Played(board, came(1200))
        assert board.status.lost == 10 and "30 samples repeated or out of order" in board.status.note
    assert p.missing == [(500, 10)] and np.array_equal(steps(p), p.index.astype(np.int16))


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"magic": "xyz"}, "is not bytes"),
        ({"header": 3}, "too short"),
        ({"channels": ("a", "a", "b")}, "names 2 different channels"),
        ({"n": 65536, "samples": 65536}, "8589934596 bytes is too long"),
        ({"protocol": "udp", "n": 128, "samples": 256}, "65540 bytes is too long: over udp it has 65507"),
    ],
)
def test_a_layout_that_cannot_be_is_told(settings, said):
    with pytest.raises(WrongUse, match=said):
        Socket(port=1, **{**LAID_OUT, **settings}).open()
    with pytest.raises(DeviceTrouble, match="does not answer at"):
        Socket(port=1, **LAID_OUT).open()


# -- Blackrock


class Library(types.ModuleType):
    """A stand-in for pycbsdk: what the board calls of it, and no more."""

    def __init__(self):
        super().__init__("pycbsdk")
        self.sessions = []
        self.answers = True

    def Session(self, device):
        if not self.answers:
            raise RuntimeError("no device")
        self.sessions.append(Session())
        return self.sessions[-1]


class Session:
    running = True
    unit = "uV"

    def __init__(self):
        self.open = True

    def get_group_channels(self, group):
        return [3, 4] if group == 5 else []

    def get_channel_label(self, n):
        return f"elec{n}"

    def get_channel_scaling(self, n):
        return {"digmin": -32764, "digmax": 32764, "anamin": -8191, "anamax": 8191, "anaunit": self.unit}

    def on_error(self, fn):
        self.error = fn

    def on_group_batch(self, group):
        return lambda fn: setattr(self, "give", fn)

    def send(self, begin, end, clock=1_000_000_000, ppm=0):
        k = np.arange(begin, end)
        times = clock + np.rint(k * (1e9 / 30_000) * (1 + ppm * 1e-6)).astype(np.uint64)
        self.give(np.column_stack([k % 1000, -(k % 1000)]).astype(np.int16), times.astype(np.uint64))

    def close(self):
        self.open = False


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setitem(sys.modules, "pycbsdk", made)
    return made


def test_blackrocks_samples_bear_the_processors_scale_and_time(library):
    with Blackrock() as board:
        stream = board.open()
        assert stream.names == ("elec3", "elec4") and stream.rate == 30_000
        assert stream.scale == pytest.approx((0.25, 0.25), rel=1e-9)
        session = library.sessions[0]
        for a in range(0, 3000, 30):
            session.send(a, a + 30, ppm=30)
        session.send(3060, 3090, ppm=30)
        p = Played(board, came(3030))
        assert board.status.lost == 60
        session.error("a packet was dropped")
        assert "dropped" in board.status.note
    assert p.missing == [(3000, 60)] and np.array_equal(p.data[:, 0], p.index % 1000) and not session.open


def test_blackrocks_silence_and_return(library):
    with Blackrock(stale_s=0.05) as board:
        board.open()
        library.sessions[0].send(0, 300)
        assert Played(board, lambda p: "stale" in p.states).n == 300
        library.sessions[0].running = False
        Played(board, lambda p: "reconnecting" in p.states)
        Played(board, lambda p: len(library.sessions) == 2 and board._again is None)
        library.sessions[1].send(0, 300, clock=77)
        p = Played(board, came(300))
        lost, state = board.status.lost, board.status.state
    assert state == "streaming" and lost == p.chunks[0].first - 300 > 0


def test_what_blackrocks_processor_does_not_say_is_told(library, monkeypatch):
    with pytest.raises(DeviceTrouble, match="no channel in the group raw"):
        Blackrock(group="raw").open()
    monkeypatch.setattr(Session, "unit", "furlong")
    with pytest.raises(DeviceTrouble, match="what a count of channel 3 is"):
        Blackrock().open()
    library.answers = False
    with pytest.raises(DeviceTrouble, match="HUB1 does not answer"):
        Blackrock().open()
    assert not [s for s in library.sessions if s.open]


def test_without_its_library_blackrock_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycbsdk", None)
    with pytest.raises(WrongUse, match="needs the library pycbsdk"):
        Blackrock().open()


def test_nothing_is_left_open():
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with Rhx(4, port=0) as rhx, intan(rhx) as board:
        board.open()
        Played(board, came(200))
    assert set(os.listdir("/proc/self/fd")) == before if before else True
