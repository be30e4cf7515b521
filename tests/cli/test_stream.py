"""`bcikit stream` as a person or a program uses it: JSON lines, recordings, consent, signals, a reader who leaves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from bcikit import Board, Channel, Chunk, DeviceTrouble, Pipeline, Sink, Stage, Status, Stream, stage
from bcikit.acquire.synthetic import Synthetic
from bcikit.cli import main as cli
from bcikit.core import find
from bcikit.core.label import SIMULATED
from bcikit.core.session import Session
from bcikit.ethics.consent import Consent
from bcikit.files.read import read
from tests.conftest import LATE_S

BCIKIT = [sys.executable, "-m", "bcikit.cli.main"]


class Scripted(Board):
    """A simulated board at 100 Hz that follows a script: 20 is as many chunks of two rows, 1.5 a silence of so many seconds,
    an error is raised; then it ends."""

    def __init__(self, *script, live=False):
        self.script, self.live = list(script), live

    def open(self):
        self.first, self.state, self.newest = 0, "connecting", self.clock.now()
        label = self.label if self.live else SIMULATED
        return Stream("scripted", 100.0, (Channel("a"), Channel("b\x1b[31m\n", "eeg", "µV")), label=label)

    def read(self, timeout=0.1):
        if not self.script:
            self.state = "ended"
            return None
        what = self.script[0]
        if isinstance(what, BaseException):
            raise what
        if isinstance(what, float):  # silence, until this moment
            until = self.newest + what
            self.clock.sleep_until(min(until, self.clock.now() + timeout))
            if self.clock.now() - self.newest > 0.25:
                self.state = "stale"
            if self.clock.now() >= until:
                self.script.pop(0)
                self.first += round(what * 100)
            return None
        self.script[0] -= 1
        if not self.script[0]:
            self.script.pop(0)
        self.clock.sleep_until(self.clock.now() + 0.02)
        self.state, self.newest = "streaming", self.clock.now()
        first, self.first = self.first, self.first + 2
        data = np.full((2, 2), 3.0, np.float32) * np.array([[1], [-1]], np.float32)
        return Chunk(data, first, self.newest)

    @property
    def status(self):
        return Status(self.state, self.clock.now() - self.newest, 100.0)


def scripted(monkeypatch, *script, **settings):
    """Make `--board synthetic` this board."""
    board = Scripted(*script, **settings)
    monkeypatch.setattr(Synthetic, "make", classmethod(lambda cls, _: board))
    return board


def lines_of(capfd, *args):
    code = cli.main(["stream", "--board", "synthetic", "--json", *args])
    out, err = capfd.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.realtime
def test_json_lines_have_what_was_promised_and_the_last_has_the_exit_code(capfd):
    code, lines, err = lines_of(capfd, "--seconds", "1.2")
    assert code == 0 and not err
    for line in lines:
        assert {"time_s", "state", "rate_hz", "samples", "lost", "age_s", "latency_ms", "channels"} <= set(line)
        assert set(line["latency_ms"]) == set(line["arrival_ms"]) == set(line["polling_ms"]) == {"p50", "p99"}
        assert [c["name"] for c in line["channels"]][:3] == ["Fp1", "Fp2", "C3"]
        assert all(set(c) == {"name", "unit", "rms", "quality"} and c["unit"] == "µV" for c in line["channels"])
        assert line["simulated"] is True
    assert [("exit" in line) for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["exit"] == 0 and lines[-1]["samples"] == 300
    told = [(line["state"], int(line["time_s"])) for line in lines[:-1]]
    assert len(set(told)) == len(told) >= 1, "one a second, or where the state changes"


@pytest.mark.realtime
def test_complaint_09_the_state_follows_the_data_and_not_the_button(capfd, monkeypatch, tmp_path):
    """OpenBCI_GUI#1011: a session timer that runs on without data. Here state, samples and age are those of the data."""
    scripted(monkeypatch, 20, 1.2, 20)
    code, lines, _ = lines_of(capfd, "--record", str(tmp_path / "a.xdf"))
    states = [line["state"] for line in lines]
    assert code == 0 and [s for i, s in enumerate(states) if i == 0 or s != states[i - 1]] == [
        "streaming", "stale", "streaming", "ended",
    ]  # fmt: skip
    before = max(line["time_s"] for line in lines[: states.index("stale")])
    stale = [line for line in lines if line["state"] == "stale"]
    assert stale[0]["samples"] == stale[-1]["samples"] == 40
    assert stale[0]["time_s"] - before < 1.2 + LATE_S and stale[0]["age_s"] > 0.25
    recorded = read(tmp_path / "a.xdf")
    assert len(recorded.data) == 80 and recorded.index[40] - recorded.index[39] == 121  # the file shows the gap


