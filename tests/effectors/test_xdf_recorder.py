"""The recorder in a loop: exactly what it gets, what the board was like, and a good file however it ends."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bcikit import Board, Channel, Chunk, Event, FileTrouble, Label, NotConsented, Pipeline, Status, Stream, WrongUse, sink
from bcikit.core.clock import JumpClock
from bcikit.core.label import SIMULATED
from bcikit.core.loop import Loop
from bcikit.core.parts import Report
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate
from bcikit.files.xdf import read

S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))


class Played(Board):
    """Plays chunks as they are; between two of them it says what it is told to."""

    def __init__(self, items, label=SIMULATED):
        self.items, self.label, self.state, self.closed = list(items), label, "connecting", False

    def open(self):
        return Stream("played", 100.0, (Channel("a"), Channel("b")), label=self.label)

    def read(self, timeout=0.1):
        if not self.items:
            self.state = "ended"
            return None
        item = self.items.pop(0)
        if isinstance(item, str):
            self.state = item
            return None
        self.state = "streaming"
        return item

    @property
    def status(self):
        return Status(self.state, age_s=0.5)


def made(n, first, events=()):
    data = np.random.default_rng(first).standard_normal((n, 2)).astype(np.float32)
    return Chunk(data, first, 10 + (first + n - 1) / 100, events)


ITEMS = (made(20, 0), made(5, 20, (Event(3.5, "late", 1),)), "stale", made(20, 100), made(20, 120))
CHUNKS = tuple(c for c in ITEMS if isinstance(c, Chunk))


def recorded(path, items=ITEMS, label=SIMULATED, clock=None, at="board"):
    clock = clock or JumpClock()
    loop = Loop(Played(items, label), Pipeline(), Gate(), clock=clock)
    loop.add(Xdf(path=str(path)), at)
    return loop.run()


def test_what_the_board_gave_is_what_is_read_back(tmp_path):
    recorded(tmp_path / "a.xdf")
    back = read(tmp_path / "a.xdf")
    assert [(c.first, c.events, c.data.tobytes()) for c in back.chunks] == [
        (c.first, c.events, c.data.tobytes()) for c in CHUNKS
    ]
    np.testing.assert_array_equal(back.time, np.concatenate([c.time_at(np.arange(len(c)), 100.0) for c in CHUNKS]))
    assert back.stream.label.simulated
    said = [text for _, text in back.info["status"]]
    assert said == ["streaming", "stale", "gap 0.750 s", "streaming", "ended"]
    stale = dict((text, t) for t, text in back.info["status"])["stale"]
    assert stale == pytest.approx(CHUNKS[1].time + 0.5)


def test_a_recording_replays_to_the_same_bytes(tmp_path):
    recorded(tmp_path / "a.xdf")
    recorded(tmp_path / "b.xdf", read(tmp_path / "a.xdf").chunks)
    assert [c.data.tobytes() for c in read(tmp_path / "b.xdf")] == [c.data.tobytes() for c in CHUNKS]


def test_the_same_simulated_run_is_the_same_file(tmp_path):
    recorded(tmp_path / "a.xdf")
    recorded(tmp_path / "b.xdf")
    assert (tmp_path / "a.xdf").read_bytes() == (tmp_path / "b.xdf").read_bytes()


def test_a_live_person_is_recorded_with_a_grant_alone_and_by_that_label(tmp_path):
    with pytest.raises(NotConsented, match=r"grant S1 --purpose research --sink record"):
        recorded(tmp_path / "a.xdf", label=S1)
    assert not (tmp_path / "a.xdf").exists()
    Consent().grant("S1", "research", ["record"])
    recorded(tmp_path / "a.xdf", label=S1)
    assert read(tmp_path / "a.xdf").stream.label == S1


def test_revoked_while_recording_the_file_is_closed_and_good(tmp_path):
    Consent().grant("S1", "research", ["record"])
    recorder = Xdf(path=str(tmp_path / "a.xdf"))
    s = Played((), S1).open()
    permit = Gate().open(recorder, s)
    permit.send(CHUNKS[0])
    Consent().revoke("S1")
    with pytest.raises(NotConsented):
        permit.send(CHUNKS[1])
    recorder.pulse(Report(1.0, Status("lost"), 1, (0, 0), (0, 0), {}))  # what comes late is not written
    back = read(tmp_path / "a.xdf")
    assert len(back.chunks) == 1 and back.info["notes"] == ()


def test_what_the_recorder_missed_is_in_the_file(tmp_path):
    recorder = Xdf(path=str(tmp_path / "a.xdf"))
    permit = Gate().open(recorder, Played(()).open())
    permit.send(CHUNKS[0])
    for dropped in (0, 2, 2, 5):
        recorder.pulse(Report(1.0, Status("streaming", note="fine", age_s=0.1), 1, (0, 0), (0, 0), {"xdf": dropped}))
    recorder.pulse(Report(1.0, Status("ended"), 1, (0, 0), (0, 0), {}))  # its age is not known
    permit.close()
    status = read(tmp_path / "a.xdf").info["status"]
    assert np.isfinite([t for t, _ in status]).all()
    assert [text for _, text in status] == ["streaming: fine", "dropped 2", "dropped 3", "ended"]


def test_the_disk_is_synced_by_the_pulse_and_not_by_a_send(tmp_path, monkeypatch):
    calls = []
    recorder = Xdf(path=str(tmp_path / "a.xdf"))
    permit = Gate().open(recorder, Played(()).open())
    monkeypatch.setattr(recorder._writer, "sync", lambda: calls.append(1))
    monkeypatch.setattr("bcikit.effectors.xdf.time", SimpleNamespace(monotonic=lambda: 1e12))
    for c in CHUNKS:
        permit.send(c)
    assert not calls
    recorder.pulse(Report(1.0, Status(), 1, (0, 0), (0, 0), {}))
    recorder.pulse(Report(1.0, Status(), 1, (0, 0), (0, 0), {}))
    assert calls == [1]
    permit.close()


def test_an_existing_file_ends_the_loop_with_a_clear_error(tmp_path):
    (tmp_path / "a.xdf").write_text("dear")
    with pytest.raises(FileTrouble, match=r"a-2\.xdf"):
        recorded(tmp_path / "a.xdf")
    assert (tmp_path / "a.xdf").read_text() == "dear"


@pytest.mark.parametrize("name", ["a.csv", "a", ""])
def test_a_name_that_is_not_xdf_is_refused(tmp_path, name):
    with pytest.raises(WrongUse, match=r"\.xdf"):
        recorded(str(tmp_path / name) if name else "")


def test_it_is_found_by_its_name_and_does_nothing_before_it_is_open():
    recorder = sink("xdf", path="x.xdf")
    recorder.safe()
    recorder.close()
    assert (recorder.kind, recorder.inline) == ("record", False)
