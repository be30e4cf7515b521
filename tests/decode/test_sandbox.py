"""The sandboxed worker: the same numbers as outside, and nothing else gets out of it, whatever runs there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit import BciError, Channel, Chunk, Event, Label, Level, NotConsented, Pipeline, Stream, WrongUse
from bcikit.cli import main as cli
from bcikit.core.find import parse
from bcikit.decode.sandbox import Sandbox
from bcikit.ethics import _wire, sandbox
from bcikit.ethics.consent import Consent
from bcikit.ethics.home import home

if why := sandbox.available():
    pytest.skip(f"left out: {why}", allow_module_level=True)

LABEL = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
STREAM = Stream("s", 250.0, (Channel("O1"), Channel("O2")), label=LABEL)
PARTS = ["bandpass:low=1,high=40", "window:length=0.5,hop=0.1"]


def chunks(sizes, seed=0):
    rng, at = np.random.default_rng(seed), 0
    for n in sizes:
        events = (Event(at + 1.5, "cue", 3), Event(at, "text", "x")) if n else ()
        yield Chunk(rng.normal(size=(n, 2)).astype(np.float32), at, (at + n - 1) / 250, events)
        at += n


def same(a, b):
    return np.array_equal(a.data, b.data) and a.first == b.first and np.array_equal(a.time, b.time) and a.events == b.events


def test_it_gives_the_same_bytes_as_outside_at_any_cut_across_gaps_and_from_a_kept_state():
    inside, outside = Sandbox(PARTS), Pipeline([parse("stage", p) for p in PARTS])
    assert inside.missing == ()
    a, b = inside.start(STREAM), outside.start(STREAM)
    assert a == b and a.label == LABEL
    for c in chunks([0, 1, 25, 250, 7, 0, 100]):
        assert same(inside.step(c), outside.step(c))
    inside.gap(3.0)
    outside.gap(3.0)
    later = list(chunks([100, 100], seed=1))
    assert same(inside.step(later[0]), outside.step(later[0]))
    other = Sandbox(PARTS)
    other.start(STREAM)
    other.restore(inside.state())
    assert same(other.step(later[1]), outside.step(later[1]))
    for s in (inside, other):
        s.end()
        s.end()
    with pytest.raises(BciError, match="has ended"):
        inside.step(later[0])


def test_what_a_part_says_of_itself_comes_through():
    with pytest.raises(WrongUse, match="no stage called"):
        Sandbox(["bandpas"])
    inside = Sandbox(["threshold:channels=Cz"])
    with pytest.raises(WrongUse, match="no channel 'Cz'"):
        inside.start(STREAM)
    assert inside.settle > 0 and inside.leaky is False
    inside.end()


def test_values_cross_unchanged():
    value = {"a": np.arange(6.0).reshape(2, 3), "b": [1, (2.5, None)], 3: "x", "n": {"t": np.zeros((0, 2), np.int16)}}
    back = _wire.values_in(_wire.values_out(value))
    assert np.array_equal(back["a"], value["a"]) and back["b"] == value["b"] and back[3] == "x"
    assert back["n"]["t"].dtype == np.int16 and back["n"]["t"].shape == (0, 2)


@pytest.mark.parametrize("raw", [b"", b"\xff" * 4, b"\x02\0\0\0{}", _wire.values_out({})[:3], b"\x04\0\0\0nope"])
def test_nonsense_on_the_wire_is_an_error(raw):
    for read in (lambda: _wire.values_in(raw)["x"], lambda: _wire.chunk_in(raw, STREAM)):
        with pytest.raises((ValueError, TypeError, KeyError, _wire.struct.error)):
            read()


# -- hostile parts

EVIL = """
import os, socket, sys
from dataclasses import dataclass, replace
from typing import Annotated
import numpy as np
from bcikit.core.parts import Setting, Stage
from bcikit.core.label import Level
def tried(f):
    try:
        f(); return 1.0
    except BaseException:
        return 0.0
IMPORTED = tried(lambda: open({file!r}, "a").write("imported"))
@dataclass(eq=False)
class Evil(Stage):
    do: Annotated[str, Setting("what")] = "write"
    def setup(self, s):
        if self.do == "fail": raise RuntimeError("the secret is 42")
        if self.do == "lower": return s.but(label=replace(s.label, level=Level.AGGREGATE, subjects=frozenset()))
        return s
    def rows(self, x):
        if self.do == "crash": os._exit(1)
        if self.do == "shape": return np.zeros((len(x), 99), np.float32)
        if self.do == "print": print("secret", flush=True)
        got = [tried(lambda: open({file!r}, "a").write("secret")), tried(lambda: socket.socket()), tried(lambda: os.fork()),
               IMPORTED, tried(lambda: open({home!r} + "/device.key").read())]
        return np.full((len(x), 2), sum(got), np.float32)
