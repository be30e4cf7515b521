"""The packet counter: every loss in its place, whatever the number and the arrivals do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquire._brainflow import Halves, Pairs
from bcikit.acquire._clock import SampleClock
from bcikit.acquire._counter import PacketCounter

RATE, LONG = 250.0, 5000


def arrivals(index, late=(), jitter=0.002, seed=0):
    """When samples arrive, first in first out; `late`: (from s, to s) in which nothing gets through, then all at once."""
    rng = np.random.default_rng(seed)
    t = 100 + index / RATE + rng.exponential(jitter, len(index))
    for begin, end in late:
        t = np.where((t > 100 + begin) & (t < 100 + end), 100 + end, t)
    return np.maximum.accumulate(t)


def placed(numbers, times, turn=256):
    """(indices, rows, counter); as a driver reads: what arrives within 2 ms is one burst, its newest tells the clock."""
    clock = SampleClock(RATE)
    counter = PacketCounter(clock, turn)
    indices, rows, newest, begin = [], [], None, times[0]
    for row, (number, time) in enumerate(zip(numbers, times, strict=True)):
        if time - begin > 0.002 and newest:
            clock.update(*newest)
            begin, newest = time, None
        for index, arrival, data in counter.place(int(number), float(time), np.array([row])):
            indices.append(index)
            rows.append(int(data[0]))
            newest = index, arrival
    return np.array(indices), np.array(rows), counter


@settings(max_examples=40, deadline=None)
@given(drop=st.floats(0, 0.3), seed=st.integers(0, 999), jitter=st.floats(0, 0.006))
def test_dropped_packets_are_counted_exactly(drop, seed, jitter):
    kept = np.flatnonzero(np.random.default_rng(seed).random(LONG) >= drop)
    indices, rows, counter = placed(kept % 256, arrivals(kept, jitter=jitter, seed=seed))
    assert np.array_equal(indices, kept - kept[0]) and np.array_equal(rows, np.arange(len(kept)))
    assert counter.lost == kept[-1] - kept[0] + 1 - len(kept) and counter.repeated == 0


@pytest.mark.parametrize("missing", [60, 200, 256, 257, 500, 512, 1280, 3000])
@pytest.mark.parametrize("number", ["went on", "stood still", "began anew"])
def test_a_long_silence_is_as_long_as_host_time_says(missing, number):
    kept = np.concatenate([np.arange(1000), np.arange(1000 + missing, LONG)])
    counted = {
        "went on": kept,
        "stood still": np.arange(len(kept)),
        "began anew": np.concatenate([np.arange(1000), np.arange(len(kept) - 1000)]),
    }[number]
    indices, _, counter = placed(counted % 256, arrivals(kept))
    exact = number == "went on"
    assert abs(indices[-1] - kept[-1]) <= (0 if exact else 3)
    assert counter.lost == indices[-1] + 1 - len(indices) and len(indices) == len(kept)


@pytest.mark.parametrize("pause", [0.03, 0.06, 0.2, 0.5, 1.0, 1.024, 1.5, 3.0])
def test_a_computer_that_slept_has_lost_nothing(pause):
    index = np.arange(LONG)
    indices, rows, counter = placed(index % 256, arrivals(index, late=[(8, 8 + pause)]))
    assert np.array_equal(indices, index) and np.array_equal(rows, index) and counter.lost == counter.repeated == 0


def test_copies_are_dropped_and_counted():
    index, times = np.arange(LONG), arrivals(np.arange(LONG))
    twice = np.concatenate([index[:1000], index[995:1000], index[1000:]])
    indices, rows, counter = placed(twice % 256, np.concatenate([times[:1000], times[999].repeat(5), times[1000:]]))
    assert np.array_equal(indices, index) and counter.repeated == 5 and counter.lost == 0
    assert not set(rows) & set(range(1000, 1005))


@pytest.mark.parametrize("wrong", [1, 77, 128, 255])
def test_a_packet_with_a_wrong_number_is_lost_and_nothing_else(wrong):
    numbers = np.arange(LONG) % 256
    numbers[1000] = (numbers[1000] + wrong) % 256
    indices, rows, counter = placed(numbers, arrivals(np.arange(LONG)))
    assert indices[-1] == LONG - 1 and (np.diff(indices) > 0).all()
    assert counter.lost + len(indices) == LONG and len(indices) >= LONG - 2
    good = rows != 1000
    assert np.array_equal(indices[good], rows[good]), "the others stand where they belong"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.floats(0, 0.3)), min_size=1, max_size=200))
def test_whatever_comes_the_index_goes_forward_and_the_books_balance(packets):
    numbers = [n for n, _ in packets]
    times = 100 + np.cumsum([dt for _, dt in packets])
    indices, rows, counter = placed(numbers, times)
    held = len(packets) - len(rows) - counter.repeated
    assert indices[0] == 0 and (np.diff(indices) > 0).all() and (np.diff(rows) > 0).all()
    assert counter.lost == indices[-1] + 1 - len(indices) and 0 <= held <= 60


def test_without_numbers_host_time_finds_a_gap():
    kept = np.concatenate([np.arange(1000), np.arange(1250, LONG)])
    indices, _, counter = placed(np.zeros(len(kept)), arrivals(kept), turn=1)
    assert abs(indices[-1] - kept[-1]) <= 3 and abs(counter.lost - 250) <= 3


def test_a_first_burst_that_nobody_fetched_for_a_while():
    index = np.arange(1000)
    counter = PacketCounter(SampleClock(RATE))
    got = [i for n, t in zip(index, arrivals(index), strict=True) for i, _, _ in counter.place(int(n) % 256, t, np.zeros(1))]
    assert got == list(index)


def test_after_a_new_connection_the_earliest_arrival_tells():
    clock = SampleClock(RATE)
    counter = PacketCounter(clock)
    for i in range(1000):
        for index, arrival, _ in counter.place(i % 256, 100 + i / RATE, np.zeros(1)):
            clock.update(index, arrival)
    counter.restart()
    times = np.maximum(100 + np.arange(1500, 1600) / RATE, 106.06)  # the first ones come late, in one burst
    got = [index for k, t in enumerate(times) for index, _, _ in counter.place(k, float(t), np.zeros(1))]
    assert abs(got[0] - 1500) <= 2 and len(got) >= 70


def daisy(packets):
    """The numbers that BrainFlow gives for a Daisy's packets: the even half's, at each odd one."""
    number, out = 0, []
    for p in packets:
        if p % 2:
            out.append(number)
        else:
            number = p % 256
    return np.array(out, float)


def test_a_daisys_halves():
    numbers = Halves()(daisy(range(2000)))
    assert np.array_equal(numbers, np.arange(1000) % 128) and Halves.turn == 128
    for lost in (500, 501):  # the first or the second half of sample 250
        numbers = Halves()(daisy(p for p in range(2000) if p != lost))
        at = np.array([i for i in range(1000) if lost == 500 or i != 250])
        indices, _, counter = placed(numbers, arrivals(at), turn=128)
        assert counter.lost == 1 and 250 not in indices and counter.repeated == (lost == 500)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), max_size=60), base=st.sampled_from([0, 100]))
def test_a_ganglions_pairs(cuts, base):
    """Firmware 3: packets 0 to 99 of two samples each; with 19 bits 100 to 199."""
    numbers = base + (np.arange(1200) // 2) % 100
    pairs = Pairs()
    out = np.concatenate([pairs(part) for part in np.split(numbers, np.cumsum([2 * c for c in cuts]).clip(max=1200))])
    assert np.array_equal(out, np.arange(1200) % 200) and pairs.turn == 200


def test_a_ganglion_with_firmware_2_has_a_single_sample_between():
    cycle = [0] + [n for n in range(1, 101) for _ in range(2)]  # 201 samples
    numbers = np.array((cycle * 5)[3:])
    pairs = Pairs()
    out = pairs(numbers)
    steps = (np.diff(out) - 1) % 201 + 1
    assert pairs.turn == 201 and (steps == 1).mean() > 0.998
