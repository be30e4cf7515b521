"""The simulated person and their counted neurons, measured by other means than they are made with."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.simulate.loop_facts import FACTS, fact, fingerprint
from bcikit.simulate.person import Steerers
from bcikit.simulate.population import Populations

STEP = 0.02


def test_every_fact_lies_in_its_range_and_has_a_source():
    for name, f in FACTS.items():
        assert f.low <= f.value <= f.high and f.source and f.what, name


def test_the_table_has_a_hash_that_a_changed_number_changes(monkeypatch):
    before = fingerprint()
    monkeypatch.setitem(FACTS, "fano", FACTS["visual_s"])
    assert len(before) == 12 and fingerprint() != before


# -- the neurons


def counts(p, n, push=(0.0, 0.0), click=0.0):
    runs = len(p.base)
    return np.stack([p.counts(np.tile(push, (runs, 1)), np.full(runs, click)) for _ in range(n)])


def test_counts_have_the_rate_and_the_fano_factor_they_should(monkeypatch):
    for name in ("shared", "common"):
        monkeypatch.setitem(FACTS, name, type(FACTS[name])(0.0, "", 0, 1, "", ""))
    p = Populations(60, [3], STEP)
    x = counts(p, 6000, (0.6, -0.3))[:, 0]
    rate = p.rates(np.array([[0.6, -0.3]]), np.zeros(1))[0]
    assert x.mean(axis=0) / STEP == pytest.approx(rate, rel=0.12, abs=0.5)
    fano = x.var(axis=0) / x.mean(axis=0)
    assert np.median(fano) == pytest.approx(fact("fano"), rel=0.05)


def test_what_is_shared_bounds_what_thousands_of_channels_tell():
    """The best linear readout's error falls with channels, and not as with independent ones."""
    rng, errors = np.random.default_rng(0), []
    for units in (64, 256, 2048):
        p = Populations(units, [1], STEP)
        push = np.repeat(rng.uniform(-0.7, 0.7, (300, 2)), 10, axis=0)
        x = np.stack([p.counts(c[None], np.zeros(1))[0] for c in push])
        load = p.tuning[0, :, :2] @ push.T * STEP
        weight = p.tuning[0, :, :2] / (p.base[0, :, None] + 1)
        guess = np.linalg.lstsq(x @ weight - (x @ weight).mean(axis=0), push - push.mean(axis=0), rcond=None)[0]
        errors.append(float(np.std((x @ weight - (x @ weight).mean(axis=0)) @ guess - push)))
        assert np.isfinite(load).all()
    assert errors[0] > 1.3 * errors[1] > 1.3 * errors[2] > 0.5 * fact("shared")


def test_each_seed_is_the_same_alone_and_among_others():
    alone, among = Populations(20, [7], STEP), Populations(20, [1, 7, 9], STEP)
    for _ in range(3):
        assert np.array_equal(counts(alone, 100)[:, 0], counts(among, 100)[:, 1])
        alone.tonight()
        among.tonight()


def test_days_keep_the_published_correlation_and_the_population_stays_what_it_was():
    p = Populations(4000, [2], STEP)
    first, base = p.tuning[0, :, :2].copy(), np.median(p.base)
    p.tonight()
    one = np.sum(first * p.tuning[0, :, :2]) / np.sum(first**2)
    assert one == pytest.approx(fact("kept"), abs=0.02)
    was = p.tuning[0].copy()
    for _ in range(13):
        p.tonight()
    assert np.sum(was[:, :2] * p.tuning[0, :, :2]) / np.sum(was[:, :2] ** 2) < 0.5
    depth = np.hypot(*p.tuning[0, :, :2].T)
    assert np.mean(depth > 0) == pytest.approx(np.mean(np.hypot(*first.T) > 0), abs=0.03)
    assert np.median(depth[depth > 0]) == pytest.approx(8.0, rel=0.1)
    assert np.median(p.base) == pytest.approx(base, rel=0.1)
    for _ in range(351):
        p.tonight()
    assert 1 - p.alive.mean() == pytest.approx(fact("death"), abs=0.02)


