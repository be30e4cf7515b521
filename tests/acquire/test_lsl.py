"""The LSL board against real senders in other processes, on loopback."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquire.lsl import Lsl
from bcikit.core.clock import JumpClock
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.stream import Recording
from tests.conftest import LATE_S

SENDER = Path(__file__).with_name("lsl_sender.py")


@contextmanager
def sender(**spec):
    """A sender in a process of its own; gives its process and source_id."""
    spec.setdefault("source_id", f"bcikit-{uuid.uuid4()}")
    command = [sys.executable, str(SENDER), json.dumps(spec)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout.readline().strip() == b"ready"
        yield process, spec["source_id"]
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def gather(board, seconds, until=lambda chunks: False):
    """What the board gives in so much time."""
    end, chunks = time.monotonic() + seconds, []
    while time.monotonic() < end and not until(chunks):
        if (c := board.read(0.05)) is not None:
            chunks.append(c)
    return chunks


def numbers_fit(recording, modulus=2**20):
    """The sender's own sample numbers run exactly as `first` says."""
    said = recording.data[:, 0].astype(np.int64)
    return np.array_equal((said - said[0]) % modulus, recording.index - recording.index[0])


def true_times(r, rate=250, modulus=2**20):
    """When the sender took each sample, from the number that the sample says."""
    said = r.data[:, 0].astype(float)
    return (said + modulus * np.round((r.time * rate - said) / modulus)) / rate


@pytest.mark.realtime
def test_samples_of_another_process_arrive_fresh_and_whole():
    channels = [
        {"label": "C3", "unit": "microvolts", "type": "EEG", "location": (-65, -11, 64)},
        {"label": "Fp1", "unit": "volts", "type": "eeg"},
        {"label": "Fp1", "unit": "g", "type": "Accelerometer"},
    ]
    with sender(channels=channels, n=3, name="it's EEG", scale=2e-5) as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        chunks = gather(board, 1.5)
        status = board.status
    r = Recording(stream, tuple(chunks))
    assert stream.rate == 250 and stream.names == ("C3", "Fp1", "Fp1-2")
    assert [c.kind for c in stream.channels] == ["eeg", "eeg", "accel"]
    assert [c.unit for c in stream.channels] == ["µV", "µV", "g"]
    assert stream.channels[0].position == pytest.approx((-0.065, -0.011, 0.064))
    assert np.allclose(r.data[:, 1], 20) and np.allclose(r.data[:, 2], 2e-5), "volts are given in µV, g as they are"
    assert numbers_fit(r) and len(r.data) > 250 and board.status.lost == 0
    assert np.abs(r.time - true_times(r)).max() < 0.002, "times are those of the sender's stamps"
    assert status.state == "streaming" and 0 <= status.age_s < LATE_S and 0 < status.clock_s < LATE_S


@pytest.mark.realtime
def test_sender_killed_and_started_again():
    with sender() as (process, source), Lsl(source_id=source) as board:
        stream = board.open()
        chunks = gather(board, 0.5)
        process.kill()
        process.wait()
        died, seen = time.monotonic(), {}
        while time.monotonic() < died + 1.2:
            c = board.read(0.02)
            assert c is None or not seen, "samples are never repeated"
            chunks += [c] if c else []
            state = board.status.state
            if state != "streaming":
                seen.setdefault(state, time.monotonic() - died)
        assert seen["stale"] < 0.35 + LATE_S and seen["reconnecting"] < 0.8 + LATE_S
        with sender(source_id=source):
            back = time.monotonic()
            again = gather(board, 10.0, until=len)
            assert again and time.monotonic() - back < 1.0 + LATE_S, "resumes at once"
            again += gather(board, 0.5)
            assert board.status.state == "streaming"
    r = Recording(stream, (*chunks, *again))
    missing = np.diff(r.index) - 1
    assert missing.max() > 250 and board.status.lost == missing.sum()
    assert numbers_fit(r), "the gap is as long as the sender's clock says"


@pytest.mark.realtime
def test_complaint_17_a_sender_that_falls_silent_is_stale_and_goes_on_where_it_is():
    with sender() as (process, source), Lsl(source_id=source) as board:
        stream = board.open()
        chunks = gather(board, 0.5)
        os.kill(process.pid, signal.SIGSTOP)
        chunks += gather(board, 0.2)
        assert not gather(board, 2.5) and board.status.state == "stale" and board.status.age_s > 2
        os.kill(process.pid, signal.SIGCONT)
        chunks += gather(board, 1.0)
        assert board.status.state == "streaming" and board.status.age_s < LATE_S
        assert not any(t.name == "bcikit-lsl" for t in threading.enumerate()), "nobody goes on looking for it"
    r = Recording(stream, tuple(chunks))
    assert numbers_fit(r) and board.status.lost == 0, "it sent late what it had: nothing is lost"


