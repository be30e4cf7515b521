"""Filters against SciPy and MNE on the whole signal; what they state, refuse and leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as sp

from bcikit import WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Event, Recording, Stream, recording
from bcikit.preprocess import _design
from bcikit.preprocess.bandpass import Bandpass
from bcikit.preprocess.envelope import Envelope
from bcikit.preprocess.highpass import Highpass
from bcikit.preprocess.lowpass import Lowpass
from bcikit.preprocess.notch import Notch

RATE = 250.0


def stream(n=4, rate=RATE, kind="eeg"):
    return Stream("test", rate, tuple(Channel(f"E{i}", kind) for i in range(1, n + 1)))


def noise(seconds=20.0, n=4, rate=RATE, seed=0, offset=0.0):
    x = np.random.default_rng(seed).standard_normal((round(seconds * rate), n)) * 20 + offset
    return recording(stream(n, rate), x)


def run(stage, source, cuts=(1, 0, 7, 64, 300)):
    out = stage.start(source.stream)
    return Recording(out, tuple(stage.step(c) for c in source.recut(cuts)))


def scipy_sos(sos):
    return np.column_stack([sos[:, :3], np.ones(len(sos)), sos[:, 3:]])


def begun(sos, x):
    """SciPy's filter over the whole signal, begun as if the first sample had always been there."""
    return sp.sosfilt(sos, x, axis=0, zi=sp.sosfilt_zi(sos)[:, :, None] * x[0])[0]


def close(got, wanted):
    """To 1e-5 relative."""
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


FILTERS = {
    "bandpass": (Bandpass(), sp.butter(4, (1, 40), "band", fs=RATE, output="sos")),
    "mu": (Bandpass(low=8, high=13, order=3), sp.butter(3, (8, 13), "band", fs=RATE, output="sos")),
    "highpass": (Highpass(low=0.5, order=2), sp.butter(2, 0.5, "high", fs=RATE, output="sos")),
    "slow highpass": (Highpass(low=0.1, order=1), sp.butter(1, 0.1, "high", fs=RATE, output="sos")),
    "lowpass": (Lowpass(high=40, order=5), sp.butter(5, 40, "low", fs=RATE, output="sos")),
}


@pytest.mark.parametrize("name", FILTERS)
def test_agrees_with_scipy_over_the_whole_signal(name):
    stage, sos = FILTERS[name]
    source = noise(offset=np.array([0, -3000, 60000, 5]))
    x = source.data.astype(float)
    close(run(stage, source).data, begun(sos, x))


def test_bandpass_agrees_with_mne():
    import mne

    source = noise(40, n=2)
    iir = {"order": 4, "ftype": "butter", "output": "sos"}
    wanted = mne.filter.filter_data(
        source.data.T.astype(float), RATE, 1, 40, method="iir", iir_params=iir, phase="forward", verbose="error"
    ).T
    settled = round(10 * RATE)  # MNE begins otherwise
    close(run(Bandpass(), source).data[settled:], wanted[settled:])


