"""MATLAB files: layouts, both formats, and files that were damaged or made to harm."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from bcikit.core.errors import BciError, FileTrouble, WrongUse
from bcikit.files import _matlab
from bcikit.files.read import format_of, read

io = pytest.importorskip("scipy.io")
HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
X = np.random.default_rng(0).normal(0, 10, (400, 3)).astype(np.float32)
LAYOUT = {"signal": "data.X", "rate": "data.fs", "onsets": "data.trial", "labels": "data.y"}


def cell(*items):
    made = np.empty((1, len(items)), object)
    made[0] = items
    return made


def recording(**changes):
    return {"X": X, "fs": 100.0, "trial": [11, 201], "y": [2, 1], "channels": cell("C3", "Cz", "C4"), **changes}


def write(path, compressed=True, **variables):
    io.savemat(path, variables, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_a_whole_recording_with_onsets(tmp_path, compressed):
    path = write(tmp_path / "a.mat", compressed, data=recording(), other=np.ones(3))
    assert format_of(path) == "mat_file"
    r = read(path, **LAYOUT, names="data.channels", later=0.5)
    np.testing.assert_array_equal(r.data, X)
    assert r.stream.rate == 100 and r.stream.names == ("C3", "Cz", "C4") and r.stream.channels[0].position
    assert [(e.index, e.name, e.value) for e in r.events] == [(60.0, "label", 2.0), (250.0, "label", 1.0)]
    turned = write(tmp_path / "b.mat", compressed, data=recording(X=X.T))
    np.testing.assert_array_equal(read(turned, **LAYOUT, axes="channel sample", unit="mV").data, 1000 * X)


def test_without_onsets_a_trial_begins_where_the_label_changes(tmp_path):
    y = np.zeros(400)
    y[[5, 6, 7, 50, 51]] = 1, 1, 2, 2, 2
    r = read(write(tmp_path / "a.mat", x=X, y=y), signal="x", rate=100, labels="y")
    assert [(e.index, e.value) for e in r.events] == [(5, 1), (7, 2), (50, 2)]


def test_of_a_cell_the_recordings_with_trials_are_counted(tmp_path):
    eyes = recording(trial=[], y=[])
    path = write(tmp_path / "a.mat", data=cell(eyes, recording(), recording(X=2 * X)))
    np.testing.assert_array_equal(read(path, **LAYOUT, part=2).data, 2 * X)
    with pytest.raises(WrongUse, match="2 recordings with trials"):
        read(path, **LAYOUT)
    with pytest.raises(FileTrouble, match=r"no recording 3.*\n.*2 with trials"):
        read(path, **LAYOUT, part=3)


def test_trials_that_were_cut_come_block_by_block(tmp_path):
    eeg = np.random.default_rng(1).standard_normal((4, 3, 50, 2)).astype(np.float32)  # class channel sample block
    path = write(tmp_path / "a.mat", eeg=eeg)
    told = {"signal": "eeg", "axes": "class channel sample block", "rate": 100, "onset": 10, "lead": 0.2}
    r = read(path, **told)
    assert len(r.chunks) == 8 and [c.first for c in r.chunks[:2]] == [0, 170]
    assert [(c.events[0].index - c.first, c.events[0].value) for c in r.chunks[:5]] == [(30, k) for k in (1, 2, 3, 4, 1)]
    np.testing.assert_array_equal(r.chunks[5].data[20:], eeg[1, :, :, 1].T)
    np.testing.assert_array_equal(r.chunks[5].data[:20], np.tile(eeg[1, :, 0, 1], (20, 1)))
    np.testing.assert_array_equal(read(path, **told, part=2).data, np.concatenate([c.data for c in r.chunks[4:]]))
    with pytest.raises(FileTrouble, match="no block 3"):
        read(path, **told, part=3)
    one = write(tmp_path / "b.mat", eeg=eeg[..., :1])  # MATLAB drops a last axis of one
    assert len(read(one, **told).chunks) == 4


def test_signals_of_one_class_each_give_trials_in_turn(tmp_path):
    left, right = np.arange(120.0).reshape(1, 120), -np.arange(120.0).reshape(1, 120)
    marks = np.zeros(120)
    marks[10::40] = 1
    told = {"signal": ["s.l", "s.r"], "axes": "channel sample", "rate": 10, "labels": "s.m"}
    r = read(write(tmp_path / "a.mat", s={"l": left, "r": right, "m": marks}), **told)
    assert [c.data[0, 0] for c in r.chunks] == [0, 0, 40, -40, 80, -80]
    assert [e.value for e in r.events] == [1, 2, 1, 2, 1, 2] and r.events[0].index == 10
    marks[50], marks[52] = 0, 1
    with pytest.raises(FileTrouble, match="one length"):
        read(write(tmp_path / "b.mat", s={"l": left, "r": right, "m": marks}), **told)


def same(ours, its):
    """Whether a value is what SciPy makes of it."""
    if isinstance(ours, _matlab.Fields):
        its = its.ravel()[0] if isinstance(its, np.ndarray) else its
        assert list(ours) == its._fieldnames
        for name in ours:
            same(ours[name], getattr(its, name))
    elif isinstance(ours, str):
        assert ours == "\n".join(map(str, np.ravel(its)))
    elif isinstance(ours, list):
        for a, b in zip(ours, np.ravel(its, order="F"), strict=True):
            same(a, b if hasattr(b, "_fieldnames") else np.asarray(b) if not isinstance(b, str) else b)
    else:
        assert ours.size == its.size
        np.testing.assert_array_equal(ours.ravel(order="F"), its.ravel(order="F"))


@pytest.mark.parametrize(
    "name", ["m1-golub-bci/A010509_ime.mat", "m1-reach/mihi_demo.mat", "m1-centerout-rates/centerout_rates.mat"]
)
def test_values_are_those_that_scipy_gives(shared, name):
    path = shared(name)
    known = {k: v for k, v in io.loadmat(path, struct_as_record=False).items() if not k.startswith("__")}
    with _matlab.opened(path, list(known)) as file:
        assert list(file) == list(known)
        for variable in file:
            same(file[variable], known[variable])


def newer(path, link=None):
    """As MATLAB 7.3 writes it: axes the other way round, cells as references, text as numbers."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as f:
        refs = f.create_group("#refs#")
        for k in range(2):
            s = refs.create_group(f"s{k}")
            for name, value in (("X", (k + 1) * X), ("fs", [[100.0]]), ("trial", [[11, 201]]), ("y", [[2, 1]])):
                s[name] = np.asarray(value).T
            names = [
                refs.create_dataset(f"n{k}{c}", data=np.array([[ord(x)] for x in c], np.uint16)) for c in ("C3", "Cz", "C4")
            ]
            for n in names:
                n.attrs["MATLAB_class"] = np.bytes_("char")
            s.create_dataset("channels", data=[[n.ref] for n in names], dtype=h5py.ref_dtype)
        f.create_dataset("data", data=[[refs["s0"].ref], [refs["s1"].ref]], dtype=h5py.ref_dtype)
        ring = f.create_dataset("ring", (50,), h5py.ref_dtype)
        ring[:] = [ring.ref] * 50
        if link:
            f["other"] = h5py.ExternalLink(str(link), "x")
            f.create_dataset("outside", (4,), "f8", external=[(str(link), 0, 32)])
    with open(path, "r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def test_version_7_3_is_read_alike(tmp_path):
    path = newer(tmp_path / "a.mat")
    assert format_of(path) == "mat_file"
    r = read(path, **LAYOUT, names="data.channels", part=2)
    np.testing.assert_array_equal(r.data, 2 * X)
    assert r.stream.names == ("C3", "Cz", "C4") and [e.value for e in r.events] == [2, 1]
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FileTrouble, match="cut or damaged"):
        read(path, **LAYOUT)


