"""Decisions tell no more bits a second than allowed, a hostile decoder's included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bcikit import Channel, Chunk, Event, Label, Level, Sink, Stream
from bcikit.core.find import part
from bcikit.ethics import meter as module
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate
from bcikit.ethics.meter import WINDOW_S, Meter

S1 = Label(Level.DECISION, subjects=frozenset({"S1"}), purposes=frozenset({"research"}))


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def stream(alphabet=("rest", "go"), rate=10.0, columns=1):
    return Stream("d", rate, tuple(Channel(f"d{i}", "decision", "") for i in range(columns)), alphabet=alphabet, label=S1)


def said(*values, first=0, time=0.0, events=()):
    return Chunk(np.array(values, np.float32).reshape(-1, 1), first, time, events)


def test_an_ordinary_decoder_is_not_slowed(clock):
    meter, rng = Meter(stream(), 100.0), np.random.default_rng(0)
    for i in range(1000):
        clock.now = i / 10
        c, bits = meter.passed(said(rng.integers(0, 2), first=i, time=i / 10 + rng.normal(0, 0.001)))
        assert c.first == i and c.data.shape == (1, 1)
        assert bits < 50
    assert meter.bits / 100 < 60


@pytest.mark.parametrize("value", [0.5, -1, -0.0, 2, 1e30, np.inf, 1 + 1e-6], ids=str)
def test_what_is_no_word_of_the_alphabet_does_not_pass(value):
    assert Meter(stream(), 1e6).passed(said(0, value)) is None


def test_a_nan_carries_no_payload():
    odd = np.array([[np.nan]], np.float32)
    odd.view(np.uint32)[...] |= 12345
    assert Meter(stream(), 1e6).passed(Chunk(odd, 0, 0.0)) is None
    assert Meter(stream(), 1e6).passed(said(np.nan)) is not None


def test_events_times_and_another_shape_tell_nothing():
    c, _ = Meter(stream(), 1e6).passed(said(1, time=12.3456789, events=(Event(0, "name of a person", "secret"),)))
    assert c.events == () and c.time == pytest.approx(12.35)
    assert Meter(stream(), 1e6).passed(Chunk(np.zeros((1, 2), np.float32), 0)) is None


def hostile(how, rng, i):
    """A chunk that smuggles as much as it can."""
    if how == "floats":
        return Chunk(rng.normal(size=(50, 1)).astype(np.float32), 50 * i, i / 10)
    if how == "words":
        return said(*rng.integers(0, 2, 500), first=500 * i, time=i / 10)
    if how == "index":
        return said(1, first=int(rng.integers(0, 2**62)), time=i / 10)
    if how == "time":
        return said(1, first=i, time=float(rng.integers(0, 2**40)))
    return said(first=i, time=float(rng.integers(0, 2**40)))


@pytest.mark.parametrize("how", ["floats", "words", "index", "time", "empty chunks"])
@pytest.mark.parametrize("cap", [10.0, 100.0])
def test_what_a_hostile_decoder_gets_out_stays_below_the_cap(clock, how, cap):
    """Measured as a receiver would: the length of the code that tells what came, in any window."""
    s = stream(alphabet=() if how == "floats" else ("rest", "go"), rate=0.0 if how in ("time", "empty chunks") else 10.0)
    meter, rng, sent = Meter(s, cap), np.random.default_rng(1), []
    for i in range(3000):
        clock.now = i / 100
        if passed := meter.passed(hostile(how, rng, i)):
            sent.append((clock.now, passed[1]))
    when, bits = (np.array(x) for x in zip(*sent, strict=True)) if sent else (np.zeros(1), np.zeros(1))
    windows = [bits[(when >= t) & (when < t + WINDOW_S)].sum() for t in np.arange(0, 30, 0.25)]
    assert max(windows) <= cap * WINDOW_S + 1e-6


@pytest.mark.parametrize("rate", [0.0, 10.0])
def test_what_a_chunk_costs_is_told_by_what_was_sent_alone(clock, rate):
    """What was held back moves nothing: whoever sees only what passed reckons the same bits."""
    rng, cap = np.random.default_rng(2), 20.0
    meter, theirs, held = Meter(stream(rate=rate), cap), Meter(stream(rate=rate), np.inf), 0
    for i in range(2000):
        clock.now += rng.choice([0.01, 0.5])
        first = i if rng.random() < 0.7 else int(rng.integers(0, 2**40))
        when = i / 10 if rng.random() < 0.7 else rng.choice([np.nan, rng.integers(0, 2**40)])
        if passed := meter.passed(said(*rng.choice([0, 1, np.nan], rng.integers(0, 4)), first=first, time=float(when))):
            assert theirs.passed(passed[0])[1] == passed[1]
        else:
            held += 1
    assert 0 < held < 2000 and meter.bits == theirs.bits


def test_what_is_held_back_moves_no_clock_for_the_next():
    meter = Meter(stream(), 100.0)
    assert meter.passed(said(0, first=0, time=0.0)) and meter.passed(said(1, first=1, time=0.1))
    assert meter.passed(said(*[0, 1] * 1000, first=2, time=1e6)) is None
    assert meter.passed(said(1, first=2, time=1e6))[1] > 50, "a time that the receiver could not know came free"


def test_numbers_of_another_type_do_not_pass():
    assert Meter(stream(), 1e6).passed(Chunk(np.zeros((1, 1), np.float64), 0, 0.0)) is None


def test_what_is_sent_is_what_was_looked_at(clock):
    x = np.ones((1, 1), np.float32)
    c, _ = Meter(stream(), 1e6).passed(Chunk(x, 0, 0.0))
    x[:] = 0.5
    assert c.data[0, 0] == 1.0 and not c.data.flags.writeable


def test_the_code_is_one_that_can_be_read_back():
    """Elias's gamma: the lengths obey Kraft's inequality, so that no receiver learns more than they count."""
    lengths = [module._gamma(k) for k in itertools.chain(range(0, 5000), range(-5000, 0))]
    assert sum(2.0**-n for n in lengths) <= 1.0


def test_the_gate_measures_the_decisions_that_leave():
    got = []

    class Out(Sink):
        kind = "network"

        def send(self, c):
            got.append(c)

    Consent().enrol("S1", "an orange horse")
    Consent().grant("S1", "research", ["network"], passphrase="an orange horse", level="DECISION")
    permit = Gate().open(Out(), stream())
    for i in range(20):
        permit.send(said(0.5 if i % 2 else 1, first=i, time=i / 10))
    permit.close()
    assert (permit.count, permit.capped, len(got)) == (10, 10, 10)


def test_the_threshold_s_decisions_are_declared_so():
    raw = Stream("eeg", 250.0, (Channel("O1"),), label=Label(subjects=frozenset({"S1"})))
    assert part("stage", "threshold")().start(raw).label.level is Level.DECISION