"""


@pytest.fixture
def evil(tmp_path, plugged):
    """A plug-in as it would be installed: found by its entry point, imported in the worker alone."""
    file = tmp_path / "leak"
    place = plugged("evil", "Evil", EVIL.format(file=str(file), home=str(home())))
    Consent().grant("S1", "research", ["view"])
    return lambda do: (Sandbox([f"evil:do={do}"], readable=[str(place)]), file)


def test_a_hostile_plug_in_reaches_nothing_and_is_not_even_imported_here(evil, capfd):
    inside, file = evil("print")
    inside.start(STREAM)
    (c,) = chunks([5])
    assert (inside.step(c).data == 0.0).all(), "it got something"
    inside.end()
    assert not file.exists() and "evil_part" not in sys.modules and capfd.readouterr() == ("", "")


def test_it_lowers_no_label_whatever_it_says(evil):
    inside, _ = evil("lower")
    with pytest.raises(WrongUse, match="privacy level"):
        inside.start(STREAM)
    inside.end()
    told = {**_wire.stream_out(STREAM), "label": "AGGREGATE"}
    assert _wire.stream_in(told, STREAM).label == LABEL and LABEL.level is Level.RAW


@pytest.mark.parametrize("do", ["crash", "shape"])
def test_a_part_that_crashes_or_lies_about_its_shape_is_an_error_in_words(evil, do):
    inside, _ = evil(do)
    inside.start(STREAM)
    with pytest.raises(BciError):
        inside.step(next(chunks([5])))
    inside.end()


def test_its_exceptions_carry_nothing_out(evil):
    inside, _ = evil("fail")
    with pytest.raises(BciError, match="failed: RuntimeError") as caught:
        inside.start(STREAM)
    assert "42" not in str(caught.value)
    inside.end()


def test_keys_and_consents_are_never_readable_in_it():
    with pytest.raises(NotConsented, match="keys and consents"):
        Sandbox(["notch"], readable=[str(home().parent)])


def test_on_the_command_line_and_at_tier_2_of_a_policy(capfd):
    line = ["stream", "--board", "synthetic", "--json", "--seconds", "0.5", "--stage", "notch"]
    assert cli.main([*line, "--sandbox"]) == 0
    Consent().use_policy("version = 1\ntier = 2\n")
    before = {p for p in os.listdir("/proc") if p.isdigit()}
    assert cli.main(line) == 0 and before
    assert '"samples": 125' in capfd.readouterr().out


SESSION = """
[board]
use = "synthetic"
n = 2
[[stages]]
use = "notch"
[[stages]]
{table}
[[sinks]]
use = "jsonl"
at = "{at}"
"""


@pytest.mark.parametrize(
    "table, at",
    [
        ('use = "evil"', "evil"),
        ('use = "beside"\nlines = [{stage = "evil"}, {stage = "evil"}]', "beside"),
        ('use = "sandbox"\nline = ["evil:do=print"]', "sandbox"),
    ],
)
def test_a_session_at_tier_2_shuts_in_what_another_package_brought(evil, tmp_path, capfd, table, at):
    _, file = evil("print")
    Consent().use_policy("version = 1\ntier = 2\n")
    (path := tmp_path / "s.toml").write_text(SESSION.format(table=table, at=at))
    assert cli.main(["run", str(path), "--seconds", "0.5"]) == 0
    assert '"samples": 125' in capfd.readouterr().out
    assert not file.exists() and "evil_part" not in sys.modules


def test_at_tier_2_no_command_loads_another_package_into_its_own_process(evil, capfd):
    Consent().use_policy("version = 1\ntier = 2\n")
    evil("print")
    assert cli.main(["stages", "evil"]) == 3
    assert "nobody vouches for it" in capfd.readouterr().err and "evil_part" not in sys.modules
    assert cli.main(["stages"]) == 0
    assert "nobody vouches" in capfd.readouterr().out


def test_where_there_is_no_sandbox_nothing_runs_in_it(monkeypatch):
    monkeypatch.setattr(sandbox, "available", lambda: "this kernel has no Landlock")
    with pytest.raises(BciError, match="no sandboxed worker"):
        Sandbox(["notch"])
    assert Path(sandbox.__file__).exists()
