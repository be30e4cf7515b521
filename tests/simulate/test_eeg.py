"""The simulated person, measured with SciPy and held against the table of facts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from bcikit.core.errors import WrongUse
from bcikit.files.montage import TEN_TWENTY
from bcikit.simulate.eeg import ACTS, Person, check
from bcikit.simulate.facts import FACTS, fact

RATE = 250
NAMES = [*TEN_TWENTY, "Oz"]
COL = {name: k for k, name in enumerate(NAMES)}


def told(seconds, acts=(), rate=RATE, names=NAMES, **settings):
    """(samples, events) of a person told to do things at given seconds; calm: no artefacts by itself, no mains."""
    person = Person(names, rate, **{"mains": 0.0, "artefacts": False, **settings})
    for at, act in acts:
        person.plan(round(at * rate), act)
    data, events = person.samples(round(seconds * rate))
    return data.astype(float), events


def psd(x, rate=RATE, seconds=4):
    f, p = signal.welch(x, rate, nperseg=int(seconds * rate), axis=0)
    return f, p


def band_rms(x, low, high, rate=RATE):
    f, p = psd(x, rate)
    keep = (f >= low) & (f < high)
    return np.sqrt(p[keep].sum(axis=0) * f[1])


def within(name, value):
    f = FACTS[name]
    assert f.low <= value <= f.high, f"{name}: measured {value:.3g} {f.unit}, the table says {f.low:g} to {f.high:g}"


@pytest.fixture(scope="module")
def closed():
    return told(240, [(0, "closed")])[0][RATE:]


@pytest.fixture(scope="module")
def opened():
    return told(240)[0][RATE:]


# -- the background


def test_every_fact_lies_in_its_range_and_names_its_source():
    for name, f in FACTS.items():
        assert f.low <= f.value <= f.high and f.low < f.high, name
        assert len(f.source) > 20 and f.what, name


def test_one_over_f(opened):
    """Slope of the spectrum between the rhythms, on channels with little of them, by Welch and a line on log-log."""
    f, p = psd(opened[:, [COL[n] for n in ("Fp1", "Fp2", "F7", "F8")]])
    keep = ((f >= 2) & (f < 7)) | ((f > 27) & (f <= 40))
    slopes = [np.polyfit(np.log(f[keep]), np.log(q[keep]), 1)[0] for q in p.T]
    assert -np.mean(slopes) == pytest.approx(fact("exponent"), abs=0.15)
    within("exponent", -np.mean(slopes))


@pytest.mark.parametrize("rate", [125, 250, 1000])
def test_the_background_has_its_size_at_any_rate(rate):
    x = told(120, rate=rate)[0][rate:]
    f, p = psd(x, rate)
    quiet = [COL[n] for n in ("Fp1", "Fp2", "F7", "F8", "F3", "F4", "Fz")]
    keep = (f >= 1) & (f <= 40)
    rms = np.sqrt(p[keep][:, quiet].sum(axis=0) * f[1]).mean()
    within("background", rms)


def test_neighbours_share_the_background(opened):
    """Volume conduction: what is near is alike; far less so what is far."""
    sos = signal.butter(4, [1, 7], "band", fs=RATE, output="sos")
    r = np.abs(np.corrcoef(signal.sosfiltfilt(sos, opened, axis=0).T))
    near = np.mean([r[COL[a], COL[b]] for a, b in (("Fp1", "Fp2"), ("C3", "P3"), ("C4", "P4"), ("O1", "Oz"), ("Fz", "Cz"))])
    far = np.mean([r[COL[a], COL[b]] for a, b in (("Fp1", "O2"), ("F7", "O2"), ("F8", "O1"), ("T7", "O2"))])
    assert near > far + 0.1 and near > 0.3


# -- the rhythms


def test_alpha_is_posterior_and_blocks(closed, opened):
    f, p = psd(closed[:, COL["O1"]])
    alpha = (f > 7) & (f < 14)
    assert f[alpha][np.argmax(p[alpha])] == pytest.approx(fact("alpha_hz"), abs=0.75)
    shut, open_ = band_rms(closed, 8, 13), band_rms(opened, 8, 13)
    back = [COL["O1"], COL["O2"]]
    within("alpha", shut[back].mean())
    assert shut[back].mean() > 3 * shut[[COL["Fp1"], COL["Fp2"]]].mean(), "alpha is not posterior"
    floor = band_rms(closed, 5, 7)[back].mean() * np.sqrt(5 / 2) * 0.6  # the background beneath it, about
    ratio = np.sqrt(max(open_[back].mean() ** 2 - floor**2, 0)) / shut[back].mean()
    within("alpha_open", ratio)
    assert 20 * np.log10(shut[back].mean() / open_[back].mean()) > 4, "alpha does not block"


def test_mu_and_beta_are_central(opened):
    """More than the neighbours have, by about what the table says."""
    for name, low, high in (("mu", 9, 13), ("beta", 19, 23)):
        rms = band_rms(opened, low, high)
        middle, front = rms[[COL["C3"], COL["C4"]]].mean(), rms[[COL["Fp1"], COL["Fp2"]]].mean()
        within(name, np.sqrt(middle**2 - front**2))


def trials(act, n=40, seconds=4.0, seed=0):
    """(trials, samples, channels): from 1 s behind the act to its end, each behind 4 s of rest, and that rest."""
    length = seconds + 4.0
    acts = [(k * length + 4.0, act) for k in range(n)] + [((k + 1) * length, "rest") for k in range(n)]
    x, _ = told(n * length, acts, seed=seed)
    x = x.reshape(n, round(length * RATE), len(NAMES))
    return x[:, round(5.0 * RATE) :], x[:, round(2.0 * RATE) : round(4.0 * RATE)]


def power(x, low, high):
    f, p = signal.welch(x, RATE, nperseg=RATE, axis=1)
    return p[:, (f >= low) & (f < high)].mean(axis=(0, 1))


@pytest.mark.parametrize("act, falls, stays", [("left", "C4", "C3"), ("right", "C3", "C4")])
def test_desynchronisation_is_contralateral(act, falls, stays):
    doing, resting = trials(act)
    db = 10 * np.log10(power(doing, 9, 13) / power(resting, 9, 13))
    assert db[COL[falls]] < -1.5, "no desynchronisation over the hand area opposite the hand"
    assert db[COL[falls]] < db[COL[stays]] - 1.0, "it is not lateralised"
    assert abs(db[COL["Fp1"]]) < 1.2, "it is not local"
    db = 10 * np.log10(power(doing, 19, 24) / power(resting, 19, 24))
    assert db[COL[falls]] < -1.0 and db[COL[falls]] < db[COL[stays]] - 0.5


def test_feet_are_at_the_vertex_and_beta_rebounds():
    doing, resting = trials("feet")
    db = 10 * np.log10(power(doing, 19, 24) / power(resting, 19, 24))
    assert db[COL["Cz"]] < -1.0 and db[COL["Cz"]] == min(db)
    n, length = 80, 6.0
    acts = [(k * length + 3.0, "right") for k in range(n)] + [((k + 1) * length, "rest") for k in range(n)]
    db = []
    for seed in range(3):
        x = told(n * length, acts, names=["C3", "C4"], seed=seed)[0].reshape(n, -1, 2)[1:]
        db.append(power(x[:, RATE // 2 : RATE * 3 // 2], 19, 24) / power(x[:, RATE * 2 : RATE * 3], 19, 24))
    rebound = 10 * np.log10(np.mean(db, axis=0))
    assert rebound[0] > 0.7 and rebound[0] > rebound[1] + 0.5


def test_band_power_tells_left_from_right_as_in_people():
    """Log band power at C3 and C4 and LDA: as good as for a fair user (70 to 95 %), not better than anybody's."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import cross_val_score

    scores = []
    for seed in range(3):
        features, labels = [], []
        for label, act in enumerate(("left", "right")):
            x = trials(act, seed=10 * seed + label)[0][:, :, [COL["C3"], COL["C4"]]]
            f, p = signal.welch(x, RATE, nperseg=RATE, axis=1)
            bands = [np.log(p[:, (f >= a) & (f < b)].mean(axis=1)) for a, b in ((9, 13), (19, 24))]
            features.append(np.hstack(bands))
            labels += [label] * len(x)
        scores.append(cross_val_score(LinearDiscriminantAnalysis(), np.vstack(features), labels, cv=5).mean())
    assert 0.70 <= np.mean(scores) <= 0.95, scores


