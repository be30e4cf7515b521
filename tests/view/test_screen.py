"""The screen as a function: every size fits, what matters is said, and no name can command the terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import Channel, Chunk, Event, Status, Stream
from bcikit.core.label import Label
from bcikit.core.parts import Report
from bcikit.core.stream import recording
from bcikit.testing import noise
from bcikit.view._screen import Facts, Look, frame
from bcikit.view._signal import Signal
from bcikit.view._text import cells, fit, shown

OK = Status("streaming", 0.012, 250.0, 0, 0.001, "")
REPORT = Report(83.2, OK, 20800, (8.1, 14.2), (7.9, 14.0), {})


def facts(source=None, report=REPORT, **changes):
    source = source or noise(6.0)
    signal = Signal(source.stream)
    for c in source.chunks:
        signal.take(c)
    made = Facts(
        source.stream, report, 0.0, "bandpass → notch", [], signal, ["good"] * len(source.stream.channels), signal.bands()
    )
    return replace(made, **changes)


def status(**changes):
    return replace(REPORT, status=replace(OK, **changes))


def text(f, look=None, width=110, height=35, colour=False):
    return "\n".join(frame(f, look or Look(), width, height, colour))


def test_the_rate_is_held_against_the_boards_and_not_against_that_of_decisions():
    s = Stream("told", 2.0, (Channel("left", "probability", ""), Channel("right", "probability", "")))
    said = text(facts(recording(s, np.zeros((12, 2))), nominal_hz=250.0))
    assert "250.0 of 250 Hz" in said and "of 2 Hz" not in said


@pytest.mark.parametrize("rate", [2.0, 0.0])
def test_what_a_decoder_says_are_the_newest_probabilities(rate):
    names = ("left", "right")
    s = Stream("told", rate, tuple(Channel(n, "probability", "") for n in names), alphabet=names)
    x = np.column_stack([np.linspace(1, 0.25, 12), np.linspace(0, 0.75, 12)])
    f = facts(recording(s, x), nominal_hz=250.0)
    left, right = (next(line for line in text(f, width=80).splitlines() if f" {n} " in line) for n in names)
    assert "25.0%" in left and "75.0%" in right and right.count("█") == pytest.approx(3 * left.count("█"), abs=2)
    silent = text(replace(f, report=status(state="stale")))
    assert "%" not in silent and "█" not in silent
    for width in (20, 40, 80):
        assert all(cells(line) <= width for line in text(f, width=width).splitlines())
    nothing = text(facts(recording(s, np.full((3, 2), np.nan))))
    assert "–" in nothing and "█" not in nothing


def many(n, seconds=3.0):
    s = Stream("many", 250.0, tuple(Channel(f"electrode {i}") for i in range(n)))
    x = np.random.default_rng(0).normal(0, 10, (round(250 * seconds), n)).astype(np.float32)
    from bcikit import recording

    return recording(s, x)


def test_for_what_the_data_may_be_used_stands_where_there_is_room():
    person = noise(2.0)
    label = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
    f = facts(replace(person, stream=person.stream.but(label=label)))
    heads = {width: text(f, width=width).split("\n")[0] for width in (110, 80, 62)}
    assert "S1 for research (not for medical purposes)" in heads[110]
    assert "S1 for research" in heads[80] and "medical" not in heads[80]
    assert "S1" in heads[62] and "research" not in heads[62]
    clinic = replace(label, purposes=frozenset({"clinical"}))
    assert "S1 for clinical  0:" in text(facts(replace(person, stream=person.stream.but(label=clinic))))
    assert "SIMULATED (not for medical purposes)" in text(facts())


@settings(max_examples=80, deadline=None)
@given(
    width=st.integers(1, 200), height=st.integers(1, 60), n=st.sampled_from([1, 2, 7, 64, 300]), table=st.booleans(),
    seconds=st.sampled_from([1.0, 5.0, 30.0]), page=st.integers(-3, 99), zoom=st.integers(-9, 9),
)  # fmt: skip
def test_every_size_fits(width, height, n, table, seconds, page, zoom):
    lines = frame(facts(many(n, 1.0)), Look(table, seconds, page, False, zoom), width, height, False)
    assert len(lines) <= height and all(cells(line) <= width for line in lines)


@pytest.mark.parametrize("size", [(79, 24), (110, 35), (240, 70)])
def test_what_matters_is_on_every_screen(size):
    said = text(facts(report=status(lost=17)), None, *size)
    for word in (
        "streaming",
        "250.0",
        "of 250 Hz",
        "lost 17",
        "age 12 ms",
        "8.1 / 14.2 ms",
        "SIMULATED",
        "0:01:23",
        "q stop",
    ):
        assert word in said, word
    for name in ("Fp1", "Fp2", "C3", "Cz", "C4", "O1", "accel z"):
        assert re.search(rf"^ {name} +\S", said, re.M), name
    assert any(0x2801 <= ord(c) <= 0x28FF for c in said)


def test_the_state_follows_the_data():
    said = text(facts(report=status(state="stale", age_s=2.4)), Look(table=True))
    assert "stale" in said and "2.4 s" in said and "good" not in said
    row = next(line for line in said.splitlines() if line.startswith(" C3"))
    assert "–" in row and "µV" in row and not re.search(r"\d\.\d", row)


def test_the_trace_of_a_silent_board_moves_on_into_empty_space():
    def right_end(f):
        row = next(line for line in text(f).splitlines() if line.startswith(" C3"))
        return row[8 : 110 - 26].rstrip(" ")

    streaming, silent = right_end(facts()), right_end(facts(report=status(state="stale", age_s=2.5)))
    assert len(streaming) > 70 and len(silent) < 50


def test_a_loop_that_says_nothing_is_told_and_its_silence_counts_as_age():
    said = text(facts(silent_s=3.0))
    assert "The loop has said nothing for 3.0 s" in said and "age 3.0 s" in said


def test_a_recording_without_data_is_said_to_wait():
    """OpenBCI_GUI#1011."""
    files = [("a.xdf", "1.2 MB")]
    assert "recording a.xdf  1.2 MB" in text(facts(recordings=files))
    said = text(facts(recordings=files, report=status(state="stale", age_s=1.0)))
    assert "waiting for data: a.xdf" in said and "recording a.xdf" not in said


