"""The simulated arm itself: physics by MuJoCo, joints driven so that the hand moves as commanded and stays level."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ._drawing import Drawing, line
from ._geoms import drawn
from ._spec import CommandSpec, Felt

HEADLESS = {"egl": "EGL", "osmesa": "OSMesa"}  # ways to render without a screen, and the library of each
MODEL = Path(__file__).with_name("arm.xml")
HOME = np.array([0.0, -1.0, 0.0, 2.2, 0.0, -1.2, 0.0])  # rad: the hand level, in front of the base
DAMPED = 0.04  # of the least squares: near a singular posture the hand is slower, not the joints faster
UPRIGHT, HOMING = 4.0, 0.6  # 1/s: how fast the hand is turned level, and idle joints go home
JOINT_SPEED, EDGE = 1.8, 0.15  # rad/s, and rad before a joint's end from which it slows
STIFF, LOOSE = np.array([240, 240, 140, 180, 60, 60, 40.0]), np.array([24, 24, 12, 16, 5, 5, 3.0])  # N m/rad, N m s/rad
TORQUE = np.array([60, 60, 40, 40, 15, 15, 10.0])  # N m, what the motors have
FINGER_N, FINGER_STIFF, OPEN_M = 14.0, 900.0, 0.042  # grip force of a finger at most, N/m, opening
LIP = np.array([0.02, 0.0, 0.0])  # half a mouth, as drawn


class Arm7:
    """Velocity of the end point by damped least squares over seven joints (C. W. Wampler, IEEE Trans. Syst. Man Cybern.
    16:93-101, 1986, doi:10.1109/TSMC.1986.289285), gravity compensated. What it feels: the largest contact force of arm or
    cup with anything but each other and the table below the cup, the largest torque, and the force between the fingers.

    cup: its place on the table, (x, y) in metres; held_up: whether the cup's weight hangs at the hand.
    """

    def __init__(self, spec: CommandSpec, seed: int = 0, cup: tuple[float, float] | None = None) -> None:
        self.spec, self._mj = spec, _mujoco()
        mujoco = self._mj
        self.model = mujoco.MjModel.from_xml_path(str(MODEL))
        self.data = mujoco.MjData(self.model)
        name = mujoco.mj_name2id
        geoms, site = mujoco.mjtObj.mjOBJ_GEOM, mujoco.mjtObj.mjOBJ_SITE
        self._grip, self._mouth = name(self.model, site, "grip"), name(self.model, site, "mouth")
        self._cup_body = name(self.model, mujoco.mjtObj.mjOBJ_BODY, "cup")
        self._cup, self._table, self._head = (name(self.model, geoms, n) for n in ("cup", "table", "head"))
        self._fingers = [name(self.model, geoms, n) for n in ("finger1", "finger2")]
        self.data.qpos[:7] = self._wanted = HOME.copy()
        self._speed = np.zeros(7)
        self.data.qpos[7:9] = OPEN_M
        if cup is None:
            chance = np.random.default_rng([seed, 70])
            cup = (float(chance.uniform(0.48, 0.60)), float(chance.uniform(-0.05, 0.20)))
        self.data.qpos[9:11] = cup
        self.low, self.high = self.model.jnt_range[:7].T
        self._jac = np.zeros((6, self.model.nv))
        self._renderer: Any = None
        mujoco.mj_forward(self.model, self.data)

    @property
    def hand(self) -> np.ndarray:
        return self.data.site_xpos[self._grip].copy()

    @property
    def cup(self) -> np.ndarray:
        """Its middle, m."""
        return self.data.xpos[self._cup_body].copy()

    @property
    def mouth(self) -> np.ndarray:
        return self.data.site_xpos[self._mouth].copy()

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        self._aim(command[:3], seconds)
        force = grip = torque = 0.0
        opened = OPEN_M * (1 - command[3])
        d = self.data
        for _ in range(max(round(seconds / self.model.opt.timestep), 1)):
            pull = STIFF * (self._wanted - d.qpos[:7]) + LOOSE * (self._speed - d.qvel[:7]) + d.qfrc_bias[:7]
            d.qfrc_applied[:7] = np.clip(pull, -TORQUE, TORQUE)
            d.qfrc_applied[7:9] = np.clip(FINGER_STIFF * (opened - d.qpos[7:9]), -FINGER_N, FINGER_N) + d.qfrc_bias[7:9]
            self._mj.mj_step(self.model, d)
            torque = max(torque, float(np.abs(d.qfrc_applied[:7]).max()))
        force, grip = self._contacts()
        return Felt(self.hand[None], force, torque, more={"grip": grip})

    def _aim(self, velocity: np.ndarray, seconds: float) -> None:
        """Move the wanted joint angles so that the hand goes with `velocity` and its axes turn to those of the room."""
        mj, m, d = self._mj, self.model, self.data
        mj.mj_jacSite(m, d, self._jac[:3], self._jac[3:], self._grip)
        jac = self._jac[:, :7]
        turn = d.site_xmat[self._grip].reshape(3, 3)
        wanted = np.concatenate([velocity, UPRIGHT * _tilt(turn)])
        gram = jac @ jac.T
        gram[np.diag_indices(6)] += DAMPED**2
        inverse = jac.T @ np.linalg.inv(gram)
        home = HOMING * (HOME - self._wanted)
        speed = inverse @ wanted + home - inverse @ (jac @ home)
        room = np.where(speed > 0, self.high - self._wanted, self._wanted - self.low)
        speed *= np.clip(room / EDGE, 0.0, 1.0)
        fastest = np.abs(speed).max()
        if fastest > JOINT_SPEED:
            speed *= JOINT_SPEED / fastest
        self._wanted, self._speed = self._wanted + speed * seconds, speed

    def _contacts(self) -> tuple[float, float]:
        """(largest force of a collision, force between fingers and cup), N."""
        mj, m, d = self._mj, self.model, self.data
        wrench, force, grip = np.zeros(6), 0.0, 0.0
        for k in range(d.ncon):
            a, b = (int(g) for g in d.contact[k].geom)
            pair = {a, b}
            if pair == {self._cup, self._table} or pair <= set(self._fingers):
                continue
            mj.mj_contactForce(m, d, k, wrench)
            size = float(np.sqrt(wrench[:3] @ wrench[:3]))
            if self._cup in pair and pair & set(self._fingers):
                grip += size / 2
            else:
                force = max(force, size)
        return force, grip

    def drawing(self) -> Drawing:
        """The arm, the table, the head and the cup."""
        seen = drawn(self._mj, self.model, self.data)
        mouth = line("warm", self.mouth - LIP, self.mouth + LIP, width=0.01)
        return replace(seen, lines=(*seen.lines, mouth), middle=(0.32, 0.0, 0.28), span=1.25, turn=-0.5, tilt=0.35)

    def picture(self, size: tuple[int, int]) -> np.ndarray | None:
        """(height, width, 3) uint8, rendered by MuJoCo; None where the machine cannot."""
        if self._renderer is None:
            try:
                self._renderer = self._mj.Renderer(self.model, size[1], size[0])
            except Exception:  # no EGL, no OSMesa, no display: each library has its own way to say so
                self._renderer = False
        if self._renderer:
            self._renderer.update_scene(self.data, camera="side")
            return np.asarray(self._renderer.render())
        return None

    def close(self) -> None:
        if self._renderer:
            self._renderer.close()
        self._renderer = None


def _mujoco() -> Any:
    """MuJoCo. How it renders is settled where it is first imported; without a screen it renders by EGL or OSMesa, where one
    is there and nobody (MUJOCO_GL) has said otherwise."""
    if "DISPLAY" not in os.environ and "WAYLAND_DISPLAY" not in os.environ and sys.platform == "linux":
        there = (way for way, library in HEADLESS.items() if find_library(library))
        os.environ.setdefault("MUJOCO_GL", next(there, "off"))
    try:
        import mujoco
    except ModuleNotFoundError as error:
        raise WrongUse("The arm needs MuJoCo.", do='pip install "bcikit[robot]"') from error
    return mujoco


def _tilt(turn: np.ndarray) -> np.ndarray:
    """The rotation vector, for small angles, that turns these axes (columns) to those of the room."""
    return 0.5 * np.array([turn[1, 2] - turn[2, 1], turn[2, 0] - turn[0, 2], turn[0, 1] - turn[1, 0]])