@pytest.mark.realtime
def test_the_last_data_are_not_told_for_ever(capfd, monkeypatch):
    """brainflow#38, #522: the stream dies and the last window is returned for ever. Here channels then have no rms."""
    scripted(monkeypatch, 20, 1.5, 5)
    _, lines, _ = lines_of(capfd)
    for line in lines:
        known = [c["rms"] is not None for c in line["channels"]]
        assert all(known) if line["state"] == "streaming" else not any(known) or line["state"] == "ended"
    assert "stale" in [line["state"] for line in lines]


@pytest.mark.realtime
def test_the_age_of_the_sample_is_told(capfd, monkeypatch):
    """lsl_archived#321, pylsl#57: feedback lags by minutes, unseen. Here each line has it, and it grows in a silence."""
    scripted(monkeypatch, 20, 2.2, 5)
    _, lines, _ = lines_of(capfd)
    ages = [line["age_s"] for line in lines if line["state"] == "stale"]
    assert len(ages) >= 2 and ages == sorted(ages) and ages[-1] > 1


def test_what_is_recorded_behind_the_stages_is_the_offline_result_byte_for_byte(capfd, tmp_path, shared):
    source = shared("openbci-gui/gui-v6.txt")
    path, raw = tmp_path / "a.xdf", tmp_path / "raw.xdf"
    args = ["stream", "--board", "replay", "--opt", f"file={source}", "--opt", "speed=0", "--no-view"]
    line = ["--stage", "bandpass:low=1,high=40", "--stage", "notch"]
    assert cli.main([*args, *line, "--record", str(path)]) == 0
    assert cli.main([*args, *line, "--record", str(raw), "--record-at", "board"]) == 0
    offline = Pipeline([stage("bandpass", low=1, high=40), stage("notch")]).run(read(source))
    assert read(path).data.tobytes() == offline.data.tobytes()
    assert read(raw).data.tobytes() == read(source).data.tobytes()


def test_the_recording_knows_the_line_that_made_it(tmp_path):
    path = tmp_path / "a.xdf"
    args = [
        "stream",
        "--board",
        "synthetic",
        "--opt",
        "seed=7",
        "--seconds",
        "0.2",
        "--no-view",
        "--stage",
        "bandpass:low=2",
    ]
    assert cli.main([*args, "--record", str(path)]) == 0
    text = path.read_bytes().decode("utf-8", "replace")
    assert "bandpass" in text and '"low": 2.0' in text.replace("&quot;", '"') and "synthetic" in text


def test_an_error_of_the_board_is_told_with_its_exit_code_and_in_the_last_line(capfd, monkeypatch, tmp_path):
    scripted(monkeypatch, 10, DeviceTrouble("The port is gone.", "The plug was pulled.", "Plug it in."))
    path = tmp_path / "a.xdf"
    code, lines, err = lines_of(capfd, "--record", str(path))
    assert code == 4 and lines[-1]["exit"] == 4 and err == "The port is gone.\nThe plug was pulled.\nPlug it in.\n"
    assert len(read(path).data) == 20


def test_a_board_that_never_gives_a_sample_ends_a_timed_run_with_an_error(capfd, monkeypatch):
    scripted(monkeypatch, 60.0)
    code, lines, err = lines_of(capfd, "--seconds", "0.5")
    assert code == 4 and "No sample came" in err and lines[-1]["exit"] == 4


