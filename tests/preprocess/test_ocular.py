"""Ocular correction, against least squares on the whole past and the truth of a simulated person."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Channel, Chunk, Stream, recording
from bcikit.preprocess.ocular import Ocular

RATE = 250.0
NAMES = ("Fz", "Cz", "Pz")
WEIGHTS = np.array([[0.4, 0.2, 0.1], [0.05, -0.1, 0.0]])


def simulated(seconds=60, seed=0, offset=0.0, kinds=("eog", "eog")):
    """(recording of two references and three channels, the channels without eyes)."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    clean = 10 * rng.standard_normal((n, 3))
    eyes = 5 * rng.standard_normal((n, 2))
    for at in range(300, n - 100, 500):
        eyes[at : at + 75, 0] += 150 * np.hanning(75)
        eyes[at + 200 : at + 300, 1] += 80 * rng.choice([-1, 1])
    x = np.column_stack([eyes, clean + eyes @ WEIGHTS]) + offset
    names = (("Fp1", "Fp2") if kinds[0] == "eeg" else ("veog", "heog"), NAMES)
    channels = (*(Channel(n, k) for n, k in zip(names[0], kinds, strict=True)), *map(Channel, NAMES))
    return recording(Stream("simulated", RATE, channels, label=SIMULATED), x), clean


def test_the_weights_are_those_of_least_squares_on_the_past():
    source, _ = simulated()
    stage = Ocular(memory=3600)
    Pipeline([stage]).run(source)
    x = source.data.astype(float)
    wanted = np.linalg.lstsq(x[:, :2], x[:, 2:], rcond=None)[0]
    assert np.abs(stage._weights - wanted).max() < 0.02
    assert np.abs(stage._weights - WEIGHTS).max() < 0.03


@pytest.mark.parametrize("kinds", [("eog", "eog"), ("eeg", "eeg")])
@pytest.mark.parametrize("offset", [0.0, 20000.0])
def test_the_eyes_are_taken_out_and_the_rest_is_left(kinds, offset):
    source, clean = simulated(offset=offset, kinds=kinds)
    out = Pipeline([Ocular()]).run(source)
    got, before = out.data[5000:, 2:] - offset, source.data[5000:, 2:] - offset
    clean = clean[5000:]
    assert np.sqrt(np.mean((got - clean) ** 2)) < 0.1 * np.sqrt(np.mean((before - clean) ** 2))
    assert out.data[:, :2].tobytes() == source.data[:, :2].tobytes()


def test_weights_that_change_are_followed_within_the_memory():
    a, _ = simulated(30)
    b, clean = simulated(30, seed=1)
    changed = b.data.copy()
    changed[:, 2:] = clean + changed[:, :2] @ (-WEIGHTS)
    whole = recording(a.stream, np.concatenate([a.data, changed]))
    left = {}
    for memory in (3.0, 3600.0):
        got = Pipeline([Ocular(memory=memory)]).run(whole).data[-4000:, 2:]
        left[memory] = np.sqrt(np.mean((got - clean[-4000:]) ** 2))
    assert left[3.0] < 2.0 < left[3600.0]


def test_it_tells_the_share_it_took():
    source, _ = simulated()
    out = Pipeline([Ocular()]).run(source)
    told = {e.index: e.value for e in out.events}
    assert sorted(told) == [250 * k - 1 for k in range(1, 61)]
    for index, share in list(told.items())[20:]:
        rows = slice(int(index) - 249, int(index) + 1)
        taken = np.sum((source.data[rows, 2:] - out.data[rows, 2:]) ** 2.0) / np.sum(source.data[rows, 2:] ** 2.0)
        assert abs(share - taken) < 0.1


def test_the_weights_outlive_a_short_gap():
    source, _ = simulated(20)
    for seconds, kept in ((5, True), (100, False)):
        stage = Ocular()
        line = Pipeline([stage])
        line.start(source.stream)
        line.step(source.chunks[0])
        line.step(Chunk(source.data[:10], round((20 + seconds) * RATE), 0.0))
        assert stage._weights.any() == kept


def test_without_a_reference_it_refuses():
    with pytest.raises(WrongUse, match="references=Fp1"):
        Ocular().start(Stream("x", RATE, (Channel("C3"), Channel("C4"))))
    with pytest.raises(WrongUse, match="no channel to work on"):
        Ocular(references=("C3", "C4")).start(Stream("x", RATE, (Channel("C3"), Channel("C4"))))
