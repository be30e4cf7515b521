"""What was decided, as a word; and that such a word leaves with a grant for decisions, as a probability does not."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from bcikit import Channel, Chunk, Label, Level, NotConsented, Pipeline, Stream, WrongUse
from bcikit.decode.map.select import Select, probabilities
from bcikit.decode.map.word import Word
from bcikit.decode.motor_imagery.csp import Csp
from bcikit.effectors.osc import Osc
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate

S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
WORDS = ("left", "right", "rest")


def stream(kinds, label=S1, alphabet=WORDS, rate=10.0):
    return Stream(
        "decided", rate, tuple(Channel(f"c{i}", k, "") for i, k in enumerate(kinds)), alphabet=alphabet, label=label
    )


def test_it_names_the_most_probable_and_nothing_where_nothing_was_decided():
    stage = Word()
    out = stage.start(stream(["probability"] * 3))
    assert (out.label.level, out.alphabet, out.shape) == (Level.DECISION, WORDS, (1,))
    x = np.array([[0.2, 0.5, 0.3], [np.nan, 0.5, 0.5], [0.9, 0.05, 0.05]], np.float32)
    np.testing.assert_array_equal(stage.step(Chunk(x, 0)).data, [[1], [np.nan], [0]])


def test_a_choice_beside_its_probability_loses_it_and_what_is_no_word_is_none():
    stage = Word()
    stage.start(stream(["probability", "decision"]))
    x = np.array([[0.25, 2], [0.5, 1.5], [0.5, -1], [0.5, 3], [0.5, -0.0]], np.float32)
    y = stage.step(Chunk(x, 0)).data
    np.testing.assert_array_equal(y, [[2], [np.nan], [np.nan], [np.nan], [0]])
    assert not np.signbit(y[4, 0])


@pytest.mark.parametrize("bad", [stream(["eeg"]), stream(["probability"]), stream(["decision"], alphabet=())])
def test_a_stream_in_which_nothing_is_decided_is_refused(bad):
    with pytest.raises(WrongUse, match="nothing decided"):
        Word().start(bad)


def leaving(line, source):
    """What a UDP socket on this machine hears of a line that a person's data run through."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(0.5)
        permit = Gate().open(Osc(port=ear.getsockname()[1]), line.start(source.stream.but(label=S1)))
        for c in source.chunks:
            for i in range(len(c)):
                permit.send(line.step(c.cut(i, 10.0)[1].cut(1, 10.0)[0]))
        permit.close()
        heard = []
        try:
            while True:
                heard.append(ear.recv(4096))
        except TimeoutError:
            return permit, heard


@pytest.mark.parametrize("last", [Word, lambda: Select(on=0.5, off=0.4, dwell=0.0, pause=0.0)], ids=["word", "select"])
def test_a_decision_leaves_with_a_grant_for_decisions_and_a_probability_does_not(last):
    pytest.importorskip("pythonosc", reason="left out: python-osc is not installed")
    consent, source = Consent(), probabilities(40)
    consent.enrol("S1", "an orange horse")
    consent.grant("S1", "research", ["network"], passphrase="an orange horse", level="DECISION")
    with pytest.raises(NotConsented):  # the probabilities themselves, however rounded
        leaving(Pipeline([]), source)
    permit, heard = leaving(Pipeline([last()]), source)
    assert permit.count > 10 and any(b"left" in one for one in heard)
    consent.revoke("S1")
    with pytest.raises(NotConsented):
        leaving(Pipeline([last()]), source)


def test_a_trained_decoder_s_words_are_decisions_and_its_probabilities_are_not():
    decoder, source = next(iter(Csp.examples()))
    line = Pipeline([decoder, Word()])
    out = line.start(source.stream.but(label=S1))
    assert (decoder.out.label.level, out.label.level, out.alphabet) == (Level.RAW, Level.DECISION, ("class 0", "class 1"))
    first = line.step(source.chunks[0])
    assert set(np.unique(first.data)) <= {0.0, 1.0}
