"""Bad channels: found, told of and told by the others; the interpolation against MNE's."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.acquire.synthetic import Synthetic
from bcikit.core.clock import JumpClock
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Recording, Stream, recording
from bcikit.preprocess.badchannels import Badchannels


def person(seconds=30, seed=1):
    """A simulated person's EEG of 32 channels, without artefacts."""
    board = Synthetic(n=32, seed=seed, artefacts=False, mains=0, script=("rest:600",))
    board.clock = JumpClock()
    with board:
        s = board.open()
        chunks = []
        while sum(map(len, chunks)) < seconds * 250:
            chunks.append(board.read())
    return recording(s, Recording(s, tuple(chunks)).data)


def changed(source, name, how):
    x = source.data.copy()
    i = source.stream.names.index(name)
    x[2500:5000, i] = how(x[2500:5000, i], np.random.default_rng(0).standard_normal(2500))
    return recording(source.stream, x)


FAULTS = {
    "nan": lambda x, noise: np.nan * x,
    "dead": lambda x, noise: 0 * x,
    "noisy": lambda x, noise: x + 200 * noise,
    "alone": lambda x, noise: x.std() * noise,
}


@pytest.mark.parametrize("fill", ["spline", "nearest"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_told_and_mended(fault, fill):
    source = person()
    spoilt = changed(source, "CP1", FAULTS[fault])
    out = Pipeline([Badchannels(fill=fill)]).run(spoilt)
    told = [(e.index, e.value) for e in out.events if e.name == "badchannels"]
    assert f"CP1 {fault}" in [v for _, v in told] and [v for _, v in told if v[-4:] == "good"] == [told[-1][1]]
    (begin, _), (end, _) = told[0], told[-1]
    assert 2500 < begin < 2500 + 500 and 5000 < end < 5000 + 1100
    i = source.stream.names.index("CP1")
    rows = slice(3200, 5000)
    truth, got = (r.data[rows, i] - r.data[rows, i].mean() for r in (source, out))
    assert np.corrcoef(got, truth)[0, 1] > 0.45  # half of a channel is its own: drift, contact, what lies beneath it
    others = np.delete(np.arange(32), i)
    assert out.data[:, others].tobytes() == source.data[:, others].tobytes()


def test_good_channels_are_left_alone_and_none_is_told_bad():
    source = person(60, seed=3)
    out = Pipeline([Badchannels()]).run(source)
    assert out.data.tobytes() == source.data.tobytes() and not out.events


def test_splines_agree_with_mne():
    import mne

    from bcikit.preprocess._sphere import interpolation, middle, places

    source = person(4)
    names = source.stream.names
    bad = [names.index("CP1"), names.index("Fz")]
    good = [i for i in range(32) if i not in bad]
    at = places(source.stream, np.arange(32), "test")
    got = source.data[:, good].astype(float) @ interpolation(at[good], at[bad]).T
    raw = mne.io.RawArray(source.data.T.astype(float), mne.create_info(list(names), 250.0, "eeg"), verbose="error")
    p = {c.name: np.array(c.position) for c in source.stream.channels}
    raw.set_montage(mne.channels.make_dig_montage(p, coord_frame="head"), verbose="error")
    raw.info["bads"] = ["CP1", "Fz"]
    raw.interpolate_bads(origin=middle(np.array(list(p.values()))), verbose="error")
    wanted = raw.get_data()[bad].T
    assert np.abs(got - wanted).max() < 0.02 * np.abs(wanted).max()


def test_with_too_few_good_ones_a_bad_one_is_no_number():
    names = ("C3", "Cz", "C4", "Pz")
    x = np.random.default_rng(0).standard_normal((2500, 4)) * 10 + 20 * np.random.default_rng(1).standard_normal((2500, 1))
    x[:, :2] = np.nan
    s = Stream("four", 250.0, tuple(map(Channel, names)))
    got = Pipeline([Badchannels(fill="nearest")]).run(recording(s, x)).data
    assert np.isnan(got[1000:, :2]).all() and np.isfinite(got[1000:, 2:]).all()


def test_it_may_only_tell_and_then_needs_no_places():
    source = changed(person(), "CP1", FAULTS["noisy"])
    nameless = Stream("nameless", 250.0, tuple(Channel(f"E{i}") for i in range(32)))
    out = Pipeline([Badchannels(fill="none")]).run(recording(nameless, source.data))
    assert out.data.tobytes() == source.data.tobytes()
    assert [e.value.split()[1] for e in out.events] == ["noisy", "good"]
    with pytest.raises(WrongUse, match="where E0"):
        Badchannels().start(nameless)