def test_version_7_3_cannot_point_at_other_files(tmp_path):
    (secret := tmp_path / "secret").write_bytes(b"s" * 64)
    path = newer(tmp_path / "a.mat", link=secret)
    for name in ("other", "outside"):
        with pytest.raises(FileTrouble, match="lies in another file"):
            read(path, signal=name, rate=100)


def test_version_7_3_that_refers_to_itself_has_an_end(tmp_path):
    with pytest.raises(FileTrouble, match="cells and structs lie more than 32 levels deep"):
        read(newer(tmp_path / "a.mat"), signal="ring", rate=1)


@pytest.mark.parametrize(
    "told, said",
    [
        ({}, "does not say where its signal lies; a.mat has data"),
        ({**LAYOUT, "signal": "eeg"}, r"holds no eeg.*\n.*has data"),
        ({**LAYOUT, "signal": "data.Z"}, r"holds no data\.Z"),
        ({**LAYOUT, "signal": "data.X.Z"}, r"holds no data\.X\.Z"),
        ({**LAYOUT, "signal": "data"}, "no array of numbers"),
        ({**LAYOUT, "rate": 0}, "rate is not told"),
        ({**LAYOUT, "rate": "data.channels"}, "holds no numbers"),
        ({**LAYOUT, "labels": "data.fs"}, "2 onsets and 1 labels"),
        ({**LAYOUT, "axes": "channel sample"}, "outside of the 3 samples"),
        ({**LAYOUT, "axes": "time channel"}, "axes='time channel' is not known"),
        ({**LAYOUT, "unit": "pV"}, "unit=pV"),
    ],
)
def test_a_layout_that_does_not_fit_is_said(tmp_path, told, said):
    path = write(tmp_path / "a.mat", data=recording())
    with pytest.raises(BciError, match=said):
        read(path, **told)


