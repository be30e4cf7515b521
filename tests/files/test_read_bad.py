"""Files that are broken, or are no recordings: said in words, never a traceback, never silently fewer samples."""

from __future__ import annotations

import gzip
import os

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from bcikit.core.errors import BciError, FileTrouble
from bcikit.files.read import read

HEAD = "%OpenBCI Raw EEG Data\n%Number of channels = 4\n%Sample Rate = 200 Hz\n"
ROW = "{}, 1.5, 2.5, 3.5, 4.5, 0.1, 0.2, 0.3, 10:47:44.{:03d}\n"
GOOD = HEAD + "".join(ROW.format(i, i * 5) for i in range(100))

BROKEN = {
    "empty.txt": b"",
    "empty.xdf": b"",
    "header.txt": HEAD.encode(),
    "garbage.txt": bytes(range(256)) * 20,
    "garbage.edf": bytes(range(1, 256)) * 20,
    "garbage.npy": bytes(range(256)) * 20,
    "garbage.npz": bytes(range(256)) * 20,
    "garbage.csv": bytes(range(256)) * 20,
    "garbage.fif": bytes(range(256)) * 20,
    "garbage.vhdr": bytes(range(256)) * 20,
    "garbage.set": bytes(range(256)) * 20,
    "garbage.bdf": bytes(range(256)) * 20,
    "garbage.gdf": bytes(range(256)) * 20,
    "garbage.fif.gz": bytes(range(256)) * 20,
    "damaged.txt.gz": gzip.compress(GOOD.encode())[:60] + b"\xff" * 400,
    "cut.fif.gz": gzip.compress(os.urandom(5000))[:2000],
    "unknown.xyz": b"what is this?",
    "prose.txt": b"Dear diary,\ntoday I recorded, among others, my brain.\n" * 20,
    "prose.csv": b"name,age,town\nAnn,x,Bonn\nBob,y,Rome\n",
    "words.txt": (HEAD + "a, b, c, d, e, f, g, h, i\n" * 10).encode(),
    "magic.xdf": b"XDF:",
    "header.csv": b"time,C3,C4\n",
    "hex.txt": b"%STOP AT\n0001\nzz,000000,000000,000000,000000,000000,000000,000000,000000\n",
    "other.txt": b"% some other program\n1,2,3\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_so(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(BciError) as error:
        read(path)
    assert name in error.value.what and error.value.exit_code in (2, 4)


def test_places_that_hold_no_file(tmp_path):
    with pytest.raises(FileTrouble, match="There is no file"):
        read(tmp_path / "absent.txt")
    with pytest.raises(FileTrouble, match="is a folder"):
        read(tmp_path)
    with pytest.raises(FileTrouble, match="null byte"):
        read(tmp_path / "a\0.txt")
    (tmp_path / "a.npy").write_bytes(b"x")
    np.savez(tmp_path / "objects.npz", x=np.array([{}, {}], dtype=object))
    with pytest.raises(FileTrouble, match="no signal"):
        read(tmp_path / "objects.npz")
    np.save(tmp_path / "object.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(FileTrouble, match="not read"):
        read(tmp_path / "object.npy")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(FileTrouble, match="chmod"):
        read(path)


@pytest.mark.parametrize(
    "name",
    [
        "zero_bytes_raw.fif",
        "openbci_header_only.txt",
        "brainvision-no-eeg/test_highpass.vhdr",
        "eeglab-h5-no-fdt/test_raw_h5.set",
    ],
)
def test_odd_files_of_others(shared, name):
    with pytest.raises(FileTrouble) as error:
        read(shared(f"formats/odd/{name}"))
    assert "Traceback" not in str(error.value) and len(str(error.value).split("\n")) <= 3


def test_a_cut_last_line_is_left_out_and_said(shared, tmp_path):
    r = read(shared("formats/odd/openbci_cut_last_line.txt"))
    assert len(r.data) == 499 and r.info["notes"][0].startswith("the last line is cut")
    path = tmp_path / "a.txt"
    path.write_text(GOOD)
    whole = read(path)
    assert len(whole.data) == 100 and not whole.info["notes"]
    path.write_text(GOOD.rstrip("\n"))
    r = read(path)
    assert len(r.data) == 100 and "may be cut" in r.info["notes"][0], "a last line that is whole needs no end"


def test_cells_that_are_no_numbers_are_nan_and_counted(tmp_path):
    lines = GOOD.splitlines()
    lines[13] = lines[13].replace("2.5", "NaN")
    lines[14] = lines[14].replace("3.5", "x#!")
    lines[15] = lines[15].replace("4.5,", "4.5, 9, 9, 9,")
    lines[16] = "13, 1.5"
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines) + "\n")
    r = read(path)
    assert len(r.data) == 100 and np.array_equal(r.index, np.arange(100)), "no sample is lost"
    assert np.isnan(r.data[10, 1]) and np.isnan(r.data[11, 2]) and np.isnan(r.data[12]).all()
    assert r.data[13, 0] == 1.5 and np.isnan(r.data[13, 1:]).all()
    assert np.isfinite(np.delete(r.data, [10, 11, 12, 13], axis=0)).all()
    assert any("4 rows hold cells that are no numbers" in n for n in r.info["notes"])