# -- vision


@pytest.mark.parametrize("hz", [8.0, 12.0, 15.0])
def test_flicker_is_followed_at_the_back_of_the_head(hz):
    x, _ = told(64, [(0, f"flicker:{hz}")])
    f, p = psd(x[4 * RATE :], seconds=10)

    def snr(name, at):
        k = int(np.argmin(np.abs(f - at)))
        around = np.r_[p[k - 8 : k - 2, COL[name]], p[k + 3 : k + 9, COL[name]]]
        return 10 * np.log10(p[k, COL[name]] / around.mean())

    for harmonic in (1, 2):
        back = np.mean([snr(n, harmonic * hz) for n in ("O1", "O2", "Oz")])
        front = np.mean([snr(n, harmonic * hz) for n in ("Fp1", "Fp2", "F7", "F8")])
        assert back > 5 and back > front + 3, f"{harmonic} x {hz} Hz: {back:.1f} dB behind, {front:.1f} in front"
    n = round(60 * RATE)  # the amplitude, by projection on the sine
    wave = np.exp(-2j * np.pi * hz * np.arange(n) / RATE)
    size = np.abs(2 * (x[-n:, [COL["O1"], COL["O2"]]] * wave[:, None]).mean(axis=0)).mean()
    within("ssvep", size)
    assert size == pytest.approx(fact("ssvep") * min(1, 10 / hz), rel=0.25)


