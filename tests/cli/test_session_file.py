"""`bcikit new session` and `bcikit run`: the whole line from one file, its mistakes told with their lines."""

from __future__ import annotations

import json
import re

import pytest

from bcikit.cli import main as cli
from bcikit.core.session import session
from bcikit.files.read import read
from bcikit.files.toml import Toml


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "session.toml"
    assert cli.main(["new", "session", str(path)]) == 0
    return path


def test_the_new_file_runs_as_it_is(path, capfd):
    assert cli.main(["run", str(path), "--seconds", "6.5", "--json"]) == 0
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert lines[-1]["exit"] == 0 and lines[-1]["samples"] == 1625 and len(lines[-1]["channels"]) == 8
    assert err.splitlines()[-1] == "safe" and "speed 0 1/s" in err


@pytest.mark.realtime
def test_the_new_file_runs_with_its_own_view_too(path, capfd):
    path.write_text("seconds = 0.5\n" + path.read_text())
    assert cli.main(["run", str(path)]) == 0
    out, err = capfd.readouterr()
    assert "streaming" in out and "125 samples, 0 lost" in err


def test_every_line_that_stands_as_a_comment_is_right_when_the_sign_is_taken_away(path):
    text = re.sub(r"(?m)^# (?=\w+ = |\[\[)", "", path.read_text())
    text = re.sub(r'(?m)^\w+ = "none" .*\n', "", text)  # no value
    path.write_text(text)
    file = Toml(path)
    assert file.doc.pop("subject") == "S1" and file.doc.pop("seconds") == 60
    made = session(file.doc)
    assert made.board.recipe() == {**session({"board": {"use": "synthetic", "n": 8, "seed": 1}}).board.recipe()}
    assert [sink.part_name() for sink, _ in made.sinks] == ["console", "terminal", "xdf"]


def test_it_records_where_it_is_told(path, tmp_path):
    text = (
        path.read_text()
        .replace("# [[sinks]]", "[[sinks]]")
        .replace('# use = "xdf"', 'use = "xdf"')
        .replace("# at =", "at =")
    )
    path.write_text(text.replace('# path = "recording.xdf"', f'path = "{tmp_path / "a.xdf"}"'))
    assert cli.main(["run", str(path), "--seconds", "0.4", "--no-view"]) == 0
    assert read(tmp_path / "a.xdf").data.shape == (100, 8)


def test_nothing_is_overwritten(path, capfd):
    before = path.read_text()
    assert cli.main(["new", "session", str(path)]) == 4
    assert "is there already" in capfd.readouterr().err and path.read_text() == before


@pytest.mark.parametrize(
    "old, new, line, said",
    [
        ("low = 1.0", "lov = 1.0", "lov = 1.0", "Did you mean 'low'?"),
        ("low = 1.0", "low = -1.0", "low = -1.0", "out of bounds"),
        ("low = 1.0", 'low = "one"', 'low = "one"', "not a number"),
        ("low = 1.0", "low = 50.0", "low = 50.0", "not below"),
        ('use = "notch"', 'use = "notsch"', "notsch", "Did you mean 'notch'?"),
        ('use = "synthetic"', "", "[board]", "names no part"),
        ("[mapper]", "[maper]", "[maper]", "Did you mean 'mapper'?"),
        ('at = "stages"', 'at = "stage"', 'at = "stage"', "no place 'stage'"),
        ("seed = 1", "seed = 2020-01-01", "seed = 2020-01-01", "not a whole number"),
        ("seed = 1", "seed = 1 1", "seed = 1 1", "line"),
        ('# subject = "S1"', "subject = 5", "subject = 5", "not a name"),
        ("# seconds = 60", "seconds = -1", "seconds = -1", "not a number of seconds"),
        ("# seconds = 60", "seconds = nan", "seconds = nan", "not a number of seconds"),
        ("# seconds = 60", "seconds = true", "seconds = true", "not a number of seconds"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(path, capfd, old, new, line, said):
    text = path.read_text()
    assert old in text
    text = text.replace(old, new, 1)
    path.write_text(text)
    number = next(n for n, row in enumerate(text.split("\n"), 1) if line in row)
    assert cli.main(["run", str(path)]) == 2
    err = capfd.readouterr().err
    if said != "not below":  # what is wrong between two settings is found when the stream is known
        assert f"line {number}" in err
    assert said in err and len(err.splitlines()) <= 3


def test_a_missing_file_names_the_command_that_writes_one(tmp_path, capfd):
    assert cli.main(["run", str(tmp_path / "nope.toml")]) == 4
    assert f"bcikit new session {tmp_path / 'nope.toml'}" in capfd.readouterr().err
