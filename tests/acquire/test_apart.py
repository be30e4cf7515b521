"""A board in its own process: the same bytes, losses counted, and no trace when either side is killed."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquire._apart import ERROR, STATUS, Producer, packed, unpacked
from bcikit.acquire._ring import Count, Ring, shared_memory
from bcikit.acquire.apart import Apart
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.acquire.openbci import Openbci
from bcikit.acquire.replay import Replay
from bcikit.acquire.synthetic import Synthetic
from bcikit.core.errors import DeviceTrouble, FileTrouble, WrongUse
from bcikit.core.label import Label
from bcikit.core.loop import Loop
from bcikit.core.parts import Board
from bcikit.core.stream import Channel, Chunk, Event, Stream
from tests.conftest import LATE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="on Windows the board is read in this process")
LONG_S = 20.0


def read_all(board):
    with board:
        stream, chunks = board.open(), []
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            c = board.read(0.1)
            if c is not None:
                chunks.append(c)
            elif board.status.state in ("ended", "lost"):
                return stream, chunks, board.status
    raise AssertionError("it never ended")


def until(what, seconds=LONG_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.005)
    return False


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "noise.npz"
    x = np.random.default_rng(0).normal(0, 20, (30_000, 64)).astype(np.float32)
    np.savez(path, data=x, rate=1000.0)
    return path, x


# -- the ring


def pipes():
    return Count(os.pipe())


@pytest.mark.parametrize("count", [Count, pipes], ids=["as the system has it", "pipes"])
@settings(max_examples=30, deadline=None)
@given(plan=st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=80), seed=st.integers(0, 99))
def test_what_is_put_is_got(count, plan, seed):
    rng = np.random.default_rng(seed)
    memory, filled, freed = shared_memory(), count(), count()
    writer, reader = Ring(memory, 4096, filled, freed), Ring(memory, 4096, filled, freed)
    held, used = [], 0
    for write, n in plan:
        if write:
            x = rng.integers(0, 256, n).astype(np.uint8)
            need = 8 + n + -n % 8
            assert writer.put(x[: n // 3].tobytes(), x[n // 3 :]) == (used + need <= writer.size), (
                "room is known to the byte"
            )
            if used + need <= writer.size:
                held.append(x)
                used += need
        else:
            got = reader.get()
            assert (got is None) == (not held)
            if held:
                x = held.pop(0)
                assert np.array_equal(got, x)
                used -= 8 + len(x) + -len(x) % 8
    for ring in (writer, reader):
        ring.close()
    for c in (filled, freed):
        c.close()
    os.close(memory)


def test_a_full_pipe_forgets_no_byte():
    count = pipes()
    for _ in range(20_000):
        count.add(3)
    taken = 0
    while (n := count.take()) > 0:
        taken += n
    count.add(1)
    assert taken + count.take() == 60_001
    count.close()


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 20),
    first=st.integers(0, 2**60),
    irregular=st.booleans(),
    counts=st.booleans(),
    events=st.lists(
        st.builds(
            Event,
            st.floats(0, 1e12),
            st.text(max_size=9),
            st.one_of(st.none(), st.text(max_size=9), st.integers(), st.floats(allow_nan=False)),
            st.floats(0, 1),
        ),
        max_size=4,
    ),
)
def test_a_chunk_passes_unchanged(n, first, irregular, counts, events):
    stream = Stream(
        "s", 0.0 if irregular else 100.0, (Channel("a"), Channel("b"), Channel("c")), scale=0.5 if counts else None
    )
    data = np.arange(3 * n).reshape(n, 3).astype(stream.dtype)
    c = Chunk(data, first, np.arange(n) / 7.0 if irregular else 3.25, tuple(events))
    record = np.concatenate(
        [np.frombuffer(p, np.uint8) if isinstance(p, bytes) else p.reshape(-1).view(np.uint8) for p in packed(c)]
    )
    got = unpacked(record, stream)
    assert (got.first, got.events) == (c.first, c.events)
    assert got.data.dtype == stream.dtype and got.data.tobytes() == data.tobytes() and got.data.shape == data.shape
    assert np.array_equal(got.time, c.time) and np.ndim(got.time) == np.ndim(c.time)


# -- the board


def test_the_same_as_the_board_itself(table):
    path, _ = table
    given = {
        "file": str(path),
        "speed": 0,
        "chunk": 0.1,
        "drop": 0.01,
        "nan": ("1:0.2",),
        "disconnect": ("2:0.3",),
        "seed": 3,
    }
    s1, a, status = read_all(Replay(**given))
    s2, b, its = read_all(Apart.of(Replay(**given)))
    assert s1 == s2 and s1.info == s2.info
    assert [(c.first, len(c), c.events) for c in a] == [(c.first, len(c), c.events) for c in b]
    assert all(x.data.tobytes() == y.data.tobytes() for x, y in zip(a, b, strict=True))
    assert (status.state, status.lost) == (its.state, its.lost) and status.lost > 0


def test_a_board_without_a_person_waits_for_a_slow_reader(table):
    path, x = table
    board = Apart.of(Replay(file=str(path), speed=0, chunk=0.5), hold_s=0.01)
    board.open()
    time.sleep(0.3)
    chunks = []
    while (c := board.read(1.0)) is not None:
        chunks.append(c)
    assert board.status.lost == 0
    assert np.array_equal(np.concatenate([c.data for c in chunks]), x)
    board.close()


def test_what_finds_no_room_is_counted_to_the_sample(table):
    path, x = table
    board = Apart.of(Replay(file=str(path), speed=0, chunk=0.037), hold_s=0.01, full="drop")
    board.open()
    got, at, jumped = 0, 0, 0
    while (c := board.read(1.0)) is not None:
        jumped += c.first - at
        at, got = c.end, got + len(c)
        assert np.array_equal(c.data, x[c.first : c.end])
        if not board.status.lost:
            time.sleep(0.02)  # the ring holds 1 MB of 7.7
    status = board.status
    board.close()
    assert status.state == "ended"
    assert 0 < status.lost == len(x) - got
    assert jumped + len(x) - at == status.lost
    assert f"{status.lost} samples came while the ring was full" in status.note


def test_no_event_is_lost_with_its_samples():
    stream = Stream("s", 1000.0, (Channel("a"),))
    memory, filled, freed = shared_memory(), Count(), Count()
    ring = Ring(memory, 4096, filled, freed)
    producer = Producer(Board(), ring, stream, False, threading.Event())
    for k in range(20):
        producer.give(Chunk(np.full((200, 1), k, np.float32), 200 * k, 0.2 * k, (Event(200.0 * k, "mark", k),)))
    reader, events, rows = Ring(memory, 4096, filled, freed), [], 0
    while (record := reader.get()) is not None:
        c = unpacked(record, stream)
        events, rows = [*events, *c.events], rows + len(c)
    producer.give(Chunk(np.zeros((1, 1), np.float32), 4000, 4.0))
    c = unpacked(reader.get(), stream)
    assert [e.value for e in (*events, *c.events)] == list(range(20))
    assert producer.overrun == 4000 - rows > 0
    for thing in (ring, reader, filled, freed):
        thing.close()
    os.close(memory)


def test_killed_is_lost_and_what_came_before_is_kept():
    board = Apart("synthetic:n=4")
    stream = board.open()
    until(lambda: board.read(0.1) is not None)
    time.sleep(0.1)
    os.kill(board._link.process.pid, signal.SIGKILL)
    chunks = []
    began = time.monotonic()
    while (c := board.read(60.0)) is not None:
        chunks.append(c)
    assert chunks and time.monotonic() - began < LATE_S, "noticed at once, not after the timeout"
    assert board.status.state == "lost" and "signal 9" in board.status.note
    assert stream.label.simulated
    board.close()
    board.close()


def test_a_loop_says_that_its_board_is_lost():
    board = Apart("synthetic:n=4")
    loop = Loop(board)
    with pytest.raises(DeviceTrouble, match="lost"):
        for _ in loop.chunks(LONG_S):
            if board._link.process.poll() is None:
                board._link.process.kill()
    assert loop.exit == 4


@pytest.mark.realtime
def test_a_process_that_hangs_is_stale_and_comes_back():
    board = Apart("synthetic:n=4")
    board.open()
    until(lambda: board.status.state == "streaming" or board.read(0.1))
    os.kill(board._link.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert until(lambda: (board.read(0.01), board.status.state)[1] == "stale")
    assert time.monotonic() - began < 0.5 + LATE_S
    os.kill(board._link.process.pid, signal.SIGCONT)
    assert until(lambda: (board.read(0.01), board.status.state)[1] == "streaming")
    board.close()


READER = """
from bcikit.acquire.apart import Apart
board = Apart("synthetic:n=4")
board.open()
print(board._link.process.pid, flush=True)
while True:
    board.read(0.1)
