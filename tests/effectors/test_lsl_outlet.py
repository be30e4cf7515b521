"""The LSL outlet, received by pylsl and by the LSL board, in this process and in another."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from xml.etree import ElementTree

import numpy as np
import pytest

from bcikit.acquire.lsl import Lsl as Inlet
from bcikit.core.errors import NotConsented, WrongUse
from bcikit.core.label import SIMULATED, Label, Level
from bcikit.core.stream import Channel, Chunk, Event, Stream
from bcikit.effectors.lsl import Lsl
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate
from bcikit.testing import OpenGate

CHANNELS = (Channel("C3", "eeg", "µV", (-0.065, -0.011, 0.064)), Channel("x", "accel", "g"))
STREAM = Stream("simulated", 250.0, CHANNELS, label=SIMULATED, delay=0.25)

RECEIVER = """
import json, sys, pylsl
found = pylsl.resolve_bypred(f"source_id='{sys.argv[1]}'", 1, 5.0)
inlet = pylsl.StreamInlet(found[0], recover=False)
inlet.open_stream(5.0)
print("ready", flush=True)
rows, stamps = [], []
while len(stamps) < int(sys.argv[2]):
    x, t = inlet.pull_chunk(5.0, max_samples=int(sys.argv[2]) - len(stamps))
    if not t:
        break
    rows += x
    stamps += t
print(json.dumps([inlet.info(5.0).as_xml(), rows, stamps]), flush=True)
"""


def received(source, n):
    """A receiver in another process, that is connected."""
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER, source, str(n)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline().strip() == "ready"

    def result():
        said = process.stdout.read()
        process.wait()
        process.stdout.close()
        return json.loads(said)

    return result


def test_another_process_gets_the_samples_their_times_and_the_metadata():
    name = f"out {uuid.uuid4()}"
    sink = Lsl(name=name, source_id=name)
    permit = OpenGate().open(sink, STREAM)
    try:
        result, marks = received(name, 15), received(f"{name}-events", 3)
        rng = np.random.default_rng(1)
        x = rng.normal(size=(15, 2)).astype(np.float32)
        x[3, 0] = np.nan
        permit.send(Chunk(x[:10], 0, 1000.0 + 9 / 250, (Event(2.5, "cue", "left"), Event(-250, "late"))))
        permit.send(Chunk(x[10:10], 60, 1000.0 + 59 / 250, (Event(60, "alone"),)))
        permit.send(Chunk(x[10:], 60, 1000.0 + 64 / 250))  # 50 samples are missing
        xml, rows, stamps = result()
        _, texts, at = marks()
    finally:
        permit.close()
    assert np.array_equal(np.array(rows, np.float32), x, equal_nan=True)
    assert np.allclose(stamps, 1000 + np.r_[0:10, 60:65] / 250, rtol=0, atol=1e-6), "where samples are missing, stamps jump"
    assert [t[0] for t in texts] == ["cue:left", "late", "alone"] and np.allclose(at, [1000.01, 999.0, 1000.24])
    for fact in (
        "<label>C3</label>",
        "<unit>microvolts</unit>",
        "<type>ACCEL</type>",
        "<Y>-11</Y>",
        "<delay_s>0.25</delay_s>",
    ):
        assert fact in xml


@pytest.mark.realtime
def test_our_own_board_receives_what_was_sent():
    name = f"out {uuid.uuid4()}"
    permit = OpenGate().open(Lsl(name=name, source_id=name), STREAM)
    board = Inlet(source_id=name)
    try:
        stream = board.open()
        assert stream.names == ("C3", "x") and stream.rate == 250
        assert stream.channels[0].position == pytest.approx(CHANNELS[0].position)
        assert [(c.kind, c.unit) for c in stream.channels] == [("eeg", "µV"), ("accel", "g")]
        first, got, began = 0, [], time.monotonic()
        while len(got) < 100 and time.monotonic() < began + 10:
            permit.send(Chunk(np.full((10, 2), first, np.float32), first, began + (first + 9) / 250))
            first += 10
            c = board.read(0.04)
            got += c.data[:, 0].tolist() if c else []
        assert len(got) >= 100 and np.all(np.diff(got) >= 0)
    finally:
        board.close()
        permit.close()


def test_a_live_person_needs_the_grant_lsl():
    label = Label(subjects=frozenset({"S1"}))
    with pytest.raises(NotConsented, match="lsl"):
        Gate().open(Lsl(name=f"out {uuid.uuid4()}"), STREAM.but(label=label))


def test_decisions_leave_as_numbers_of_words_that_the_metadata_tell():
    name = f"out {uuid.uuid4()}"
    label = Label(Level.DECISION, subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
    words = Stream("d", 10.0, (Channel("d", "decision", ""),), alphabet=("rest", "go & <left>"), label=label)
    Consent().enrol("S1", "an orange horse")
    Consent().grant("S1", "research", ["lsl"], passphrase="an orange horse", level="DECISION")
    permit = Gate().open(Lsl(name=name, source_id=name), words)
    try:
        result = received(name, 2)
        for i, said in enumerate((1, 0.5, 0)):  # the second is no word
            permit.send(Chunk(np.array([[said]], np.float32), i, 5.0 + i / 10, (Event(i, "what else", "was said"),)))
        xml, rows, _ = result()
    finally:
        permit.close()
    own = ElementTree.fromstring(xml).find("desc/bcikit")
    told = [own.findtext(f"word{int(row[0])}") for row in rows]
    assert told == ["go & <left>", "rest"] and permit.capped == 1
    assert own.findtext("use") == "for research; not for medical purposes"


def test_counts_are_sent_in_their_unit_and_irregular_streams_with_their_times():
    name = f"out {uuid.uuid4()}"
    counts = STREAM.but(scale=(0.5, 2.0))
    permit = OpenGate().open(Lsl(name=name, source_id=name), counts)
    result = received(name, 1)
    permit.send(Chunk(np.array([[4, 4]], np.int16), 0, 5.0))
    assert result()[1] == [[2.0, 8.0]]
    permit.close()
    permit = OpenGate().open(Lsl(name=name, source_id=name + "i"), STREAM.but(rate=0.0))
    result, marks = received(name + "i", 2), received(name + "i-events", 1)
    permit.send(Chunk(np.ones((2, 2), np.float32), 0, np.array([7.0, 7.5]), (Event(1, "hit"),)))
    assert result()[2] == pytest.approx([7.0, 7.5]) and marks()[2] == pytest.approx([7.5])
    permit.close()


def test_windows_are_refused():
    with pytest.raises(WrongUse, match="shape"):
        OpenGate().open(Lsl(name="w"), STREAM.but(shape=(2, 50)))
    with pytest.raises(WrongUse, match="name"):
        OpenGate().open(Lsl(name=""), STREAM)


def test_nobody_receiving_stalls_nothing():
    permit = OpenGate().open(Lsl(name=f"out {uuid.uuid4()}"), STREAM)
    began = time.monotonic()
    for i in range(2000):
        permit.send(Chunk(np.zeros((10, 2), np.float32), 10 * i, i / 25, (Event(10 * i, "e"),)))
    assert time.monotonic() - began < 10
    permit.close()
    permit.close()
