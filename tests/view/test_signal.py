"""What a view remembers, against the plain arrays; and traces as dots."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import Channel, Chunk, Event, Stream
from bcikit.testing import noise
from bcikit.view._braille import bar, trace
from bcikit.view._signal import BANDS, Signal
from bcikit.view._watch import judged


def filled(recording, cuts=()):
    signal = Signal(recording.stream)
    for c in recording.recut(cuts):
        signal.take(c)
    return signal


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=40), rate=st.sampled_from([100.0, 250.0, 1000.0, 2500.0]))
def test_the_cut_changes_nothing_and_numbers_are_those_of_the_array(cuts, rate):
    source = noise(4.0, rate)
    signal, x = filled(source, cuts), source.data
    n = round(rate)
    begin = (len(x) - 1) // signal.step * signal.step - (round(rate / signal.step) - 1) * signal.step  # of whole bins
    np.testing.assert_allclose(signal.rms(), x[begin:].astype(float).std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(signal.newest(), x[-min(len(signal.newest()), len(x)) :])
    low, high, first, span = signal.traces(2.0, 100)
    assert abs(len(low) * span - 2 * n) <= 0.25 * n
    for column in (0, len(low) // 2, len(low) - 1):
        rows = x[round(first + column * span) : round(first + (column + 1) * span)]
        np.testing.assert_array_equal(low[column], rows.min(axis=0))
        np.testing.assert_array_equal(high[column], rows.max(axis=0))


def test_bands_are_shares_of_the_power():
    s = Stream("x", 250.0, (Channel("a"), Channel("b")))
    t = np.arange(1000) / 250
    x = np.stack(
        [10 * np.sin(2 * np.pi * 10.5 * t), 500 + 10 * np.sin(2 * np.pi * 6 * t) + 10 * np.sin(2 * np.pi * 20 * t)], 1
    )
    signal = Signal(s)
    signal.take(Chunk(x[:400].astype(np.float32), 0))
    assert np.isnan(signal.bands()).all()  # two seconds are not yet there
    signal.take(Chunk(x[400:].astype(np.float32), 400))
    of = {name: signal.bands()[:, i] for i, name in enumerate(BANDS)}
    assert of["alpha"][0] > 0.99 and of["theta"][1] == pytest.approx(0.5, abs=0.02) == of["beta"][1]


def test_a_gap_is_empty_and_old_samples_do_not_stand_for_new_ones():
    source = noise(4.0)
    a, rest = source.chunks[0].cut(500, 250.0)
    _, b = rest.cut(250, 250.0)
    signal = Signal(source.stream)
    signal.take(a)
    signal.take(b)
    low, _, first, span = signal.traces(4.0, 1000)
    index = first + np.arange(len(low)) * span
    missing = (index >= 500) & (index < 750)
    assert np.isnan(low[missing]).all() and np.isfinite(low[~missing & (index >= 0)]).all()
    assert np.array_equal(signal.newest(), source.data[750:])
    later, _, first, span = signal.traces(4.0, 1000, ahead=500)
    index = first + np.arange(len(later)) * span
    assert np.isnan(later[index >= 1000]).all() and len(later[index >= 1000]) >= 499


def test_behind_a_gap_a_channel_is_judged_on_what_came_since_and_a_lost_packet_harms_nothing():
    source = noise(8.0)
    signal = Signal(source.stream)
    x = source.data
    signal.take(Chunk(x[:1000], 0))
    whole = judged(signal)
    assert "nan" not in whole.values() and "good" in whole.values()
    signal.take(Chunk(x[1001:1100], 1001))  # one packet is lost
    assert "nan" not in judged(signal).values() and len(signal.newest()) == 500
    signal.take(Chunk(x[1600:1700], 1600))  # two seconds are
    assert "nan" not in judged(signal).values() and np.array_equal(signal.newest(), x[1600:1700])
    bad = x[1700:2000].copy()
    bad[:, 2] = np.nan
    signal.take(Chunk(bad, 1700))
    assert [n for n, word in judged(signal).items() if word == "nan"] == ["C3"]


def test_nan_integers_lags_and_an_index_that_goes_back_pass():
    s = Stream("x", 100.0, (Channel("a"), Channel("b")), scale=(0.5, 2.0))
    signal = Signal(s)
    signal.take(Chunk(np.tile(np.array([[10, -10]], np.int16), (100, 1)) * np.array([[1], [-1]] * 50, np.int16), 0))
    np.testing.assert_allclose(signal.rms(), [5, 20])
    lags = Signal(Stream("w", 10.0, (Channel("a"), Channel("b")), shape=(2, 5)))
    lags.take(Chunk(np.arange(30, dtype=np.float32).reshape(3, 2, 5), 0))
    np.testing.assert_array_equal(lags.last, [24, 29])
    holes = Signal(s.but(scale=None))
    x = np.ones((200, 2), np.float32) * np.arange(200)[:, None]
    x[150:, 0] = np.nan
    holes.take(Chunk(x, 0))
    assert holes.rms()[0] == pytest.approx(np.arange(100, 150).std()) and holes.rms()[1] == pytest.approx(
        np.arange(100).std()
    )
    holes.take(Chunk(x[:10], 5))
    holes.take(Chunk(x[:10], 10**12))
    holes.take(Chunk(x[:10], 3))
    assert np.isfinite(holes.rms()[1])


def test_memory_does_not_grow():
    signal = Signal(noise(0.1, 1000.0).stream)
    x = np.zeros((5000, 7), np.float32)
    sizes = []
    for k in range(12):
        signal.take(Chunk(x, 5000 * k, events=tuple(Event(5000 * k + i, "e") for i in range(40))))
        sizes.append(sum(v.nbytes for v in vars(signal).values() if isinstance(v, np.ndarray)) + len(signal.events))
    assert sizes[2] == sizes[-1]


# -- dots


def dots(lines):
    """(rows, columns) of lit dots, by the table of the Unicode standard (Braille Patterns, U+2800)."""
    order = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1)]
    lit = np.zeros((4 * len(lines), 2 * len(lines[0])), bool)
    for r, line in enumerate(lines):
        for c, sign in enumerate(line):
            bits = 0 if sign == " " else ord(sign) - 0x2800
            for bit, (y, x) in enumerate(order):
                lit[4 * r + y, 2 * c + x] = bits >> bit & 1
    return lit


def test_each_column_is_lit_from_its_low_to_its_high():
    low = np.array([-1.0, 0.0, 1.0, np.nan, -5.0, 0.2])
    high = np.array([1.0, 0.0, 1.0, np.nan, 5.0, 0.2])
    lit = dots(trace(low, high, 2, 3))
    assert lit[:, 0].all() and not lit[:, 3].any() and lit[:, 4].all()
    assert lit[0, 2] and lit[:, 2].sum() >= 4  # reaches back to the column before
    assert lit[:, 5].sum() == 1  # the column before covers it already


def test_a_whole_line_has_no_holes():
    x = np.sin(np.linspace(0, 12, 120))
    lit = dots(trace(x, x, 4, 60))
    rows = [np.flatnonzero(column) for column in lit.T]
    assert all(len(r) for r in rows)
    assert all(a.min() <= b.max() + 1 and b.min() <= a.max() + 1 for a, b in pairwise(rows))


def test_short_traces_stand_at_the_right():
    lit = dots(trace(np.zeros(4), np.zeros(4), 1, 10))
    assert not lit[:, :16].any() and lit[:, 16:].any(axis=0).all()


def test_bars():
    assert [bar(v) for v in (np.nan, 0.0, 0.5, 1.0, 2.0)] == [" ", "▁", "▄", "█", "█"]
