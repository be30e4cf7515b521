"""Spike times of NWB and of Indy's files, written here as they are laid out there: counts, movement, trials, gaps."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.files.read import format_of, read

UNITS = 4


def trains(seconds, seed=0, rate=20.0, begin=0.0):
    rng = np.random.default_rng(seed)
    return [np.sort(begin + rng.uniform(0, seconds, rng.poisson(rate * seconds))) for _ in range(UNITS)]


def histogram(times, ends, bin_s):
    """The obvious count: spikes in [end - bin, end)."""
    return np.array([[((t >= e - bin_s) & (t < e)).sum() for t in times] for e in ends])


def nwb_file():
    from pynwb import NWBFile

    return NWBFile(
        session_description="simulated", identifier="simulated", session_start_time=datetime(2026, 1, 1, tzinfo=UTC)
    )


def write(nwb, path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def add_units(nwb, times, **more):
    for name in more:
        nwb.add_unit_column(name=name, description=name)
    for k, t in enumerate(times):
        nwb.add_unit(spike_times=t, **{n: v[k] for n, v in more.items()})


def maze(path):
    """As NLB's MC_Maze: hand at 1 kHz in a module, columns named in the comments, trials, held-out units, pauses."""
    from pynwb import TimeSeries

    nwb, times = nwb_file(), trains(10.0)
    nwb.add_unit_column(name="heldout", description="held out")
    for k, t in enumerate(times):
        nwb.add_unit(spike_times=t, heldout=k == 3, obs_intervals=np.array([[0.0, 4.0], [6.0, 10.0]]))
    t = np.arange(0, 10, 0.001)
    place = np.column_stack([100 * np.sin(t), 50 * t])
    module = nwb.create_processing_module(name="behavior", description="hand")
    for name, values in (("hand_pos", place), ("hand_vel", np.gradient(place, 0.001, axis=0))):
        module.add(TimeSeries(name=name, data=values, unit="mm", timestamps=t, comments="columns=[x,y]"))
    nwb.add_trial_column(name="go_cue_time", description="go")
    nwb.add_trial_column(name="split", description="part")
    nwb.add_trial(start_time=0.5, stop_time=3.0, go_cue_time=1.25, split="train")
    nwb.add_trial(start_time=6.5, stop_time=9.0, go_cue_time=np.nan, split="val")
    return write(nwb, path), times, place


def test_nlb_counts_movement_trials_and_pauses(tmp_path):
    path, times, place = maze(tmp_path / "sub-Jenkins_ses-small.nwb")
    r = read(path, bin=0.05)
    assert format_of(path) == "nwb" and r.stream.rate == 20
    assert r.stream.names == (
        "unit 0",
        "unit 1",
        "unit 2",
        "heldout 3",
        "hand_pos x",
        "hand_pos y",
        "hand_vel x",
        "hand_vel y",
    )
    assert [c.kind for c in r.stream.channels] == ["spikes"] * 4 + ["position"] * 2 + ["velocity"] * 2
    assert [(c.first, len(c)) for c in r.chunks] == [(0, 80), (120, 79)]  # nothing was recorded between 4 and 6 s
    ends = 0.05 * (r.index + 1)
    assert np.array_equal(r.data[:, :UNITS], histogram(times, ends, 0.05)) and r.data[:, :UNITS].sum() > 600
    assert np.allclose(r.data[:, 4:6], place[np.rint(ends * 1000).astype(int)], atol=1e-3)
    assert [(e.name, e.value) for e in r.events] == [
        ("trial", 0), ("go_cue", 0), ("trial end", 0), ("trial", 1), ("trial end", 1),
    ]  # fmt: skip
    assert [e.index for e in r.events] == pytest.approx([9, 24, 59, 129, 179])


@pytest.mark.parametrize("begins", [False, True])
def test_falcon_m1_and_m2_keep_the_bins_of_the_file(tmp_path, begins):
    """Series in a container, one value a bin: its times are the bins' ends (M1) or beginnings (M2); a pause."""
    from pynwb import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries

    nwb, times = nwb_file(), trains(8.0)
    add_units(nwb, times)
    stamps = np.concatenate([0.02 * np.arange(1, 101), 4.0133 + 0.02 * np.arange(100)])
    rng = np.random.default_rng(1)
    values = rng.standard_normal((2, 200))
    its = [TimeSeries(name=n, data=v, unit="n.a.", timestamps=stamps) for n, v in zip(("index", "mrs"), values, strict=True)]
    nwb.add_acquisition(BehavioralTimeSeries(time_series=its, name="finger_vel"))
    mask = rng.random(200) > 0.3
    nwb.add_acquisition(TimeSeries(name="eval_mask", data=mask, unit="bool", timestamps=stamps))
    r = read(write(nwb, tmp_path / "m.nwb"), bin=0.02, begins=begins)
    assert r.stream.names[UNITS:] == ("eval_mask", "finger_vel index", "finger_vel mrs")
    ends = stamps + 0.02 * begins
    assert len(r.data) == 200 and len(r.chunks) == 2 and r.chunks[1].first == round((4.0133 - 0.02) / 0.02)
    assert np.array_equal(r.data[:, :UNITS], histogram(times, ends, 0.02))
    assert np.allclose(r.data[:, UNITS + 1 :], values.T) and np.array_equal(r.data[:, UNITS], mask)
    assert [c.kind for c in r.stream.channels[UNITS:]] == ["digital", "velocity", "velocity"]