@pytest.mark.realtime
def test_without_a_terminal_the_view_is_a_plain_line_a_second(capfd):
    assert cli.main(["stream", "--board", "synthetic", "--seconds", "1.2"]) == 0
    out, err = capfd.readouterr()
    assert 2 <= len(out.splitlines()) <= 3 and "\x1b" not in out  # two where the machine slept over a second
    assert "streaming" in out and "250.0 Hz" in out and "lost 0" in out and "simulated" in out and "age" in out
    assert err.splitlines()[-1].startswith("1.2 s, 300 samples, 0 lost") or "300 samples, 0 lost" in err


def test_the_decisions_of_an_effector_do_not_mix_with_the_json(capfd):
    from bcikit.cli._go import go
    from bcikit.effectors.console import Console
    from bcikit.view.jsonl import Jsonl

    stages = [stage("threshold", window=0.2, on=0.001, off=0.0005)]
    go(Session(Synthetic(), stages, [(Jsonl(), "board"), (Console(), "out")], seconds=0.6))
    out, err = capfd.readouterr()
    assert all(json.loads(line) for line in out.splitlines())
    assert err.splitlines() == ["(a simulation; not for medical purposes)", "active", "safe"]


# -- consent


def test_a_live_board_is_refused_before_it_is_opened_and_told_what_would_grant_it(capfd, monkeypatch):
    board = scripted(monkeypatch, 10, live=True)
    opened = []
    monkeypatch.setattr(board, "open", lambda: opened.append(1))
    code, lines, err = lines_of(capfd, "--subject", "S1", "--record", "never.xdf")
    assert code == 3 and not lines and not opened
    assert "bcikit consent grant S1 --purpose research --sink record --sink view" in err
    code, _, err = lines_of(capfd)
    assert code == 3 and not opened and "bcikit consent grant me --purpose research --sink view" in err


def test_a_line_that_goes_on_learning_needs_the_grant_to_learn(capfd, monkeypatch):
    class Learner(Stage):
        learns_from = ("hit",)

        def rows(self, x):
            return x.copy()

    board = scripted(monkeypatch, 10, live=True)
    monkeypatch.setattr(board, "open", lambda: pytest.fail("opened"))
    monkeypatch.setattr(find, "parse", lambda kind, text: Pipeline([Learner()]))
    Consent().grant("S1", "research", ["view"])
    code, _, err = lines_of(capfd, "--subject", "S1", "--stage", "learner")
    assert code == 3 and "bcikit consent grant S1 --purpose research --sink train" in err


def test_one_command_grants_all_that_was_missing(capfd, monkeypatch, tmp_path):
    scripted(monkeypatch, 10, live=True)
    path = str(tmp_path / "a.xdf")
    *_, err = lines_of(capfd, "--subject", "S1", "--record", path)
    grant = next(line for line in err.splitlines() if line.startswith("bcikit consent grant"))
    assert cli.main(grant.split()[1:]) == 0
    capfd.readouterr()
    code, lines, _ = lines_of(capfd, "--subject", "S1", "--record", path)
    assert code == 0 and lines[-1]["samples"] == 20 and lines[-1]["simulated"] is False


def test_complaint_19_an_outlet_needs_its_own_grant_whatever_else_was_granted(capfd, monkeypatch):
    """liblsl#130, lsl_archived#246: anyone on the network can subscribe. Here it is off until it is granted for itself."""
    board = scripted(monkeypatch, 10, live=True)
    monkeypatch.setattr(board, "open", lambda: pytest.fail("opened"))
    Consent().grant("S1", "research", ["view", "record", "effector"])
    code, _, err = lines_of(capfd, "--subject", "S1", "--lsl", "Mine")
    assert code == 3 and "bcikit consent grant S1 --purpose research --sink lsl" in err


