"""The stacked decoders are the decoder; a year is reckoned as it should be."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.bench import loop as bench
from bcikit.bench._many import Networks, Told, many
from bcikit.bench.loop import REFIT, calibrated, ceiling, interval, loop, stays, world
from bcikit.decode.deep._network import missing
from bcikit.decode.kinematics.steering import Steering


def test_a_person_among_many_does_what_they_do_alone():
    one, two = (many(world(seeds, 24)).use(5.0, assist=1.0) for seeds in ([2], [1, 2]))
    assert np.array_equal(one.counts[:, 0], two.counts[:, 1]) and np.allclose(one.velocity[:, 0], two.velocity[:, 1])


@pytest.mark.parametrize("settings", [{}, REFIT], ids=["steering", "refit"])
def test_stacked_decoders_are_the_decoder(settings):
    m = calibrated([1, 2], 32, **settings)
    use = m.use(2.0)
    for run, d in enumerate(m.decoders):
        x = use.counts[:, run] - use.cursor[:, run] @ d.position_.T if d.feed else use.counts[:, run]
        want = d.predict(x)
        assert np.corrcoef(want[50:, 0], use.velocity[50:, run, 0])[0, 1] > 0.9999


def lost(neurons):
    neurons.shock(0.5)


def dead(neurons):
    neurons.lose_bank()


def drifted(neurons):
    """Every unit's baseline is another."""
    neurons.base *= np.exp(np.random.default_rng(0).normal(0, 0.7, neurons.base.shape))
    neurons.later(0.0)


@pytest.mark.parametrize("what", [lost, dead, drifted])
def test_what_the_neurons_lost_in_use_is_learnt_again_without_labels(what):
    m = calibrated([1, 2], 96)
    what(m.world.neurons)
    bits = []
    for _ in range(3):
        m.world.task.fresh()
        use = m.use(50.0)
        bits.append(float(m.world.task.bits_per_s().mean()))
        m.fit(use, "prit")
    assert bits[-1] > bits[0] + 1.0


def test_teachers_side_by_side_do_what_they_do_alone(monkeypatch):
    monkeypatch.setattr(bench, "DAY_S", 30.0)
    monkeypatch.setattr(bench, "MORNING_S", 15.0)
    together = {line["row"]: line["people"] for line in stays([1, 2], 1, ("aligned", "prit"), units=32)}
    alone = {line["row"]: line["people"] for line in stays([1, 2], 1, ("prit",), units=32)}
    assert alone["day 1, prit"] == pytest.approx(together["day 1, prit"], rel=1e-9) and len(together) == 2


def test_a_noiseless_person_is_not_beaten_and_intervals_hold_the_mean():
    best = ceiling([1, 2])
    assert (6 < best).all() and (best < 9).all()
    assert interval(np.array([1.0, 2.0, 3.0]))["ci"][0] < 2.0 < interval(np.array([1.0, 2.0, 3.0]))["ci"][1]


def test_whoever_is_told_the_target_goes_there_and_selects_nothing_else():
    m = Told(world([1, 2], 1), speed=4.0, lag_s=0.04)
    m.use(30.0, keep=False)
    assert (m.world.task.correct > 30).all() and not m.world.task.wrong.any()


def test_the_networks_are_the_network_at_its_gain():
    if missing():
        pytest.skip(f"left out: {', '.join(missing())}")
    m = Networks(world([1, 2], 16), [Steering(), Steering()])
    m.learn(m.calibrate(((20.0, 1.0), (10.0, 0.5))))
    m.scale(0.5)
    use = m.use(1.0)
    for run, net in enumerate(m.nets):
        assert np.allclose(use.velocity[:, run], 0.5 * net.predict(use.counts[:, run]), atol=1e-5)
    assert m.nets[0].network_.tobytes() != m.nets[1].network_.tobytes()


def test_rows_say_what_they_are():
    lines = list(loop(["step"], [1, 2]))
    assert lines[0]["simulated"] and lines[1]["us_p50"] > 0
