"""The simulated implant measured by other means than it is made with, and held against its table of facts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from bcikit.simulate.arrays import ARRAYS, electrodes
from bcikit.simulate.broadband import BAND_HZ, Broadband
from bcikit.simulate.electrodes import FACTS as TOUCH
from bcikit.simulate.electrodes import impedances
from bcikit.simulate.implant_facts import FACTS
from bcikit.simulate.neurons import Neurons

QUIET = {"mains": 0.0}


def within(name, value):
    f = FACTS[name]
    assert f.low <= value <= f.high, f"{name}: {value:.3g} {f.unit}, not {f.low} to {f.high}"


def band(x, rate, low=250, high=5000):
    sos = scipy.signal.butter(4, [low, high], "bandpass", fs=rate, output="sos")
    return scipy.signal.sosfiltfilt(sos, x.astype(float), axis=0)


def test_every_fact_lies_in_its_range_and_has_a_source():
    for name, f in (FACTS | TOUCH).items():
        assert f.low <= f.value <= f.high and f.source and f.what, name


# -- geometry


@pytest.mark.parametrize("array, nearest", [("utah", 400e-6), ("threads", 50e-6), ("films", 400e-6)])
@pytest.mark.parametrize("n", [32, 96, 1024])
def test_pitch_is_that_of_the_real_array(array, nearest, n):
    p = electrodes(array, n)
    assert p.shape == (n, 3)
    d = np.linalg.norm(p[:, None] - p[None], axis=2) + np.eye(n)
    assert np.allclose(d.min(axis=1), nearest, rtol=1e-6)
    assert 0.04 < np.linalg.norm(p, axis=1).mean() < 0.11  # within a head


def test_four_films_hold_4096_and_16384_electrodes_find_their_place():
    p = electrodes("films", 4096).reshape(4, 1024, 3)
    for film in p:
        assert np.linalg.norm(film[-1] - film[0]) == pytest.approx(31 * 400e-6 * np.sqrt(2))
        assert np.linalg.svd(film - film.mean(axis=0))[1][2] < 1e-9  # flat
    middles = p.mean(axis=1)
    assert (np.linalg.norm(middles[:, None] - middles[None], axis=2) + np.eye(4)).min() > 0.013  # none on another
    for array in ARRAYS:
        assert len(np.unique(electrodes(array, 16384).round(9), axis=0)) == 16384


# -- firing


def test_rates_follow_the_cosine_of_the_intended_direction():
    """Counts in eight directions, fitted by least squares: baseline, depth and direction come back."""
    n = Neurons(60, 30_000, seed=4)
    n.baseline += 12  # above the bend, where it is a cosine
    turns = np.arange(8) * np.pi / 4
    seconds, counts = 40, []
    for turn in turns:
        n.intend(np.array([np.cos(turn), np.sin(turn)]))
        counts.append(np.bincount(n.spikes(seconds * 1000)[1], minlength=60) / seconds)
    cosine = np.column_stack([np.ones(8), np.cos(turns), np.sin(turns)])
    b0, bx, by = np.linalg.lstsq(cosine, np.array(counts), rcond=None)[0]
    error = np.sqrt(n.baseline / seconds / 4)  # of the fit, by Poisson counting
    clear = n.baseline > n.depth + 8
    assert clear.sum() > 25
    want = n.depth[:, None] * n.direction
    z = np.column_stack([bx, by])[clear] - want[clear]
    assert np.abs(z / error[clear, None]).max() < 5
    assert np.abs(b0 - n.baseline)[clear].max() < 5 * error[clear].max()
    tuned = clear & (n.depth > 5)
    got = np.degrees(np.angle((bx + 1j * by)[tuned] / (want @ [1, 1j])[tuned]))
    assert np.abs(got).mean() < 5


def test_no_second_spike_in_the_refractory_time_and_poisson_beyond():
    n = Neurons(40, 30_000, seed=1)
    n.baseline[:] = 50
    n.depth[:] = 0
    n.intend(np.zeros(2))
    sample, unit = n.spikes(60_000)
    for u in range(40):
        gaps = np.diff(sample[unit == u]) / 30_000
        assert gaps.min() >= n.refractory[u] / 30_000 >= 0.001
        late = gaps[gaps > 0.004] - 0.004  # memoryless
        assert late.std() / late.mean() == pytest.approx(1, abs=0.1)
    assert np.bincount(unit).mean() / 60 == pytest.approx(50, rel=0.03)
    within("refractory_s", n.refractory.mean() / 30_000)


def test_population_is_that_of_the_table():
    n = Neurons(4000, 30_000, dims=3, seed=2)
    within("baseline", np.median(n.baseline))
    within("tuned", np.mean(n.depth > 0))
    assert np.abs(n.direction.mean(axis=0)).max() < 0.05  # no direction is preferred
    assert n.rates(np.array([50.0, 0, 0])).max() <= FACTS["most"].value and n.rates(np.array([9.0, 0, 0])).min() >= 0


def test_any_number_of_ticks_gives_the_same_bytes():
    def run(steps):
        b = Broadband("threads", 64, 30_000, dims=3, seed=3, movement=200, stimulation=31, dead=0.05, noisy=0.05)
        out = [b.ticks(k) for k in steps]
        return [np.concatenate([o[i] for o in out]).tobytes() for i in range(3)] + [[e for o in out for e in o[3]]]

    assert run([400]) == run([1] * 100 + [7, 93, 200]) == run([50] * 8)


# -- the signal


def test_impedances_wander_from_day_to_day_and_spread_no_further():
    days = np.array([np.log(impedances(4000, 3, day)) for day in range(121)])
    assert np.median(np.exp(days[[0, 120]]), axis=1) == pytest.approx(TOUCH["impedance"].value, rel=0.05)
    assert days.std(axis=1) == pytest.approx(TOUCH["spread"].value, rel=0.05)
    assert np.diff(days, axis=0).std() == pytest.approx(TOUCH["daily"].value, rel=0.05)
    alike = [np.corrcoef(days[0], days[k])[0, 1] for k in (1, 7, 30, 120)]
    assert alike == sorted(alike, reverse=True) and alike[0] > 0.9 and abs(alike[-1]) < 0.1


def test_an_electrode_whose_impedance_rose_is_noisier_by_its_thermal_noise():
    made = [Broadband("utah", 192, 30_000, seed=5, day=day, **QUIET) for day in (0, 60)]
    power = []
    for b in made:
        b.neurons.baseline[:] = -100  # silent
        b.neurons.intend(np.zeros(2))
        x = band(b.ticks(2000)[0] * FACTS["scale"].value, 30_000)
        power.append((x - np.median(x, axis=1, keepdims=True)).var(axis=0))
    rose = made[1].impedance - made[0].impedance
    slope = np.polyfit(rose, power[1] - power[0], 1)[0]
    assert slope == pytest.approx(4e12 * 1.380649e-23 * 310 * BAND_HZ, rel=0.2)  # Johnson and Nyquist: 4 k T R f
    assert np.ptp(rose) > 100e3


def test_noise_in_the_spike_band_and_dead_and_noisy_electrodes():
    b = Broadband("utah", 192, 30_000, seed=5, dead=0.1, noisy=0.05, **QUIET)
    b.neurons.baseline[:] = -100  # silent
    b.neurons.intend(np.zeros(2))
    x = band(b.ticks(2000)[0] * FACTS["scale"].value, 30_000)
    x -= np.median(np.delete(x, b.faults.dead, axis=1), axis=1, keepdims=True)  # what is common
    rms = x.std(axis=0)
    good = np.setdiff1d(np.arange(192), np.concatenate([b.faults.dead, b.faults.noisy]))
    assert (len(b.faults.dead), len(b.faults.noisy)) == (19, 10)
    within("noise", np.median(rms[good]))
    assert rms[good] == pytest.approx(b.noise[good], rel=0.15)
    within("noise_bad", np.median(rms[b.faults.noisy]) / np.median(rms[good]))
    assert b.ticks(500)[0][:, b.faults.dead].std() * FACTS["scale"].value < FACTS["noise_dead"].high


def test_field_mains_and_movement():
    b = Broadband("utah", 64, 30_000, seed=6, movement=20, mains=60)
    pieces = [b.ticks(1000) for _ in range(20)]
    moved = [e.index / 30_000 for p in pieces for e in p[3] if e.name == "truth:movement"]
    x = np.concatenate([p[0].reshape(-1, 30, 64).mean(axis=1) for p in pieces]) * FACTS["scale"].value  # 1 kHz
    f, p = scipy.signal.welch(x, 1000, nperseg=2000, axis=0)
    line = np.sqrt(2 * p[(f > 59) & (f < 61)].sum(axis=0) * 0.5)
    assert line == pytest.approx(FACTS["mains"].value, rel=0.5)
    calm = np.ones(len(x), bool)
    for at in moved:
        calm[int(at * 1000) - 50 : int(at * 1000) + 300] = False
    slow = band(x, 1000, 1, 40)
    within("lfp", np.median(slow[calm].std(axis=0)))
    r = np.corrcoef(slow[calm].T)
    d = np.linalg.norm(b.places[:, None] - b.places[None], axis=2)
    assert r[(d > 0) & (d < 5e-4)].mean() > r[d > 3e-3].mean() + 0.1  # near electrodes are more alike
    assert len(moved) >= 3
    at = int(moved[1] * 1000)
    assert np.abs(x[at : at + 250].mean(axis=1)).max() > 200


def test_spikes_have_the_stated_shape_and_fall_off_with_distance():
    """Averages of the signal around the true spikes of the largest unit, against its distance from each electrode."""
    b = Broadband("threads", 64, 30_000, seed=7, **QUIET)
    unit = int(np.argmax(b.peaks))
    b.neurons.baseline[:] = -100
    b.neurons.baseline[unit] = 40
    b.neurons.intend(np.zeros(2))
    data, sample, who, _ = b.ticks(10_000)
    assert (who == unit).all() and len(who) > 300
    x = data * FACTS["scale"].value
    x = x - np.median(x, axis=1, keepdims=True)
    at = sample[(sample > 200) & (sample < len(x) - 200)]
    mean = np.array([x[at + k].mean(axis=0) for k in range(-15, 60)])
    mean -= mean[:3].mean(axis=0)
    own = int(np.argmin(np.linalg.norm(b.places - b.home[unit], axis=1)))
    assert own == b.nearest[unit] or b.peaks[unit] > -mean.min() * 0.95
    trough = mean.argmin(axis=0)[own] - 15
    assert abs(trough) <= 1
    assert -mean[15, own] == pytest.approx(b.peaks[unit], rel=0.05)
    within("peak", np.median(b.peaks))
    within("trough_to_peak_s", (mean[:, own].argmax() - 15) / 30_000)
    r = np.linalg.norm(b.places - b.home[unit], axis=1)
    near = np.flatnonzero(r < 4e-4)
    order = near[np.argsort(r[near])]
    height = -mean[15, order]
    assert len(order) >= 5 and (np.diff(height) < 3).all()  # µV: falls, within the noise of an average
    theory = 1 / (1 + (r[order] / FACTS["reach"].value) ** 2)
    assert height / height[0] == pytest.approx(theory / theory[0], abs=0.05)


def test_a_plain_detector_finds_the_true_spikes():
    """Crossings of the filtered signal against the truth, for units that are alone in rising above six times the noise."""
    b = Broadband("utah", 96, 30_000, seed=8, **QUIET)
    data, sample, unit, _ = b.ticks(8000)
    x = band(data * FACTS["scale"].value, 30_000)
    x -= np.median(x, axis=1, keepdims=True)
    sigma = np.median(np.abs(x), axis=0) / 0.6745
    compared = 0
    for column in range(96):
        size = {u: -w[list(c).index(column)].min() for u in range(b.neurons.count) for c, w in [b.seen(u)] if column in c}
        loud = [u for u, s in size.items() if s > 10 * sigma[column]]
        if not loud or any(3 * sigma[column] < s <= 10 * sigma[column] for s in size.values()):
            continue
        true = np.sort(sample[np.isin(unit, loud)])
        true = true[(true > 100) & (true < len(x) - 100)]
        down = np.flatnonzero((x[1:, column] < -5 * sigma[column]) & (x[:-1, column] >= -5 * sigma[column])) + 1
        if len(true) < 20:
            continue
        found = [np.abs(down - t).min() <= 15 for t in true]
        spurious = [np.abs(true - d).min() > 30 for d in down if 100 < d < len(x) - 100]
        assert np.mean(found) > 0.95 and np.mean(spurious) < 0.05, column
        compared += 1
    assert compared >= 5


def test_stimulation_saturates_near_and_fades():
    b = Broadband("utah", 96, 30_000, seed=9, stimulation=50, **QUIET)
    data, _, _, events = b.ticks(200)
    at = [int(e.index) for e in events if e.name == "stimulation"]
    assert np.diff(at) == pytest.approx(600, abs=1) and len(at) == 10
    assert data.min() == -32768  # at the rail
    x = np.abs(data[at[3] : at[3] + 6].astype(int)).max(axis=0)
    r = np.linalg.norm(b.places - b.places[0], axis=1)
    assert x[(r > 0) & (r < 6e-4)].mean() > 3 * x[r > 3e-3].mean()
    assert np.abs(data[at[3] + 300 : at[4] - 1].astype(int)).max() < 8000
