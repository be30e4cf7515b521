"""Steering learns from use; what was intended is guessed where nobody knows it."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.core.stream import Event, recording
from bcikit.decode.kinematics._intention import chosen, evidence, inferred, rotated, towards
from bcikit.decode.kinematics.steering import Steering, _use

STEP = 0.02


def drive(seconds=60, seed=0, noise=0.4):
    """A cursor driven from target to target, each selected when it is reached: cursor, target, push seen through noise,
    selected."""
    rng, at, rows = np.random.default_rng(seed), np.zeros(2), []
    target, stay = rng.uniform(-0.4, 0.4, 2), 0
    for _ in range(round(seconds / STEP)):
        way = target - at
        push = way / max(np.hypot(*way), 0.15)
        stay = stay + 1 if np.hypot(*way) < 0.05 else 0
        done = stay >= 15
        rows.append((at, target, push + noise * rng.standard_normal(2), done))
        at = at + (push * 1.2 + 0.2 * rng.standard_normal(2)) * STEP
        if done:
            target, stay = rng.uniform(-0.4, 0.4, 2), 0
    return tuple(np.array(c) for c in zip(*rows, strict=True))


def test_a_push_towards_the_target_is_full_far_and_falls_near():
    cursor = np.array([[0.0, 0.0], [0.3, 0.0], [0.39, 0.0]])
    push, weight = towards(cursor, np.tile([0.4, 0.0], (3, 1)), np.full(3, 0.05), STEP, slow=0.2)
    assert push[:, 0] == pytest.approx([1.0, 0.5, 0.05]) and (weight == 1).all()


def test_behind_a_new_target_nothing_is_learnt_before_the_reaction():
    target = np.repeat([[0.1, 0.1], [0.4, 0.0]], 30, axis=0)
    weight = towards(np.zeros((60, 2)), target, np.full(60, 0.05), STEP, 0.2)[1]
    assert weight[:30].all() and not weight[30:41].any() and weight[41:].all()


def test_refit_turns_what_was_decoded_and_rests_on_target():
    cursor, target = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[0.4, 0.0], [0.01, 0.0]])
    push, _ = rotated(cursor, target, np.full(2, 0.05), np.array([[0.0, 0.5], [0.0, 0.5]]), speed=1.0)
    assert push.tolist() == [[0.5, 0.0], [0.0, 0.0]]


def test_what_was_selected_was_the_target():
    cursor, target, _, selected = drive()
    guess, weight = chosen(cursor, selected, STEP)
    known = weight > 0
    assert known.mean() > 0.9
    assert np.median(np.hypot(*(guess - target)[known].T)) < 0.05


@pytest.mark.parametrize("picks", [True, False], ids=["with selections", "without"])
def test_a_hidden_markov_model_sees_the_target_before_it_is_selected(picks):
    cursor, target, push, selected = drive()
    guess, weight = inferred(cursor, push, selected & picks, STEP)
    sure = weight > 0.5
    assert sure.mean() > (0.6 if picks else 0.05)
    assert np.median(np.hypot(*(guess - target)[sure].T)) < (0.06 if picks else 0.09)


def test_a_push_that_says_nothing_is_not_sure():
    rng = np.random.default_rng(1)
    n = 3000
    _, weight = inferred(rng.uniform(-0.4, 0.4, (n, 2)), rng.standard_normal((n, 2)), np.zeros(n, bool), STEP)
    assert weight.mean() < 0.15


def counts(push, seed=0, units=40):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.maximum(15 + 10 * push @ np.random.default_rng(9).standard_normal((2, units)), 0) * STEP)


@pytest.mark.parametrize("how", ["rti", "prit"])
def test_without_labels_it_learns_what_it_would_learn_with_them(how):
    cursor, target, push, selected = drive(180, noise=0.0)
    x = counts(push)
    told = Steering().fit_use(x, cursor, target, np.full(len(x), 0.05), push, STEP)
    guessed = Steering().fit_guess(how, x, cursor, np.full(len(x), 0.05), push, selected, STEP)
    test = drive(30, seed=5, noise=0.0)[2]
    a, b = (d.predict(counts(test, 7)) for d in (told, guessed))
    assert min(np.corrcoef(a[:, i], b[:, i])[0, 1] for i in (0, 1)) > 0.95
    assert min(np.corrcoef(b[20:, i], test[20:, i])[0, 1] for i in (0, 1)) > 0.75


def test_what_turns_round_is_not_taken_over():
    """The guardian: where the cursor went the other way than was decoded, the guess is of something else."""
    cursor, target, push, selected = drive(120, noise=0.0)
    x, size = counts(push), np.full(len(push), 0.05)
    decoder = Steering().fit_use(x, cursor, target, size, push, STEP)
    before, said = decoder.K_.copy(), decoder.predict(x)
    with pytest.raises(WrongUse, match="does not take over"):
        decoder.fit_guess("rti", x, -cursor, size, said, selected, STEP)
    assert np.array_equal(decoder.K_, before)
    decoder.fit_guess("rti", x, cursor, size, said, selected, STEP)
    assert not np.array_equal(decoder.K_, before)


@pytest.mark.parametrize("how", ["rti", "prit"])
def test_a_collapse_of_self_training_is_noticed_in_the_next_use_and_taken_back(how):
    """A day on which the cursor moved by other hands teaches nonsense. In the use behind it the decoder before makes more
    sense of the counts, and is learnt on from; what a target told is never taken back."""
    cursor, target, push, selected = drive(120, noise=0.0)
    x, size = counts(push), np.full(len(push), 0.05)
    told = Steering().fit_use(x, cursor, target, size, push, STEP)
    collapsed = Steering()
    collapsed.restore(told.learned())
    collapsed.fit_push(counts(-push, seed=3), push[:, ::-1], np.ones(len(x)), STEP)
    collapsed.before_ = told.learned()
    cursor, target, push, selected = drive(60, seed=4, noise=0.0)
    x, size = counts(push, seed=5), np.full(len(push), 0.05)
    bad = collapsed.predict(x)
    assert np.corrcoef(bad.ravel(), push.ravel())[0, 1] < 0.2
    assert evidence(cursor, told.predict(x), selected, STEP) > evidence(cursor, bad, selected, STEP) + 0.05
    collapsed.fit_guess(how, x, cursor, size, bad, selected, STEP)
    assert np.corrcoef(collapsed.predict(x).ravel(), push.ravel())[0, 1] > 0.8
    twin = Steering()
    twin.restore(collapsed.learned())  # the decoder before is kept with the rest
    assert np.array_equal(twin.before_["K_"], told.K_)
    assert not hasattr(twin.fit_use(x, cursor, target, size, push, STEP), "before_")


def test_what_decodes_well_has_more_evidence_without_any_label():
    cursor, _, push, selected = drive(60, noise=0.0)
    noise = np.random.default_rng(0).standard_normal(push.shape)
    told = [evidence(cursor, push + much * noise, selected, STEP) for much in (0.0, 1.0, 4.0)]
    assert told[0] > told[1] > told[2] and told[0] > evidence(cursor, -push, selected, STEP)
    assert evidence(cursor[:4], push[:4], selected[:4], STEP) == -np.inf


def test_too_little_changes_nothing_and_does_not_end_the_loop():
    stage, _ = next(Steering.examples())
    before = stage.K_.copy()
    line = Pipeline([stage])
    use = _use(60)
    line.run(use)
    stage._count = 3
    stage.adapt(Event(60, "recalibrate"))
    assert np.array_equal(stage.K_, before)
    with pytest.raises(WrongUse, match="cannot guess"):
        stage.fit_guess(
            "rti", np.ones((500, 5)), *np.zeros((1, 500, 2)), np.ones(500), np.zeros((500, 2)), np.zeros(500), STEP
        )


def test_in_a_stream_selections_are_events_and_the_target_need_not_be_known():
    """The same decoder from the stream, the target's channels being NaN, as from arrays."""
    cursor, target, push, selected = drive(60, noise=0.0)
    x = counts(push, units=8)
    screen = np.column_stack([cursor, np.full_like(target, np.nan), np.full(len(x), 0.05)])
    events = [Event(float(k), "hit") for k in np.flatnonzero(selected)] + [Event(float(len(x) - 1), "recalibrate")]
    source = recording(_use(10).stream, np.column_stack([x, screen]), events)
    rti, prit = Steering(teacher="rti"), Steering(teacher="prit")
    out = Pipeline([rti]).run(source).data
    want = Steering().fit_guess("rti", x, cursor.astype(np.float32), np.full(len(x), 0.05), out, selected, STEP)
    assert rti.K_ == pytest.approx(want.K_, rel=1e-4, abs=1e-7)
    Pipeline([prit]).run(source)
    assert not prit.K_.any()  # nothing had been decoded: there is too little to infer from
