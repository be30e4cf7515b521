"""The main job as a person runs it: a board, one command, honest signals, a good file. Real driver, pty, processes.

python -m pytest tests/test_main_job.py -s -k "not equals"        # prints the figures
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from bcikit.files.read import read
from tests.conftest import LATE_S

pytestmark = pytest.mark.realtime
BCIKIT = [sys.executable, "-m", "bcikit.cli.main"]
CYTON_UV = 4.5e6 / 24 / (2**23 - 1)  # one count at gain 24


def bcikit(*words, seconds=60):
    out = subprocess.run([*BCIKIT, *map(str, words)], capture_output=True, text=True, timeout=seconds)
    assert "Traceback" not in out.stderr, out.stderr
    return out


def lines(out):
    return [json.loads(line) for line in out.stdout.splitlines()]


@contextmanager
def emulated(*words):
    """An emulated board in a process of its own: its port, and a way to what it says at its end."""
    board = subprocess.Popen([*BCIKIT, "emulate", *map(str, words)], stdout=subprocess.PIPE, text=True)
    try:
        first = board.stdout.readline()
        assert first.startswith("port: "), first
        board.port = first.split(": ", 1)[1].strip()
        yield board
    finally:
        if board.poll() is None:
            board.send_signal(signal.SIGTERM)
        board.rest = board.communicate(timeout=20)[0]


@pytest.fixture
def allowed():
    assert bcikit("consent", "grant", "S1", "--purpose", "research", "--sink", "view", "--sink", "record").returncode == 0


def placed(recorded, source):
    """Where in `source` (samples, channels) the recorded rows come from: every row must be found, in order."""
    known = {row.tobytes(): i for i, row in reversed(list(enumerate(source)))}
    return np.array([known[row.tobytes()] for row in recorded])


def test_without_consent_it_refuses_and_says_which_command_grants(tmp_path):
    out = bcikit("stream", "--board", "openbci", "--opt", "port=nowhere", "--subject", "S1", "--seconds", 1, "--json")
    assert out.returncode == 3 and "bcikit consent grant S1" in out.stderr


def test_a_cyton_is_streamed_and_recorded_to_half_a_count(shared, tmp_path, allowed):
    source = shared("openbci-gui/gui-v6.txt")
    file = tmp_path / "a.xdf"
    with emulated("cyton", "--file", source) as board:
        out = bcikit("stream", "--board", "openbci", "--opt", f"port={board.port}", "--subject", "S1",
                     "--seconds", 20, "--record", file, "--json")  # fmt: skip
    assert out.returncode == 0, out.stderr
    last = lines(out)[-1]
    assert last["exit"] == 0 and last["lost"] == 0 and last["samples"] == 5000
    assert abs(last["rate_hz"] - 250) < 2.5
    assert 0 < last["polling_ms"]["p50"] <= last["polling_ms"]["p99"] and 0 < last["latency_ms"]["p50"] < 100
    got, want = read(file), read(source)
    eeg = got.data[:, got.stream.of_kind("eeg")]
    truth = want.data[:, want.stream.of_kind("eeg")]
    assert len(got.data) == 5000 and np.array_equal(np.diff(got.index), np.ones(4999))
    starts = np.flatnonzero(np.abs(truth[:-5000] - eeg[0]).max(axis=1) <= CYTON_UV / 2)
    errors = [np.abs(truth[s : s + 5000] - eeg).max() for s in starts]
    assert min(errors) <= CYTON_UV / 2 + 0.01  # the GUI's text has two decimals
    print(f"\nno faults: {last['rate_hz']:.2f} Hz, {last['lost']} lost, at most {min(errors) / CYTON_UV:.2f} counts off")
    print(f"latency {last['latency_ms']}, of it arrival {last['arrival_ms']}, of it polling {last['polling_ms']} ms")


def test_dropped_packets_are_counted_exactly(shared, tmp_path, allowed):
    file = tmp_path / "drops.xdf"
    with emulated("cyton", "--file", shared("openbci-gui/gui-v6.txt"), "--drop", 0.03, "--seed", 5) as board:
        out = bcikit("stream", "--board", "openbci", "--opt", f"port={board.port}", "--subject", "S1",
                     "--seconds", 15, "--record", file, "--json")  # fmt: skip
    last = lines(out)[-1]
    got = read(file)
    missing = got.index[-1] - got.index[0] + 1 - len(got.data)
    assert out.returncode == 0 and last["lost"] == missing
    assert 0.02 < missing / 3750 < 0.045
    # every gap in the file is where the emulator skipped packets: the values on both sides are that far apart in the source
    source = read(shared("openbci-gui/gui-v6.txt"))
    truth = source.data[:, source.stream.of_kind("eeg")].astype(float)
    eeg = got.data[:, got.stream.of_kind("eeg")].astype(float)
    at = int(np.argmin(np.abs(truth - eeg[0]).max(axis=1)))
    where = at + got.index - got.index[0]
    assert np.abs(truth[where] - eeg).max() <= CYTON_UV / 2 + 0.01
    print(f"\n3 % dropped: {last['lost']} of {len(got.data) + missing} lost by the count, {missing} missing in the file")


@pytest.mark.parametrize("fault, back_within", [("--stall", 1.0), ("--vanish", 2.0)])
def test_silence_is_said_at_once_and_what_comes_back_is_taken_up(shared, tmp_path, allowed, fault, back_within):
    file = tmp_path / "gap.xdf"
    with emulated("cyton", "--file", shared("openbci-gui/gui-v6.txt"), fault, "5:2") as board:
        out = bcikit("stream", "--board", "openbci", "--opt", f"port={board.port}", "--subject", "S1",
                     "--seconds", 12, "--record", file, "--json")  # fmt: skip
    told = lines(out)
    assert out.returncode == 0, out.stderr
    quiet = next(i for i, t in enumerate(told) if t["state"] in ("stale", "reconnecting"))
    before = told[quiet]
    assert before["age_s"] <= 0.3 + LATE_S  # the figures are printed below
    again = next(t for t in told[quiet:] if t["state"] == "streaming")
    back = again["time_s"] - (before["time_s"] - before["age_s"]) - 2  # since the return; the line came a little later
    assert back <= back_within + LATE_S
    got = read(file)
    jumps = np.diff(got.index)
    unheard = json.loads(board.rest.splitlines()[-1])["unheard"]  # where this machine was too busy to read the port
    assert (jumps - 1).sum() - (jumps.max() - 1) <= unheard, "one gap, where the fault was"
    assert abs(jumps.max() / 250 - 2) < (0.1 if fault == "--stall" else back_within + 0.1)
    assert len(got.data) + (jumps - 1).sum() == pytest.approx(12 * 250, abs=5)
    gap = f"{jumps.max() / 250:.2f} s missing in the file"
    print(f"\n{fault} of 2 s: {before['state']} after {before['age_s']:.2f} s, back after {back:.2f} s, {gap}")


def test_an_lsl_sender_killed_and_started_again(tmp_path, allowed):
    name = f"bcikit-test-{os.getpid()}"
    code = (
        "import pylsl, time, sys\n"
        f"o = pylsl.StreamOutlet(pylsl.StreamInfo({name!r}, 'EEG', 4, 250, 'float32', {name!r}))\n"
        "due = time.monotonic(); i = 0\n"
        "print('up', flush=True)\n"
        "while True:\n"
        "    due += 0.02; time.sleep(max(0, due - time.monotonic()))\n"
        "    o.push_chunk([[float(i + k)] * 4 for k in range(5)], pylsl.local_clock()); i += 5\n"
    )

    @contextmanager
    def sender():
        p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        try:
            p.stdout.readline()
            yield p
        finally:
            p.kill()
            p.communicate()

    file, told, back, took = tmp_path / "lsl.xdf", [], None, None
    words = [
        "stream",
        "--board",
        "lsl",
        "--opt",
        f"name={name}",
        "--subject",
        "S1",
        "--seconds",
        "14",
        "--record",
        str(file),
    ]
    with ExitStack() as stack:
        one = stack.enter_context(sender())
        stream = subprocess.Popen([*BCIKIT, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in stream.stdout:
            told.append(json.loads(line))
            if len(told) == 4:
                one.kill()
            if back is None and told[-1]["state"] in ("stale", "reconnecting") and told[-1]["age_s"] > 1.5:
                stack.enter_context(sender())
                back = time.monotonic()
            elif back and took is None and told[-1]["state"] == "streaming":
                took = time.monotonic() - back
        errors = stream.communicate(timeout=20)[1]
    assert stream.returncode == 0, errors
    assert took is not None and took < 1.0 + LATE_S
    stale = next(t for t in told if t["state"] in ("stale", "reconnecting"))
    assert stale["age_s"] <= 0.3 + LATE_S and told[-1]["exit"] == 0
    got = read(file)
    jumps = np.diff(got.index)
    assert (jumps > 1).sum() >= 1 and jumps.max() > 250  # the file shows the gap
    print(
        f"\nLSL, sender killed: {stale['state']} after {stale['age_s']:.2f} s, back {took:.2f} s after it was started again"
    )
