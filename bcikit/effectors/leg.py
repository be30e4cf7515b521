"""A simulated exoskeleton for both legs, its wearer's pelvis held by body-weight support, with a ball to be kicked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Recording, Stream, recording
from ._drawing import Drawing, ball, ground, line
from ._moved import Moved
from ._spec import CommandSpec, Felt

THIGH, SHANK, BODY_KG, G = 0.42, 0.43, 65.0, 9.81
JOINTS = ("hip_right", "knee_right", "hip_left", "knee_left")
LOW, HIGH = np.array([-0.6, 0.0, -0.6, 0.0]), np.array([1.2, 1.4, 1.2, 1.4])  # rad; a knee bends backwards
LAG_S = 0.04  # of the joints' drives
FLOOR, FLOOR_DAMP = 30_000.0, 1500.0  # N/m, N s/m under the feet
SUPPORT, SUPPORT_DAMP = 2500.0, 400.0  # N/m, N s/m of the harness
BALL_KG, BALL_M, BALL_STIFF, BALL_ROLL = 0.43, 0.11, 4000.0, 0.25  # FIFA size 5; N/m; m/s² lost in rolling


class Legs:
    """In the plane of walking: x forwards, z up. Two legs of two joints whose speeds follow the command with a lag; a
    pelvis that only goes up and down, on the harness and on whichever foot stands."""

    def __init__(self, spec: CommandSpec, support: float) -> None:
        self.spec, self.support = spec, support
        self.angle, self.speed = np.array([0.0, 0.12, 0.0, 0.12]), np.zeros(4)
        self.height, self.rise = self._longest() - 0.005, 0.0
        self.ball, self.ball_speed = 0.32, 0.0
        self._feet = self.feet

    @property
    def feet(self) -> np.ndarray:
        """(right, left) x (x, z) of the ankles, m."""
        hip, knee = self.angle[0::2], self.angle[1::2]
        x = THIGH * np.sin(hip) + SHANK * np.sin(hip - knee)
        z = self.height - THIGH * np.cos(hip) - SHANK * np.cos(hip - knee)
        return np.column_stack([x, z])

    def _longest(self) -> float:
        hip, knee = self.angle[0::2], self.angle[1::2]
        return float((THIGH * np.cos(hip) + SHANK * np.cos(hip - knee)).max())

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        steps = 5
        dt = seconds / steps
        load = 0.0
        for _ in range(steps):
            self.speed += dt / LAG_S * (command - self.speed)
            self.angle = np.clip(self.angle + dt * self.speed, LOW, HIGH)
            feet = self.feet
            # the harness carries its share at the height of standing, more below it
            load = max(self.support * BODY_KG * G - SUPPORT * (self.height - THIGH - SHANK) - SUPPORT_DAMP * self.rise, 0.0)
            under = float(np.maximum(-feet[:, 1] * FLOOR - (feet[:, 1] < 0) * FLOOR_DAMP * self.rise, 0.0).sum())
            self.rise += dt * ((load + under) / BODY_KG - G)
            self.height += dt * self.rise
            self._kick(feet, dt)
        more = {"load": load, "ball": self.ball, "ball_speed": float(self.ball_speed)}
        return Felt(np.zeros((0, 3)), force=load, more=more | dict(zip(JOINTS, self.angle.tolist(), strict=True)))

    def _kick(self, feet: np.ndarray, dt: float) -> None:
        """The foot pushes the ball like a spring while they overlap."""
        way = np.array([self.ball, BALL_M]) - feet[0]
        far = float(np.hypot(*way))
        push = BALL_STIFF * max(BALL_M + 0.04 - far, 0.0) * way[0] / max(far, 1e-6)
        self.ball_speed += dt * push / BALL_KG
        self.ball_speed -= np.sign(self.ball_speed) * min(BALL_ROLL * dt, abs(self.ball_speed))
        self.ball += dt * self.ball_speed

    def close(self) -> None:
        """Nothing is held."""


@dataclass(eq=False)
class Leg(Moved):
    """Takes the speeds of hips and knees (rad/s; a positive hip swings forwards, a positive knee bends). The load on the
    harness (`load`, N) is always told, and is the force that the limits bound."""

    takes: ClassVar = CommandSpec(JOINTS, ("rad/s",) * 4, (0.0,) * 4)
    spec: ClassVar = CommandSpec(
        JOINTS,
        ("rad/s",) * 4,
        (0.0,) * 4,
        felt={"load": "N", "ball": "m", "ball_speed": "m/s", **dict.fromkeys(JOINTS, "rad")},
    )

    support: Annotated[float, Setting("share of the weight that the harness bears while standing", low=0, high=1)] = 0.6

    def drawing(self) -> Drawing:
        """From the side: trunk on its harness, two legs, the ball; the height follows from the leg that is longer."""
        felt = self.look().more
        hips, knees = (np.array([felt[f"{j}_{s}"] for s in ("left", "right")]) for j in ("hip", "knee"))
        bend = hips - knees
        high = float((THIGH * np.cos(hips) + SHANK * np.cos(bend)).max())
        lines = [line("limit", (0, 0, high + 0.62), (0, 0, high + 1.1))]
        lines += [line("place", (0, 0, high), (0, 0, high + 0.55), width=0.16)]
        for k, y in enumerate((0.1, -0.1)):
            hip = np.array([0, y, high])
            knee = hip + THIGH * np.array([np.sin(hips[k]), 0, -np.cos(hips[k])])
            foot = knee + SHANK * np.array([np.sin(bend[k]), 0, -np.cos(bend[k])])
            toes = foot + 0.14 * np.array([np.cos(bend[k]), 0, np.sin(bend[k])])
            lines.append(line("body", hip, knee, foot, toes, width=0.07))
        balls = (ball("place", (0, 0, high + 0.72), 0.11), ball("thing", (felt["ball"], -0.1, BALL_M), BALL_M))
        return Drawing((*lines, *ground((0, 0), 1.0, 0.25)), balls, middle=(0.3, 0.0, 0.85), span=2.4, turn=-0.25, tilt=0.12)

    @classmethod
    def commands(cls, seconds: float = 8.0, rate: float = 50.0) -> Recording:
        """Simulated: steps on the spot, one a second."""
        turn = np.pi * np.arange(round(seconds * rate)) / rate
        raised = [np.maximum(side * np.sin(turn), 0) ** 2 for side in (1, -1)]
        rows = np.column_stack([rate * np.gradient(high * lift) for lift in raised for high in (0.6, 0.9)])
        channels = tuple(Channel(n, "velocity", "rad/s") for n in JOINTS)
        return recording(Stream("simulated steps", rate, channels, label=SIMULATED), rows)

    def device(self) -> Legs:
        return Legs(self.spec, self.support)