@pytest.mark.parametrize("rate", [125.0, 250.0, 512.0, 30000.0])
@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("low, high", [(1, 40), (None, 40), (0.5, None), (8, 13)])
def test_designs_are_scipys(rate, order, low, high):
    kind, corners = {(True, True): ("band", (low, high)), (True, False): ("high", low), (False, True): ("low", high)}[
        low is not None, high is not None
    ]
    wanted, got = sp.butter(order, corners, kind, fs=rate, output="sos"), _design.butterworth(order, low, high, rate)
    f = np.geomspace(0.2, rate / 2 * 0.99, 300)
    a, b = sp.sosfreqz(wanted, f, fs=rate)[1], sp.sosfreqz(scipy_sos(got), f, fs=rate)[1]
    np.testing.assert_allclose(b, a, rtol=0, atol=1e-6)
    assert len(got) == len(wanted)
    np.testing.assert_allclose(sp.sosfilt_zi(scipy_sos(got)), _design.steady(got), rtol=1e-4, atol=1e-6)
    middle = np.sqrt((low or 0.5) * (high or rate / 2))
    around = middle * np.array([0.9999, 1.0001])
    phase = np.unwrap(np.angle(sp.sosfreqz(wanted, around, fs=rate)[1]))
    measured = -np.diff(phase)[0] / (2 * np.pi * np.diff(around)[0])
    np.testing.assert_allclose(_design.group_delay(got, middle, rate), measured, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("low, high", [(1, 40), (None, 40), (0.5, None)])
def test_after_settling_next_to_nothing_is_left(low, high):
    for order in range(1, 6):
        sos = _design.butterworth(order, low, high, RATE)
        fault = np.zeros(60000)
        fault[:50] = 1.0
        left = np.abs(sp.sosfilt(scipy_sos(sos), fault))[50 + round(_design.settling(sos)) :]
        assert left.max() < 1e-6


def pulse(frequency, width, at, n, rate=RATE):
    t = np.arange(n) / rate - at
    return np.exp(-0.5 * (t / width) ** 2), np.cos(2 * np.pi * frequency * t)


@pytest.mark.parametrize(
    "stage, frequency",
    [
        (Bandpass(), 6.3),
        (Bandpass(low=8, high=13, order=2), 10.2),
        (Highpass(), 7.9),
        (Lowpass(), 20.0),
        (Notch(), 25.0),
        (Notch(follow=0.5), 25.0),
    ],
)
def test_the_stated_delay_is_the_measured_one(stage, frequency):
    width, at, n = 0.8, 8.0, 4000
    shape, wave = pulse(frequency, width, at, n)
    out = run(stage, recording(stream(1), (100 * shape * wave)[:, None]))
    strength = np.abs(sp.hilbert(out.data[:, 0])) ** 2
    measured = (strength * np.arange(n)).sum() / strength.sum() / RATE - at
    assert abs(measured - out.stream.delay) < 0.1 / RATE + 0.05 * out.stream.delay


@pytest.mark.parametrize("stage", [Bandpass(), Highpass(), Notch(), Notch(follow=0.5), Envelope()], ids=repr)
@pytest.mark.parametrize("lead", [0, 100])
def test_an_electrodes_offset_does_not_ring(stage, lead):
    """An offset of 60 mV from the first sample on, also where that comes late: nothing of it in the first seconds."""
    rng = np.random.default_rng(0)
    x = 60_000 + rng.standard_normal((500, 2))
    x[:lead, 1] = np.nan
    out = run(stage, recording(stream(2), x)).data
    if isinstance(stage, Notch):
        out = out - 60_000
    assert np.nanmax(np.abs(out)) < 10
    assert np.isnan(out[:lead, 1]).all() and np.isfinite(out[lead:]).all()


def test_without_the_steady_begin_it_would_ring():
    sos = FILTERS["bandpass"][1]
    assert np.abs(sp.sosfilt(sos, np.full(500, 60_000.0))).max() > 10_000


@pytest.mark.parametrize("stage", [Bandpass(), Highpass(), Lowpass(), Notch(), Envelope()], ids=repr)
def test_what_is_no_voltage_of_the_body_passes_exactly(stage):
    kinds = ["eeg", "accel", "digital", "counter", "marker", "emg"]
    s = Stream("mixed", RATE, tuple(Channel(k, k) for k in kinds))
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32) * 100
    out = run(stage, recording(s, x)).data
    assert out[:, 1:5].tobytes() == x[:, 1:5].tobytes()
    assert not np.array_equal(out[:, 0], x[:, 0]) and not np.array_equal(out[:, 5], x[:, 5])


def test_channels_can_be_named_and_a_stream_of_other_signals_is_filtered_whole():
    source = recording(Stream("motion", RATE, (Channel("x", "accel", "g"), Channel("n", "counter", ""))), np.ones((9, 2)))
    stage = Highpass()
    stage.start(source.stream)
    assert stage.columns.tolist() == [0]
    stage = Highpass(channels=("counter",))
    stage.start(source.stream)
    assert stage.columns.tolist() == [1]
    with pytest.raises(WrongUse, match="no channel"):
        Highpass().start(Stream("n", RATE, (Channel("n", "counter", ""),)))
    with pytest.raises(WrongUse, match="C9"):
        Highpass(channels=("C9",)).start(stream())


