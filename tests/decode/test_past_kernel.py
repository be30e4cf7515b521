"""Kernel regression on the fading past: what it learns, that step is predict, and what it reads from monkeys."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.bench.kinematics import ours, r2, ridge, told
from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream, recording
from bcikit.decode.kinematics.past_kernel import PastKernel


def bent(n=2500, units=20, seed=0):
    """Counts that tell of a movement, by bumps and not at once, among units that tell nothing; bins of 50 ms."""
    rng = np.random.default_rng(seed)
    y = np.stack([np.convolve(rng.standard_normal(n + 40), np.hanning(25), "same")[:n] for _ in range(2)], axis=1)
    y /= y.std(axis=0)
    way = np.random.default_rng(9).standard_normal((2, units))
    way[:, units // 2 :] = 0
    where = np.random.default_rng(8).uniform(-1.5, 1.5, units)
    rate = 15 * np.exp(-2 * (np.roll(y, 2, axis=0) @ way - where) ** 2)  # a bump about a place, as a tuning has
    return rng.poisson(rate * 0.25).astype(float), y


def stream(n, rate=20.0):
    return Stream("counts", rate, tuple(Channel(f"u{k}", "spikes", "count") for k in range(n)))


def test_it_reads_what_a_line_cannot():
    X, Y = bent()
    runs = np.zeros(len(X), int)
    mine, line = (np.mean(r2(Y, told(fit, X, Y, runs, 20.0))) for fit in (ours(20.0, landmarks=500), ridge(10, 300.0)))
    assert mine > 0.6 and mine > line + 0.03


def test_step_and_predict_are_the_same_arithmetic():
    X, Y = bent(800)
    k = PastKernel(landmarks=100).fit(X, Y, 20.0)
    k.start(stream(20))
    got = np.concatenate([k.step(c).data for c in recording(stream(20), X).recut([1, 7, 0, 300])])
    assert got.tobytes() == k.predict(X.astype(np.float32)).astype(np.float32).tobytes()


def test_a_unit_that_hardly_fired_in_training_does_not_carry_the_decoder_away():
    X, Y = bent(1600)
    X = np.column_stack([X, np.zeros(len(X))])
    X[100, -1] = 1
    X[1200:, -1] = 6
    k = PastKernel(landmarks=200).fit(X[:1200], Y[:1200], 20.0)
    assert np.abs(k.predict(X[1200:])).max() < 3 * np.abs(Y).max()
    with pytest.raises(WrongUse, match="no channel varies"):
        PastKernel().fit(0 * X, Y, 20.0)


def test_runs_do_not_join():
    X, Y = bent(600)
    k = PastKernel(landmarks=100).fit(X, Y, 20.0, runs=np.repeat([0, 1], 300))
    halves = k.predict(X, runs=np.repeat([0, 1], 300))
    assert np.array_equal(halves[300:], k.predict(X[300:])) and not np.array_equal(halves[300:], k.predict(X)[300:])


def test_silent_channels_and_bins_without_movement_do_no_harm():
    X, Y = bent(900)
    X[:, 3], Y[100:200] = 0.0, np.nan
    X[5, 4] = np.nan
    assert np.isfinite(PastKernel(landmarks=50).fit(X, Y, 20.0).predict(X)).all()


def test_wrong_use_is_told():
    X, Y = bent(200)
    for said, act in {
        "not fitted": lambda: PastKernel().start(stream(20)),
        "fitted to 20 channels at 20 Hz; counts has 5": lambda: PastKernel(landmarks=9).fit(X, Y, 20.0).start(stream(5)),
        "has 20 at 50 Hz": lambda: PastKernel(landmarks=9).fit(X, Y, 20.0).start(stream(20, 50.0)),
        r"X \(200, 20\) and Y \(200, 1\)": lambda: PastKernel().fit(X, Y[:, :1], 20.0),
        "from 10 bins": lambda: PastKernel().fit(X[:10], Y[:10], 20.0),
    }.items():
        with pytest.raises(WrongUse, match=said):
            act()


def test_two_days_of_reaching(shared):
    """Better than the ridge regression of the data's README, in both, on whole trials left out."""
    for day in "BC":
        with np.load(shared(f"m1-reach/mihi_8dir_day{day}.npz")) as d:
            X, Y, runs = d["spike_counts"].astype(float), d["velocity"].astype(float), d["trial"].astype(int)
        mine = r2(Y, told(ours(5.0, taus=(0.05, 0.2)), X, Y, runs, 5.0, True))
        line = r2(Y, told(ridge(1, 300.0), X, Y, runs, 5.0, True))
        assert all(a > b for a, b in zip(mine, line, strict=True)) and min(mine) > 0.7


@pytest.mark.soak
def test_ten_minutes_of_reaching(shared):
    from bcikit.bench.kinematics import continuous

    row = next(continuous(shared("m1-continuous")))
    assert row["position_r2"][0] >= 0.90 and row["position_r2"][1] >= 0.88
    assert row["velocity_r2"][0] >= 0.86 and row["velocity_r2"][1] >= 0.80


def test_a_day_is_read_by_the_shape_of_its_movements_where_that_has_one_turn_alone():
    from bcikit.bench._across import across

    rng = np.random.default_rng(0)
    one, two = (np.column_stack([rng.exponential(1, 600), (rng.random(600) < 0.2) * 2.5]) for _ in range(2))  # like no turn
    counts = rng.poisson(np.maximum(20 + 4 * two @ rng.standard_normal((2, 80)), 0)).astype(float)
    told = across(counts, two, one)
    assert min(told["velocity_r2"]) > 0.9 and told["off"] < 1.2 * told["turned_by_labels_off"]