def test_no_flicker_with_the_eyes_closed():
    x, _ = told(34, [(0, "closed"), (0, "flicker:15")])
    wave = np.exp(-2j * np.pi * 15 * np.arange(30 * RATE) / RATE)
    assert np.abs(2 * (x[-30 * RATE :, COL["Oz"]] * wave).mean()) < 0.7


def test_p300():
    """Averaged targets: positive, largest at Pz, at its latency; other flashes give none."""
    n = 120
    acts = [(1 + 1.5 * k, "flash:target" if k % 2 else "flash:other") for k in range(2 * n)]
    x, events = told(3 * n + 2, acts)
    sos = signal.butter(2, [0.5, 12], "band", fs=RATE, output="sos")
    x = signal.sosfiltfilt(sos, x, axis=0)
    mean = {}
    for kind in ("target", "other"):
        at = [round(e.index) for e in events if e.value == kind]
        mean[kind] = np.mean([x[i : i + RATE] - x[i - RATE // 5 : i].mean(axis=0) for i in at], axis=0)
    late = slice(round(0.25 * RATE), round(0.5 * RATE))
    wave = mean["target"][:, COL["Pz"]]
    within("p300", wave[late].max())
    within("p300_s", (np.argmax(wave[late]) + late.start) / RATE)
    assert (np.argmax(wave[late]) + late.start) / RATE == pytest.approx(fact("p300_s"), abs=0.04)
    peaks = mean["target"][late].max(axis=0)
    assert NAMES[int(np.argmax(peaks))] == "Pz" and peaks[COL["Pz"]] > 3 * max(peaks[COL["Fp1"]], peaks[COL["Fp2"]])
    assert np.abs(mean["other"][late, COL["Pz"]]).max() < 0.4 * wave[late].max()
    early = slice(round(0.12 * RATE), round(0.22 * RATE))
    for kind in ("target", "other"):
        within("n1", mean[kind][early][:, [COL["O1"], COL["O2"]]].mean(axis=1).min())


# -- what is not brain


def averaged(act, seconds=1.0, n=60, **settings):
    x, _ = told(2.0 * n, [(2 * k + 0.5, act) for k in range(n)], **settings)
    x = x.reshape(n, 2 * RATE, -1)
    return (
        x[:, RATE // 2 : RATE // 2 + round(seconds * RATE)] - x[:, RATE // 2 - 5 : RATE // 2].mean(axis=1)[:, None]
    ).mean(0)


def test_blinks_are_frontal():
    x = averaged("blink")
    peak = x.max(axis=0)
    front = peak[[COL["Fp1"], COL["Fp2"]]].mean()
    within("blink", front)
    assert front > 10 * np.abs(x[: RATE // 3, [COL["O1"], COL["O2"]]]).max()
    within("blink_s", np.count_nonzero(x[:, COL["Fp1"]] > 0.05 * front) / RATE)


def test_blinks_come_by_themselves_while_the_eyes_are_open():
    _, events = told(1200, artefacts=True)
    at = [e.index / RATE for e in events if e.name == "truth:blink"]
    within("blink_rate", len(at) / 20)
    assert len(at) / 20 == pytest.approx(fact("blink_rate"), rel=0.15)
    assert {e.name for e in events} == {"truth:blink", "truth:clench", "truth:pop"}
    _, events = told(300, [(0, "closed")], artefacts=True)
    assert not [e for e in events if e.name == "truth:blink"]


def test_jaw_muscles_are_temporal_and_broad():
    rate = 1000
    x, _ = told(40, [(2 * k + 0.5, "clench") for k in range(20)], rate=rate)
    x = x.reshape(20, 2 * rate, -1)[:, int(0.75 * rate) : int(1.25 * rate)]
    f, p = signal.welch(x, rate, nperseg=rate // 2, axis=1)
    p = p.mean(axis=0)
    rms = np.sqrt(p[(f >= 20) & (f <= 300)].sum(axis=0) * f[1])
    side = rms[[COL["T7"], COL["T8"]]]
    within("clench", side.mean())
    assert side.min() > 2 * rms[[COL[n] for n in ("Cz", "Pz", "O1", "O2", "Fz")]].max()
    muscle = p[:, COL["T7"]]
    low, high = (muscle[(f >= a) & (f < b)].mean() for a, b in ((30, 60), (150, 250)))
    assert 0.3 < low / high < 3, "the muscles' spectrum is not broad"


def test_a_pop_stays_on_its_electrode():
    quiet, _ = told(10)
    x, events = told(10, [(5, "pop:C3")])
    more = x - quiet
    assert np.abs(more[5 * RATE :, COL["C3"]]).max() == pytest.approx(fact("pop"), rel=0.01)
    others = np.delete(more, COL["C3"], axis=1)
    assert not others.any() and not more[: 5 * RATE].any()
    assert [(e.index, e.name, e.value) for e in events] == [(5 * RATE, "truth:pop", "C3")]


@pytest.mark.parametrize("mains, other", [(50.0, 60.0), (60.0, 50.0)])
def test_mains_and_harmonics(mains, other):
    rate = 500
    x, _ = told(60, rate=rate, mains=mains)
    f, p = psd(x, rate, seconds=10)

    def line(hz):  # amplitude of all that lies within 0.5 Hz
        return np.sqrt(2 * p[np.abs(f - hz) < 0.5].sum(axis=0) * f[1])

    within("mains", line(mains).mean())
    assert (line(mains) > 3 * line(other)).all()
    assert (line(3 * mains) > 2 * line(3 * mains - 7)).all() and line(3 * mains).mean() < 0.5 * line(mains).mean()


def test_electrodes_drift_and_have_noise():
    """Nobody at the electrodes: what is left is theirs."""
    x, _ = told(600, amplitude=0.0)
    within("drift", np.mean(x[::RATE].std(axis=0)))
    within("contact", band_rms(x, 10, 125).mean())


def test_a_bad_electrode_has_little_brain_and_much_mains():
    good, _ = told(60, [(0, "closed")], mains=50.0)
    bad, _ = told(60, [(0, "closed")], mains=50.0, bad="O1")
    assert band_rms(bad, 49, 51)[COL["O1"]] > 5 * band_rms(good, 49, 51)[COL["O1"]]
    assert band_rms(bad, 60, 95)[COL["O1"]] > 5 * band_rms(good, 60, 95)[COL["O1"]]
    f, p = psd(bad)
    peak = p[(f > 9.5) & (f < 10.5)].mean(axis=0) / p[(f > 14) & (f < 17)].mean(axis=0)
    assert peak[COL["O2"]] > 10 > 3 > peak[COL["O1"]]
    assert np.array_equal(np.delete(good, COL["O1"], 1), np.delete(bad, COL["O1"], 1)), "it reaches the others"


def test_amplitude_is_of_the_person_not_of_the_room():
    acts = [(0, "closed"), (3, "open"), (4, "blink"), (5, "flash:target"), (6, "clench"), (8, "flicker:9")]
    none, one, two = (told(30, acts, mains=50.0, amplitude=a)[0] for a in (0.0, 1.0, 2.0))
    assert np.allclose(two - one, one - none, atol=1e-3), "not in proportion"
    assert band_rms(none, 49, 51).min() > 1 and band_rms(none, 8, 12).max() < 0.5


# -- the same bytes


ACTED = [
    (0.5, "closed"),
    (1.0, "left"),
    (1.7, "flicker:11.3"),
    (2, "open"),
    (2.5, "flash:target"),
    (2.6, "clench"),
    (3, "rest"),
]


@pytest.mark.parametrize("sizes", [(1,), (7, 64, 250), (5,), (33, 2, 0, 128)])
@pytest.mark.parametrize("rate", [250, 1000])
def test_any_cut_gives_the_same_bytes(sizes, rate):
    def person():
        p = Person(NAMES, rate, seed=4, bad="Cz")
        for at, act in ACTED:
            p.plan(round(at * rate), act)
        return p

    whole, events = person().samples(4 * rate)
    cut, at, pieces, told_events = person(), 0, [], []
    for k in range(10**6):
        n = min(sizes[k % len(sizes)], 4 * rate - at)
        data, new = cut.samples(n)
        pieces.append(data)
        told_events += new
        at += n
        if at == 4 * rate:
            break
    assert np.concatenate(pieces).tobytes() == whole.tobytes()
    assert told_events == events and len(events) >= len(ACTED)


def test_seeds_differ_and_two_people_do_not_share():
    one, two, other = Person(NAMES, RATE, 1), Person(NAMES, RATE, 1), Person(NAMES, RATE, 2)
    a = one.samples(500)[0]
    other.samples(777)
    two.samples(250)
    one.plan(0, "left")
    assert np.array_equal(a[250:], two.samples(250)[0])
    assert not np.allclose(a, Person(NAMES, RATE, 2).samples(500)[0])


def test_acts_that_are_none():
    for act in (
        "",
        "lift",
        "flicker",
        "flicker:x",
        "flicker:500",
        "flicker:nan",
        "pop:Xz",
        "flash:maybe",
        "~blink",
        "open:3",
    ):
        with pytest.raises(WrongUse):
            check(act, NAMES, RATE)
        with pytest.raises(WrongUse):
            Person(NAMES, RATE).plan(0, act)
    for act in ACTS:
        check(act.replace("HZ", "12"), NAMES, RATE)


def test_a_person_lapses_as_often_as_the_table_says_and_then_does_not_do_it():
    acts = [(k, ("flash:target", "left", "flicker:12")[k % 3]) for k in range(3000)]
    _, events = told(3001, acts, names=["C3", "C4", "Pz"], rate=80, lapse=fact("lapse"))
    missed = [e for e in events if e.name == "truth:lapse"]
    within("lapse", len(missed) / len(acts))
    assert {e.value for e in missed} == {"flash:target", "left", "flicker:12"}
    done = [e.value for e in events if e.name in ("truth:flash", "truth:intention")]
    assert len(done) == len(acts) and done.count("target") == 1000 - sum(e.value == "flash:target" for e in missed)
    calm, _ = told(60, acts[:59], names=["C3", "C4", "Pz"], rate=80)
    assert np.array_equal(calm, told(60, acts[:59], names=["C3", "C4", "Pz"], rate=80, lapse=0.0)[0])
    assert not np.array_equal(calm, told(60, acts[:59], names=["C3", "C4", "Pz"], rate=80, lapse=1.0)[0])
