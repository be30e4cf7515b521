"""The lighter simulated effectors: what they do, in lock-step through their supervisors."""

from __future__ import annotations

import numpy as np
import pytest

from bcikit import Channel, Chunk, Stream
from bcikit.core.errors import WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.pipeline import Pipeline
from bcikit.effectors._supervisor import Cause
from bcikit.effectors.arm import Arm
from bcikit.effectors.drones import Drones
from bcikit.effectors.feedback import Feedback
from bcikit.effectors.hand import Hand
from bcikit.effectors.leg import Leg
from bcikit.effectors.speller import Speller
from bcikit.effectors.vehicle import Vehicle
from bcikit.preprocess.pick import Pick
from bcikit.testing import OpenGate


def driven(made, row, seconds, start=0):
    """Sends a command, a little different each time, 50 times a second; gives what is felt then."""
    permit = OpenGate().open(made, type(made).commands().stream) if start == 0 else made._permit
    made._permit = permit
    n = round(seconds * 50)
    for k in range(start, start + n):
        wobble = 1e-4 * (k % 3)
        permit.send(Chunk((np.array([row], float) + wobble).astype(np.float32), k))
    return made.look()


@pytest.mark.parametrize("stiffness", [0.0, 0.3, 0.8])
def test_a_hand_opens_and_closes_whatever_its_fingers_want(stiffness):
    made = Hand(lockstep=True, stiffness=stiffness)
    assert driven(made, [1.0], 1.5).more["angle"] > 1.3
    assert driven(made, [-1.0], 2.0, start=75).more["angle"] < 0.1


def test_fingers_that_are_too_stiff_are_not_forced():
    made = Hand(lockstep=True, stiffness=5.0)
    felt = driven(made, [-1.0], 3.0)
    assert Cause.TORQUE in made.cause or felt.more["angle"] > 0.3


def test_the_legs_stand_on_floor_and_harness():
    made = Leg(lockstep=True, support=0.6)
    felt = driven(made, [0, 0, 0, 0], 2.0)
    weight = 65.0 * 9.81
    assert 0.5 * weight < felt.more["load"] < 0.75 * weight
    light = driven(Leg(lockstep=True, support=0.2), [0, 0, 0, 0], 2.0)
    assert light.more["load"] < felt.more["load"] - 0.25 * weight


def test_the_legs_step_and_the_harness_never_bears_all():
    made = Leg(lockstep=True)
    rec = Leg.commands()
    permit = OpenGate().open(made, rec.stream)
    feet, loads = [], []
    for k, row in enumerate(rec.data):
        permit.send(Chunk(row[None], k))
        feet.append(made._device.feet[:, 1])
        loads.append(made.look().force)
    lifted = np.array(feet) > 0.06
    assert lifted.any(axis=0).all() and not lifted.all(axis=1).any()
    assert 4 <= (np.diff(lifted.astype(int), axis=0) == 1).sum() <= 8  # about one a second
    assert max(loads) < 600 and made.cause == 0


def test_a_wearer_whose_legs_give_way_is_held_by_the_harness_and_the_legs_stop():
    made = Leg(lockstep=True)
    driven(made, [0.5, 0, 0, 0], 0.5)
    made._device.angle[:] = 0.6, 1.2, 0.6, 1.2  # neither foot reaches the floor
    felt = driven(made, [0.5, 0, 0, 0], 1.5, start=25)
    assert made.cause == Cause.FORCE and np.allclose(made.told, 0)
    assert felt.force == pytest.approx(65.0 * 9.81, rel=0.02)


def test_a_leg_that_swings_kicks_the_ball():
    made = Leg(lockstep=True)
    driven(made, [-0.8, 1.5, 0, 0], 0.4)
    felt = driven(made, [3.9, -3.0, 0, 0], 0.6, start=20)
    assert felt.more["ball_speed"] > 1 and felt.more["ball"] > 0.4


def test_an_intention_alone_brakes_nothing_and_makes_the_brakes_ready():
    stopped = []
    for intent in (0.0, 0.9):
        made = Vehicle(lockstep=True)
        fast = driven(made, [0, 1, 0, intent], 4.0).more["speed"]
        assert fast > 8
        driven(made, [0, 0, 0, intent], 0.2, start=200)
        assert made.look().more["pressure"] < 0.01  # the foot is not on the pedal
        before = made.look().points[0, 0]
        driven(made, [0, 0, 1, intent], 4.0, start=210)
        stopped.append(made.look().points[0, 0] - before)
        assert made.look().more["speed"] == 0
    assert stopped[1] < stopped[0] - 0.3  # metres sooner


def test_a_car_without_data_brakes():
    made = Vehicle(lockstep=True)
    driven(made, [0, 1, 0, 0], 3.0)
    made._permit.send(Chunk(np.array([[0, 1, 0, 0]], np.float32), 300))  # three seconds of silence lie before it
    assert made.look().more["speed"] < 0.2


@pytest.mark.parametrize("which, moved", [(0, [0, 1, 2]), (2, [1])])
def test_one_drone_is_selected_or_all(which, moved):
    made = Drones(lockstep=True)
    before = driven(made, [0, 0, 0, 1, 0], 1.0).points
    after = driven(made, [0.5, 0, 0, 1, which], 1.5, start=50).points
    assert [k for k in range(3) if after[k, 0] - before[k, 0] > 0.3] == moved