@pytest.mark.realtime
def test_complaint_14_a_reader_that_stalls_gets_the_newest_and_is_told_what_is_lost(monkeypatch):
    monkeypatch.setattr("bcikit.acquire.lsl.BUFFER_S", 1)
    with sender() as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        chunks = gather(board, 1.5)
        time.sleep(2.5)
        chunks += gather(board, 0.5)
        status = board.status
    r = Recording(stream, tuple(chunks))
    assert status.lost > 100 and numbers_fit(r) and status.age_s < LATE_S


@pytest.mark.realtime
@pytest.mark.parametrize(("other", "said"), [({"n": 3}, "3 channels"), ({"rate": 500.0}, "500 Hz instead of 250 Hz")])
def test_coming_back_different_is_refused(other, said):
    with sender() as (process, source), Lsl(source_id=source) as board:
        board.open()
        process.kill()
        process.wait()
        with sender(source_id=source, **other), pytest.raises(DeviceTrouble, match=said):
            gather(board, 5.0)


@pytest.mark.realtime
def test_every_sample_lost_on_a_grid_is_counted():
    drop = [400, 500, 501, *range(600, 640)]
    with sender(drop=drop, block=1) as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        r = Recording(stream, tuple(gather(board, 3.0)))
    assert board.status.lost == len(drop) and numbers_fit(r)


