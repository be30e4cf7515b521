"""The sample clock against streams whose true times are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.acquire._clock import SampleClock


def fed(rate, true_rate, seconds, seed=0, burst=3, spread=0.002, start=1000.0, late=()):
    """A clock after `seconds` of bursts that arrive up to exponential(spread) late. late: (from s, to s, how much)."""
    rng = np.random.default_rng(seed)
    clock = SampleClock(rate)
    for index in range(0, int(seconds * true_rate), burst):
        t = index / true_rate
        extra = sum(by for begin, end, by in late if begin <= t < end)
        clock.update(index, start + t + rng.exponential(spread) + extra)
    return clock


@settings(max_examples=30, deadline=None)
@given(
    ppm=st.floats(-200, 200),
    burst=st.integers(1, 25),
    spread=st.floats(1e-4, 0.008),
    seed=st.integers(0, 99),
)
def test_the_rate_and_the_times_are_those_of_the_device(ppm, burst, spread, seed):
    true = 250 * (1 + ppm * 1e-6)
    clock = fed(250, true, 120, seed, burst, spread)
    assert abs(clock.rate_hz / true - 1) < max(1e-4, 5 * clock.rate_error)
    error = clock.time_of(clock.newest) - (1000 + clock.newest / true)
    assert -0.2 * spread - 1e-4 < error < 1.0 * spread + 1e-4, "the line runs along the earliest arrivals"
    assert abs(error) < 3 * clock.uncertainty_s


@pytest.mark.parametrize("true", [256, 244, 251.5])
def test_a_rate_that_is_not_the_stated_one_is_found(true):
    clock = fed(250, true, 20)
    assert clock.rate_hz == pytest.approx(true, rel=1e-3) and clock.rate_error < 1e-3


def test_late_bursts_do_not_move_the_line():
    calm, shaken = fed(250, 250, 60), fed(250, 250, 60, late=[(20, 20.3, 0.12), (40, 40.02, 2.0), (59.9, 60, 0.5)])
    assert abs(shaken.time_of(14990) - calm.time_of(14990)) < 0.002


def test_a_lasting_change_of_delay_is_followed():
    clock = fed(250, 250, 150, late=[(60, 150, 0.05)])
    assert clock.time_of(clock.newest) == pytest.approx(1000 + clock.newest / 250 + 0.05, abs=0.005)


def test_complaint_16_slow_drift_is_followed():
    clock, t = SampleClock(250), 0.0
    for index in range(0, 250 * 600, 5):
        t += 5 / (250 * (1 + 50e-6 * math.sin(2 * math.pi * index / 250 / 1200)))  # a crystal that warms up
        clock.update(index, t)
    assert clock.time_of(index) == pytest.approx(t, abs=0.001)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 50, 2000, 100_000]), st.floats(0, 3) | st.floats(0, 0.01)), max_size=40),
    st.sampled_from([1.0, 250.0, 30_000.0]),
)
def test_whatever_comes_how_late_ever_its_uncertainty_is_a_number(arrivals, rate):
    """A silence of seconds soon after the start once made the variance of the rate negative."""
    clock, index = SampleClock(rate), 0
    for ahead, late in arrivals:
        index += ahead
        clock.update(index, 1000 + index / rate + late)
        assert 0 <= clock.rate_error < math.inf and 0 < clock.uncertainty_s < math.inf
        assert clock.index_of(clock.time_of(index + 1.0))[1] > 0


def test_places_and_times_are_inverse_and_uncertainty_grows_away_from_the_data():
    clock = fed(250, 250.01, 30)
    near, there = clock.index_of(clock.time_of(7000.25))
    assert near == pytest.approx(7000.25, abs=1e-6)
    assert clock.index_of(2000.0)[1] > there >= clock.residual_s


def test_nothing_is_known_before_the_first_arrival_and_old_indices_are_ignored():
    clock = SampleClock(250)
    assert math.isnan(clock.time_of(0)) and math.isnan(clock.index_of(0)[0]) and clock.index_of(0)[1] == math.inf
    clock.update(10, 5.0)
    for index, time in [(10, 6.0), (9, 7.0), (11, math.nan)]:
        clock.update(index, time)
    assert clock.time_of(10) == 5.0 and clock.rate_hz == 250


def test_a_rate_is_needed():
    with pytest.raises(ValueError):
        SampleClock(0)
