"""What it costs that the gain, the offset or one channel of a run is not what it was in training."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.stream import Recording
from bcikit.decode._bands import believable
from bcikit.evaluate._line import cut_causal, line
from bcikit.evaluate.data import trials
from bcikit.evaluate.protocols import fit, stepped

CHANGES = {
    "unchanged": (1.0, 0.0, 1.0),
    "gain 4": (4.0, 0.0, 1.0),
    "gain 1/4": (0.25, 0.0, 1.0),
    "offset 20 mV": (1.0, 20_000.0, 1.0),
    "one channel 4": (1.0, 0.0, 4.0),
    "one channel dead": (1.0, 0.0, 0.0),
}


def changed(r, gain, offset, first):
    g = np.full(len(r.stream.channels), gain, np.float32)
    g[0] *= first
    return Recording(r.stream, tuple(c.but(data=(c.data * g + offset).astype(np.float32)) for c in r.chunks), r.info)


@pytest.mark.soak
def test_a_changed_run_is_still_told(shared):
    runs = trials("mi-openbci-xdf", shared("mi-openbci-xdf"))
    score = {}
    for what, how in CHANGES.items():
        told = []
        for who in ("sub-A", "sub-B"):
            own = [r for r in runs if r.subject == who]
            its = line("default", own)
            cuts = [cut_causal(its, r.recording) for r in own]
            right = []
            for k in range(1, len(own)):
                decoder = fit(its, own, cuts, {i: np.arange(len(cuts[i].y)) for i in range(k)})
                cut = cut_causal(its, changed(own[k].recording, *how))
                p = stepped(decoder, cut, np.arange(len(cut.y)))
                right.append((decoder.classes_[p.argmax(axis=1)] == cut.y).mean())
            told.append(np.mean(right))
        score[what] = float(np.mean(told))
        print(f"{what}: {told[0]:.3f} {told[1]:.3f}, mean {score[what]:.3f}")
    assert score["offset 20 mV"] == score["unchanged"]
    assert min(score["gain 4"], score["gain 1/4"], score["one channel 4"]) >= score["unchanged"] - 0.02
    assert min(score.values()) >= score["unchanged"] - 0.06


def covariance(rng, bands=2, channels=5):
    A = rng.normal(size=(bands, channels, channels))
    return A @ A.swapaxes(1, 2) + np.eye(channels)


def test_what_is_believable_is_left_alone():
    M = covariance(np.random.default_rng(1))
    mean, trial = believable(M, 2.0 * M)
    assert mean is M
    np.testing.assert_array_equal(trial, 2.0 * M)


def test_another_gain_moves_the_mean_and_a_loud_channel_alone_is_brought_down():
    M = covariance(np.random.default_rng(2))
    loud = np.array([1.0, 5.0, 1.0, 1.0, 1.0])
    mean, trial = believable(M, 16.0 * loud[:, None] * M * loud)
    np.testing.assert_allclose(mean, 16.0 * M)
    np.testing.assert_allclose(trial, 16.0 * M)


def test_a_dead_channel_is_what_the_others_let_expect():
    rng = np.random.default_rng(3)
    M, C = covariance(rng), covariance(rng)
    alive = M.copy()
    alive[:, :4, :4] = (
        C[:, :4, :4] * (np.trace(M[:, :4, :4], axis1=1, axis2=2) / np.trace(C[:, :4, :4], axis1=1, axis2=2))[:, None, None]
    )
    dead = alive.copy()
    dead[:, 4], dead[:, :, 4] = 0.0, 0.0
    dead[:, 4, 4] = 1e-9
    trial = believable(M, dead)[1]
    assert np.linalg.eigvalsh(trial).min() > 0
    np.testing.assert_array_equal(trial[:, :4, :4], dead[:, :4, :4])
    of = M[:, 4:, :4] @ np.linalg.inv(M[:, :4, :4])
    np.testing.assert_allclose(trial[:, 4:, :4], of @ dead[:, :4, :4])
    np.testing.assert_allclose(np.linalg.inv(trial)[:, 4, 4], np.linalg.inv(M)[:, 4, 4])  # what it has alone, as in the mean
