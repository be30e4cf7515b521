"""XDF: our own files come back to the byte, whatever cuts them short; other people's are read honestly."""

from __future__ import annotations

import gzip
import math
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcikit import Channel, Chunk, Event, FileTrouble, Label, Level, Stream, WrongUse
from bcikit.core.label import SIMULATED
from bcikit.files import _xdf, _xdf_writer
from bcikit.files.xdf import Writer, read

CHANNELS = (Channel("C3", position=(-0.065, -0.012, 0.064)), Channel("Cz <&> 'µ'"), Channel("x", "accel", "g"))
PERSON = Label(Level.RAW, frozenset({"intent"}), frozenset({"S1"}), frozenset({"research"}), 4e9)
EVENTS = (
    Event(2.25, "go"),
    Event(7, "class", 3),
    Event(-4.5, "late", "left: 1", 0.004),
    Event(9, "µ\n\x00", 0.1),
    Event(3, "no", True),
)


def stream(label=PERSON, **changes):
    facts = {"gain": 24, "serial": np.int64(7), "list": [1.5, None], "bad \x01 text": "<a>&"}
    return Stream("A board <1>", 250.0, CHANNELS, delay=0.02, label=label, info=facts).but(**changes)


def taken(n, first, s, time=None, events=(), seed=0):
    rng = np.random.default_rng(seed + first)
    data = rng.standard_normal((n, *s.shape)) * 100
    return Chunk(
        np.ascontiguousarray(data.astype(s.dtype)), first, 5000 + (first + n - 1) / 250 if time is None else time, events
    )


def chunks(s):
    """Late and early events, gaps, an empty chunk, unknown times, an index that goes back, one that is huge."""
    return [
        taken(10, 100, s),
        taken(1, 110, s, events=EVENTS[:2]),
        taken(2, 111, s),
        taken(0, 113, s, events=EVENTS[2:3]),
        taken(7, 163, s, events=EVENTS[3:]),
        taken(5, 170, s, time=math.nan),
        taken(300, 160, s),
        taken(3, 10_000_000_000, s),
    ]


def written(path, s, all_chunks, **options):
    writer = Writer(path, s, **options)
    for c in all_chunks:
        writer.write(c)
    writer.close()
    return path.read_bytes()


def same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert (x.first, len(x), x.events) == (y.first, len(y), y.events)
        assert x.data.dtype == y.data.dtype and x.data.tobytes() == y.data.tobytes() and x.data.shape == y.data.shape
        np.testing.assert_array_equal(x.time, y.time)


@pytest.mark.parametrize("scale", [None, 0.0224, (0.0224, 0.0224, 0.002)])
def test_what_was_recorded_comes_back_to_the_byte(tmp_path, scale):
    s = stream(scale=scale)
    written(tmp_path / "a.xdf", s, chunks(s), about={"recipe": {"stage": "notch"}}, when="2026-01-02T03:04:05+00:00")
    back = read(tmp_path / "a.xdf")
    same(back.chunks, chunks(s))
    assert back.stream == s and back.stream.label == PERSON
    assert back.stream.info["gain"] == 24 and back.info["about"] == {"recipe": {"stage": "notch"}}
    assert back.info["notes"] == ()


