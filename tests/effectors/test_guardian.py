"""The supervisor's own process: whatever happens to the program, the device is made safe."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from bcikit import Chunk
from bcikit.bench.supervisor import DEADLINE_MS, FAULTS, Flight, alarms, faults, trial
from bcikit.core.errors import DeviceTrouble, FileTrouble, WrongUse
from bcikit.effectors import _door
from bcikit.effectors._door import tell
from bcikit.effectors._ledger import PORTION, Ledger
from bcikit.effectors._priority import favour, favoured, lead, leave
from bcikit.effectors._slot import HEAD, Slot
from bcikit.effectors._supervisor import Cause
from bcikit.effectors._watch import FLAGS, PENDING, Watched, halted
from bcikit.effectors.drones import Drones
from bcikit.ethics.home import home
from bcikit.testing import OpenGate

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="left out: the supervisor's process needs Linux")


# -- memory


def test_a_slot_gives_the_newest_whole_row_or_none():
    slot = Slot(mmap.mmap(-1, 4096), 0, 3)
    assert slot.read() == (0, (0.0, 0.0, 0.0))
    for k in range(1, 5):
        slot.write((k, 2 * k, -k))
        assert slot.read() == (k, (k, 2 * k, -k))


def test_a_row_cut_in_half_is_not_read():
    memory = mmap.mmap(-1, 4096)
    slot = Slot(memory, 0, 4)
    slot.write((1, 1, 1, 1))
    slot.write((2, 2, 2, 2))
    newest = 0 if struct.unpack_from("=q", memory, 0)[0] == 2 else Slot.size(4) // 2
    memory[newest + HEAD.size + 4 : newest + HEAD.size + 12] = b"\xff" * 8
    assert slot.read() == (1, (1, 1, 1, 1))
    assert Slot(memory, 0, 4).read() == (1, (1, 1, 1, 1))


# -- the program


def test_a_program_that_is_stopped_gone_or_about_to_be_killed_counts_for_nothing():
    with open("/proc/self/stat", "rb") as f:
        stat = f.read()
    assert not halted(stat)
    head, _, rest = stat.rpartition(b")")
    fields = rest.split()
    for column, said in ((0, b"T"), (0, b"Z"), (PENDING, b"256"), (FLAGS, b"4")):
        assert halted(head + b") " + b" ".join([*fields[:column], said, *fields[column + 1 :]]))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        seen = Watched(victim.pid)
        assert not seen.stopped() and not seen.gone()
        os.sched_setscheduler(victim.pid, os.SCHED_IDLE, os.sched_param(0))
        victim.kill()
        until = time.monotonic() + 10  # between a signal that is taken and a flag that is set there is a moment of neither
        while not seen.stopped() and time.monotonic() < until:
            time.sleep(0.001)
        assert seen.stopped()
    assert seen.stopped() and seen.gone()


# -- real-time priority

given = pytest.mark.skipif(
    not hasattr(os, "SCHED_FIFO") or subprocess.run(["chrt", "-f", "1", "true"], capture_output=True).returncode != 0,
    reason="left out: real-time priority is not given here",
)


def elsewhere(work):
    """What `work` gives in a thread of its own."""
    got = []
    thread = threading.Thread(target=lambda: got.append(work()))
    thread.start()
    thread.join()
    return got[0]


@given
def test_a_thread_that_commands_is_favoured_and_what_it_starts_is_not():
    child = "import os; print(os.sched_getscheduler(0))"

    def work():
        first = lead()
        two = first, lead()
        seen = [
            favoured(first),
            elsewhere(favoured),
            subprocess.run([sys.executable, "-c", child], capture_output=True).stdout,
        ]
        leave(two[0])
        seen.append(favoured())
        leave(two[1])
        return [*seen, favoured()]

    assert elsewhere(work) == [True, False, b"0\n", True, False]


@given
def test_on_a_single_core_and_where_it_was_given_before_nothing_changes(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert elsewhere(lead) == 0
    monkeypatch.undo()
    assert elsewhere(lambda: (favour(30), lead(), favoured())) == (True, 0, True)


def test_without_it_all_goes_on(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert elsewhere(lambda: (favour(1), lead(), leave(0), favoured())) == (False, 0, None, False)


# -- the door


def test_what_cannot_be_stopped_from_outside_does_not_start(monkeypatch, tmp_path):
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path / ("long" * 30)))  # longer than the address of a socket may be
    with pytest.raises(DeviceTrouble, match="shorter name"):
        _door.opened("drones")


def test_a_stop_is_heard_at_every_door_and_one_whose_owner_is_gone_is_taken_away():
    said = []

    def answer(what):
        said.append(what)
        return {"latched": "none"}

    with _door.Porter("probe", answer):
        left = home() / "effectors" / "probe.sock"
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(left))
        with socket.socket(socket.AF_UNIX) as rude:  # says nothing that can be understood
            rude.connect(str(home() / "effectors" / f"probe@{os.getpid()}.sock"))
            rude.sendall(b"[1")
        assert tell("probe", stop=True) == {"latched": "none"} and said == [{"stop": True}] and not left.exists()
        with pytest.raises(DeviceTrouble, match="one of probe"):
            tell("prob")
    with pytest.raises(DeviceTrouble, match="No supervisor"):
        tell("probe")
    assert not list((home() / "effectors").glob("*.sock"))


# -- the book


def test_what_was_used_survives_a_restart_and_a_crash_costs_a_portion():
    book = Ledger("probe")
    book.use(3.0, 3.0)
    book.close()
    again = Ledger("probe")
    assert (again.session, again.day) == (3.0, 3.0)
    again.use(4.0, 4.0)
    os.close(again._lock)  # it crashed
    crashed = Ledger("probe")
    assert 4.0 <= crashed.day <= 4.0 + PORTION
    crashed.close()


def test_a_day_ends_at_midnight_and_not_with_a_clock_that_is_set_back():
    now = [1_700_000_000.0]
    book = Ledger("probe", wall=lambda: now[0])
    book.use(50.0, 50.0)
    book.close()
    now[0] -= 86400 * 2
    back = Ledger("probe", wall=lambda: now[0])
    assert back.day == 50.0
    back.close()
    now[0] += 86400 * 4
    later = Ledger("probe", wall=lambda: now[0])
    assert (later.session, later.day) == (0.0, 0.0)
    later.close()


def test_one_supervisor_at_a_time_and_a_damaged_book_moves_nothing():
    book = Ledger("probe")
    with pytest.raises(DeviceTrouble, match="led by another"):
        Ledger("probe")
    book.use(1.0, 1.0)
    book.close()
    book.path.write_text('{"session": -5}')
    with pytest.raises(FileTrouble, match="damaged"):
        Ledger("probe")


def test_a_stop_survives_a_restart():
    book = Ledger("probe")
    book.latch(int(Cause.ESTOP))
    os.close(book._lock)
    again = Ledger("probe")
    assert again.latched == Cause.ESTOP
    again.close()


# -- the process


@pytest.fixture
def flying():
    """(effector, function that sends commands for some seconds)."""
    drones, source = Drones(), Drones.commands()
    permit = OpenGate().open(drones, source.stream)
    count = [0]

    def send(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            row = np.array([[0.1 + 0.001 * (count[0] % 5), 0, 0, 1, 0]], np.float32)
            permit.send(Chunk(row, count[0], time.monotonic()))
            count[0] += 1
            time.sleep(0.02)

    yield drones, send
    permit.close()


@pytest.mark.realtime
def test_it_flies_stops_at_a_word_from_outside_and_only_a_person_lets_it_fly_again(flying):
    drones, send = flying
    send(0.8)
    assert drones.cause == 0 and drones.look().points[0, 0] > 0.01
    other = "from bcikit.effectors._door import tell; tell('drones', stop=True)"
    subprocess.run([sys.executable, "-c", other], check=True)
    send(0.6)
    where = drones.look().points.copy()
    send(0.3)
    assert Cause.ESTOP in drones.cause and np.allclose(drones.look().points, where, atol=0.02)
    with pytest.raises(WrongUse, match="by a person"):
        tell("drones", reset="")
    assert tell("drones", reset="R. Ortiz")["done"] == "R. Ortiz reset estop"
    send(0.6)
    assert drones.cause == 0


@given
@pytest.mark.realtime
def test_whoever_commands_has_real_time_priority_until_it_closes(flying):
    drones, _ = flying
    assert tell("drones")["real-time"] == "program, supervisor, device" and favoured()
    drones.close()
    assert not favoured()


@pytest.mark.realtime
def test_a_second_program_is_refused_and_closing_gives_the_device_back(flying):
    drones, send = flying
    with pytest.raises(DeviceTrouble, match="led by another"):
        OpenGate().open(Drones(), Drones.commands().stream)
    send(0.1)
    drones.close()
    again = OpenGate().open(Drones(), Drones.commands().stream)
    again.close()


@pytest.mark.realtime
def test_the_day_s_use_is_written_down(flying):
    drones, send = flying
    send(0.8)
    path = home() / "effectors" / "drones.json"
    drones.close()
    assert 0.1 < json.loads(path.read_text())["day"] < 1.5


@pytest.mark.realtime
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_the_device_is_safe_in_time(fault):
    if fault == "held":
        flight = Flight()
        try:
            flight.steady()
            assert trial(flight, fault) <= DEADLINE_MS[fault]
        finally:
            flight.close()
        return
    (row,) = faults(2, (fault,))
    assert row["safe_in_time"] == 2, row


@pytest.mark.soak
@pytest.mark.realtime
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_the_device_is_safe_in_time_200_times(fault):
    (row,) = faults(200, (fault,))
    assert row["safe_in_time"] == 200, row


@pytest.mark.realtime
def test_an_alarm_is_told_with_its_cause_and_what_the_machine_did(monkeypatch, tmp_path):
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path))
    asked = [sys.executable, "-m", "bcikit.bench.supervisor", "alarms", "60"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as flight:
        assert "real-time" in json.loads(flight.stdout.readline())
        while (about := tell("drones"))["cause"] != "none":
            time.sleep(0.01)
        victim = about["parent"]
        os.kill(victim, signal.SIGSTOP)
        alarm = next(row for row in map(json.loads, flight.stdout) if "parent" in row["alarm"])
        os.kill(victim, signal.SIGCONT)
        flight.send_signal(signal.SIGINT)
    assert set(alarm) == {"alarm", "at_s", "brain_ms", "board_ms", "machine_ms"}


@pytest.mark.soak
@pytest.mark.realtime
@pytest.mark.timeout(3900)
def test_at_most_one_false_alarm_an_hour_with_every_core_busy():
    *_, total = alarms(3600)
    assert total["false_alarms"] <= 1, total
