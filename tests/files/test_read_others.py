"""Tables, NumPy and MNE's formats: the file's own values, units and marks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.files.read import read


def test_brainflow_csv(shared):
    r = read(shared("brainflow-csv/ganglion-brainflow-30s.csv"))
    table = np.loadtxt(shared("brainflow-csv/ganglion-brainflow-30s.csv"), delimiter="\t")
    assert r.stream.rate == 200 and r.data[:, :4].tobytes() == table[:, 1:5].astype(np.float32).tobytes()
    assert [c.kind for c in r.stream.channels[:7]] == ["eeg"] * 4 + ["accel"] * 3
    seconds = table[-1, 13] - table[0, 13]
    assert abs((r.index[-1] + 1) / seconds - 200) < 0.5, "two samples share a number; what is lost makes up for the clock"


def test_a_table_with_text_becomes_events(shared):
    r = read(shared("emg-openbci/neurosleeve/jose_0_0.csv"))
    assert r.data.shape == (14_000, 4) and r.stream.rate == 200
    assert {c.kind for c in r.stream.channels} == {"emg"}
    assert [(e.index, e.value) for e in r.events if e.name == "label"] == [
        (i * 2000, v) for i, v in enumerate(["alpha", "go", "left", "neutral", "omega", "right", "stop"])
    ]


@pytest.mark.parametrize("sep", [",", ";", "\t", " "])
def test_steady_times_place_the_samples(tmp_path, sep):
    x = np.random.default_rng(0).normal(size=(300, 2)).round(4)
    keep = np.r_[0:100, 140:300]
    rows = [sep.join([f"{i / 128:.5f}", *map(str, x[i]), "7" if i == 200 else "0"]) for i in keep]
    path = tmp_path / "a.csv"
    path.write_text(sep.join(["time", "C3", "C4", "trigger"]) + "\n" + "\n".join(rows) + "\n")
    r = read(path)
    assert r.stream.rate == 128 and r.stream.names == ("C3", "C4") and np.array_equal(r.index, keep)
    assert r.data.tobytes() == x[keep].astype(np.float32).tobytes()
    assert [(e.index, e.name, e.value) for e in r.events] == [(200, "trigger", 7.0)]
    assert any("40 samples are missing" in n for n in r.info["notes"])
    assert r.time[-1] == pytest.approx(299 / 128)


def test_a_table_without_header_needs_its_rate(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1.5,2\n3,4\n5,6\n")
    with pytest.raises(WrongUse, match="no header"):
        read(path)
    r = read(path, rate=250, channels=("C3", "C4"), unit="mV")
    assert r.data.tolist() == [[1500, 2000], [3000, 4000], [5000, 6000]] and r.stream.names == ("C3", "C4")
    with pytest.raises(WrongUse, match="3 names were given for 2"):
        read(path, rate=250, channels=("a", "b", "c"))
    with pytest.raises(WrongUse, match="no use for 'stream'"):
        read(path, rate=250, stream="x")
    with pytest.raises(WrongUse, match="no board"):
        read(path, board="ganglyon")


def test_p300_npz(shared):
    r = read(shared("p300-gtec/S1.npz"))
    with np.load(shared("p300-gtec/S1.npz")) as f:
        assert r.data.tobytes() == f["y"].tobytes() and r.stream.rate == 250
        assert [int(e.index) for e in r.events] == np.flatnonzero(f["trig"]).tolist()
    values = [e.value for e in r.events]
    assert values.count(1.0) == 150 and values.count(-1.0) == 1050
    assert r.stream.names == tuple("Fz C3 Cz C4 Pz PO7 Oz PO8".split())


def test_epochs_lie_apart(shared):
    path = shared("self-paced-keys/self_paced_1s.npz")
    with np.load(path) as f:
        for key, n in (("x_train", 316), ("x_test", 100)):
            r = read(path, key=key)
            assert len(r.chunks) == len(r.events) == n and np.array_equal(r.chunks[3].data, f[key][3].T)
            assert [e.value for e in r.events] == f[key.replace("x", "y")].tolist()
            assert r.chunks[1].first - r.chunks[0].end == 100, "a second, so that the pipeline starts anew"


def test_npy_takes_either_way_round(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x.T)
    a, b = read(tmp_path / "a.npy", rate=100), read(tmp_path / "b.npy", rate=100)
    assert a.data.tobytes() == b.data.tobytes() == x.tobytes() and "channels by samples" in b.info["notes"][0]
    with pytest.raises(WrongUse, match="rate"):
        read(tmp_path / "a.npy")


MNE_FILES = [
    "mi-eegbci/S001R06.edf",
    "openbci-mi/sub-2/sub-2_run-01_raw.fif.gz",
    "visual-oddball/eeglab_data.set",
    "formats/bdf/test.bdf",
    "formats/brainvision/test.vhdr",
    "formats/gdf/test_1ch.gdf",
    "formats/eeglab/test_raw_event_duration.set",
    "formats/nihon-kohden/MB0400FU.EEG",
    "formats/persyst/sub-pt1_ses-02_task-monitor_acq-ecog_run-01_clip2.lay",
    "formats/fif/neuromag122_test_file_raw.fif",
]


@pytest.mark.parametrize("name", MNE_FILES)
def test_what_mne_reads(shared, name, capsys):
    path = shared(name)
    r = read(path)
    assert capsys.readouterr() == ("", ""), "nothing is printed"
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw(path, preload=True, verbose="error")
    capsys.readouterr()
    volts = [i for i, c in enumerate(r.stream.channels) if c.unit == "µV"]
    data = raw.get_data().T
    data[:, volts] *= 1e6
    assert r.data.tobytes() == data.astype(np.float32).tobytes() and r.stream.rate == raw.info["sfreq"]
    if any(c.kind == "eeg" for c in r.stream.channels):
        assert volts
    onsets = sorted((a["onset"] - raw.first_time) * r.stream.rate for a in raw.annotations)
    own = [e.index for e in r.events if e.name not in ("marker", "Status") and not e.name.startswith("STI")]
    assert own == pytest.approx(onsets)


def test_marks_of_a_stimulus_channel_and_of_a_file_beside(shared):
    r = read(shared("openbci-mi/sub-1/sub-1_run-01_raw.fif.gz"))
    values = [e.value for e in r.events]
    assert [values.count(v) for v in (1.0, 2.0, 3.0)] == [20, 20, 20], "markers of one sample are seen"
    r = read(shared("ssvep-exo/subject01_run1_raw.fif.gz"))
    assert [e.value for e in r.events].count(4.0) == 8 and len(r.events) == 32
    import mne

    raw = mne.io.read_raw(shared("ssvep-exo/subject01_run1_raw.fif.gz"), verbose="error")
    rows = mne.read_events(shared("ssvep-exo/subject01_run1-eve.fif"), verbose="error")
    assert [e.index for e in r.events] == (rows[:, 0] - raw.first_samp).tolist()
    steps = np.median(np.abs(np.diff(r.data, axis=0)))
    assert 0.5 < steps < 20, "its card mends the scale"


def test_units_that_cannot_be(shared):
    """Complaint 2: EEG a thousand times off is said, not shown as it stands."""
    r = read(shared("formats/gdf/ssvep_exo_s01_first60s.gdf"))
    assert any("its unit is wrong" in n for n in r.info["notes"])
    assert not any("unit" in n for n in read(shared("visual-oddball/eeglab_data.set")).info["notes"])
    r = read(shared("formats/edf/bci4als_edf01_001.edf"))
    assert np.abs(r.data).max() < 1e6 and any("no unit" in n for n in r.info["notes"])
    r = read(shared("formats/bdf/test_generator.bdf"))
    assert 999 < np.abs(r.data[:, 0]).max() < 1001 and any("resampled" in n for n in r.info["notes"])


def test_neuroscan_needs_its_bits(shared):
    from bcikit.core.errors import FileTrouble

    path = shared("formats/neuroscan/test_CNT_events_mne_JWoess_clipped.cnt")
    with pytest.raises(FileTrouble, match="16 or 32"):
        read(path)
    assert len(read(path, bits=32).events) == 12


def test_what_was_not_recorded_is_a_gap(shared):
    r = read(shared("formats/blackrock/test_BRSMPGRP_raw.ns3"))
    assert len(r.chunks) == 2 and 0.0235 < (r.chunks[1].first - r.chunks[0].end) / 2000 < 0.0255