def test_drones_neither_leave_the_fence_nor_meet_nor_come_near_a_person():
    made = Drones(lockstep=True)
    gaps = []
    for k, row in enumerate(([-0.8, 0, 0, 0.5, 0], [0, 0.8, 0.8, 0.5, 0], [0, -0.8, -0.8, 0.5, 0], [0.8, 0.8, 0, 0.5, 1])):
        felt = driven(made, row, 6.0, start=300 * k)
        gaps.append(felt.more["gap"])
        assert np.all(felt.points[:, 1:] > [-3.0, 0.3]) and np.all(felt.points[:, 1:] < [3.0, 3.0])
        assert np.linalg.norm(felt.points - [-3.0, 0.0, 1.0], axis=1).min() > 1.2
    assert min(gaps) > 0.6


def test_a_gap_of_the_stream_makes_safe_and_time_goes_on():
    made = Drones(lockstep=True)
    driven(made, [0.5, 0, 0, 1, 0], 1.0)
    where = made.look().points[0, 0]
    made._permit.send(Chunk(np.array([[0.5, 0, 0, 1, 0]], np.float32), 100))  # one second is missing
    assert 0 < made.look().points[0, 0] - where < 0.35  # of the 0.5 m that it would have flown


def test_what_is_looked_at_is_what_was_felt_then():
    made = Drones(lockstep=True)
    driven(made, [0.5, 0, 0, 1, 0], 2.0)
    assert made.look(50).points[0, 0] < made.look(80).points[0, 0] < made.look().points[0, 0]


def test_a_stream_that_is_no_command_is_refused():
    words = Stream("d", 10.0, (Channel("d", "decision", ""),), alphabet=("a", "b"), label=SIMULATED)
    with pytest.raises(WrongUse, match="is not a command"):
        OpenGate().open(Hand(lockstep=True), words)
    other = Stream("v", 50.0, (Channel("close", "velocity", "deg/s"),), label=SIMULATED)
    with pytest.raises(WrongUse, match="takes close in rad/s"):
        OpenGate().open(Hand(lockstep=True), other)
    with pytest.raises(WrongUse, match="steady rate"):
        OpenGate().open(Hand(lockstep=True), other.but(rate=0.0))


# -- the speller

KEYS = Stream(
    "k", 10.0, (Channel("k", "decision", ""),), alphabet=("rest", "H", "I", "L", "space", "Backspace"), label=SIMULATED
)


def written(keys, **settings):
    made = Speller(**settings)
    permit = OpenGate().open(made, KEYS)
    for k, key in enumerate(keys):
        permit.send(Chunk(np.array([[key]], np.float32), k))
    return made.text


def test_letters_and_keys_become_text():
    assert written([1, 2, 4, 1, 3, 5, 2]) == "HI HI"
    assert written([5, np.nan, 99, -1, 0]) == ""


def test_a_decision_that_stays_is_one_key():
    assert written([1] * 8, again=0.5) == "HH"
    assert written([1, 1, 0, 1, 1], again=5) == "HH"
    assert written([3, 3, 3], again=0) == "LLL"


def fed_back(made, name, **settings):
    """(effector, what it feels under this name, a function that feeds it back and gives how strong it is shown)."""
    line, shown = Pipeline([Pick(channels=(name,))]), Feedback(smooth=0, **settings)
    shown.show = lambda strength: None
    permit = OpenGate().open(shown, line.start(made.senses))

    def feel():
        permit.send(line.step(made.sense()))
        return float(shown.strength[0])

    return feel


def test_drones_that_come_near_each_other_are_felt():
    made = Drones(lockstep=True, spread=2.0)
    driven(made, [0, 0, 0, 2.0, 0], 0.2)
    feel = fed_back(made, "gap", low=3.0, high=0.6)
    apart = feel()
    driven(made, [0, 0, 0, 0.5, 0], 6.0, start=10)
    assert 0 <= apart < 0.1 and feel() > apart + 0.5


def test_drones_that_come_near_the_person_are_felt_and_slow():
    made = Drones(lockstep=True)
    driven(made, [0, 0, 0, 1, 0], 0.2)
    feel = fed_back(made, "distance", low=3.0, high=1.0)
    felt, far = [], feel()
    for k in range(60):
        driven(made, [-0.8, 0, 0, 1, 0], 0.1, start=10 + 5 * k)
        felt.append((feel(), -made.told[0::3].min()))
    strength, speed = np.array(felt).T
    assert strength[-1] > far + 0.2
    assert speed.max() > 0.75 and 0 < speed[strength > 0.65].max() < 0.6


def test_grip_and_contact_of_the_arm_are_felt_and_what_is_not_measured_is_nothing():
    pytest.importorskip("mujoco", reason="left out: the arm needs MuJoCo (the extra robot)")
    made = Arm(lockstep=True, before="hand")
    driven(made, [0, 0, 0, 0], 0.2)
    body = made._device
    body._home = body.data.qpos[9:12] = body.hand  # the other's hand between the fingers
    feels = [fed_back(made, name, high=12.0) for name in ("grip", "force", "distance")]
    assert [feel() for feel in feels] == [0, 0, 0]
    driven(made, [0, 0, 0, 1], 1.0, start=10)
    assert feels[0]() > 0.5 and feels[2]() == 0
    body.data.qpos[9:12] = body.data.xpos[body.model.body("hand").id] + [0.08, 0, 0]  # against the palm
    driven(made, [0, 0, 0, 1], 0.02, start=60)
    assert feels[1]() > 0.1