def test_open_loop_turns_the_tuning_and_steering_turns_it_back():
    p = Populations(3000, [1], STEP)
    push = np.array([[1.0, 0.0]])
    closed = p.rates(push, np.zeros(1)) - p.rates(-push, np.zeros(1))
    p.observe(True)
    watched = p.rates(push, np.zeros(1)) - p.rates(-push, np.zeros(1))
    assert 0.4 < np.sum(closed * watched) / np.sum(closed**2) < fact("open_depth")
    p.observe(False)
    assert np.array_equal(closed, p.rates(push, np.zeros(1)) - p.rates(-push, np.zeros(1)))


def test_a_bad_night_takes_its_part():
    p = Populations(1000, [1], STEP)
    before = p.base.copy()
    p.shock()
    assert np.mean(p.base != before) == pytest.approx(fact("shock"), abs=0.001)


# -- the person


def reaches(distance, radius, speed=1.0, smooth=0.0, dwell=0.1):
    """Seconds until the cursor has been on a target at this distance for `dwell`, through a decoder without error."""
    people = Steerers([0], STEP, perfect=True)
    people.learn(speed, smooth)
    cursor, velocity, target = np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2))
    for _ in range(60):
        people.look(cursor, velocity, target, np.full(1, radius))
        people.intend()
    target, stay = np.array([[distance, 0.0]]), 0
    for k in range(1000):
        people.look(cursor, velocity, target, np.full(1, radius))
        push, _ = people.intend()
        velocity = smooth * velocity + (1 - smooth) * speed * push
        cursor = cursor + velocity * STEP
        stay = stay + 1 if np.hypot(*(cursor - target)[0]) < radius else 0
        if stay * STEP >= dwell:
            return (k + 1) * STEP
    raise AssertionError("never there")


def test_movement_time_follows_the_published_law():
    """MT = a + b D + c / R^2 explains nearly all (Willett 2017)."""
    grid = [(d, r) for d in (0.1, 0.2, 0.3, 0.4, 0.5) for r in (0.03, 0.05, 0.08)]
    mt = np.array([reaches(d, r, smooth=0.8) for d, r in grid])
    X = np.array([[1, d, 1 / r**2] for d, r in grid])
    w, *_ = np.linalg.lstsq(X, mt, rcond=None)
    assert 1 - np.var(mt - X @ w) / np.var(mt) > 0.95 and w[1] > 0 and w[2] > 0
    assert w[0] > fact("reaction_s")


def test_nothing_is_intended_before_the_reaction_time():
    people = Steerers([0], STEP, perfect=True)
    people.learn(1.0, 0.0)
    still, pushes = np.zeros((1, 2)), []
    for k in range(40):
        people.look(still, still, np.array([[0.4 if k >= 20 else 0.0, 0.0]]), np.ones(1) * 0.05)
        pushes.append(people.intend()[0][0, 0])
    assert np.flatnonzero(np.array(pushes) > 0.1)[0] == 20 + round(fact("reaction_s") / STEP)


def test_the_forward_model_is_learnt_from_what_is_seen():
    """Told that the decoder is twice as fast as it is, the person finds out."""
    people, rng = Steerers([0], STEP), np.random.default_rng(0)
    people.learn(2.0, 0.5)
    cursor, velocity, target = np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2))
    for k in range(4000):
        if k % 50 == 0:
            target = rng.uniform(-0.4, 0.4, (1, 2))
        people.look(cursor, velocity, target, np.full(1, 0.05))
        push, _ = people.intend()
        velocity = 0.7 * velocity + 0.3 * push
        cursor = np.clip(cursor + velocity * STEP, -0.5, 0.5)
    assert people.speed[0] == pytest.approx(1.0, rel=0.1)


def test_clicks_come_on_target_and_not_elsewhere():
    for at, most in ((0.0, 0.9), (0.4, 0.0)):
        people = Steerers([4], STEP, perfect=True)
        closed = []
        for _ in range(500):
            people.look(np.array([[at, 0.0]]), np.zeros((1, 2)), np.zeros((1, 2)), np.full(1, 0.05))
            closed.append(people.intend()[1][0])
        assert (0.2 < np.mean(closed) < most) if most else not any(closed)
