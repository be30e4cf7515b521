"""The simulated arm: goes where it is told, feels what it touches, keeps its cup; needs MuJoCo."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="left out: the arm needs MuJoCo (the extra robot)")

from bcikit import Chunk
from bcikit.effectors import _arm
from bcikit.effectors._arm import Arm7
from bcikit.effectors._picture import painted, picture
from bcikit.effectors._supervisor import Cause
from bcikit.effectors.arm import Arm
from bcikit.testing import OpenGate


def go(arm, to, grip=0.0, seconds=4.0, near=0.005):
    worst = 0.0
    for _ in range(round(seconds / 0.005)):
        way = to - arm.hand
        worst = max(worst, arm.step(np.array([*np.clip(3 * way, -0.2, 0.2), grip]), 0.005).force)
        if np.linalg.norm(way) < near:
            break
    return worst


@pytest.fixture
def arm():
    made = Arm7(Arm.spec, cup=(0.55, 0.10))
    yield made
    made.close()


def test_it_holds_its_place_against_gravity(arm):
    was = arm.hand
    for _ in range(400):
        felt = arm.step(np.zeros(4), 0.005)
    assert np.linalg.norm(arm.hand - was) < 0.002 and felt.force == 0


@pytest.mark.parametrize("way", np.vstack([np.eye(3), -np.eye(3)]).tolist())
def test_the_hand_moves_as_commanded_and_stays_level(arm, way):
    was = arm.hand
    for _ in range(200):
        arm.step(np.array([*(0.1 * np.array(way)), 0.0]), 0.005)
    assert np.allclose(arm.hand - was, 0.1 * np.array(way), atol=0.012)
    assert arm.data.site_xmat[arm._grip].reshape(3, 3).diagonal().min() > 0.99


def test_it_brings_a_cup_to_the_mouth_and_back(arm):
    cup = arm.cup
    go(arm, cup + np.array([-0.12, 0, 0.02]))
    go(arm, cup + np.array([0, 0, 0.012]))
    go(arm, arm.hand, 1.0, 0.8, near=0)
    assert arm.step(np.array([0, 0, 0, 1.0]), 0.005).more["grip"] > 8
    go(arm, cup + np.array([0, 0, 0.15]), 1.0)
    go(arm, arm.mouth, 1.0, near=0.01)
    assert np.linalg.norm(arm.cup - arm.mouth) < 0.05
    go(arm, cup + np.array([0, 0, 0.15]), 1.0)
    go(arm, cup + np.array([0, 0, 0.014]), 1.0)
    go(arm, arm.hand, 0.0, 0.8, near=0)
    assert np.linalg.norm(arm.cup - cup) < 0.02


def test_joints_stay_within_their_range_wherever_it_is_sent(arm):
    for to in ([2, 0, 0.3], [0.1, 0.9, 0.2], [-0.5, 0, 0.9], [0.3, -0.9, 1.5]):
        go(arm, np.array(to, float), seconds=3.0)
        assert np.all(arm.data.qpos[:7] > arm.low - 0.05) and np.all(arm.data.qpos[:7] < arm.high + 0.05)


def test_contact_is_felt_and_the_supervisor_backs_off():
    made = Arm(lockstep=True)
    permit = OpenGate().open(made, Arm.commands().stream)
    body = made._device
    body._mj.mj_forward(body.model, body.data)
    forces, causes = [], set()
    made._sup.around[1][:] = [[-np.inf], [np.inf]]
    for k in range(500):  # down onto the table, without the limits that forbid it
        permit.send(Chunk(np.array([[0, 0, -0.15 + 0.001 * (k % 3), 0]], np.float32), k))
        forces.append(made.look().force)
        causes.add(made.cause)
    assert max(forces) > 60 and any(Cause.FORCE in c for c in causes)
    assert np.mean(forces[-100:]) < max(forces)
    permit.close()


def test_help_is_off_unless_asked_for_and_always_told():
    told = []
    for share in (0.0, 0.8):
        made = Arm(lockstep=True, help=share)
        permit = OpenGate().open(made, Arm.commands().stream)
        made.goal = made.look().points[0] + np.array([0.05, 0, 0])
        for k in range(100):
            permit.send(Chunk(np.array([[0.0, 0.1 + 0.001 * (k % 3), 0, 0]], np.float32), k))
        told.append((made.helped, made.look().points[0, 0]))
        permit.close()
    assert told[0][0] == 0 and told[1][0] > 0.1
    assert told[1][1] > told[0][1] + 0.01


def test_the_same_seed_gives_the_same_bytes():
    out = []
    for _ in range(2):
        made = Arm(lockstep=True, seed=3)
        source = Arm.commands(2.0)
        permit = OpenGate().open(made, source.stream)
        for c in source.recut([7] * 20):
            permit.send(c)
        out.append(made._device.data.qpos.tobytes())
        permit.close()
    assert out[0] == out[1]


def test_pictures_are_rendered_or_drawn(arm):
    seen = arm.picture((320, 240))
    assert seen is None or (seen.shape == (240, 320, 3) and seen.std() > 5)
    arm.close()
    arm._renderer = False  # as where nothing renders
    assert arm.picture((320, 240)) is None
    assert painted(arm.drawing(), (320, 240)).std() > 5


@pytest.mark.parametrize("there, way", [({"EGL", "OSMesa"}, "egl"), ({"OSMesa"}, "osmesa"), (set(), "off")])
def test_without_a_screen_it_renders_by_what_is_there(monkeypatch, there, way):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(_arm, "find_library", lambda name: name if name in there else None)
    monkeypatch.setattr(_arm.sys, "platform", "linux")
    _arm._mujoco()
    assert os.environ["MUJOCO_GL"] == way


def test_what_is_rendered_says_how_much_was_helped():
    made = Arm(lockstep=True)
    permit = OpenGate().open(made, Arm.commands().stream)
    assert [text for _, _, text in made.drawing().words] == ["helped 0%"]
    grey = np.full((240, 320, 3), 90, np.uint8)
    made._device.picture = lambda size: grey
    assert (picture(made, size=(320, 240))[200:] != 90).any()
    permit.close()