def test_decisions_and_windows_come_back_too(tmp_path):
    s = Stream(
        "decisions", 0.0, (Channel("p", "probability", ""), Channel("q", "probability", "")), alphabet=("left", "right")
    )
    said = [
        taken(3, 0, s, np.array([1.0, 1.5, 9.25]), (Event(1.5, "go"),)),
        taken(2, 3, s, 9.5),
        taken(1, 5, s, np.array([11.0])),
        taken(2, 9, s, np.array([11.5, math.nan])),
    ]
    written(tmp_path / "d.xdf", s, said)
    same(read(tmp_path / "d.xdf").chunks, said)
    assert read(tmp_path / "d.xdf").stream == s
    s = Stream("windows", 10.0, CHANNELS, shape=(3, 50))
    written(tmp_path / "w.xdf", s, [taken(4, 0, s), taken(2, 4, s)])
    same(read(tmp_path / "w.xdf").chunks, [taken(4, 0, s), taken(2, 4, s)])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.integers(0, 3000),
            st.lists(
                st.builds(
                    Event,
                    st.floats(-1e6, 1e6),
                    st.text(max_size=6),
                    st.none() | st.text(max_size=6) | st.integers() | st.booleans() | st.floats(allow_nan=False),
                    st.floats(0, 9),
                ),
                max_size=2,
            ),
        ),
        max_size=12,
    )
)
def test_any_chunks_come_back(tmp_path_factory, what):
    s, made, first = stream(), [], 0
    for n, skipped, events in what:
        first += skipped
        made.append(taken(n, first, s, events=tuple(events)))
        first += n
    path = tmp_path_factory.mktemp("any") / "a.xdf"
    written(path, s, made)
    same(read(path).chunks, [c for c in made if len(c) or c.events])


def test_pyxdf_sees_samples_markers_gaps_and_right_times(tmp_path):
    s = stream(label=SIMULATED)
    some = [c for c in chunks(s) if not np.isnan(c.time)][:-2]
    written(tmp_path / "a.xdf", s, some)
    streams, head = pyxdf.load_xdf(tmp_path / "a.xdf")
    data, marks, _, status = streams
    assert head["info"]["version"] == ["1.0"]
    assert data["info"]["type"] == ["EEG"] and data["info"]["nominal_srate"] == ["250.0"]
    np.testing.assert_array_equal(data["time_series"], np.concatenate([c.data for c in some]))
    index = np.concatenate([np.arange(c.first, c.end) for c in some])
    np.testing.assert_allclose(data["time_stamps"], 5000 + index / 250, rtol=0, atol=1e-9)
    assert [m[0] for m in marks["time_series"]] == ["go", "class:3", "late:left: 1", "µ\n\x00:0.1", "no:True"]
    np.testing.assert_allclose(marks["time_stamps"], [5000 + e.index / 250 for e in EVENTS], rtol=0, atol=1e-9)
    assert [t[0] for t in status["time_series"]] == ["gap 0.200 s"]
    assert status["time_stamps"][0] == pytest.approx(5000 + 163 / 250, abs=1e-9)
    channel = data["info"]["desc"][0]["channels"][0]["channel"]
    assert [c["label"][0] for c in channel] == [c.name for c in CHANNELS]
    assert [c["unit"][0] for c in channel] == ["microvolts", "microvolts", "g"]
    assert float(channel[0]["location"][0]["X"][0]) == pytest.approx(-65)
    assert int(data["footer"]["info"]["sample_count"][0]) == len(index)
    assert float(data["footer"]["info"]["last_timestamp"][0]) == pytest.approx(5000 + index[-1] / 250)


def test_a_file_that_was_never_closed_opens_in_pyxdf_as_well(tmp_path):
    s = stream()
    writer = Writer(tmp_path / "a.xdf", s)
    for c in chunks(s):
        writer.write(c)
    streams, _ = pyxdf.load_xdf(tmp_path / "a.xdf")
    assert len(streams[0]["time_stamps"]) == sum(map(len, chunks(s)))
    same(read(tmp_path / "a.xdf").chunks, chunks(s))
    assert any("not closed" in note for note in read(tmp_path / "a.xdf").info["notes"])


def test_complaint_24_cut_at_every_byte_no_complete_chunk_is_lost(tmp_path):
    """App-LabRecorder 107, pyxdf 83, neurobooth-os 812: the recorder dies and the file cannot be read."""
    s = stream()
    made = chunks(s)
    path = tmp_path / "a.xdf"
    writer = Writer(path, s)
    ends = [path.stat().st_size]
    for c in made:
        writer.write(c)
        ends.append(path.stat().st_size)
    writer.close()
    raw = path.read_bytes()
    random = np.random.default_rng(3).integers(ends[0], len(raw), 200).tolist()
    cut = tmp_path / "cut.xdf"
    for at in [*range(ends[-3], len(raw)), *random]:
        cut.write_bytes(raw[:at])
        back = read(cut)
        whole = sum(at >= end for end in ends[1:])
        same(back.chunks[:whole], made[:whole])
        left = back.chunks[whole:]
        assert len(left) <= 1 and all(len(c) in (0, len(made[whole])) for c in left), at
        assert back.info["notes"], at


