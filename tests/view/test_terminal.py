"""The terminal view on a real pseudo-terminal: keys, resizing, and the terminal given back as it was."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest

from bcikit.acquire.synthetic import Synthetic
from bcikit.core.loop import Loop
from bcikit.files.read import read
from bcikit.testing import OpenGate
from bcikit.view.terminal import Terminal

OWN_TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Person:
    """Somebody at a terminal of this size, with a program in it; `screen` is all that was ever written to it."""

    def __init__(self, *args, size=(100, 30), env=None):
        self.ours, self.theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.theirs)
        command = [sys.executable, "-m", "bcikit.cli.main", "stream", "--board", "synthetic", *args]
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *command],
            stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", **(env or {})},
        )  # fmt: skip
        self.written = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                return
            if not data:
                return
            self.written += data

    def resize(self, width, height):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def waits_for(self, pattern, since=0, seconds=20.0):
        """Until the pattern was written behind place `since`; gives the place behind it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.written[since:].decode("utf-8", "replace"))
            if re.search(pattern, text, re.S):
                return len(self.written)
            assert self.process.poll() is None or re.search(pattern, text, re.S), text[-2000:]
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} did not come: {text[-2000:]!r}")

    def ends(self):
        code = self.process.wait(30)
        time.sleep(0.05)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.theirs)
        os.close(self.ours)


def test_it_shows_the_signal_and_q_ends_it_and_the_terminal_is_as_it_was(tmp_path):
    path = tmp_path / "a.xdf"
    with Person("--stage", "notch", "--record", str(path)) as person:
        person.waits_for(r"streaming.*simulated EEG.*SIMULATED.*Fp1.*[\u2801-\u28ff].*q stop")
        now = termios.tcgetattr(person.theirs)
        assert not now[3] & termios.ECHO and now[6][termios.VSUSP] == b"\x00"
        person.press("q")
        assert person.ends() == 0
        assert termios.tcgetattr(person.theirs) == person.before
        written = person.written.decode()
        assert written.count("\x1b[?1049h") == written.count("\x1b[?1049l") == 1 and "\x1b[?25h" in written
        assert re.search(r"samples, 0 lost; recorded .*a\.xdf \(\d", written.split("\x1b[?1049l")[1])
    assert len(read(path).data) > 0


def test_keys_change_the_view_and_never_the_data(tmp_path):
    path = tmp_path / "a.xdf"
    with Person("--record", str(path)) as person:
        at = person.waits_for("good")
        person.press("t")
        at = person.waits_for("quality +delta", at)
        person.press(" ")
        at = person.waits_for("go on", at)
        person.press("m")
        at = person.waits_for("marked", at)
        person.press(" t")
        at = person.waits_for("pause", at)
        person.press("+[np\x1b[A")
        person.press("q")
        assert person.ends() == 0
    recorded = read(path)
    assert len(recorded.data) == recorded.index[-1] + 1  # nothing is missing
    mark = next(e for e in recorded.events if e.name == "mark")
    assert 0 < mark.index < recorded.index[-1] + 250


@pytest.mark.parametrize("size", [(80, 24), (30, 8), (200, 60)])
def test_it_follows_the_size_of_the_terminal(size):
    with Person("--opt", "n=4") as person:
        before = person.waits_for("Fp1")
        person.resize(*size)
        while (at := person.written.find(b"\x1b[2J", before)) < 0:  # the old screen is wiped
            time.sleep(0.02)
        person.waits_for("Fp1", at)
        time.sleep(0.3)
        rows = [int(n) for n in re.findall(rb"\x1b\[(\d+);1H", person.written[at:])]
        assert rows and max(rows) <= size[1]
        person.press("q")
        assert person.ends() == 0


def test_ctrl_c_ends_it_in_good_order():
    with Person() as person:
        person.waits_for("streaming")
        person.press("\x03")  # the terminal makes SIGINT of it
        assert person.ends() == 0
        assert termios.tcgetattr(person.theirs) == person.before


def test_a_killed_program_cannot_tidy_but_a_terminated_one_does():
    with Person() as person:
        person.waits_for("streaming")
        person.process.send_signal(signal.SIGTERM)
        assert person.ends() == 0
        assert termios.tcgetattr(person.theirs) == person.before


def test_an_error_is_told_behind_the_view():
    with Person("--stage", "bandpass:low=50,high=40") as person:
        assert person.ends() == 2
        assert b"bandpass" in person.written and b"Traceback" not in person.written


@pytest.mark.parametrize(
    "env, escapes", [({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, True), ({"PYTHONIOENCODING": "ascii"}, False)]
)
def test_poorer_terminals(env, escapes):
    with Person("--seconds", "1", env=env) as person:
        assert person.ends() == 0
        person.waits_for("streaming")
        assert (b"\x1b[?1049h" in person.written) == escapes
        assert b"\x1b[31m" not in person.written and b"\x1b[2m" not in person.written


@pytest.mark.realtime
def test_it_costs_little():
    """Less than 15 % of a core for 8 channels, the simulated board included."""
    with Person("--seconds", "6") as person:
        person.waits_for("streaming")

        def used():
            fields = Path(f"/proc/{person.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        time.sleep(1)
        began, before = time.monotonic(), used()
        time.sleep(3)
        assert (used() - before) / (time.monotonic() - began) < 0.15


@pytest.mark.realtime
def test_from_python_without_a_terminal_it_prints_lines():
    out = io.StringIO()
    view = Terminal()
    view.out = out
    loop = Loop(Synthetic(bad="C3"), gate=OpenGate())
    loop.add(view)
    loop.run(2.2)
    lines = out.getvalue().splitlines()
    assert 3 <= len(lines) <= 4 and " 550 samples " in lines[-1] and "C3 mains" in lines[-2]