def nested(levels):
    """A cell in a cell in a cell ..."""
    head = struct.pack("<8I", 6, 8, 1, 0, 5, 8, 1, 1) + struct.pack("<4H", 1, 1, ord("x"), 0)
    size, parts = 0, []
    for _ in range(levels):
        size += len(head)
        parts.append(struct.pack("<2I", 14, size) + head)
        size += 8
    return b"".join(reversed(parts))


def test_cells_in_cells_without_end_do_not_end_the_process(tmp_path):
    """SciPy follows them until its stack is gone."""
    for k, body in enumerate((nested(100_000), struct.pack("<2I", 15, len(z := zlib.compress(nested(100_000)))) + z)):
        (path := tmp_path / f"{k}.mat").write_bytes(HEADER + body)
        with pytest.raises(FileTrouble, match="32 levels deep"):
            read(path, signal="x", rate=1)


def test_a_small_file_does_not_unpack_to_more_than_there_is_room_for(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mat", x=np.zeros((100_000, 8)))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(_matlab, "MOST", 1_000_000)
    with pytest.raises(FileTrouble, match="x is cut, or unpacks to more than"):
        read(path, signal="x", rate=1)


def test_what_is_no_matlab_file_of_now_says_so(tmp_path):
    (path := tmp_path / "a.mat").write_bytes(b"\x00" * 300)
    with pytest.raises(FileTrouble, match=r"not a MATLAB file of version 5.*\n.*\n.*-v7"):
        read(path, signal="x", rate=1)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_read_or_said_but_raises_nothing_else(tmp_path, compressed):
    whole = write(
        tmp_path / "a.mat", compressed, data=cell(recording(X=X[:30], trial=[3], y=[1]), recording(X=X[:20]))
    ).read_bytes()
    rng = np.random.default_rng(2)
    said = 0
    for k in range(300):
        raw = bytearray(whole[: rng.integers(100, len(whole))] if k % 3 == 0 else whole)
        for at in rng.integers(100, len(raw), 1 + k % 4) if len(raw) > 100 else ():
            raw[at] = rng.integers(256)
        (path := tmp_path / f"{k}.mat").write_bytes(raw)
        try:
            read(path, **LAYOUT, part=1)
        except BciError:
            said += 1
    assert said > 100