@pytest.mark.parametrize(
    "stage, word",
    [
        (Bandpass(low=130, high=200), "125 Hz"),
        (Bandpass(low=30, high=20), "not below"),
        (Highpass(low=125), "125 Hz"),
        (Lowpass(high=125), "125 Hz"),
        (Envelope(high=150), "125 Hz"),
        (Envelope(low=60, high=50), "not below"),
        (Envelope(smooth=126), "125 Hz"),
    ],
)
def test_corners_that_the_rate_cannot_carry_are_refused(stage, word):
    with pytest.raises(WrongUse) as caught:
        stage.start(stream())
    assert word in str(caught.value)


@pytest.mark.parametrize("stage", [Notch(mains=130), Notch(mains=124.8, follow=0.5), Bandpass(low=20, high=125)])
def test_what_lies_above_half_the_rate_is_left_alone_and_said(stage):
    x = np.random.default_rng(0).standard_normal((500, len(stream().channels))).astype(np.float32)
    out = Pipeline([stage]).run(recording(stream(), x))
    assert any("125" in note or "130" in note or "124.8" in note for note in out.stream.info["notes"])
    same = x if isinstance(stage, Notch) else Pipeline([Highpass(low=20, order=4)]).run(recording(stream(), x)).data
    assert out.data.tobytes() == same.tobytes()


def test_irregular_or_windowed_streams_are_refused():
    with pytest.raises(WrongUse, match="irregular"):
        Bandpass().start(stream().but(rate=0.0))
    with pytest.raises(WrongUse, match="shape"):
        Bandpass().start(stream().but(shape=(4, 250)))


def test_behind_a_gap_it_begins_anew():
    source = noise(4, n=2, offset=5000.0)
    c = source.chunks[0]
    a, rest = c.cut(300, RATE)
    _, b = rest.cut(200, RATE)
    line = Pipeline([Bandpass(low=0.2)])
    line.start(source.stream)
    line.step(a)
    after = line.step(b)
    fresh = Bandpass(low=0.2)
    fresh.start(source.stream)
    assert after.data.tobytes() == fresh.step(b).data.tobytes()
    assert [e.name for e in after.events] == ["gap"]


# -- notch


def test_notch_is_scipys_iirnotch_for_each_harmonic():
    source = noise(offset=300.0)
    wanted = source.data.astype(float)
    for f in (50, 100):  # 150 Hz lies above half the rate
        wanted = begun(sp.tf2sos(*sp.iirnotch(f, f / 2.0, RATE)), wanted)
    close(run(Notch(), source).data, wanted)


def test_a_steered_notch_on_a_steady_mains_does_as_one_at_rest():
    t = np.arange(5000) / RATE
    x = np.random.default_rng(0).standard_normal((5000, 3)) + (100 * np.sin(2 * np.pi * 50 * t))[:, None]
    still, steered = (run(s, recording(stream(3), x)).data for s in (Notch(), Notch(follow=1e-9)))
    close(steered[1000:], still[1000:])


@pytest.mark.parametrize("mains", [49.5, 49.8, 50.3, 50.5])
def test_the_steered_notch_finds_a_mains_that_is_off(mains):
    t = np.arange(7500) / RATE
    eeg = 10 * np.random.default_rng(0).standard_normal((7500, 4))
    hum = 80 * np.sin(2 * np.pi * mains * t)[:, None] + 20 * np.sin(4 * np.pi * mains * t + 1)[:, None]
    still, steered = (run(s, recording(stream(), eeg + hum)) for s in (Notch(width=0.5), Notch(width=0.5, follow=0.6)))
    wanted = run(Notch(mains=mains, width=0.5), recording(stream(), eeg + hum))
    late = slice(2500, None)  # 10 s

    def left(r):
        """rms of what stands at the mains and twice that, µV"""
        f, p = sp.welch(r.data[late], RATE, nperseg=2500, axis=0)
        near = (np.abs(f - mains) < 0.3) | (np.abs(f - 2 * mains) < 0.3)
        return float(np.sqrt(p[near].sum(axis=0).mean() * f[1]))

    assert left(steered) < 1.3 * left(wanted) + 0.2
    assert left(still) > 5 * left(steered) or mains == 49.8