"""


def test_when_the_reader_is_killed_the_board_ends_and_leaves_nothing():
    shm = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    reader = subprocess.Popen([sys.executable, "-c", READER], stdout=subprocess.PIPE, text=True)
    pid = int(reader.stdout.readline())
    assert alive(pid)
    reader.kill()
    reader.wait()
    reader.stdout.close()
    assert until(lambda: not alive(pid), 5.0), "the board's process lives on"
    assert not os.path.isdir("/dev/shm") or not {n for n in set(os.listdir("/dev/shm")) - shm if "bcikit" in n}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_closing_ends_the_process():
    board = Apart("synthetic:n=4")
    board.open()
    process = board._link.process
    board.close()
    assert process.returncode == 0 and board.status.state == "ended"
    assert board.read(0.01) is None


def test_errors_of_the_board_are_told_here(tmp_path):
    with pytest.raises(WrongUse, match="no board"):
        Apart().open()
    with pytest.raises(WrongUse, match="synthetic"):
        Apart("synthetik")
    board = Apart.of(Replay(file=str(tmp_path / "none.csv")))
    with pytest.raises(FileTrouble, match=r"none\.csv"):
        board.open()


class Failing(Board):
    def read(self, timeout=0.1):
        raise DeviceTrouble("It broke.", "It was old.", "Buy another.")


def test_an_error_while_reading_comes_behind_the_last_sample():
    stream = Stream("s", 1000.0, (Channel("a"),))
    memory, filled, freed = shared_memory(), Count(), Count()
    ring = Ring(memory, 4096, filled, freed)
    Producer(Failing(), ring, stream, False, threading.Event()).run()
    reader = Ring(memory, 4096, filled, freed)
    assert unpacked(reader.get(), stream)[0] == STATUS
    assert unpacked(reader.get(), stream) == (ERROR, ("DeviceTrouble", "It broke.", "It was old.", "Buy another."))
    for thing in (filled, freed):
        thing.close()
    os.close(memory)


def test_the_person_can_be_told_and_marks_are_placed():
    board = Apart.of(Synthetic(n=4, seed=1, reaction=0.0, artefacts=False))
    board.open()
    assert until(lambda: board.read(0.1) is not None and board._told is not None)
    now = time.monotonic()
    board.tell("intend", "left")
    events = []

    def heard():
        c = board.read(0.1)
        events.extend(e for e in (c.events if c else ()) if e.name == "truth:intention" and e.value == "left")
        return events

    assert until(heard)
    index, unsure = board.index_of(now)
    assert unsure == 0.0 and math.isclose(events[0].index, index, abs_tol=100)
    board.close()


@pytest.mark.realtime
def test_an_emulated_cyton_apart_counts_what_the_radio_loses(shared):
    with Cyton(file=str(shared("openbci-gui/gui-v6.txt")), drop=0.03, loop=True, seed=1) as emulator:
        board = Apart.of(Openbci(port=emulator.port))
        board.label = Label(subjects=frozenset({"S1"}))
        assert board.live
        stream, chunks = board.open(), []
        assert stream.label == board.label
        assert until(lambda: (chunks.append(c) if (c := board.read(0.1)) else None, chunks and chunks[-1].end > 500)[1])
        jumps = sum(b.first - a.end for a, b in itertools.pairwise(chunks))
        told = []
        assert until(lambda: (board.read(0.1), told.append(board.status.lost), board.status.lost >= jumps)[2])
        assert jumps > 0
        board.close()
