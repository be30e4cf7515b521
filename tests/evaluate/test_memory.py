"""A data set need not fit into memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bcikit.evaluate import data
from bcikit.evaluate.train import train

CARD = """
title = "Simulated: long runs"
source = "this test"
licence = "none"
subjects = 1
channels = "8 EEG"
rate_hz = 250
unit = "µV"
paradigm = "mi"
[consent]
basis = "Nobody's."
purposes = ["research"]
[trials]
events = ["trig=1:left", "trig=2:right"]
length = 4.0
[[runs]]
files = "{subject}_run{run}.npz"
"""
RUNS, TRIALS, CHANNELS, RATE = 16, 60, 8, 250


@pytest.fixture(scope="module")
def long_runs(tmp_path_factory):
    """Simulated; the power of one channel tells the class."""
    folder, rng = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    for run in range(RUNS):
        x = rng.standard_normal((TRIALS * 5 * RATE + RATE, CHANNELS)).astype(np.float32)
        trig = np.zeros(len(x), np.int8)
        for k in range(TRIALS):
            at = k * 5 * RATE
            trig[at] = 1 + k % 2
            x[at : at + 4 * RATE, k % 2] *= 1.5
        np.savez(folder / f"A_run{run}.npz", y=x, trig=trig, fs=RATE, ch_names=np.array([f"E{i}" for i in range(CHANNELS)]))
    (folder / "long.toml").write_text(CARD, encoding="utf-8")
    return folder


@pytest.mark.parametrize("decoder", ["tangent", "csp", "procrustes", "weighted_sources"])
def test_complaint_28_a_set_need_not_fit_into_memory(long_runs, tmp_path, monkeypatch, decoder):
    monkeypatch.setattr(data._read, "most", 1 << 20)
    whole = sum(p.stat().st_size for p in long_runs.glob("*.npz"))
    args = (str(long_runs / "long.toml"), long_runs)
    train(*args, decoder, tmp_path / "one", only=["0"])  # what is imported on first use is not counted
    peaks = []
    tracemalloc.start()
    for only in (["0", "1"], []):
        data._read.cache_clear()
        tracemalloc.reset_peak()
        _, about = train(*args, decoder, tmp_path / f"{len(only)}", only=only)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert about["trials"] == RUNS * TRIALS
    assert max(peaks) < whole / 2 and peaks[1] < peaks[0] + whole / 10
