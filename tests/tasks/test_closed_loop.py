"""The whole loop: person, neurons, decoder, cursor, task; the same bytes from a seed, the same decoder from a recording."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from bcikit.acquire.units import Units
from bcikit.core.clock import JumpClock
from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Stream
from bcikit.decode.kinematics.steering import Steering
from bcikit.effectors.cursor import Cursor
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.gate import Gate
from bcikit.files.read import read
from bcikit.tasks.closed_loop import BLOCKS, ClosedLoop
from bcikit.tasks.grid import Grid
from bcikit.tasks.play import CursorDemo, play
from bcikit.testing._sinks import OpenPermit

CALIBRATION_S = sum(s for s, _ in BLOCKS)


def closed(units=96, seed=1, **settings):
    return ClosedLoop(Units(n=units, seed=seed), Steering(**settings), Grid([seed], 0.02), Gate(), JumpClock())


def test_calibrated_in_three_minutes_it_is_steered_and_a_recording_gives_the_same_decoder(tmp_path):
    loop = closed()
    loop.add(Xdf(path=str(tmp_path / "use.xdf")))
    moments = list(loop.run(calibrate=True, seconds=20))
    assert CALIBRATION_S <= 180 and len(moments) == round((CALIBRATION_S + 20) / 0.02)
    assert loop.facts()["bits_per_s"] > 2.0
    line = Pipeline([Steering()])
    again = line.run(read(tmp_path / "use.xdf"))
    assert again.data.tobytes() == np.concatenate([m.chunk.data for m in moments]).tobytes()
    assert line.stages[0].K_.tobytes() == loop.decoder.K_.tobytes()
    names = [e.name for e in again.events]
    assert names.count("recalibrate") == len(BLOCKS) and names.count("hit") > 20


def test_refit_as_published_learns_from_a_cursor_that_the_computer_moved():
    demo = CursorDemo(192, seed=2, decoder="refit", seconds=20.0)
    (*_, last) = play(demo, JumpClock())
    assert last["correct"] > last["wrong"] + 3


def test_without_calibration_the_cursor_stays():
    loop = closed(units=8)
    list(loop.run(calibrate=False, seconds=2))
    assert not loop.cursor.place.any()


def test_a_hand_in_place_of_the_person_and_stop():
    loop = closed(units=16)
    loop.hand = lambda cursor: (np.array([1.0, 0.0]), False)
    for k, moment in enumerate(loop.run(calibrate=True, seconds=60)):
        if k == 100:
            assert loop.scene.push[0].tolist() == [1.0, 0.0] and moment.phase == "watch"
            place = loop.cursor.place.copy()
            loop.stop()
    assert k == 100 and np.array_equal(loop.cursor.place, place) and loop.loop.exit == 0


def test_pause_holds_the_cursor_and_lets_it_go():
    loop = closed(units=16)
    places = []
    for k, _ in enumerate(loop.run(calibrate=True, seconds=None)):
        places.append(loop.cursor.place.copy())
        if k in (60, 120):
            loop.pause(k == 60)
        if k == 200:
            loop.stop()
    assert np.array_equal(places[61], places[120]) and not np.array_equal(places[120], places[200])


def test_cursor_stops_at_the_edge_and_where_data_are_nan():
    s = Stream("v", 50.0, (Channel("x", "velocity", "1/s"), Channel("y", "velocity", "1/s")))
    cursor = Cursor()
    cursor.open(s, OpenPermit(cursor))
    from bcikit.core.stream import Chunk

    cursor.send(Chunk(np.full((100, 2), 0.1, np.float32), 0, 0.0))
    assert cursor.place == pytest.approx([0.2, 0.2], rel=1e-6)
    cursor.send(Chunk(np.full((10, 2), np.nan, np.float32), 100, 0.0))
    assert cursor.place == pytest.approx([0.2, 0.2], rel=1e-6)
    cursor.send(Chunk(np.full((1000, 2), -9.0, np.float32), 110, 0.0))
    assert cursor.place.tolist() == [-0.5, -0.5]


def test_wrong_use_is_told():
    with pytest.raises(WrongUse, match="sees no screen"):
        Steering().start(Stream("counts", 50.0, (Channel("u1", "spikes", "count"),)))
    with pytest.raises(WrongUse, match="cannot intend"):
        Units(n=8).intend(float("nan"), 0)
    with pytest.raises(WrongUse, match="not open"):
        Units(n=8).intend(0, 0)
    with pytest.raises(WrongUse, match="from 50 bins"):
        Steering().fit_use(np.ones((50, 4)), *np.ones((2, 50, 2)), np.ones(50), np.ones((50, 2)), 0.02)


def test_demo_headless_prints_what_was_reached_and_what_could_be():
    args = ["demo", "cursor", "--headless", "--seed", "1", "--channels", "96", "--seconds", "10", "--json"]
    out = subprocess.run([sys.executable, "-m", "bcikit.cli.main", *args], capture_output=True, text=True, timeout=110)
    assert out.returncode == 0, out.stderr
    last = json.loads(out.stdout.splitlines()[-1])
    assert last["simulated"] and 0 < last["bits_per_s"] < last["ceiling_bits_per_s"]