def test_a_damaged_file_of_eeglab_never_reaches_scipy(tmp_path, monkeypatch):
    """Some damaged bytes end SciPy's process, and MNE reads these files by it."""
    reached = []

    def read_raw(path, **_):
        reached.append(path.name)
        raise ValueError("so far")

    monkeypatch.setattr(mne.io, "read_raw", read_raw)
    savemat(tmp_path / "good.set", {"EEG": {"srate": 250.0, "data": np.zeros((2, 100), np.float32)}})
    raw = bytearray((tmp_path / "good.set").read_bytes())
    at = raw.index((800).to_bytes(4, "little"), 128)  # the size of the data
    raw[at + 2] = 255
    (tmp_path / "bad.set").write_bytes(raw)
    with pytest.raises(FileTrouble, match="cut or damaged"):
        read(tmp_path / "bad.set")
    assert not reached
    with pytest.raises(FileTrouble, match="so far"):
        read(tmp_path / "good.set")
    assert reached == ["good.set"]


def made_numbers(folder):
    x = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
    np.save(folder / "a.npy", x)
    np.savez_compressed(folder / "a.npz", x=x, rate=250.0)
    np.savez(folder / "b.npz", x=x, rate=250.0)
    return [(folder / name).read_bytes() for name in ("a.npy", "a.npz", "b.npz")]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2), st.floats(0, 1), st.binary(min_size=1, max_size=4), st.booleans())
def test_a_file_of_numpy_with_any_bytes_wrong_is_read_or_refused(tmp_path_factory, which, place, bytes_, cut):
    folder = tmp_path_factory.getbasetemp()
    raw = made_numbers(folder)[which]
    at = int(place**3 * len(raw))  # its head more often
    path = folder / f"wrong.{'npz' if which else 'npy'}"
    path.write_bytes(raw[:at] + bytes_ + (b"" if cut else raw[at + len(bytes_) :]))
    try:
        read(path, rate=250.0)
    except BciError as error:
        assert len(str(error).splitlines()) <= 3


@pytest.mark.parametrize("line", ["Number of channels = four", "Sample Rate = 2.0.0 Hz", "Number of channels = 4%"])
def test_a_header_that_is_damaged_is_read_as_far_as_it_can_be(tmp_path, line):
    text = "\n".join(f"%{line}" if line.partition(" =")[0] in old else old for old in GOOD.splitlines())
    (tmp_path / "a.txt").write_text(text + "\n")
    r = read(tmp_path / "a.txt", rate=200.0)
    assert len(r.data) == 100 and len(r.stream.of_kind("eeg")) == 4


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, len(GOOD)))
def test_a_file_cut_at_any_byte(tmp_path_factory, cut):
    """Whole lines are all there; what is left of the last one never becomes a sample of its own."""
    path = tmp_path_factory.getbasetemp() / "cut.txt"
    path.write_text(GOOD[:cut], newline="")
    whole = max(GOOD[:cut].count("\n") - HEAD.count("\n"), 0)
    try:
        r = read(path)
    except FileTrouble:
        assert whole == 0
        return
    assert whole <= len(r.data) <= whole + 1
    assert (r.data[: whole + 1] == np.float32([1.5, 2.5, 3.5, 4.5, 0.1, 0.2, 0.3])).all()


def test_a_cut_edf_says_what_is_missing(shared, tmp_path):
    path = tmp_path / "a.edf"
    path.write_bytes(shared("mi-eegbci/S001R06.edf").read_bytes()[:1_500_000])
    r = read(path)
    assert len(r.data) < 20_000 and any("does not match the file size" in n for n in r.info["notes"])
