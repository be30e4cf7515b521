"""Stamps to indices, against senders whose truth is known; no network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquire._stamps import Stamps


def feed(stamps, arrivals, cuts, rate=250.0, shift=0.0):
    """Indices of samples that arrive at these times, read in blocks; and what was made of them."""
    axis, out, at = Stamps(rate), [], 0
    for n in cuts:
        if at >= len(stamps):
            break
        part = slice(at, min(at + n, len(stamps)))
        out.append(axis.place(np.asarray(stamps[part]), shift, float(arrivals[part][-1]) + shift))
        at = part.stop
    return np.concatenate(out), axis


def reads(rng, n, most):
    cuts = rng.integers(1, most + 1, n)
    return [int(c) for c in cuts]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    true_rate=st.sampled_from([250.0, 249.99, 250.6, 245.0]),
    lost=st.lists(st.tuples(st.integers(400, 2900), st.integers(1, 400)), max_size=4),
    most=st.sampled_from([1, 7, 60]),
    shift=st.sampled_from([0.0, -1e5]),
)
def test_on_a_grid_every_lost_sample_is_counted_at_its_place(seed, true_rate, lost, most, shift):
    rng = np.random.default_rng(seed)
    taken = np.arange(4000)
    for at, n in lost:
        taken = taken[(taken < at) | (taken >= at + n)]
    stamps = 1000 + taken / true_rate + rng.uniform(-5e-6, 5e-6, len(taken))
    index, axis = feed(stamps, stamps + 0.001, reads(rng, len(taken), most), shift=shift)
    assert np.array_equal(index, taken)
    assert axis.lost == taken[-1] + 1 - len(taken) and axis.odd == 0
    assert axis.clock.time_of(int(index[-1])) == pytest.approx(stamps[-1] + shift, abs=2e-3)


@pytest.mark.parametrize("share", [0.005, 0.1, 0.3])
def test_on_a_grid_losses_all_the_time_are_counted_from_its_first_steady_second_on(share):
    rng = np.random.default_rng(4)
    taken = np.flatnonzero(rng.random(6000) >= share)
    stamps = 1000 + taken / 250
    index, axis = feed(stamps, stamps + 0.001, reads(rng, len(taken), 9))
    known = np.searchsorted(taken, 500)
    assert np.array_equal(np.diff(index[known:]), np.diff(taken[known:]))
    assert axis.clock.rate_hz == pytest.approx(250, rel=0.002)
    assert axis.clock.time_of(int(index[-1])) == pytest.approx(stamps[-1], abs=2e-3)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), block=st.integers(1, 40), jitter=st.floats(0.0005, 0.008), stall=st.booleans())
def test_samples_that_are_only_late_are_never_called_lost(seed, block, jitter, stall):
    """One stamp for each block, late by a random time, once by half a second (and what followed it flushed behind it)."""
    rng = np.random.default_rng(seed)
    n = 5000 // block * block
    newest = 1000 + (np.arange(n) // block * block + block - 1) / 250
    stamps = newest + np.repeat(rng.exponential(jitter, n // block), block)
    if stall:
        held = (newest > 1008) & (newest < 1008.5)
        stamps[held] = np.maximum(stamps[held], 1008.5 + np.arange(held.sum()) * 1e-5)
    stamps = np.maximum.accumulate(stamps)
    index, axis = feed(stamps, stamps, [block] * n)
    assert axis.lost == 0 and np.array_equal(index, np.arange(n))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), block=st.integers(1, 40), late=st.integers(1, 9))
def test_a_busy_sender_that_is_late_by_whole_periods_has_lost_nothing(seed, block, late):
    """Blocks stamped when they are sent, steadily to a tenth of a millisecond, now and then late by whole sample periods."""
    rng = np.random.default_rng(seed)
    n = 3000 // block * block
    sent = np.arange(n // block) * block / 250 + rng.exponential(0.0001, n // block)
    sent += (rng.random(len(sent)) < 0.05) * min(late, block) / 250
    stamps = 1000 + np.repeat(sent, block) + np.tile(np.arange(block) / 250, n // block)
    index, axis = feed(stamps, stamps, [block] * n)
    assert axis.lost == 0 and np.array_equal(index, np.arange(n))


@pytest.mark.parametrize("missing", [25, 500, 5000])
def test_a_loss_behind_jitter_is_found_within_half_a_second(missing):
    rng = np.random.default_rng(3)
    taken = np.r_[0:2500, 2500 + missing : 5000 + missing]
    stamps = 1000 + taken / 250 + rng.exponential(0.003, len(taken))
    index, axis = feed(stamps, stamps, [5] * len(taken))
    late = np.flatnonzero(np.diff(index) > 1)
    assert len(late) == 1 and 2499 <= late[0] <= 2499 + 125
    assert abs(axis.lost - missing) <= 3 and abs(index[-1] - taken[-1]) <= 3


@pytest.mark.parametrize("wrong", [-3.0, 40.0, np.nan, np.inf, -1e300])
def test_one_wrong_stamp_moves_nothing(wrong):
    stamps = 1000 + np.arange(3000) / 250
    true = stamps.copy()
    stamps[1500] += wrong
    index, axis = feed(stamps, true, [5] * 600)
    assert np.array_equal(index, np.arange(3000)) and axis.lost == 0 and axis.odd > 0
    assert axis.clock.time_of(2999) == pytest.approx(true[-1], abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([1.0, 10.0, 250.0, 30_000.0]))
def test_whatever_stamps_a_sender_writes_indices_go_forward_and_times_stay_numbers(seed, rate):
    rng, axis, now, taken, end = np.random.default_rng(seed), Stamps(rate), 1000.0, 0, 0
    for _ in range(60):
        n = int(rng.integers(1, 30))
        stamps = 1000 + np.arange(taken, taken + n) / rate
        taken += n + int(rng.integers(5000)) * (rng.random() < 0.1)
        if rng.random() < 0.3:
            stamps[rng.integers(n)] = rng.choice([np.nan, np.inf, -np.inf, 1e300, -1e300, 0.0, 1e9, 1e15])
        if rng.random() < 0.05:
            stamps += rng.choice([-1e6, 1e6, 1e12])
        if rng.random() < 0.03:
            axis.resume()
        now = max(now, 1000 + taken / rate) + rng.exponential(0.02)
        index = axis.place(stamps, 0.0, now)
        assert index[0] >= end and (np.diff(index) >= 1).all()
        end = index[-1] + 1
        assert axis.clock.newest is None or np.isfinite([axis.clock.time_of(end), axis.clock.uncertainty_s]).all()


def test_a_repeated_stamp_on_a_grid_is_counted():
    stamps = 1000 + np.arange(1000) / 250
    stamps[600] = stamps[599]
    _, axis = feed(stamps, stamps, [5] * 200)
    assert axis.odd == 1 and axis.lost == 0


def test_a_clock_that_is_set_back_is_followed():
    stamps = 1000 + np.arange(5000) / 250
    arrivals = stamps.copy()
    stamps[2500:] -= 100
    index, axis = feed(stamps, arrivals, [5] * 1000)
    assert np.array_equal(index, np.arange(5000))
    assert axis.clock.time_of(4999) == pytest.approx(stamps[-1], abs=1e-3)


def test_away_and_back():
    stamps = 1000 + np.r_[0:1000, 1777:3000] / 250.0
    axis = Stamps(250.0)
    first = axis.place(stamps[:1000], 0.0, stamps[999])
    axis.resume()
    second = axis.place(stamps[1000:], 0.0, stamps[-1])
    assert first[-1] == 999 and second[0] == 1777 and axis.lost == 777
