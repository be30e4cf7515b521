"""What the tests of bad input share: the command line in this process, a subject who agreed, a folder of bad files."""

from __future__ import annotations

import os
import shlex

import numpy as np
import pytest

from bcikit.cli import main as cli
from bcikit.ethics.consent import Consent

HEAD = "%OpenBCI Raw EEG Data\n%Number of channels = 4\n%Sample Rate = 200 Hz\n"
ROWS = [
    f"{i % 256}, {i % 7}.5, {i % 11}.5, {i % 5}.5, {i % 3}.5, 0.1, 0.2, 0.3, 10:47:{44 + i // 200}.{i % 200 * 5:03d}\n"
    for i in range(400)
]
GARBAGE = bytes(range(256)) * 40
SINE = np.sin(np.arange(500.0) ** 1.3)


def table(c3, time=lambda i: i / 100, c4=20 * SINE):
    """A CSV of 5 s at 100 Hz: C3 as given, C4 as an EEG might be."""
    rows = (f"{time(i)},{c3[i]},{c4[i]}\n" for i in range(500))
    return "time,C3,C4\n" + "".join(rows)


FILES = {
    "good.txt": HEAD + "".join(ROWS),
    "cut.txt": (HEAD + "".join(ROWS))[:-20],
    "zero.txt": HEAD.replace("200 Hz", "0 Hz") + "".join(ROWS),
    "empty.txt": "",
    "header.txt": HEAD,
    "few.txt": HEAD.replace("channels = 4", "channels = 8") + "".join(ROWS),
    "garbage.edf": GARBAGE,
    "garbage.xdf": b"XDF:" + GARBAGE,
    "garbage": GARBAGE,
    "text.toml": GARBAGE,
    "notes.xyz": "what is this?",
    "prose.csv": "name,age\nAnn,x\nBob,y\n",
    "header.csv": "time,C3,C4\n",
    "norate.csv": "C3,C4\n" + "1,2\n" * 500,
    "back.csv": table(20 * SINE, lambda i: (i if i < 250 else i - 100) / 100),
    "still.csv": table(20 * SINE, lambda i: 0),
    "twice.csv": table(20 * SINE).replace("C4", "C3"),
    "nan.csv": table(["nan"] * 500),
    "inf.csv": table(["inf"] * 500),
    "flat.csv": table([12.0] * 500),
    "railed.csv": table([187500.0] * 500),
    "volts.csv": table(20e-6 * SINE, c4=15e-6 * SINE),
    "huge.csv": table(20e6 * SINE, c4=15e6 * SINE),
    "syntax.toml": '[board\nuse = "synthetic"\n',
    "key.toml": '[board]\nuse = "synthetic"\nspeed = 3\n',
    "type.toml": '[board]\nuse = "synthetic"\nn = "many"\n',
    "part.toml": '[board]\nuse = "synthetik"\n',
    "noboard.toml": '[[stages]]\nuse = "bandpass"\n',
    "huge.toml": "# " + "x" * 10_000_000,
    "there.xdf": "dear",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Every kind of bad file, and places that are no files."""
    path = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, array in {
        "norate": SINE.reshape(-1, 2),
        "nothing": np.empty((0, 4)),
        "complex": np.ones((500, 2)) * 1j,
        "objects": np.array([{}, {}], dtype=object),
    }.items():
        np.save(path / f"{name}.npy", array, allow_pickle=True)
    os.mkfifo(path / "pipe.txt")
    return path


@pytest.fixture
def bcikit(capfd, folder, monkeypatch):
    """Runs a command line in this process, in the folder of bad files, S1 having allowed what stays here:
    (exit code, what it printed, what it said on stderr)."""
    monkeypatch.chdir(folder)
    Consent().grant("S1", "research", ["view", "record", "effector"])

    def run(command):
        capfd.readouterr()
        code = cli.main(shlex.split(command))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def said_well():
    """Checks that a message is one to three lines for a person: no traceback, nothing of Python's, no fault of ours."""

    def check(err, most=3):
        lines = err.splitlines()
        assert 1 <= len(lines) <= most, err
        assert not any(w in err for w in ("Traceback", "fault of bcikit", "Errno", " at 0x", "<class", "NoneType")), err
        assert all(line.strip() and len(line) < 400 for line in lines), err

    return check
