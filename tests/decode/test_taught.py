"""Any decoder that is fitted beforehand, taught in use: the Kalman filter until enough is known, then the stage itself."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.acquire.units import Units
from bcikit.core.clock import JumpClock
from bcikit.core.pipeline import Pipeline
from bcikit.decode.deep._network import missing
from bcikit.decode.kinematics._intention import towards
from bcikit.decode.kinematics.gru import Gru
from bcikit.decode.kinematics.ridge_lags import RidgeLags
from bcikit.decode.kinematics.steering import Steering, _use
from bcikit.decode.kinematics.taught import Taught
from bcikit.effectors.xdf import Xdf
from bcikit.ethics.gate import Gate
from bcikit.files.read import read
from bcikit.tasks.closed_loop import ClosedLoop
from bcikit.tasks.grid import Grid

BEGIN, TAUGHT = 451, 701  # of what is remembered at the recalibration; the first row behind it


@pytest.mark.parametrize("made", [RidgeLags, Gru])
def test_it_is_the_kalman_filter_and_then_what_it_was_taught_to_be(made):
    if made is Gru and missing():
        pytest.skip(f"left out: {', '.join(missing())}")
    use = _use()
    got = Pipeline([Taught(by=made.part_name(), memory_s=5.0, least_s=2.0)]).run(use).data
    want = Pipeline([Steering(memory_s=5.0)]).run(use).data
    assert got[:TAUGHT].tobytes() == want[:TAUGHT].tobytes() and (got[TAUGHT:] != want[TAUGHT:]).all()
    seen = use.data[BEGIN:TAUGHT]
    push, weight = towards(*(seen[:, k].astype(float) for k in ([8, 9], [10, 11], 12)), 0.02, 0.2 * 1.4)
    one = made().fit(seen[:, :8], np.where(weight[:, None] > 0, 1.4 * push, np.nan))
    assert np.allclose(got[TAUGHT:901], one.predict(use.data[TAUGHT:901, :8]), atol=1e-5)


@pytest.mark.parametrize("settings", [{"least_s": 3600.0}, {"teacher": "prit"}])
def test_too_little_and_guesses_leave_it_the_kalman_filter(settings):
    line = Pipeline([Taught(**settings)])
    line.run(_use())
    assert not hasattr(line.stages[0], "by_")


def test_a_person_steers_by_what_was_taught_and_a_recording_teaches_the_same(tmp_path):
    loop = ClosedLoop(Units(n=96, seed=1), Taught(), Grid([1], 0.02), Gate(), JumpClock())
    loop.add(Xdf(path=str(tmp_path / "use.xdf")))
    moments = list(loop.run(calibrate=True, seconds=20))
    assert loop.facts()["bits_per_s"] > 2.0
    line = Pipeline([Taught()])
    again = line.run(read(tmp_path / "use.xdf"))
    assert again.data.tobytes() == np.concatenate([m.chunk.data for m in moments]).tobytes()
    assert line.stages[0].by_["weights_"].tobytes() == loop.decoder.by_["weights_"].tobytes()
