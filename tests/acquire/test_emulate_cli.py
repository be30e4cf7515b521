"""`bcikit emulate` as a process of its own: the port first, one line of JSON at the end, nothing left behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tty

import pytest

RUN = [sys.executable, "-m", "bcikit.cli.main", "emulate"]


@pytest.fixture
def emulate():
    running = []

    def start(*args):
        process = subprocess.Popen([*RUN, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        said = process.stdout.readline()
        return process, said.removeprefix("port: ").strip()

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_the_port_first_and_the_counts_last(emulate, end, tmp_path):
    log = tmp_path / "log"
    process, port = emulate("cyton", "--drop", "0.2", "--seed", "1", "--log", str(log))
    assert os.path.islink(port)
    host = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(host)
    os.write(host, b"b")
    got = b""
    while len(got) < 20 * 33:
        assert select.select([host], [], [], 10)[0]
        got += os.read(host, 20 * 33 - len(got))
    process.send_signal(end)
    out, err = process.communicate(timeout=10)
    os.close(host)
    assert process.returncode == 0 and not err
    counts = json.loads(out.splitlines()[-1])
    fates = [line.split(",")[2] for line in log.read_text().splitlines()]
    assert counts["packets"] == len(fates) and counts["dropped"] == fates.count("dropped") > 0
    assert not os.path.lexists(port) and not os.path.exists(os.path.dirname(port))


def test_it_ends_by_itself(emulate):
    process, _ = emulate("ganglion", "--seconds", "0.1")
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and json.loads(out)["packets"] == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["cyton", "--file", "nowhere.txt"], 4, "nowhere.txt"),
        (["cyton", "--drop", "2"], 2, "0 to 1"),
        (["cyton", "--stall", "ten"], 2, "AT:SECONDS"),
        (["cyton", "--vanish", "1:-1"], 2, "AT:SECONDS"),
        (["cyton", "--resistance", "5k"], 2, "resistances"),
        (["cyton", "--log", "/nowhere/log"], 4, "/nowhere/log"),
        (["cyton", "--link", "/nowhere/port"], 4, "/nowhere/port"),
        (["wifi", "--board", "muse"], 2, "muse"),
        (["wifi", "--address", "203.0.113.1"], 4, "203.0.113.1"),
    ],
)
def test_what_cannot_be_is_said(args, code, said):
    done = subprocess.run([*RUN, *args], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr
    assert "port:" not in done.stdout
