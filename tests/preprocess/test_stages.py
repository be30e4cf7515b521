"""Reference, rate, windows, power, standard deviations and quality, each against an independent reckoning."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal as sp
from scipy.stats import median_abs_deviation

from bcikit import WrongUse
from bcikit.core.label import UNLABELLED, Level
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Event, Recording, Stream, recording
from bcikit.files.montage import position
from bcikit.preprocess.bandpass import Bandpass
from bcikit.preprocess.bandpower import Bandpower
from bcikit.preprocess.pick import Pick
from bcikit.preprocess.quality import Limits, Quality, quality
from bcikit.preprocess.rename import Rename
from bcikit.preprocess.rereference import Rereference
from bcikit.preprocess.resample import Resample
from bcikit.preprocess.standardize import Standardize
from bcikit.preprocess.window import Window

RATE = 250.0
TEN = ("Fp1", "Fp2", "C3", "Cz", "C4", "P3", "Pz", "P4", "A1", "A2")


def stream(names=TEN, rate=RATE, kind="eeg", unit="µV"):
    return Stream("test", rate, tuple(Channel(n, kind, unit) for n in names))


def noise(seconds=4.0, names=TEN, rate=RATE, seed=0):
    x = np.random.default_rng(seed).standard_normal((round(seconds * rate), len(names))) * 20
    return recording(stream(names, rate), x + np.linspace(-500, 500, len(names)))


def run(stage, source, cuts=(1, 0, 7, 64, 300)):
    out = stage.start(source.stream)
    return Recording(out, tuple(stage.step(c) for c in source.recut(cuts)))


def close(got, wanted):
    """To 1e-5 relative."""
    assert got.shape == wanted.shape
    assert np.nanmax(np.abs(got - wanted)) <= 1e-5 * np.nanmax(np.abs(wanted))


def mne_raw(source):
    import mne

    return mne.io.RawArray(
        source.data.T.astype(float), mne.create_info(list(source.stream.names), RATE, "eeg"), verbose="error"
    )


# -- rereference


@pytest.mark.parametrize("to", [("car",), ("A1", "A2"), ("Cz",)])
def test_references_agree_with_mne(to):
    source = noise()
    raw = mne_raw(source).set_eeg_reference("average" if to == ("car",) else list(to), verbose="error")
    close(run(Rereference(to=to), source).data, raw.get_data().T)


def test_pairs_agree_with_mne():
    import mne

    source = noise()
    raw = mne.set_bipolar_reference(mne_raw(source), ["C3", "C4"], ["Cz", "Pz"], verbose="error").pick(["C3-Cz", "C4-Pz"])
    out = run(Rereference(to=("C3-Cz", "C4-Pz")), source)
    assert out.stream.names == ("C3-Cz", "C4-Pz")
    close(out.data, raw.get_data().T)


def test_a_dash_in_a_name_makes_no_pair_of_it():
    source = noise(names=("EEG-1", "EEG-2", "EEG"))
    assert run(Rereference(to=("EEG-1-EEG-2",)), source).stream.names == ("EEG-1-EEG-2",)
    close(run(Rereference(to=("EEG-1",)), source).data, source.data - source.data[:, :1])


def test_the_median_is_not_moved_by_one_bad_channel():
    source = noise()
    spoilt = source.data.copy()
    spoilt[:, 3] += 1e5
    got = run(Rereference(to=("median",)), recording(source.stream, spoilt)).data
    close(got, spoilt - np.median(spoilt, axis=1, keepdims=True))


def test_the_laplacian_takes_off_the_nearest_four():
    names = ("C3", "C1", "C5", "FC3", "CP3", "O2", "Fp2")
    source = noise(names=names)
    got = run(Rereference(to=("laplacian",)), source).data
    wanted = source.data[:, 0] - source.data[:, 1:5].astype(float).mean(axis=1)  # places from the names
    close(got[:, 0], wanted)
    placed = tuple(Channel(str(i), position=(0.01 * i**2, 0.0, 0.0)) for i in range(6))
    x = source.data[:, :6]
    got = run(Rereference(to=("laplacian",)), recording(Stream("line", RATE, placed), x)).data
    close(got[:, 5], x[:, 5] - x[:, 1:5].astype(float).mean(axis=1))


def test_a_channel_that_is_no_number_stays_so_and_is_left_out_of_the_reference():
    source = noise()
    x = source.data.copy()
    x[100:200, 2], x[150, 4] = np.nan, np.inf
    for to, wanted in (("car", np.nanmean), ("median", np.nanmedian)):
        got = run(Rereference(to=(to,)), recording(source.stream, x)).data
        finite = np.where(np.isfinite(x), x, np.nan).astype(float)
        expected = finite - wanted(finite, axis=1)[:, None]
        assert np.array_equal(np.isfinite(got), np.isfinite(expected))
        close(got[np.isfinite(got)], expected[np.isfinite(expected)])
    assert np.isnan(run(Rereference(), recording(source.stream, np.full_like(x, np.nan))).data).all()


def test_each_kind_has_its_own_average_and_muscles_keep_theirs():
    kinds = ("eeg", "eeg", "eeg", "ecog", "ecog", "emg", "accel")
    s = Stream("mixed", RATE, tuple(Channel(f"{k}{i}", k) for i, k in enumerate(kinds)))
    x = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    got = run(Rereference(), recording(s, x)).data
    close(got[:, :3], x[:, :3] - x[:, :3].astype(float).mean(axis=1)[:, None])
    close(got[:, 3:5], x[:, 3:5] - x[:, 3:5].astype(float).mean(axis=1)[:, None])
    assert got[:, 5:].tobytes() == x[:, 5:].tobytes()


@pytest.mark.parametrize(
    "to, names, word",
    [
        (("laplacian",), ("X1", "X2", "X3", "X4", "X5"), "X1"),
        (("laplacian",), ("C3", "C4"), "at least 5"),
        (("car",), ("C3",), "at least two"),
        (("M1",), TEN, "M1"),
        (("C3-C9",), TEN, "C3-C9"),
        ((), TEN, "empty"),
    ],
)
def test_references_that_cannot_be_are_refused(to, names, word):
    with pytest.raises(WrongUse) as caught:
        Rereference(to=to).start(stream(names))
    assert word in str(caught.value)


# -- pick


def test_pick_keeps_order_bytes_and_counts():
    s = stream().but(scale=tuple(np.linspace(0.1, 1, len(TEN))))
    x = np.random.default_rng(0).integers(-3000, 3000, (20, len(TEN))).astype(np.int16)
    out = run(Pick(channels=("C4", "eeg"), drop=("A1", "A2")), recording(s, x))
    assert out.stream.names == ("C4", "Fp1", "Fp2", "C3", "Cz", "P3", "Pz", "P4")
    assert out.data.dtype == np.int16 and np.array_equal(out.data[:, 0], x[:, 4])
    assert out.stream.scale is not None and out.stream.scale[0] == s.scale[4]
    with pytest.raises(WrongUse, match="no channel"):
        Pick(channels=("C3",), drop=("C3",)).start(stream())


# -- rename


def test_renamed_channels_are_the_same_in_another_place():
    x = np.random.default_rng(0).integers(-3000, 3000, (20, len(TEN))).astype(np.int16)
    s = stream().but(scale=tuple(np.linspace(0.1, 1, len(TEN))))
    out = run(Rename(channels=("C3:Cz", "Cz:C3", "A1:left ear")), recording(s, x))
    assert np.array_equal(out.data, x) and out.data.dtype == np.int16
    assert out.stream.names == tuple({"C3": "Cz", "Cz": "C3", "A1": "left ear"}.get(n, n) for n in TEN)
    assert out.stream.channels[out.stream.names.index("Cz")].position == position("Cz")
    for pairs, said in (
        (("C3",), "is not OLD:NEW"),
        (("C5:C3",), "has no channel 'C5'"),
        (("C3:Cz",), "two channels called Cz"),
    ):
        with pytest.raises(WrongUse, match=said):
            Rename(channels=pairs).start(stream())


# -- resample


@pytest.mark.parametrize("to", [125.0, 200.0, 256.0, 600.0, 100.0])
def test_resampling_is_scipys_resample_poly_later(to):
    from fractions import Fraction

    source = noise(8)
    ratio = Fraction(to / RATE).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    half = 10 * max(up, down)
    h = sp.firwin(2 * half + 1, 1 / max(up, down), window=("kaiser", 5.0)) * up
    full = sp.upfirdn(h, source.data.astype(float), up, down, axis=0)
    out = run(Resample(rate=to), source)
    close(out.data, full[out.index])
    assert out.stream.rate == pytest.approx(to) and out.stream.delay == pytest.approx(10 / min(to, RATE))
    if half % down == 0:  # SciPy centres by dropping whole outputs
        centred = sp.resample_poly(source.data.astype(float), up, down, axis=0)
        shifted = centred[out.index[0] - half // down :][: len(out.data)]
        close(out.data[: len(shifted)], shifted)


def test_resampled_a_slow_sine_is_itself_a_delay_later():
    t = np.arange(2500) / RATE
    out = run(Resample(rate=100), recording(stream(("C3",)), np.sin(2 * np.pi * 3 * t)[:, None]))
    own = out.index / 100 - out.stream.delay
    assert np.abs(out.data[:, 0] - np.sin(2 * np.pi * 3 * own)).max() < 2e-3


def test_marks_are_resampled_without_being_smeared():
    s = Stream("marked", RATE, (Channel("C3"), Channel("trigger", "digital", "")))
    x = np.zeros((1000, 2), np.float32)
    x[500:, 1] = 7
    x[500:, 0] = 7
    out = run(Resample(rate=125), recording(s, x))
    assert set(out.data[:, 1]) == {0.0, 7.0}
    step = out.index[np.argmax(out.data[:, 1] > 0)] / 125 - out.stream.delay
    edge = out.index[np.argmax(out.data[:, 0] > 3.5)] / 125 - out.stream.delay
    assert abs(step - 2.0) <= 1 / 125 and abs(step - edge) <= 1 / 125


def test_events_are_moved_with_the_rate():
    r = recording(stream(("C3",)), np.zeros((500, 1)), (Event(333.5, "tap"),))
    assert [e.index for e in run(Resample(rate=100), r).events] == [pytest.approx(133.4)]


def test_rates_in_no_ratio_are_refused():
    with pytest.raises(WrongUse, match="whole numbers"):
        Resample(rate=123.4567).start(stream())


# -- window


def test_windows_are_those_of_the_whole_signal():
    source = noise()
    out = run(Window(length=0.2, hop=0.06), source)
    wanted = sliding_window_view(source.data, 50, axis=0)[::15]
    assert out.data.tobytes() == np.ascontiguousarray(wanted).tobytes()
    assert out.stream.shape == (10, 50) and out.stream.delay == pytest.approx(49 / 2 / RATE)
    assert np.allclose(out.time, source.time[49::15])


def test_windows_lie_on_the_streams_own_index_wherever_it_began():
    source = noise()
    late = source.chunks[0].cut(101, RATE)[1]
    stage = Window(length=0.2, hop=0.06)
    stage.start(source.stream)
    out = stage.step(late)
    assert out.first == 7  # the first that begins at 105 or later
    assert out.data[0].tobytes() == np.ascontiguousarray(source.data[105:155].T).tobytes()


def test_no_window_holds_a_gap():
    source = noise()
    a, rest = source.chunks[0].cut(300, RATE)
    b = rest.cut(100, RATE)[1]
    line = Pipeline([Window(length=0.2, hop=0.06)])
    line.start(source.stream)
    firsts = [line.step(c) for c in (a, b)]
    assert firsts[0].end == 17 and firsts[1].first == 27  # 27 * 15 = 405 lies behind the gap that ends at 400


# -- bandpower


def test_bandpower_agrees_with_scipy():
    source = noise()
    out = run(Bandpower(bands=("alpha", "18-25"), window=0.5, hop=0.1), source)
    x = source.data.astype(float)
    columns = []
    for corners in ((8, 13), (18, 25)):
        sos = sp.butter(2, corners, "band", fs=RATE, output="sos")
        y = sp.sosfilt(sos, x, axis=0, zi=sp.sosfilt_zi(sos)[:, :, None] * x[0])[0] ** 2
        columns.append(np.array([y[end - 125 : end].mean(axis=0) for end in range(125, len(y) + 1, 25)]))
    wanted = np.stack(columns, axis=-1).reshape(len(columns[0]), -1)
    close(out.data, wanted)
    assert out.stream.names[:3] == ("Fp1 alpha", "Fp1 18-25", "Fp2 alpha")
    assert {(c.kind, c.unit) for c in out.stream.channels} == {("power", "µV²")} and out.stream.rate == 10
    assert out.index[0] == 4


def test_a_sine_has_half_its_amplitude_squared():
    x = 20 * np.sin(2 * np.pi * 10 * np.arange(2500) / RATE)[:, None]
    source = recording(stream(("Oz",)), x)
    assert run(Bandpower(bands=("alpha",)), source).data[-1, 0] == pytest.approx(200, rel=0.01)
    assert run(Bandpower(bands=("alpha",), decibels=True), source).data[-1, 0] == pytest.approx(23.0, abs=0.05)


def test_the_delay_of_bandpower_is_the_measured_one():
    t = np.arange(4000) / RATE
    burst = np.exp(-0.5 * ((t - 8) / 0.4) ** 2) * np.sin(2 * np.pi * 10.2 * t) * 50
    out = run(Bandpower(bands=("alpha",), hop=0.02), recording(stream(("Oz",)), burst[:, None]))
    p = out.data[:, 0]
    measured = (out.time * p).sum() / p.sum() - 8
    assert abs(measured - out.stream.delay) < 0.03


def test_power_of_a_window_that_is_mostly_missing_is_not_told():
    source = noise(names=("C3", "C4"))
    x = source.data.copy()
    x[300:600, 0] = np.nan
    out = run(Bandpower(bands=("beta",)), recording(source.stream, x))
    gone = np.isnan(out.data[:, 0])
    ends = out.index * 25 + 24
    assert gone.any() and (gone == ((ends > 424) & (ends < 724))).all()
    assert np.isfinite(out.data[:, 1]).all()


def test_bandpower_is_a_feature_and_no_longer_the_signal():
    assert Bandpower().start(stream()).label.level is Level.FEATURE
    decided = stream().but(label=UNLABELLED.__class__(Level.DECISION))
    assert Bandpower().start(decided).label.level is Level.DECISION


@pytest.mark.parametrize("bands", [("gama",), ("13-8",), ("0-4",), (), ("100-130",)])
def test_bands_that_cannot_be_are_refused(bands):
    with pytest.raises(WrongUse):
        Bandpower(bands=bands).start(stream())


# -- standardize


def test_standardize_is_median_and_mad_of_the_last_seconds():
    source = noise(10, names=("C3", "C4"))
    stage = Standardize(window=2, every=0.5, limit=100)
    out = run(stage, source).data
    x = source.data.astype(float)
    assert np.isnan(out[:250]).all()
    for begin in range(250, 2500, 125):
        last = x[max(begin - 500, 0) : begin]
        spread = median_abs_deviation(last, scale="normal", axis=0)
        wanted = (x[begin : begin + 125] - np.median(last, axis=0)) / spread
        assert np.abs(out[begin : begin + 125] - wanted).max() < 2e-4  # float32 beside an offset of 500


def test_long_windows_are_sampled_evenly():
    source = noise(30, names=("C3",))
    stage = Standardize(window=20, every=1)
    run(stage, source)
    assert stage._kept.shape == (555, 1)  # every 9th sample
    newest = np.sort(source.data[np.arange(0, 7500, 9)][-555:, 0])
    assert np.array_equal(np.sort(stage._kept[:, 0]), newest)


def test_pops_are_limited_and_a_still_channel_is_zero():
    source = noise(6, names=("C3", "C4"))
    x = source.data.copy()
    x[:, 1] = 42.0
    x[1400, 0] = 1e6
    out = run(Standardize(), recording(source.stream, x))
    assert out.data[1400, 0] == 20.0 and (out.data[250:, 1] == 0).all()
    assert out.stream.channels[0].unit == "SD"
    assert [(e.index, e.name, e.value) for e in out.events] == [(1499, "standardize", 0.004)], "one of two times 125"


def test_a_gap_shorter_than_the_window_keeps_the_statistics():
    source = noise(20, names=("C3",))
    a, rest = source.chunks[0].cut(1000, RATE)
    for lost, kept in ((500, True), (3000, False)):
        line = Pipeline([Standardize(window=10)])
        line.start(source.stream)
        line.step(a)
        after = line.step(rest.cut(lost, RATE)[1])
        assert np.isfinite(after.data[0, 0]) == kept


# -- quality


def faulty(unit="µV", scale=1.0):
    rng = np.random.default_rng(0)
    t = np.arange(1500) / RATE
    x = 15 * rng.standard_normal((1500, 8)) + np.linspace(-6e4, 6e4, 8)
    x[:, 1] = 500 * rng.standard_normal(1500)
    x[:, 2] = -3.5
    x[:, 3] = 187_500.0
    x[:, 4] += 50 * np.sin(2 * np.pi * 49.7 * t)
    x[:, 5] += 50 * np.sin(2 * np.pi * 60 * t + 1)
    x[:, 6] = np.nan
    names = ("good", "noisy", "flat", "railed", "mains 50", "mains 60", "nan", "drifting")
    x[:, 7] += 400 * t
    wanted = ("good", "noisy", "flat", "railed", "mains", "mains", "nan", "good")
    return recording(stream(names, unit=unit), x * scale), wanted


@pytest.mark.parametrize("unit, scale", [("µV", 1.0), ("V", 1e-6), ("mV", 1e-3), ("uV", 1.0)])
def test_each_fault_is_named_whatever_the_unit(unit, scale):
    source, wanted = faulty(unit, scale)
    assert quality(source.data, source.stream) == wanted
    assert quality(source.data[:50], source.stream)[:4] == wanted[:4]
    assert set(quality(source.data[:3], source.stream)) == {"unknown"}


def test_the_stage_tells_changes_as_events_and_passes_the_signal():
    source, wanted = faulty()
    x = source.data.copy()
    x[1000:, 0] = 187_500.0  # the good one rails at 4 s
    out = run(Quality(), recording(source.stream, x, (Event(7, "tap"),)))
    assert out.data.tobytes() == x.tobytes()
    told = [(e.index, e.value) for e in out.events if e.name == "quality"]
    first = [v for i, v in told if i < 1000]
    assert first == [f"{n} {q}" for n, q in zip(source.stream.names, wanted, strict=True) if q != "good"]
    assert [v for i, v in told if i >= 1000] == ["good railed"]
    assert 1000 <= next(i for i, v in told if v == "good railed") <= 1130
    assert Event(7, "tap") in out.events


def test_a_mended_channel_is_good_again():
    source, _ = faulty()
    x = source.data.copy()
    x[500:, 2] = x[500:, 0]
    told = [(e.index, e.value) for e in run(Quality(), recording(source.stream, x)).events if e.name == "quality"]
    index = next(i for i, v in told if v == "flat good")
    assert 500 < index <= 500 + 1.25 * RATE


def test_other_signals_may_be_large_and_still():
    kinds = {"emg": "µV", "accel": "g", "counter": ""}
    s = Stream("mixed", RATE, tuple(Channel(k, k, u) for k, u in kinds.items()))
    x = np.zeros((500, 3))
    x[:, 0] = 1000 * np.random.default_rng(0).standard_normal(500)
    assert quality(x, s) == ("good", "good", "good")
    assert quality(x, s, Limits(rail=500.0)) == ("railed", "good", "good")


def test_behind_a_gap_nothing_is_told_twice():
    source, _ = faulty()
    a, rest = source.chunks[0].cut(500, RATE)
    b = rest.cut(200, RATE)[1]
    line = Pipeline([Quality()])
    line.start(source.stream)
    line.step(a)
    assert [e.name for e in line.step(b).events] == ["gap"]


def test_stages_in_a_row_are_the_same_at_any_cut_of_a_real_recording(shared):
    from bcikit.files.read import read

    source = read(shared("openbci-gui/gui-v6.txt"))
    line = [Quality(), Bandpass(), Rereference(channels=("eeg",)), Bandpower(), Standardize(channels=("power",))]
    whole = Pipeline(line).run(source)
    cut = Pipeline(line).run(source, sizes=iter([3, 1, 10] * 100_000))
    assert whole.data.tobytes() == cut.data.tobytes() and len(whole.data)
    assert sorted(map(repr, whole.events)) == sorted(map(repr, cut.events))


def test_the_railed_channels_of_a_real_recording_are_seen(shared):
    from bcikit.files.read import read

    source = read(shared("openbci-gui/gui-v5-daisy-railed.txt"))
    states = dict(zip(source.stream.names, quality(source.data, source.stream), strict=True))
    eeg = [c.name for c in source.stream.channels if c.kind == "eeg"]
    assert "railed" in {states[n] for n in eeg}
