"""The recurrent network: what runs is what torch trained, it tells the movement, and a seed repeats it."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.decode.deep._network import missing
from bcikit.decode.kinematics import gru
from bcikit.decode.kinematics.gru import Gru
from bcikit.decode.kinematics.kalman import _reaches

HERE = pytest.mark.skipif(bool(missing()), reason="left out: torch and onnx are not installed (the extra deep)")


@HERE
def test_it_tells_a_movement_it_did_not_see_steps_as_torch_does_and_a_seed_repeats_it(monkeypatch):
    import torch

    nets, exported = [], gru._exported
    monkeypatch.setattr(gru, "_exported", lambda net, shape: (nets.append(net), exported(net, shape))[1])
    counts, movement = _reaches(3000)
    X, half = counts.data.astype(float), 1500
    before = torch.random.get_rng_state()
    one, two = (Gru(lags=8, units=16, rounds=8).fit(X[:half], movement[:half]) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state()) and one.network_.tobytes() == two.network_.tobytes()
    told = one.predict(X[half:])
    assert np.corrcoef(told[:, 0], movement[half:, 0])[0, 1] > 0.7
    seen = one._seen(X[half : half + 8])[None]
    with torch.no_grad():
        want = nets[0](torch.tensor(seen)).numpy()[0] * one.y_spread_ + one.y_mean_
    assert told[7] == pytest.approx(want, abs=1e-5 * float(one.y_spread_.max()))
    assert Pipeline([one]).run(counts).data[half + 7 :] == pytest.approx(told[7:].astype(np.float32), abs=1e-6)


@HERE
def test_no_bin_looks_back_across_the_border_of_a_run():
    stage, counts = next(Gru.examples())
    x = counts.data[:60, [0, 2, 5]]
    both = stage.predict(x, np.repeat([0, 1], 30))
    assert np.array_equal(both, np.concatenate([stage.predict(x[:30]), stage.predict(x[30:])]))


def test_wrong_use_is_told():
    with pytest.raises(WrongUse, match="not fitted"):
        Gru().predict(np.ones((5, 3)))
    with pytest.raises(WrongUse, match="cannot learn from X"):
        Gru().fit(np.ones((500, 3)), np.ones((500, 3)))
    with pytest.raises(WrongUse, match="from 5 bins"):
        Gru().fit(np.ones((5, 3)), np.ones((5, 2)))
