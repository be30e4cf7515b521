"""A TOML file knows the lines of its keys, however they are written."""

from __future__ import annotations

import pytest

from bcikit import FileTrouble, WrongUse
from bcikit.files.toml import MOST, Toml


def line_of(tmp_path, text, *keys):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(WrongUse) as told, Toml(path).line(*keys):
        raise WrongUse("It is wrong.", "Because.", "Do this.")
    what, *rest = str(told.value).splitlines()
    assert rest == ["Because.", "Do this."] and what.startswith(f"{path}, line ") and what.endswith(": It is wrong.")
    return int(what.removeprefix(f"{path}, line ").split(":")[0])


TEXT = """\
# low = 0 and [board] in a comment
seconds = 5
note = '''
low = 99
[board]
'''

[board]
use = "synthetic"
channels = [
  "C3",
  "C4",
]
low = 1

[[stages]]
use = "bandpass"
low = 1
[[stages]]   # another
use = "bandpass"
"low" = 2
[[stages]]
use = "notch"
"""


@pytest.mark.parametrize(
    "keys, line",
    [
        (("seconds",), 2),
        (("note",), 6),  # where it ends
        (("board",), 8),
        (("board", 0), 8),
        (("board", 0, "use"), 9),
        (("board", "channels"), 13),
        (("board", "low"), 14),
        (("stages", 0), 16),
        (("stages", 0, "low"), 18),
        (("stages", 1), 19),
        (("stages", 1, "low"), 21),
        (("stages", 2, "use"), 23),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_key(tmp_path, keys, line):
    assert line_of(tmp_path, TEXT, *keys) == line
    assert line_of(tmp_path, TEXT.replace("\n", "\r\n"), *keys) == line


def test_other_ways_to_write_a_table(tmp_path):
    assert line_of(tmp_path, "\nboard = {use = 'a', low = 1}\n", "board", 0, "low") == 2
    assert line_of(tmp_path, "x.y = 1\nboard.use = 'a'\nboard.low = 1\n", "board", "low") == 3


@pytest.mark.parametrize(
    "raw, error, said",
    [
        (b"\x00\xff\xfe", FileTrouble, "no text"),
        (b"\x89PNG\r\n\x1a\n", FileTrouble, "no text"),
        (b"a = 1\n" * MOST, FileTrouble, "over 100 kB"),
        (b"a = \n", WrongUse, "line 1"),
        (b"a = 1\nb = [1,\n", WrongUse, "line"),
        (b"a = 1\na = 2\n", WrongUse, "line 2"),
        (b"a = \"x\n", WrongUse, "line 1"),
        (b"a = \x01\n", WrongUse, "line 1"),
        (b"a = " + b"[" * 50_000, WrongUse, ""),
    ],
    ids=lambda v: repr(v[:12]) if isinstance(v, bytes) else None,
)  # fmt: skip
def test_hostile_files(tmp_path, raw, error, said):
    path = tmp_path / "a.toml"
    path.write_bytes(raw)
    with pytest.raises(error) as told:
        Toml(path)
    assert said in str(told.value) and str(path) in str(told.value)


@pytest.mark.parametrize("name", ["nope.toml", "."])
def test_what_cannot_be_read(tmp_path, name):
    with pytest.raises(FileTrouble, match="cannot be read"):
        Toml(tmp_path / name)


def test_something_endless_is_not_read_to_its_end():
    with pytest.raises(FileTrouble, match="over 100 kB"):
        from pathlib import Path

        Toml(Path("/dev/zero"))
