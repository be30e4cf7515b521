"""What it costs that the gain, the offset or one channel of a run is not what it was in training."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.stream import Channel, Recording, Stream
from bcikit.decode._bands import filled
from bcikit.decode.motor_imagery.band_tangent import BandTangent
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
    assert min(score.values()) >= score["unchanged"] - 0.02


def covariance(rng, bands=2, channels=5):
    A = rng.normal(size=(bands, channels, channels))
    return A @ A.swapaxes(1, 2) + np.eye(channels)


def imagery(seed, n):
    """Simulated trials (n, 4, 192) at 128 Hz: 10 Hz is strong in the one or the other of two channels."""
    rng = np.random.default_rng(seed)
    X, y, t = rng.normal(0, 1, (n, 4, 192)), np.arange(n) % 2, np.arange(192) / 128
    X[np.arange(n), y] += 1.5 * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6.28, (n, 1)))
    return X, y


@pytest.mark.parametrize("factor", [1.0, 6.0, 1 / 6, [1.0, 6.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]], ids=str)
def test_a_gain_that_changes_within_a_run_costs_little(factor):
    decoder = BandTangent(rate=128).fit(*imagery(1, 60))
    X, y = imagery(2, 80)
    same = decoder.score(X, y)
    X[20:] *= np.reshape(factor, (-1, 1))
    assert same > 0.9
    assert decoder.score(X, y) >= same - 0.08


def test_without_a_channel_that_is_dead_it_decides_as_if_it_had_never_been():
    (A, a), (B, b), (X, _) = imagery(1, 60), imagery(2, 60), imagery(3, 40)
    whole, groups = np.concatenate([A, B]), np.repeat([0, 1], 60)
    decoder = BandTangent(rate=128).fit(whole, np.r_[a, b], groups=groups)
    X[:, 2] = 0.0
    told = decoder.predict_proba(X)
    less = BandTangent(rate=128).fit(np.delete(whole, 2, axis=1), np.r_[a, b], groups=groups)
    np.testing.assert_allclose(told, less.predict_proba(np.delete(X, 2, axis=1)), atol=0.05)
    whole[:, 2] = 0.0  # what it knows of training stays, whatever becomes of the array that it was given
    np.testing.assert_array_equal(decoder.predict_proba(X), told)


def test_two_disturbed_trials_change_no_gain():
    decoder = BandTangent(rate=128).fit(*imagery(1, 60))
    X, _ = imagery(2, 20)
    told = decoder.predict_proba(X)
    X[[10, 11], 3] *= 20
    decoder.start(Stream("trials", 0.0, tuple(map(Channel, "abcd")), (4, 192)))
    decoder.probabilities(X)
    assert not decoder._gains.any()
    np.testing.assert_array_equal(decoder.predict_proba(X)[:10], told[:10])


def test_a_dead_channel_is_what_the_others_let_expect():
    rng = np.random.default_rng(3)
    M, C = covariance(rng), covariance(rng)
    C[:, 4], C[:, :, 4] = 0.0, 0.0
    trial = filled(C, M, np.arange(5) == 4)
    of = M[:, 4:, :4] @ np.linalg.inv(M[:, :4, :4])
    np.testing.assert_array_equal(trial[:, :4, :4], C[:, :4, :4])
    np.testing.assert_allclose(trial[:, 4:, :4], of @ C[:, :4, :4])
    np.testing.assert_allclose(np.linalg.inv(trial)[:, 4, 4], np.linalg.inv(M)[:, 4, 4])  # what it has alone, as in the mean
