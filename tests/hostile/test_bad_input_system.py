"""Bad input from the system: what may not be read or written, a full disk, readers who leave, plug-ins that fail."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from bcikit.custody._attack_consent import at_rest
from bcikit.ethics.consent import Consent
from bcikit.files.read import read

pytestmark = pytest.mark.timeout(60)
BCIKIT = [sys.executable, "-m", "bcikit.cli.main"]
SIM = "stream --json --board synthetic"
DROP_FROM_BOUNDING_SET, OVERRIDE, SEARCH = 24, 1, 2  # of prctl; capabilities to ignore the permissions of files


def plain():
    """The superuser, too, is bound by the permissions of files from here on."""
    libc = ctypes.CDLL(None)
    for capability in (OVERRIDE, SEARCH):
        libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


def small_disk():
    """No file may grow beyond 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def run(command, before=None, **env):
    done = subprocess.run(
        [*BCIKIT, *command.split()],
        env={**os.environ, **env},
        preexec_fn=before,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def closed(tmp_path):
    """A file that nobody may read and a folder that nobody may write to."""
    (tmp_path / "secret.txt").write_text("1, 2, 3\n")
    (tmp_path / "secret.txt").chmod(0)
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut").chmod(0o500)
    yield tmp_path
    (tmp_path / "shut").chmod(0o700)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("stream --json --board replay --opt file={}/secret.txt", "chmod +r"),
        (f"{SIM} --record {{}}/shut/a.xdf", "Permission denied"),
        ("new session {}/shut/a.toml", "Permission denied"),
        ("run {}/secret.txt", "Permission denied"),
    ],
    ids=["file that may not be read", "folder not writable", "session not writable", "session not readable"],
)
def test_what_is_not_permitted_is_said(closed, said_well, command, said):
    code, out, err = run(command.format(closed), plain)
    assert (code, said in err) == (4, True), err
    said_well(err)
    assert '"samples"' not in out or json.loads(out.splitlines()[-1])["samples"] == 0


@pytest.mark.parametrize("home", ["{}/secret.txt", "{}/shut/home", "/proc/nowhere"])
def test_a_home_that_cannot_be_written_is_said(closed, said_well, home):
    code, _, err = run("consent grant S1 --sink view", plain, BCIKIT_HOME=home.format(closed))
    assert code == 4 and "BCIKIT_HOME" in err
    said_well(err)
    code, out, _ = run(f"{SIM} --seconds 0.2", plain, BCIKIT_HOME=home.format(closed))
    assert code == 0 and json.loads(out.splitlines()[-1])["samples"] == 50, "what is simulated needs nobody's consent"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00\x80" * 99, b"{", b"[]", b"null", b'{"body": 1, "signature": 2}', b"[" * 100_000]
)
def test_a_consent_store_that_is_damaged_allows_nothing_and_says_how_to_mend_it(bcikit, said_well, content, tmp_path):
    at_rest(Consent().home).write_bytes(content)
    code, out, err = bcikit("stream --json --subject S1 --board lsl")
    assert code == 3 and not out and "void" in err and "bcikit consent grant" in err
    said_well(err)


def test_a_full_disk_ends_the_recording_in_words_and_the_file_is_good(tmp_path, said_well):
    path = tmp_path / "a.xdf"
    code, out, err = run(f"{SIM} --opt rate=4000 --seconds 20 --record {path}", small_disk)
    last = json.loads(out.splitlines()[-1])
    assert code == 4 == last["exit"] and f"Recording to {path} has ended" in err
    said_well(err)
    back = read(path)
    assert path.stat().st_size < 100_000 and 0 < len(back.data) < last["samples"]
    assert np.array_equal(back.index, np.arange(len(back.data)))


def test_of_two_who_record_to_one_file_the_second_is_refused(tmp_path, said_well):
    path = tmp_path / "a.xdf"
    first = subprocess.Popen([*BCIKIT, *f"{SIM} --record {path}".split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        first.stdout.readline()
        code, _, err = run(f"{SIM} --seconds 0.2 --record {path}")
        assert code == 4 and "exists already" in err and "a-2.xdf" in err
        said_well(err)
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=30)
    finally:
        first.kill()
        first.communicate()
    assert first.returncode == 0 and not err
    assert len(read(path).data) == json.loads(out.splitlines()[-1])["samples"] > 0


def test_a_recorder_that_is_killed_leaves_a_file_that_can_be_read(tmp_path):
    path = tmp_path / "a.xdf"
    process = subprocess.Popen([*BCIKIT, *f"{SIM} --record {path}".split()], stdout=subprocess.PIPE)
    try:
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
    finally:
        process.kill()
        process.communicate()
    back = read(path)
    assert told[-1]["samples"] <= len(back.data) + 50 and np.array_equal(back.index, np.arange(len(back.data)))


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path):
    """bcikit stream ... --json | head -1"""
    command = f"set -o pipefail; {' '.join(BCIKIT)} {SIM} --record {tmp_path}/a.xdf | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)
    assert len(read(tmp_path / "a.xdf").data) > 0


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_streams_that_were_never_open_do_no_harm(tmp_path, closed):
    def close():
        for fd in closed:
            os.close(fd)

    command = [*BCIKIT, *f"{SIM} --seconds 0.4 --record {tmp_path}/a.xdf".split()]
    assert subprocess.run(command, preexec_fn=close, timeout=50, check=False).returncode == 0
    assert len(read(tmp_path / "a.xdf").data) == 100


@pytest.mark.parametrize("code", ["raise RuntimeError('no')", "import nosuchlibrary", "x = (", "from bcikit import nix", ""])
def test_a_plug_in_that_fails_harms_nothing_else(tmp_path, said_well, code):
    (tmp_path / "its_package.py").write_text(code)
    facts = tmp_path / "its_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: its-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[bcikit.boards]\nbroken = its_package:Broken\n")
    found = os.pathsep.join([str(tmp_path), os.getcwd()])
    done, _, err = run("stream --json --board broken", PYTHONPATH=found)
    assert done == 2 and "broken" in err.lower() and ("its_package" in err or "nosuchlibrary" in err)
    said_well(err)
    done, out, _ = run("boards", PYTHONPATH=found)
    assert done == 0 and "broken" in out and "synthetic" in out