def test_the_steered_notch_follows_a_drift_and_takes_little_else():
    """49.5 to 50.5 Hz in a minute: 80 µV of mains falls below the EEG's own power there."""
    t = np.arange(round(60 * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(49.5 + t / 60) / RATE
    eeg = 10 * np.random.default_rng(0).standard_normal((len(t), 4))
    out = run(Notch(width=1, follow=1), recording(stream(), eeg + 80 * np.sin(phase)[:, None])).data
    late = slice(round(5 * RATE), None)
    error = out[late] - eeg[late]
    assert np.sqrt((error**2).mean()) < 3.0  # of 56.6 µV rms
    still = run(Notch(width=1), recording(stream(), eeg + 80 * np.sin(phase)[:, None])).data
    assert np.sqrt(((still[late] - eeg[late]) ** 2).mean()) > 10


# -- envelope


def test_envelope_agrees_with_scipy():
    source = noise(offset=1000.0)
    x = source.data.astype(float)
    band = begun(sp.butter(2, 20, "high", fs=RATE, output="sos"), x).astype(np.float32).astype(float)
    smoother = sp.butter(2, 5, "low", fs=RATE, output="sos")
    close(run(Envelope(), source).data, sp.sosfilt(smoother, np.abs(band), axis=0))
    both = sp.butter(3, (8, 13), "band", fs=RATE, output="sos")
    power = sp.sosfilt(sp.butter(2, 2, "low", fs=RATE, output="sos"), begun(both, x) ** 2, axis=0)
    got = run(Envelope(low=8, high=13, order=3, smooth=2, method="rms"), source).data
    close(got, np.sqrt(np.maximum(power, 0)))


@pytest.mark.parametrize("method, share", [("rectified", 2 / np.pi), ("rms", np.sqrt(0.5))])
def test_envelope_of_a_sine_is_its_strength(method, share):
    x = 50 * np.sin(2 * np.pi * 37 * np.arange(2500) / RATE)[:, None] + 700
    out = run(Envelope(low=5, method=method, smooth=2), recording(stream(1), x))
    assert abs(out.data[1500:].mean() - 50 * share) < 0.3
    assert out.stream.channels[0].kind == "envelope"


def test_the_envelopes_delay_is_the_measured_one():
    width, at, n = 0.6, 8.0, 4000
    shape, wave = pulse(70, width, at, n)
    stage = Envelope(low=40, high=100, smooth=3)
    out = run(stage, recording(stream(1), (100 * shape * wave)[:, None]))
    y = np.maximum(out.data[:, 0], 0)
    measured = (y * np.arange(n)).sum() / y.sum() / RATE - at
    assert abs(measured - out.stream.delay) < 0.2 / RATE + 0.05 * out.stream.delay


def test_an_event_and_the_time_pass_unchanged():
    stage = Bandpass()
    stage.start(stream())
    c = Chunk(np.zeros((10, 4), np.float32), 30, 1.25, (Event(31.5, "tap"),))
    out = stage.step(c)
    assert (out.first, out.time, out.events) == (30, 1.25, (Event(31.5, "tap"),))


def test_a_notch_that_follows_tells_what_it_took():
    t = np.arange(5000) / 250
    x = np.random.default_rng(0).normal(0, 1, (5000, 2)) + 7 * np.sin(2 * np.pi * 49.8 * t)[:, None]
    s = Stream("simulated mains", 250.0, (Channel("C3"), Channel("C4")), label=SIMULATED)
    out = Pipeline([Notch(follow=0.5)]).run(recording(s, x.astype(np.float32)))
    told = [e for e in out.events if e.name == "mains"]
    assert [e.index for e in told] == [250 * k - 1 for k in range(1, 21)]
    peak, hertz = (float(v) for v in told[-1].value.removesuffix(" Hz").split(" at "))
    assert peak == pytest.approx(7, abs=0.3) and hertz == pytest.approx(49.8, abs=0.02)
