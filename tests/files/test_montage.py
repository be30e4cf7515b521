"""Electrode names and places, against MNE's own."""

from __future__ import annotations

import importlib.util
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bcikit.files.montage import TEN_TWENTY, position, positions, spelled

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_montage.py"


def test_the_data_are_what_the_tool_makes_of_mne():
    spec = importlib.util.spec_from_file_location("make_montage", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    kept = json.loads(files("bcikit.files").joinpath("montage.json").read_text())
    made = tool.template()
    assert kept.keys() == made.keys()
    for name, place in made.items():
        assert kept[name] == pytest.approx(place, abs=0.11), name


def test_head_coordinates():
    """Left is -x, the nose +y, up +z; a head is some 20 cm across."""
    assert position("C3")[0] < -0.05 < 0.05 < position("C4")[0]
    assert position("Fp1")[1] > 0.08 and position("O1")[1] < -0.07
    assert position("Cz")[2] > 0.1 and abs(position("Cz")[0]) < 0.005
    spread = np.ptp(np.array([position(n) for n in TEN_TWENTY]), axis=0)
    assert ((0.1 < spread) & (spread < 0.22)).all()


@pytest.mark.parametrize("wrong, right", [("FP1", "Fp1"), ("cz", "Cz"), (" O2 ", "O2"), ("Fc5.", "FC5"), ("Fpz.", "Fpz")])
def test_any_spelling(wrong, right):
    assert spelled(wrong) == right and position(wrong) == position(right)


@pytest.mark.parametrize("old, new", [("T3", "T7"), ("T4", "T8"), ("T5", "P7"), ("T6", "P8")])
def test_older_names_are_at_the_same_place(old, new):
    assert position(old) == position(new) is not None


@pytest.mark.parametrize("name", ["", ".", "EMG", "EEG 1", "X3", "accel x"])
def test_what_is_no_electrode_has_no_place(name):
    assert position(name) is None and spelled(name) is None


def test_ten_twenty_is_known():
    assert len(set(TEN_TWENTY)) == 19 and all(spelled(n) == n for n in TEN_TWENTY)
    assert len(positions()) > 300