def test_falcon_h1_keeps_the_step_where_the_rate_belongs(tmp_path):
    from pynwb import TimeSeries

    nwb, times = nwb_file(), trains(5.0)
    add_units(nwb, times)
    kinematics = np.random.default_rng(2).standard_normal((200, 7))
    said = {"rate": 0.02, "offset": 0.02, "unit": "a.u.", "description": "tx,ty,tz,rx,g1,g2,g3"}
    for name in ("OpenLoopKinematics", "OpenLoopKinematicsVelocity"):
        nwb.add_acquisition(TimeSeries(name=name, data=kinematics, **said))
    r = read(write(nwb, tmp_path / "h1.nwb"))
    assert r.stream.rate == 50 and np.allclose(r.data[:, -7:], kinematics)
    assert np.array_equal(r.data[:, :UNITS], histogram(times, 0.02 * np.arange(1, 201), 0.02))
    assert r.stream.names[-7:] == tuple(
        f"OpenLoopKinematicsVelocity {n}" for n in ("tx", "ty", "tz", "rx", "g1", "g2", "g3")
    )
    assert any("taken as the step" in n for n in r.info["notes"])


def indy_file(path, seconds=6.0, begin=148.984):
    """As MATLAB 7.3 writes a cell array: references, axes the other way round, and of an empty cell its size."""
    import h5py

    times, t = trains(seconds, begin=begin), begin + np.arange(0, seconds, 0.004)
    cursor = np.stack([60 * np.sin(t), 40 * np.cos(t)])
    finger = np.stack([np.full(len(t), 3.0), -cursor[0] / 10, -cursor[1] / 10])
    target = np.repeat([[10.0, -20.0, 10.0], [0.0, 30.0, 0.0]], len(t) // 3, axis=1)
    with h5py.File(path, "w", userblock_size=512) as f:
        refs = f.create_group("#refs#")

        def cell(name, value, **attrs):
            made = refs.create_dataset(name, data=value)
            made.attrs.update(attrs)
            return made.ref

        spikes = np.empty((3, 2), h5py.ref_dtype)
        for e in range(2):
            for u in range(2):
                spikes[u, e] = cell(f"s{u}{e}", times[2 * e + u][None])
            spikes[2, e] = cell(f"empty{e}", np.zeros(2, np.uint64), MATLAB_empty=np.uint8(1))
        f.create_dataset("spikes", data=spikes, dtype=h5py.ref_dtype)
        names = [cell(f"n{e}", np.array([[ord(c)] for c in f"M1 00{e + 1}"], np.uint16)) for e in range(2)]
        f.create_dataset("chan_names", data=np.array([names], h5py.ref_dtype), dtype=h5py.ref_dtype)
        for name, value in (("t", t[None]), ("cursor_pos", cursor), ("finger_pos", finger), ("target_pos", target)):
            f.create_dataset(name, data=value)
    with open(path, "r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path, times, t, cursor


def test_indy_and_loco(tmp_path):
    path, times, t, cursor = indy_file(tmp_path / "indy_20160407_02.mat")
    r = read(path, bin=0.05)
    assert format_of(path) == "indy"
    rest = "cursor x, cursor y, finger x, finger y, finger z, target x, target y".split(", ")
    assert r.stream.names == ("M1 001", "M1 002", *rest)
    ends = t[0] + 0.05 * (r.index + 1)
    both = [np.concatenate(times[:2]), np.concatenate(times[2:])]
    assert np.array_equal(r.data[:, :2], histogram(both, ends, 0.05)) and r.data[:, :2].min() >= 0
    at = np.searchsorted(t, ends + 1e-6) - 1
    assert np.allclose(r.data[:, 2:4], cursor[:, at].T, atol=1e-4) and np.allclose(r.data[:, 4:6], r.data[:, 2:4], atol=1e-4)
    assert np.allclose(r.data[:, 6], 30) and [e.name for e in r.events] == ["target"] * 3
    units = read(path, by="unit", bin=0.05)
    assert units.stream.names[:4] == ("M1 001 0", "M1 001 1", "M1 002 0", "M1 002 1")
    assert np.array_equal(units.data[:, :2].sum(axis=1), r.data[:, 0])


def tuned(seconds, units=12, seed=5):
    """A smooth velocity (1 kHz, mm/s) and spike times of units that are tuned to it."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, seconds, 0.001)
    velocity = 100 * np.column_stack([np.sin(2.1 * t) + np.sin(3.7 * t), np.cos(1.7 * t) - np.sin(4.3 * t)])
    rates = np.maximum(30 + 0.2 * velocity @ rng.standard_normal((2, units)), 0)
    return t, velocity, [t[rng.random(len(t)) < 0.001 * r] for r in rates.T]


@pytest.mark.parametrize("name", ["nlb-mc-maze", "indy-loco", "falcon-m2"])
def test_the_bench_decodes_what_the_card_says_from_files_as_they_are_laid_out(tmp_path, capsys, name):
    import h5py
    from pynwb import TimeSeries
    from pynwb.behavior import BehavioralTimeSeries

    from bcikit.cli.main import main

    t, velocity, times = tuned(60.0)
    folder = tmp_path / name
    folder.mkdir()
    if name == "indy-loco":
        path = indy_file(folder / "indy_20160407_02.mat")[0]
        with h5py.File(path, "r+") as f:
            for k in ("t", "cursor_pos", "finger_pos", "target_pos", "spikes", "chan_names"):
                del f[k]
            place = np.cumsum(velocity, axis=0)[::4] * 0.001
            f["t"], f["cursor_pos"], f["target_pos"] = t[None, ::4], place.T, 0 * place.T
            f["finger_pos"] = np.stack([0 * place[:, 0], -place[:, 0] / 10, -place[:, 1] / 10])
            cells = [f.create_dataset(f"#refs#/t{k}", data=one[None]).ref for k, one in enumerate(times)]
            names = [f.create_dataset(f"#refs#/m{k}", data=np.array([[77], [49 + k]], np.uint16)).ref for k in range(12)]
            f.create_dataset("spikes", data=np.array([cells], h5py.ref_dtype), dtype=h5py.ref_dtype)
            f.create_dataset("chan_names", data=np.array([names], h5py.ref_dtype), dtype=h5py.ref_dtype)
    else:
        nwb = nwb_file()
        add_units(nwb, times)
        if name == "falcon-m2":
            stamps = t[::20]
            its = [
                TimeSeries(name=n, data=v, unit="n.a.", timestamps=stamps)
                for n, v in zip("ab", velocity[::20].T, strict=True)
            ]
            nwb.add_acquisition(BehavioralTimeSeries(time_series=its, name="finger_vel"))
            mask = np.arange(len(stamps)) % 100 > 9
            nwb.add_acquisition(TimeSeries(name="eval_mask", data=mask, unit="bool", timestamps=stamps))
            path = folder / "sub-MonkeyN-held-in-calib_ses-2020-10-19-Run1_behavior+ecephys.nwb"
        else:
            module = nwb.create_processing_module(name="behavior", description="hand")
            module.add(TimeSeries(name="hand_vel", data=velocity, unit="mm/s", timestamps=t, comments="columns=[x,y]"))
            path = folder / "sub-Jenkins_ses-full_desc-train_behavior+ecephys.nwb"
        write(nwb, path)
    assert main(["bench", "kinematics", "--rows", name, "--root", str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["row"].split(", ", 1)[1].split(",")[0] for r in rows] == ["past_kernel", "ridge"]
    assert all(name in r["row"] and 0.6 < min(r["r2"]) <= r["r2_by_variance"] <= max(r["r2"]) < 1 for r in rows)


def test_what_is_wrong_is_said(tmp_path):
    import h5py

    path, *_ = maze(tmp_path / "a.nwb")
    with pytest.raises(WrongUse, match=r"0\.001 to 10"):
        read(path, bin=0.0)
    with pytest.raises(WrongUse, match="shorter than a bin"):
        read(path, bin=5.0)
    (tmp_path / "b.nwb").write_bytes(path.read_bytes()[:3000])
    with pytest.raises(FileTrouble, match="not an NWB file"):
        read(tmp_path / "b.nwb")
    with pytest.raises(FileTrouble, match="no units"):
        read(write(nwb_file(), tmp_path / "c.nwb"))
    with h5py.File(tmp_path / "d.mat", "w", userblock_size=512) as f:
        f["x"] = np.zeros(3)
    with open(tmp_path / "d.mat", "r+b") as f:
        f.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(WrongUse, match=r"does not say where its signal lies; d\.mat has x"):
        read(tmp_path / "d.mat")
    with pytest.raises(WrongUse, match="electrode or unit"):
        read(indy_file(tmp_path / "e.mat")[0], by="array")
