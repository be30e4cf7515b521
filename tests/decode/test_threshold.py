"""The trivial decoder and mapper, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal as sp

from bcikit import Channel, Pipeline, Stream, WrongUse, recording
from bcikit.decode.map.lookup import Lookup
from bcikit.decode.threshold import Threshold
from bcikit.testing import noise

RATE = 250.0


def tone(amplitudes, hz=10.0, seconds=2.0):
    """A sine of 10 Hz, its amplitude (µV) given for each stretch of so many seconds."""
    t = np.arange(round(RATE * seconds) * len(amplitudes)) / RATE
    x = np.repeat(amplitudes, round(RATE * seconds)) * np.sin(2 * np.pi * hz * t)
    return recording(Stream("tone", RATE, (Channel("O1"), Channel("t", "temperature", "°C"))), np.stack([x, 300 + 0 * x], 1))


def test_the_amplitude_is_scipys():
    source = noise(4.0)
    stage = Threshold(low=8, high=12, channels=("C3", "C4"))
    stage.start(source.stream)
    columns = source.stream.pick(["C3", "C4"])
    x = source.data[-250:, columns].astype(float)
    hz, density = sp.periodogram(x, RATE, np.hanning(250), detrend="constant", axis=0)
    band = (hz >= 8) & (hz <= 12)
    expected = np.sqrt(density[band].sum(axis=0) * (hz[1] - hz[0])).mean()
    assert stage._power(x) == pytest.approx(expected, rel=1e-9)


def test_the_rms_of_a_sine_is_that_of_a_sine():
    stage = Threshold(low=8, high=12)
    stage.start(tone([10]).stream)
    assert stage._power(tone([10]).data[:250, :1].astype(float)) == pytest.approx(10 / np.sqrt(2), rel=0.01)


def test_between_the_two_edges_it_stays_as_it_was():
    levels = [2, 9.9, 2, 20, 9.9, 2]  # rms 1.4, 7.0 (between), 1.4, 14, 7.0 (between), 1.4
    out = Pipeline([Threshold(on=8, off=6, every=0.1)]).run(tone(levels))
    assert out.stream.alphabet == ("rest", "active") and out.stream.rate == 10.0
    ends = (out.index[:, None] + 1) % 20 == 0  # at the end of each stretch
    assert out.data[ends[:, 0], 0].tolist() == [0, 0, 0, 1, 1, 0]


def test_other_units_do_not_count():
    assert Pipeline([Threshold()]).run(tone([30])).data[-1, 0] == 1
    with pytest.raises(WrongUse, match="cannot average"):
        Threshold(channels=("O1", "t")).start(tone([1]).stream)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"on": 1, "off": 2}, "wrong way round"),
        ({"low": 12, "high": 8}, "wrong way round"),
        ({"channels": ("O9",)}, "no channel 'O9'"),
        ({"low": 100, "high": 130}, "at least 260 Hz"),
        ({"low": 10.2, "high": 10.4}, "cannot tell"),
    ],
)
def test_what_cannot_be_is_refused(settings, said):
    with pytest.raises(WrongUse, match=said):
        Threshold(**settings).start(tone([1]).stream)


def test_each_decision_becomes_its_command():
    out = Pipeline([Threshold(on=8, off=6), Lookup(values=(-1, 2.5), name="x", unit="cm/s")]).run(tone([2, 20]))
    assert set(out.data[:, 0].tolist()) == {-1.0, 2.5} and out.data[-1, 0] == 2.5
    assert out.stream.channels == (Channel("x", "velocity", "cm/s"),) and not out.stream.alphabet


@pytest.mark.parametrize(
    "alphabet, values, said", [((), (0, 1), "cannot read"), (("a", "b", "c"), (0, 1), "2 values for the 3 words a, b, c")]
)
def test_a_mapper_that_does_not_fit_is_refused(alphabet, values, said):
    with pytest.raises(WrongUse, match=said):
        Lookup(values=values).start(Stream("d", 10.0, (Channel("d", "decision", ""),), alphabet=alphabet))
