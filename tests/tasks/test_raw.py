"""The closed loop from 30 kHz: steered by what the electrodes show, the same bytes at any chunk, the same decoder again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bcikit.bench.raw import raw
from bcikit.cli.demo import command
from bcikit.core.clock import JumpClock
from bcikit.core.pipeline import Pipeline
from bcikit.decode.kinematics.steering import SCREEN, Steering
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.gate import Gate
from bcikit.files.read import read
from bcikit.preprocess.marked import Marked
from bcikit.preprocess.unit_features import UnitFeatures
from bcikit.tasks import closed_loop
from bcikit.tasks.play import FEATURES, CursorDemo


@pytest.fixture
def brief(monkeypatch):
    """A calibration of seconds."""
    monkeypatch.setattr(closed_loop, "BLOCKS", ((7.0, 0.9), (3.0, 0.3)))


def test_it_is_steered_from_raw_signals(monkeypatch):
    monkeypatch.setattr(closed_loop, "BLOCKS", ((20.0, 1.0), (10.0, 0.5)))
    loop = CursorDemo(64, 4, 1, raw=True).loop(Gate(), JumpClock())
    used = [(m.chunk.data[-1], loop.scene.push[0].copy()) for m in loop.run(seconds=10) if m.phase == "use"]
    decoded, push = (np.array(a, float).ravel() for a in zip(*used, strict=True))
    assert np.corrcoef(decoded, push)[0, 1] > 0.5 and loop.facts()["correct"] >= 3


def test_a_recording_of_the_signal_gives_the_same_decoder_at_any_chunk(brief, tmp_path):
    loops = [CursorDemo(32, 4, 2, raw=True).loop(Gate(), JumpClock()) for _ in range(2)]
    loops[0].board.chunk = 0.001
    loops[1].add(Xdf(path=str(tmp_path / "raw.xdf")))
    made = [np.concatenate([m.chunk.data for m in loop.run(seconds=0.5)]).tobytes() for loop in loops]
    assert made[0] == made[1] and np.frombuffer(made[0], np.float32).any()
    line = Pipeline([UnitFeatures(width=0.02), Marked(names=SCREEN), Steering(channels=("crossings",))])
    again = line.run(read(tmp_path / "raw.xdf"))
    assert again.data.tobytes() == made[0]
    assert line.stages[-1].K_.tobytes() == loops[0].decoder.K_.tobytes() == loops[1].decoder.K_.tobytes()


def test_the_demo_says_how_it_went(brief):
    args = ["cursor", "--headless", "--raw", "--channels", "32", "--seconds", "1", "--json"]
    last = json.loads(CliRunner().invoke(command, [*args, "--features", "both"]).output.splitlines()[-1])
    assert last["raw"] and last["features"] == "both" and last["simulated"] and last["bits_per_s"] >= 0


@pytest.mark.parametrize("features", FEATURES)
def test_crossings_power_or_both_are_decoded(features):
    loop = CursorDemo(32, 4, raw=True, features=features).loop(Gate(), JumpClock())
    for _ in loop.run(calibrate=False, seconds=0.1):
        pass
    assert loop.decoder.K_.shape == (2, 32 * len(FEATURES[features]))


@pytest.mark.realtime
def test_paced_it_tells_how_late_the_cursor_is(brief):
    (row,) = raw(1, 1.0, 32)
    assert row["kept"] > 0.9 and 0 < row["cursor_ms"][0] <= row["cursor_ms"][1]