@pytest.mark.parametrize("at", [0, 1, 3, 4, 5, 40, 150, 900])
def test_cut_in_its_headers_it_says_so(tmp_path, at):
    raw = written(tmp_path / "a.xdf", stream(), chunks(stream()))
    (tmp_path / "cut.xdf").write_bytes(raw[:at])
    with pytest.raises(FileTrouble):
        read(tmp_path / "cut.xdf")


def test_complaint_25_killed_while_recording_nothing_that_was_written_is_lost(tmp_path):
    code = (
        "import sys, numpy as np; from bcikit import *; from bcikit.files.xdf import Writer\n"
        "w = Writer(sys.argv[1], Stream('s', 250.0, (Channel('a'), Channel('b'))))\n"
        "i = 0\n"
        "while True:\n"
        "    w.write(Chunk(np.full((10, 2), i, np.float32), 10 * i, i / 25)); i += 1\n"
        "    if i % 50 == 0: print(i, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "k.xdf")], stdout=subprocess.PIPE, text=True)
    told = [int(child.stdout.readline()) for _ in range(20)][-1]
    child.kill()
    child.wait()
    child.stdout.close()
    back = read(tmp_path / "k.xdf")
    assert len(back.chunks) >= told
    assert all((c.data == i).all() and c.first == 10 * i for i, c in enumerate(back.chunks))
    assert len(pyxdf.load_xdf(tmp_path / "k.xdf")[0][0]["time_stamps"]) == 10 * len(back.chunks)


def test_damage_in_the_middle_costs_what_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(_xdf_writer, "BORDER_EVERY", 2000)
    s = stream()
    made = [taken(10, 10 * i, s) for i in range(200)]
    raw = written(tmp_path / "a.xdf", s, made)
    found, _ = _xdf.walk(raw)
    borders = [i for i, (tag, *_) in enumerate(found) if tag == _xdf.BOUNDARY]
    assert len(borders) > 5
    log, data = found[borders[1] + 1], found[borders[1] + 5]
    assert log[1] == 3 and data[1] == 1
    truth = {c.first: c for c in made}
    for place, n in ((log[2], 9), (data[2] - 8, 2), (data[2] - 8, 3000)):  # an index, a length, many chunks
        (tmp_path / "b.xdf").write_bytes(raw[:place] + b"\xff" * n + raw[place + n :])
        back = read(tmp_path / "b.xdf")
        assert 170 < len(back.chunks) <= 200
        assert sorted(c.first for c in back.chunks) == [c.first for c in back.chunks]
        same(back.chunks, [truth[c.first] for c in back.chunks])
        notes = " ".join(back.info["notes"])
        assert "left out" in notes and "changed after" in notes


# -- writing


def test_a_file_is_never_written_over(tmp_path):
    (tmp_path / "a.xdf").write_text("dear")
    (tmp_path / "a-2.xdf").write_text("dear")
    with pytest.raises(FileTrouble, match=r"(?s)exists already.*a-3\.xdf"):
        Writer(tmp_path / "a.xdf", stream())
    assert (tmp_path / "a.xdf").read_text() == "dear"


def test_a_missing_folder_and_one_that_may_not_be_written(tmp_path):
    with pytest.raises(FileTrouble, match="mkdir"):
        Writer(tmp_path / "no" / "a.xdf", stream())
    with pytest.raises(FileTrouble, match="cannot be written"):
        Writer(tmp_path / ("n" * 300 + ".xdf"), stream())


def test_a_disk_with_no_room_for_a_minute_is_refused_before(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(_xdf_writer.shutil, "disk_usage", lambda _: usage(120_000))
    with pytest.raises(FileTrouble, match="MB left"):
        Writer(tmp_path / "a.xdf", stream())
    assert not list(tmp_path.iterdir())


def test_when_the_disk_is_full_what_was_written_stays_good(tmp_path):
    code = (
        "import resource, sys, numpy as np; from bcikit import *; from bcikit.files.xdf import Writer\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "w = Writer(sys.argv[1], Stream('s', 250.0, (Channel('a'), Channel('b'))))\n"
        "i = 0\n"
        "try:\n"
        "    while True: w.write(Chunk(np.full((10, 2), i, np.float32), 10 * i, i / 25)); i += 1\n"
        "except FileTrouble as error: print(i, error)\n"
        "w.close(); w.close()\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "f.xdf")], capture_output=True, text=True, check=True
    ).stdout
    assert "has ended" in out and "is good" in out
    back = read(tmp_path / "f.xdf")
    assert len(back.chunks) == int(out.split()[0]) > 100
    assert not any("inside a chunk" in note for note in back.info["notes"])
    pyxdf.load_xdf(tmp_path / "f.xdf")


def test_a_chunk_of_another_stream_is_refused(tmp_path):
    writer = Writer(tmp_path / "a.xdf", stream())
    for data in (np.zeros((3, 3)), np.zeros((3, 2), np.float32), np.zeros((3, 3), np.int16)):
        with pytest.raises(WrongUse):
            writer.write(Chunk(data, 0))
    writer.close()
    with pytest.raises(FileTrouble, match="closed"):
        writer.write(taken(3, 0, stream()))


# -- whose they are


def test_what_is_simulated_says_so_by_its_signature_alone(tmp_path):
    s = stream(label=SIMULATED)
    raw = written(tmp_path / "a.xdf", s, chunks(s))
    assert read(tmp_path / "a.xdf").stream.label == SIMULATED
    assert written(tmp_path / "b.xdf", s, chunks(s)) == raw  # the same run gives the same bytes
    found, _ = _xdf.walk(raw)
    end = next(e for tag, sid, _, e in found if (tag, sid) == (_xdf.SAMPLES, 1))
    edits = {
        "a sample": raw[: end - 1] + bytes([raw[end - 1] ^ 1]) + raw[end:],
        "the label": raw.replace(b'"simulated": true', b'"simulated":  1.0').replace(b'"gain": 24', b'"gain": 42'),
        "appended": raw + b"\x01\x02\x05\x00",
        "cut": raw[:-1],
        "footer": raw[: found[-1][2] - 7],
    }
    for name, edited in edits.items():
        (tmp_path / "e.xdf").write_bytes(edited)
        back = read(tmp_path / "e.xdf")
        assert not back.stream.label.simulated, name
        assert any("person" in note for note in back.info["notes"]), name


def test_a_person_s_recording_cannot_be_edited_into_a_simulated_one(tmp_path):
    raw = written(tmp_path / "a.xdf", stream(), chunks(stream()))
    forged = raw.replace(b'"simulated": false', b'"simulated":  true')
    assert forged != raw
    (tmp_path / "b.xdf").write_bytes(forged)
    label = read(tmp_path / "b.xdf").stream.label
    assert not label.simulated and label.subjects == {"S1"}


def test_another_machine_s_signature_is_not_ours(tmp_path, monkeypatch):
    s = stream(label=SIMULATED)
    written(tmp_path / "a.xdf", s, chunks(s), home=tmp_path / "elsewhere")
    back = read(tmp_path / "a.xdf")
    assert not back.stream.label.simulated and "this device did not sign it" in " ".join(back.info["notes"])


def test_a_header_tells_no_host_and_no_user(tmp_path):
    import getpass
    import platform

    raw = written(tmp_path / "a.xdf", stream(), chunks(stream()))
    assert platform.node().encode() not in raw and getpass.getuser().encode() not in raw.replace(b"getpass", b"")


# -- other people's


def loaded(path, **options):
    return pyxdf.load_xdf(path, **options)[0]


def test_labrecorder_with_openbci(shared):
    path = shared("xdf/obci16_mi_assaf_test1.xdf")
    back = read(path)
    eeg, marks = sorted(loaded(path), key=lambda s: s["info"]["type"][0])
    np.testing.assert_array_equal(back.data, eeg["time_series"])
    np.testing.assert_allclose(back.time, eeg["time_stamps"], rtol=0, atol=0.001)
    assert back.stream.rate == 125 and (np.diff(back.index) == 1).all() and len(back.events) == 47
    assert [e.name for e in back.events] == [m[0] for m in marks["time_series"]]
    at = np.interp(marks["time_stamps"], eeg["time_stamps"], np.arange(15830))
    np.testing.assert_allclose([e.index for e in back.events], at, rtol=0, atol=1e-6)
    assert {c.unit for c in back.stream.channels} == {"µV"} and "no unit" in " ".join(back.info["notes"])


def test_a_clock_set_anew_is_a_gap_and_a_wrong_declared_rate_is_said(shared):
    back = read(shared("xdf/clock_resets.xdf"))
    assert back.data.shape == (27815, 8)
    assert back.stream.rate == pytest.approx(92.93, abs=0.01)
    jumps = np.flatnonzero(np.diff(back.index) != 1)
    assert list(jumps) == [12875]
    assert (back.index[12876] - back.index[12875]) / back.stream.rate == pytest.approx(273.9, abs=0.1)
    assert len(back.events) == 175 and (np.diff([e.index for e in back.events]) >= 0).all()
    assert "100 Hz is declared" in " ".join(back.info["notes"])


def test_lost_samples_are_said_and_times_hold(shared):
    path = shared("xdf/obci16_mi_assaf_test14_lost_samples.xdf")
    back = read(path)
    eeg = next(s for s in loaded(path) if s["info"]["type"][0] == "EEG")
    assert back.stream.rate == 125 and "12.9% were lost" in " ".join(back.info["notes"])
    np.testing.assert_allclose(back.time, eeg["time_stamps"], rtol=0, atol=0.011)


def test_empty_streams_neither_crash_nor_vanish(shared):
    back = read(shared("xdf/empty_streams.xdf"))
    assert back.data[:, 0].tolist() == list(range(10)) and back.stream.channels[0].kind == "misc"
    assert len(back.info["streams"]) == 4
    with pytest.raises(FileTrouble, match="no samples"):
        read(shared("xdf/empty_streams.xdf"), stream="Empty data stream: test stream 0 counter")
    with pytest.raises(WrongUse, match="no signal called"):
        read(shared("xdf/empty_streams.xdf"), stream="nothing")


def test_the_hand_built_one(shared):
    back = read(shared("xdf/minimal.xdf"))
    assert back.data.shape == (9, 3) and back.data[0].tolist() == [192, 255, 238] and back.stream.rate == 10
    assert [e.name for e in back.events][1:3] == ["Hello", "World"]


@pytest.mark.parametrize("run", ["sub-A/sub-A_run-01", "sub-B/sub-B_run-02"])
def test_packed_ones_with_names_given(shared, run):
    path = shared(f"mi-openbci-xdf/{run}.xdf.gz")
    names = "C3 C4 CP1 CP2 FC1 FC2 CP5 CP6 FC5 FC6 T3 T4 Cz x1 x2 x3".split()
    back = read(path, channels=names)
    assert back.stream.names == tuple(names) and back.stream.channels[0].position
    assert {e.name.split(".")[0] for e in back.events} >= {"1", "2", "3", "9", "111", "1111"}
    with pytest.raises(WrongUse, match="names were given"):
        read(path, channels=["one"])


def head(fields, sid=1):
    return _xdf.chunk(_xdf.HEADER, _xdf.xml("info", fields).encode(), sid)


EEG = {"name": "e", "type": "EEG", "channel_count": 1, "nominal_srate": 10, "channel_format": "float32"}
FILE = b"XDF:" + _xdf.chunk(_xdf.FILE, b"<info><version>1.0</version></info>")
GOOD = _xdf.chunk(_xdf.SAMPLES, _xdf.packed(np.zeros((5, 1), np.float32), np.arange(5.0)), 1)
BOMB = _xdf.chunk(_xdf.SAMPLES, b"\x08" + (2**60).to_bytes(8, "little") + b"\0" * 40, 1)


@pytest.mark.parametrize(
    "raw",
    {
        "empty": b"",
        "text": b"hello",
        "only the magic": b"XDF:",
        "no streams": FILE,
        "a header of 6 MB": FILE + head(EEG | {"desc": "x" * 6_000_000}) + GOOD,
        "entities": FILE + _xdf.chunk(2, b'<!DOCTYPE a [<!ENTITY b "c">]><info>&b;</info>', 1) + GOOD,
        "a header that is no XML": FILE + _xdf.chunk(2, b"<info><name>", 1) + GOOD,
        "a header without its rate": FILE + head({"name": "e", "channel_count": 1, "channel_format": "float32"}) + GOOD,
        "an unknown format": FILE + head(EEG | {"channel_format": "float16"}) + GOOD,
        "a thousand million million samples claimed": FILE + head(EEG) + BOMB,
        "a thousand million channels claimed": FILE + head(EEG | {"channel_count": 10**15}) + GOOD,
        "no channels": FILE + head(EEG | {"channel_count": 0}) + GOOD,
        "a broken zip": gzip.compress(FILE + head(EEG) + GOOD)[:-20],
        "ours with a damaged description": FILE + head(EEG | {"desc": {"bcikit": "{}"}}) + GOOD,
    }.items(),
    ids=lambda x: x[0],
)
def test_bad_files_are_told_not_raised(tmp_path, raw):
    (tmp_path / "bad.xdf").write_bytes(raw[1])
    with pytest.raises(FileTrouble):
        read(tmp_path / "bad.xdf")


def test_a_bad_chunk_beside_good_ones_costs_only_itself(tmp_path):
    (tmp_path / "b.xdf").write_bytes(FILE + head(EEG) + GOOD + BOMB + GOOD[:-3])
    back = read(tmp_path / "b.xdf")
    assert len(back.data) == 5 and len([n for n in back.info["notes"] if "left out" in n]) == 2


@pytest.mark.parametrize("wrong", [1e300, -1e300, 1e18])
def test_a_stamp_that_is_no_time_is_said_and_the_samples_are_there(tmp_path, wrong):
    times = [np.arange(20) / 10, np.full(20, wrong)]
    chunks = [_xdf.chunk(_xdf.SAMPLES, _xdf.packed(np.zeros((20, 1), np.float32), t), 1) for t in times]
    (tmp_path / "t.xdf").write_bytes(FILE + head(EEG) + b"".join(chunks))
    back = read(tmp_path / "t.xdf")
    assert np.array_equal(back.index, np.arange(40)) and "is not known" in " ".join(back.info["notes"])


def test_units_are_made_microvolts(tmp_path):
    desc = {"channels": {"channel": [{"label": "C3", "unit": "volts", "type": "EEG"}]}}
    (tmp_path / "v.xdf").write_bytes(
        FILE + head(EEG | {"desc": desc}) + GOOD.replace(b"\0" * 4, np.float32(2e-6).tobytes(), 0)
    )
    values = np.full((5, 1), 2e-6, np.float32)
    chunk = _xdf.chunk(_xdf.SAMPLES, _xdf.packed(values, np.arange(5) / 10), 1)
    (tmp_path / "v.xdf").write_bytes(FILE + head(EEG | {"desc": desc}) + chunk)
    back = read(tmp_path / "v.xdf")
    np.testing.assert_allclose(back.data, 2.0, rtol=1e-6)
    assert back.stream.channels[0].unit == "µV" and back.stream.channels[0].position