def test_a_rate_that_is_off_stands_out():
    """EEG-ExPy#131: the device runs at 256 Hz, the software says 250."""
    right, wrong = (text(facts(report=status(rate_hz=hz)), colour=True) for hz in (250.4, 256.0))
    assert "\x1b[33;1m 256.0\x1b[0m" in wrong and "\x1b[1m 250.4\x1b[0m" in right and "of 250 Hz" in wrong


def test_bad_channels_stand_out():
    words = ["good", "flat", "railed", "mains", "noisy", "nan", ""]
    said = text(facts(quality=words), Look(table=True), colour=True)
    for word, code in zip(words[:6], ("32", "31", "31", "33", "33", "31"), strict=True):
        assert re.search(rf"\x1b\[{code}m{word} *\x1b", said), word


def test_the_person_is_named_and_what_is_simulated_is_called_so():
    live = facts()
    live.stream = live.stream.but(label=Label(subjects=frozenset({"S1"})))
    assert "S1" in text(live) and "SIMULATED" not in text(live)


def test_no_name_can_command_the_terminal():
    evil = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m"
    s = Stream(
        evil, 250.0, (Channel(evil, "eeg", evil), Channel("脳波", "eeg", "µV")), label=Label(subjects=frozenset({evil}))
    )
    signal = Signal(s)
    signal.take(Chunk(np.ones((600, 2), np.float32), 0, events=(Event(300, evil, evil),)))
    report = replace(status(note=evil), dropped={"xdf": 2})
    for table in (False, True):
        f = Facts(s, report, 0.0, evil, [(evil, "1 MB")], signal, ["mains", "good"], None, evil)
        said = frame(f, Look(table), 100, 30, True)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", "".join(said))
        assert plain.isprintable() and all(cells(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 100 for line in said)


@given(st.text(), st.integers(1, 30))
def test_texts_are_fitted_to_the_cell(name, width):
    assert cells(fit(shown(name), width)) == width and shown(name).isprintable()


def test_marks_stand_below_their_sample():
    source = noise(5.0)
    source = replace(source, chunks=(source.chunks[0].but(events=(Event(1000, "cue", "left"), Event(900, "truth:blink"))),))
    axis = next(line for line in text(facts(source)).splitlines() if "┄" in line)
    assert "▲cue left" in axis and "truth" not in axis


def test_decisions_are_shown_in_their_words():
    s = Stream("decisions", 0.0, (Channel("decision", "decision", ""),), alphabet=("rest", "active"))
    signal = Signal(s)
    signal.take(Chunk(np.ones((1, 1), np.float32), 0, np.array([1.0])))
    said = text(Facts(s, REPORT, 0.0, "", [], signal, [""], None))
    assert re.search(r"decision +active", said) and "irregular" in said


def test_pages():
    f = facts(many(64))
    first, second, last = (text(f, Look(page=p), 79, 24) for p in (0, 1, -1))
    assert " electrode 0 " in first and " electrode 0 " not in second and "of 64 channels" in first
    assert first != second and "64 of 64" in last


def test_without_colour_there_is_no_escape():
    assert "\x1b" not in text(facts(quality=["flat"] * 7), colour=False) and "\x1b" in text(facts(), colour=True)


def test_the_scale_fits_what_is_shown_and_does_not_flutter():
    look = Look()
    assert "±" in text(facts(), look)
    before = dict(look.half)
    text(facts(noise(6.0, seed=1)), look)
    assert look.half.keys() == before.keys()
    plus = Look(zoom=2)
    scale = [float(re.search(r"±([\d.]+) µV", text(facts(), x))[1]) for x in (Look(), plus)]
    assert scale[1] < scale[0]
