"""Simulated data sets with known answers, as files beside a card of their own."""

from __future__ import annotations

import numpy as np
import pytest

CARD = """
title = "Simulated: a tagged sine"
source = "this test"
licence = "none"
subjects = 3
channels = "4 EEG"
rate_hz = 100
unit = "µV"
paradigm = "mi"

[consent]
basis = "Nobody's."
purposes = ["research"]

[trials]
events = ["trig=1:left", "trig=2:right", "trig=3:tongue"]
scored = ["left", "right"]
after = 0.2
length = 1.0

[[runs]]
files = "sub-{subject}/ses-{session}/run-{run}.npz"
"""


def write_set(folder, tagged=True, subjects="ABC", sessions=("1", "2"), runs=("1", "2", "10"), trials=12, seed=0):
    """trials of 2 s in each run; `left` has a sine of 10 Hz on C3, `right` on C4, where they are tagged."""
    rng = np.random.default_rng(seed)
    for subject in subjects:
        for session in sessions:
            for run in runs:
                y = rng.normal(0, 1, (200 * trials + 200, 4)).astype(np.float32)
                trig = np.zeros(len(y), np.int8)
                kinds = rng.permutation(np.arange(trials) % 2 + 1)
                for k, kind in enumerate(kinds):
                    at = 100 + 200 * k
                    trig[at] = kind
                    if tagged:
                        y[at : at + 150, kind - 1] += 8 * np.sin(2 * np.pi * 15 * np.arange(150) / 100)
                trig[len(y) - 150] = 3
                path = folder / f"sub-{subject}" / f"ses-{session}" / f"run-{run}.npz"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, y=y, trig=trig, fs=100.0, ch_names=np.array(["C3", "C4", "Cz", "Pz"]))
    card = folder / "tagged.toml"
    card.write_text(CARD)
    return card


@pytest.fixture(scope="session")
def tagged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagged")
    return write_set(folder), folder


@pytest.fixture(scope="session")
def shuffled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shuffled")
    return write_set(folder, tagged=False, subjects="AB", sessions=("1",)), folder
