"""Whom to learn from: weights against their formula written out, and what they win."""

from __future__ import annotations

import numpy as np

from bcikit.core.stream import Channel, Stream
from bcikit.decode import _riemann as riemann
from bcikit.decode.weighted_sources import WeightedSources, between_classes, between_domains
from tests.decode.test_procrustes import people


def scatter(F, y):
    """Between classes, as Zhang & Wu's own code sums it, class by class."""
    middle = F.mean(axis=0)
    total = np.zeros((F.shape[1], F.shape[1]))
    for k in np.unique(y):
        off = F[y == k].mean(axis=0) - middle
        total += (y == k).sum() * np.outer(off, off)
    return total


def test_scatters_are_those_of_the_paper():
    rng = np.random.default_rng(0)
    F, G, y = rng.normal(size=(30, 6)), rng.normal(0.5, 1, (17, 6)), np.arange(30) % 3
    np.testing.assert_allclose(between_classes(F, y), np.linalg.norm(scatter(F, y), 1))
    whole = scatter(np.vstack([F, G]), np.repeat([0, 1], [30, 17]))
    off = F.mean(axis=0) - G.mean(axis=0)
    np.testing.assert_allclose(between_domains(off[None], np.array([30.0]), 17), [np.linalg.norm(whole, 1)])


def test_a_run_of_shuffled_labels_and_one_that_lies_far_count_for_little():
    X, y, who = people([0.0, 0.0, 0.0], n=120)
    X[who == 1] *= 30.0  # far from the others
    y[who == 0] = np.random.default_rng(0).permutation(y[who == 0])
    Z, _, _ = people([0.0], n=60, seed=9)
    decoder = WeightedSources().fit(X, y, groups=who)
    decoder.start(Stream("covariances", 0.0, tuple(map(Channel, "abcd")), Z.shape[1:]))
    decoder.probabilities(Z)
    apart = between_domains(decoder.means_ - riemann.tangent(decoder._mean, decoder.white_), decoder.sizes_, 60)
    assert decoder.telling_[0] < 0.2 * decoder.telling_[1:].min()
    assert apart[1] > 2 * max(apart[0], apart[2])


def test_who_learnt_nothing_spoils_less_than_in_a_pool():
    X, y, who = people([0.0, 0.0, 0.0, 0.2], n=150, seed=2)
    new, liars = who == 3, who < 2
    y[liars] = np.random.default_rng(1).permutation(y[liars])
    weighted = WeightedSources().fit(X[~new], y[~new], groups=who[~new]).score(X[new], y[new])
    equal = WeightedSources().fit(X[~new], y[~new], groups=who[~new])
    equal.telling_ = np.ones(3)
    assert weighted > 0.6 and weighted >= equal.score(X[new], y[new])


def test_a_run_without_a_class_is_left_out_and_where_none_is_whole_all_are_one():
    X, y, who = people([0.0, 0.3], n=60)
    some = (who == 0) | (y != 2)
    assert len(WeightedSources().fit(X[some], y[some], groups=who[some]).telling_) == 1
    parted = ((who == 0) & (y != 0)) | ((who == 1) & (y != 2))
    assert len(WeightedSources().fit(X[parted], y[parted], groups=who[parted]).telling_) == 1
