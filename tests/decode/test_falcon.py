"""FALCON's four calls give what the line gives, whatever stands beside it in the batch."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.decode.kinematics._falcon import Falcon
from bcikit.decode.kinematics.kalman import Kalman
from bcikit.preprocess.bins import Bins


def test_a_batch_is_so_many_lines_and_done_begins_anew():
    k, counts = next(Kalman.examples())
    want = Pipeline([k]).run(counts).data
    falcon = Falcon(Pipeline([k]), counts.stream)
    falcon.reset(["a", "b"])
    x = counts.data[:60]
    got = np.stack([falcon.predict(np.stack([row, row * 0])) for row in x])
    assert got.shape == (60, 2, 2) and got[:, 0].tobytes() == want[:60].tobytes()
    falcon.on_done([True, False])
    falcon.observe(np.stack([x[0], x[0]]))
    again = falcon.predict(np.stack([x[1], x[1]]))
    assert again[0].tobytes() == want[1].tobytes() and again[1].tobytes() != want[1].tobytes()


def test_what_the_benchmark_asks_for_is_there_and_no_nan_is_said():
    """Its evaluator reads batch_size, resets with as many tags, and cannot score NaN."""
    k, counts = next(Kalman.examples())
    falcon = Falcon(Pipeline([k, Bins(width=0.1)]), counts.stream, batch_size=1)  # speaks in every fifth bin
    falcon.set_batch_size(2)
    falcon.reset(dataset_tags=["a", "b"][: falcon.batch_size])
    got = np.stack([falcon.predict(np.stack([row, row])) for row in counts.data[:20]])
    assert got.shape == (20, 2, 2) and np.isfinite(got).all() and not got[:4].any() and got[4].any()
    assert (got[4:9] == got[4]).all() and (got[9] != got[4]).any()


def test_wrong_use_is_told():
    k, counts = next(Kalman.examples())
    with pytest.raises(WrongUse, match="0 runs, and 1"):
        Falcon(Pipeline([k]), counts.stream).predict(counts.data[0])
