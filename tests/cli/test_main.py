"""The command line itself: help, errors, exit codes, and how quickly it answers."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from bcikit import BciError, DeviceTrouble, FileTrouble, NotConsented, WrongUse
from bcikit.cli import main as cli
from bcikit.cli import stages

BCIKIT = [sys.executable, "-m", "bcikit.cli.main"]


def run(capfd, *args):
    """(exit code, stdout, stderr) of a command run in this process."""
    code = cli.main(list(args))
    out, err = capfd.readouterr()
    return code, out, err


def test_help_shows_every_command_in_five_groups(capfd):
    code, out, _ = run(capfd, "--help")
    assert code == 0
    assert all(f"\n{group}  (" in out for group in cli.GROUPS) and len(cli.GROUPS) == 5
    for name, (_, line) in cli.found().items():
        assert f"\n  {name} " in out and line and line.split()[0] in out


@pytest.mark.parametrize("name", cli.found())
def test_every_command_says_its_group_and_has_help(capfd, name):
    path = cli.HERE / f"{name}.py"
    assert f'GROUP = "{cli.found()[name][0]}"' in path.read_text(), f"{path.name} says no GROUP"
    assert cli.found()[name][0] in cli.GROUPS
    code, out, err = run(capfd, name, "--help")
    assert code == 0 and out.startswith(f"Usage: bcikit {name}") and not err


@pytest.mark.realtime
@pytest.mark.parametrize("args, most", [(["-m", "bcikit.cli.main", "--help"], 3.0), (["-c", "import bcikit"], 1.8)])
def test_it_answers_at_once(args, most):
    """Beside what Python and NumPy need to start, in turns; `tools/startup.py` tells the seconds."""
    took = {"ours": [], "theirs": []}
    for _ in range(5):
        for name, words in (("ours", args), ("theirs", ["-c", "import numpy"])):
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], capture_output=True, check=True)
            took[name].append(time.perf_counter() - began)
    assert min(took["ours"]) < most * min(took["theirs"])


def test_help_imports_no_command():
    code = "import sys; from bcikit.cli.main import main; main(['--help']);"
    code += "print(sorted(m for m in sys.modules if 'bcikit.cli.' in m))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "['bcikit.cli.main']"


def test_version(capfd):
    import bcikit

    assert run(capfd, "--version") == (0, f"bcikit {bcikit.__version__}\n", "")


@pytest.mark.parametrize(
    "args, said",
    [
        (["strem"], "Did you mean 'stream'?"),
        (["emulate", "cytn"], "bcikit emulate has no 'cytn'. Did you mean 'cyton'?"),
        (["datasets", "nosuch"], "It has show, get, check."),
        (["stream"], "Missing option '--board'"),
        (["stream", "--board", "nope"], "no board called 'nope'"),
        (["stream", "--board", "sythetic"], "Did you mean 'synthetic'?"),
        (["stream", "--board", "synthetic", "--opt", "ratee=3"], "Did you mean 'rate'?"),
        (["stream", "--board", "synthetic", "--opt", "rate"], "not KEY=VALUE"),
        (["stream", "--board", "synthetic", "--opt", "=3"], "not KEY=VALUE"),
        (["stream", "--board", "synthetic", "--opt", "rate=fast"], "not a number"),
        (["stream", "--board", "synthetic", "--opt", "rate=nan"], "80 to 4000 Hz"),
        (["stream", "--board", "synthetic", "--opt", "n=2.5"], "not a whole number"),
        (["stream", "--board", "synthetic", "--stage", "nope"], "no stage called 'nope'"),
        (["stream", "--board", "synthetic", "--stage", "bandpass:low"], "not key=value"),
        (["stream", "--board", "synthetic", "--stage", "bandpass:low=50,high=40"], "not below"),
        (["stream", "--board", "synthetic", "--stage", ""], "no stage called ''"),
        (["stream", "--board", "synthetic", "--seconds", "0"], "--seconds"),
        (["stream", "--board", "synthetic", "--seconds", "soon"], "--seconds"),
        (["stream", "--board", "synthetic", "--markers", "nope"], "no board called 'nope'"),
        (["stream", "--board", "synthetic", "--record", "a.xdf", "--record-at", "nope"], "It has board, out."),
        (["stages", "bandpas"], "Did you mean 'bandpass'?"),
        (["boards", "nope"], "no board called 'nope'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else None,
)
def test_wrong_use_exits_2_and_says_what_would_be_right(capfd, args, said):
    code, out, err = run(capfd, *args)
    assert code == 2 and said in err and not out
    assert len(err.splitlines()) <= 3 and "Traceback" not in err


@pytest.mark.parametrize(
    "error, code",
    [
        (WrongUse("It is wrong.", "Because.", "Do this."), 2),
        (NotConsented("It is not allowed.", "", "bcikit consent grant S1"), 3),
        (DeviceTrouble("The board is gone."), 4),
        (FileTrouble("The disk is full."), 4),
        (BciError("Something else."), 1),
    ],
    ids=lambda e: type(e).__name__,
)
def test_exit_codes_and_errors_as_they_are(capfd, monkeypatch, error, code):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(stages.command, "callback", fails)
    assert run(capfd, "stages") == (code, "", f"{error}\n")


def test_a_fault_of_bcikit_is_one_line_and_says_how_to_see_where(capfd, monkeypatch):
    def fails(*_, **__):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(stages.command, "callback", fails)
    code, _, err = run(capfd, "stages")
    assert code == 1 and "ZeroDivisionError: of ours" in err and "--debug" in err and "Traceback" not in err
    for args in (["--debug", "stages"], ["stages", "--debug"]):
        with pytest.raises(ZeroDivisionError):
            cli.main(args)


def test_what_the_system_refuses_is_not_called_our_fault(capfd, monkeypatch):
    def fails(*_, **__):
        open("/dev/null/x").close()

    monkeypatch.setattr(stages.command, "callback", fails)
    assert run(capfd, "stages") == (4, "", "/dev/null/x: Not a directory.\n")


def test_a_reader_who_has_seen_enough_is_no_error():
    process = subprocess.Popen([*BCIKIT, "stages", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("kind", ["boards", "stages"])
def test_every_part_is_listed_with_its_settings_units_and_bounds(capfd, kind):
    from bcikit.core.find import parts
    from bcikit.core.settings import settings_of

    code, out, _ = run(capfd, kind)
    assert code == 0
    _, lines, _ = run(capfd, kind, "--json")
    listed = {entry["name"]: entry for entry in map(json.loads, lines.splitlines())}
    assert list(listed) == list(parts(kind[:-1]))
    for name, cls in parts(kind[:-1]).items():
        assert f"\n{name} " in f"\n{out}"
        assert listed[name]["about"] and [s["name"] for s in listed[name]["settings"]] == list(settings_of(cls))


def test_one_stage_is_shown_with_all_that_is_said_of_it(capfd):
    _, out, _ = run(capfd, "stages", "bandpass")
    assert "Butterworth" in out and "low = 1 " in out and "from 0.001 Hz" in out and "lower corner" in out


def test_a_part_whose_library_is_missing_is_listed_with_what_is_missing(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "bcikit.preprocess.notch", None)
    code, out, _ = run(capfd, "stages")
    assert code == 0 and "needs the library" in out and "bandpass" in out
    code, _, err = run(capfd, "stages", "notch")
    assert code == 2 and "needs the library" in err