@pytest.mark.realtime
@pytest.mark.parametrize("mode", ["burst", "chunk", "jitter"])
def test_complaint_15_bursts_with_one_stamp_are_dejittered_and_the_stamps_kept(mode):
    with sender(mode=mode, block=12) as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        r = Recording(stream, tuple(gather(board, 3.0)))
        status = board.status
    assert numbers_fit(r) and status.lost == 0
    late = r.time - true_times(r)
    assert np.ptp(late[len(late) // 2 :]) < 0.004, "times run evenly"
    if mode == "burst":
        assert stream.names[-1] == "stamp" and "bursts of about 12" in status.note
        raw = r.time + r.data[:, -1]
        assert np.mean(np.diff(raw) < 1e-4) > 0.85, "12 samples have one stamp"


@pytest.mark.realtime
def test_markers_alone_are_a_stream_of_events():
    with sender(mode="markers", format="string", n=1, type="Markers") as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        chunks = gather(board, 1.0)
        assert board.status.state == "streaming"
    events = [e for c in chunks for e in c.events]
    assert stream.rate == 0 and stream.channels[0].kind == "marker" and len(events) >= 5
    assert [e.index for e in events] == list(range(len(events))) and events[0].name.startswith("cue ")
    times = np.concatenate([c.time for c in chunks])
    assert np.all(np.diff(times) > 0.05) and abs(times[-1] - time.monotonic()) < LATE_S


@pytest.mark.realtime
def test_irregular_numbers_have_a_time_each():
    with sender(mode="words", type="gaze") as (_, source), Lsl(source_id=source) as board:
        board.open()
        chunks = gather(board, 0.8)
    assert sum(map(len, chunks)) >= 4 and not any(c.events for c in chunks)
    assert all(len(c.time) == len(c) for c in chunks)


@pytest.mark.realtime
@pytest.mark.parametrize("form", ["double64", "int32", "int16", "int8"])
def test_other_formats(form):
    with sender(format=form, scale=7.0, n=3, mode="silent" if form == "int8" else "exact") as (_, source):
        with Lsl(source_id=source) as board:
            stream = board.open()
            chunks = gather(board, 0.3)
    assert all(c.data.dtype == np.float32 == stream.dtype for c in chunks)
    assert form == "int8" or np.all(np.concatenate([c.data for c in chunks])[:, 1:] == 7)


@pytest.mark.realtime
def test_complaint_07_another_rate_than_said_is_told():
    with sender(actual=256.0) as (_, source), Lsl(source_id=source) as board:
        board.open()
        gather(board, 6.0, until=lambda _: "measured" in board.status.note)
    assert "the sender says 250 Hz" in board.status.note and board.status.rate_hz == pytest.approx(256, rel=0.005)


@pytest.mark.realtime
def test_stamps_of_another_clock_are_told_and_arrival_used():
    with sender(mode="wall") as (_, source), Lsl(source_id=source) as board:
        board.open()
        chunks = gather(board, 0.5)
    assert "not LSL's clock" in board.status.note and abs(chunks[-1].time - time.monotonic()) < LATE_S


@pytest.mark.realtime
def test_a_stamp_that_goes_back_is_counted_and_moves_nothing():
    with sender(back=400) as (_, source), Lsl(source_id=source) as board:
        stream = board.open()
        r = Recording(stream, tuple(gather(board, 2.5)))
    assert "went back" in board.status.note and numbers_fit(r) and board.status.lost == 0
    assert np.all(np.diff(r.time) > 0)


# -- bad input


def test_ambiguous_names_are_refused_with_the_candidates():
    name = f"twin {uuid.uuid4()}"
    with sender(name=name) as (_, a), sender(name=name) as (_, b):
        with pytest.raises(DeviceTrouble) as caught:
            Lsl(name=name).open()
    assert "which one?" in str(caught.value) and a in str(caught.value) and b in str(caught.value)
    assert "--opt source_id=" in caught.value.do


def test_two_with_the_same_source_id_are_refused():
    with sender(twin=True, mode="silent") as (_, source), pytest.raises(DeviceTrouble, match="2 LSL streams fit"):
        Lsl(source_id=source).open()


def test_a_stream_that_is_not_there_is_said_with_what_is():
    with sender(name="Alpha", mode="silent") as (_, source):
        began = time.monotonic()
        with pytest.raises(DeviceTrouble) as caught:
            Lsl(source_id=source[:-1], wait_s=0.6).open()
    assert time.monotonic() - began < LATE_S and "name='Alpha'" in caught.value.why and "Did you mean" in caught.value.do


def test_five_megabytes_of_metadata_are_refused():
    with sender(pad=5_000_000, mode="silent") as (_, source), pytest.raises(DeviceTrouble, match=r"5\.0 MB"):
        Lsl(source_id=source).open()


def test_too_many_channels_are_refused():
    with sender(n=9, mode="silent") as (_, source), pytest.raises(DeviceTrouble, match="has 9 channels"):
        Lsl(source_id=source, max_channels=8).open()


def test_a_rate_that_cannot_be_is_refused():
    with sender(rate=1e9, mode="silent") as (_, source), pytest.raises(DeviceTrouble, match=r"1e\+09 Hz"):
        Lsl(source_id=source).open()


def test_metadata_at_fault_leave_plain_names_and_nothing_that_a_terminal_obeys():
    channels = [{"label": "a\x1b[2J"}, {"label": "b"}, {"label": "b"}, {"label": "b-2", "unit": "\x07V"}, {}]
    with sender(n=4, channels=channels, mode="silent", type="") as (_, source), Lsl(source_id=source) as board:
        names, note = board.open().names, board.status.note
    assert len(set(names)) == 4 and all(n.isprintable() for n in names)
    assert "5 channels of 4" in note or "cannot be read" in note


def test_before_opening():
    with pytest.raises(WrongUse, match="not open"):
        Lsl().read(0.0)
    board = Lsl()
    board.clock = JumpClock()
    with pytest.raises(WrongUse, match="wall clock"):
        board.open()


def test_a_silent_sender_opens_and_is_called_stale():
    with sender(mode="silent") as (_, source), Lsl(source_id=source) as board:
        board.open()
        assert board.read(0.3) is None
        assert board.status.state == "stale" and math.isnan(board.status.age_s)


@pytest.mark.parametrize("with_port", [True, False])
def test_an_address_is_asked_where_discovery_fails(with_port, monkeypatch):
    from bcikit.acquire import _lsl

    with sender() as (_, source):
        found = _lsl.library().resolve_bypred(f"source_id='{source}'", 1, 5.0)
        port = int(found[0].as_xml().split("<v4data_port>")[1].split("<")[0])
        monkeypatch.setattr(_lsl, "FIRST_PORT", port - 5)  # LSL's own may all be taken by tests before this one

        def never(*_):
            raise AssertionError("discovery was used")

        monkeypatch.setattr(_lsl.library(), "resolve_streams", never)
        address = f"127.0.0.1:{port}" if with_port else "localhost"
        with Lsl(source_id=source, address=address) as board:
            board.open()
            assert gather(board, 2.0, until=len)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no such host:16572", "127.0.0.1:99999"])
def test_an_address_where_nothing_is(address):
    with pytest.raises(DeviceTrouble):
        Lsl(address=address, wait_s=0.3).open()


def test_liblsl_that_is_missing_is_said(monkeypatch):
    from bcikit.acquire import _lsl

    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(DeviceTrouble, match="pip install pylsl"):
        _lsl.library.__wrapped__()


def test_closing_is_final_and_idempotent():
    Lsl().close()
    with sender() as (process, source):
        board = Lsl(source_id=source)
        board.open()
        process.kill()
        gather(board, 0.3)
        board.close()
        board.close()
    assert board.read(0.0) is None and board.status.state == "ended"
    assert not any(t.name == "bcikit-lsl" for t in threading.enumerate())


def test_import_is_light():
    code = "import sys, bcikit.acquire.lsl, bcikit.effectors.lsl; assert 'pylsl' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
