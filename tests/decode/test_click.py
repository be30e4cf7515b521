"""Clicks are found in counts though nobody said in which bin the hand closed."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.stream import Channel, Stream, recording
from bcikit.decode.kinematics.click import Click


def clicks(seed, n=4000, units=60):
    """Counts in bins of 20 ms, when the hand was closed, and when it may have been."""
    rng, way = np.random.default_rng(seed), np.random.default_rng(9).standard_normal(units)
    closed, may = np.zeros(n), np.zeros(n)
    for at in range(100, n - 50, 100):
        begin = at + int(rng.integers(10, 30))
        closed[begin : begin + 7], may[at : at + 45] = 1, 1
    return rng.poisson(np.maximum(12 + 10 * np.outer(closed, way), 0.5) * 0.02).astype(float), closed, may


def test_when_the_hand_was_closed_is_found_from_when_it_may_have_been():
    X, _, may = clicks(0)
    decoder = Click().fit(X, np.where(may > 0, 0.2, 0.001))
    X, closed, _ = clicks(1)
    s = Stream("counts", 50.0, tuple(Channel(f"u{k}", "spikes", "count") for k in range(60)))
    decoder.start(s)
    y = np.concatenate([decoder.step(c).data for c in recording(s, X).recut([1, 9, 300])])[:, 0]
    assert y[closed > 0].mean() > 0.5 and y[closed == 0].mean() < 0.05
    begins = np.flatnonzero(np.diff(closed) == 1) + 1
    assert np.mean([y[b : b + 9].max() > 0.9 for b in begins]) > 0.8


def test_wrong_use_is_told():
    X, _, may = clicks(0, 400)
    with pytest.raises(WrongUse, match="bins of a closed hand"):
        Click().fit(X, may * 0)
    with pytest.raises(WrongUse, match="not fitted"):
        Click().start(Stream("counts", 50.0, (Channel("u", "spikes", "count"),)))
    with pytest.raises(WrongUse, match="priors"):
        Click().fit(X, may[:5])