@pytest.mark.parametrize("answer, code", [("yes\n", 0), ("no\n", 3), ("\n", 3)])
def test_at_a_terminal_one_question_at_first_use_makes_the_subject_me(answer, code, tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import test_stream as t, pytest;"
        "m = pytest.MonkeyPatch(); t.scripted(m, 10, live=True);"
        "sys.exit(t.cli.main(['stream', '--board', 'synthetic', '--json', '--seconds', '0.2']))"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, os.path.dirname(__file__)], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    said = b""
    try:
        while b"Type yes" not in said:
            said += os.read(ours, 4096)
        os.write(ours, answer.encode())
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(ours)
    assert process.returncode == code
    assert bool(out) == (code == 0) == bool(Consent().grants())
    if code == 0:
        assert {g.subject for g in Consent().grants()} == {"me"}


# -- ending


def started(*args, **kwargs):
    """A stream in another process that has given its first line."""
    process = subprocess.Popen(
        [*BCIKIT, "stream", "--board", "synthetic", "--json", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )
    first = process.stdout.readline()
    if not first or json.loads(first)["state"] != "streaming":
        raise AssertionError((first, process.communicate(timeout=30)))
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order_and_leaves_a_good_file(number, tmp_path):
    path = tmp_path / "a.xdf"
    process = started("--record", str(path), "--stage", "notch")
    process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    last = json.loads(out.splitlines()[-1])
    assert process.returncode == 0 and not err and last["exit"] == 0
    assert len(read(path).data) == last["samples"] > 200


def test_a_reader_who_leaves_ends_it_in_good_order_and_leaves_a_good_file(tmp_path):
    path = tmp_path / "a.xdf"
    process = started("--record", str(path))
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == b""
    process.stderr.close()
    assert len(read(path).data) > 0


@pytest.mark.realtime
def test_complaint_22_acquisition_never_waits_for_the_view(capfd, monkeypatch):
    """OpenBCI_GUI#1252: the stream stops when its widget is hidden. Here a view that hangs costs no sample."""
    from bcikit.view.jsonl import Jsonl

    release, sent = threading.Event(), []

    class Keeps(Sink):
        kind, inline = "record", True

        def send(self, c):
            sent.append(len(c))
            if sum(sent) == 60:
                release.set()  # all came while the view hung

    def hangs(self, report):
        assert threading.current_thread() is not threading.main_thread()
        assert release.wait(30)

    from bcikit.cli._go import go

    monkeypatch.setattr(Jsonl, "pulse", hangs)
    began = time.monotonic()
    go(Session(Scripted(30), [], [(Jsonl(), "out"), (Keeps(), "out")]))
    assert sum(sent) == 60 and time.monotonic() - began < 20


@pytest.mark.realtime
def test_start_up_is_quick():
    """From the command to the first chunk, beside what Python and NumPy need; `tools/startup.py` tells the seconds."""
    ours, theirs = [], []
    for _ in range(4):
        began = time.perf_counter()
        process = started()
        ours.append(time.perf_counter() - began)
        process.terminate()
        process.communicate(timeout=30)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        theirs.append(time.perf_counter() - began)
    assert min(ours) < 6 * min(theirs)


def test_markers_of_another_board_are_merged(capfd, monkeypatch):
    from bcikit.acquire.lsl import Lsl
    from bcikit.acquire.merge import Merge
    from bcikit.cli import _go

    seen = []
    monkeypatch.setattr(_go, "go", lambda session, **_: seen.append(session))
    assert cli.main(["stream", "--board", "synthetic", "--markers", "lsl:My=Markers"]) == 2  # a key that Lsl has not
    assert cli.main(["stream", "--board", "synthetic", "--markers", "lsl:Markers"]) == 0
    assert cli.main(["stream", "--board", "synthetic", "--markers", "lsl:type=Markers,wait_s=1"]) == 0
    for session, setting in zip(seen, ({"name": "Markers"}, {"type": "Markers", "wait_s": 1.0}), strict=True):
        assert isinstance(session.board, Merge)
        first, second = session.board._made
        assert isinstance(first, Synthetic) and isinstance(second, Lsl)
        assert {k: getattr(second, k) for k in setting} == setting


def test_every_kind_of_place_is_found(capfd):
    assert {"terminal", "jsonl", "console", "xdf", "lsl"} <= set(find.where("sink"))
