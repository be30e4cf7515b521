"""A simulated hand exoskeleton: opens and closes fingers that do nothing themselves and may be stiff with spasticity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Recording, Stream, recording
from ._drawing import Drawing, line
from ._moved import Moved
from ._spec import CommandSpec, Felt

INERTIA, DAMPING, MOTOR = 0.002, 0.05, 0.6  # kg m², N m s/rad, N m s/rad (how hard the motor holds its speed)
CURLED, OPENED, CLOSED = 0.9, 0.0, 1.4  # rad: where spastic fingers want to be, and the ends of the orthosis
END = 20.0  # N m/rad of its stops
BONES_M = (0.045, 0.03, 0.025)  # of a finger, as drawn


class Orthosis:
    """All fingers as one joint: motor against inertia, damping and the spastic stiffness that pulls them into a fist."""

    def __init__(self, spec: CommandSpec, stiffness: float) -> None:
        self.spec, self.stiffness = spec, stiffness
        self.angle, self.speed = 0.5, 0.0

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        steps = 4
        for _ in range(steps):
            motor = MOTOR * (float(command[0]) - self.speed) - self._passive()
            stop = END * (min(self.angle - OPENED, 0.0) + max(self.angle - CLOSED, 0.0))
            torque = motor + self._passive() - DAMPING * self.speed - stop
            self.speed += seconds / steps * torque / INERTIA
            self.angle += seconds / steps * self.speed
        return Felt(np.zeros((0, 3)), torque=abs(motor), more={"angle": self.angle})

    def _passive(self) -> float:
        return self.stiffness * (CURLED - self.angle)

    def close(self) -> None:
        """Nothing is held."""


@dataclass(eq=False)
class Hand(Moved):
    """Takes the speed of closing (`close`, rad/s; negative opens). The torque on the fingers is bounded by the limits:
    fingers that are too stiff are not forced."""

    takes: ClassVar = CommandSpec(("close",), ("rad/s",), (0.0,))
    spec: ClassVar = CommandSpec(("close",), ("rad/s",), (0.0,), felt={"angle": "rad"})

    stiffness: Annotated[float, Setting("spastic stiffness of the fingers", "N m/rad", low=0, high=5)] = 0.3

    def drawing(self) -> Drawing:
        """From the side: forearm, palm, and fingers of three bones that curl."""
        curl = self.look().more["angle"]
        place, tilt, bones = np.zeros(3), 0.0, [np.zeros(3)]
        for bone in BONES_M:
            tilt -= curl
            place = place + bone * np.array([np.cos(tilt), 0, np.sin(tilt)])
            bones.append(place)
        thumb = 0.6 - curl
        grip = np.array([-0.03, 0, -0.02]) + 0.07 * np.array([np.cos(thumb), 0, -abs(np.sin(thumb)) - 0.3])
        lines = (
            line("place", (-0.30, 0, -0.01), (-0.09, 0, -0.005), width=0.06),
            line("body", (-0.09, 0, 0), bones[0], width=0.035),
            line("body", *bones, width=0.02),
            line("body", (-0.05, 0, -0.01), grip, width=0.022),
        )
        return Drawing(lines, middle=(-0.06, 0.0, -0.01), span=0.62)

    @classmethod
    def commands(cls, seconds: float = 10.0, rate: float = 50.0) -> Recording:
        """Simulated: it closes and opens, every 5 s."""
        t = np.arange(round(seconds * rate)) / rate
        stream = Stream("simulated grasps", rate, (Channel("close", "velocity", "rad/s"),), label=SIMULATED)
        return recording(stream, 0.5 * np.sin(2 * np.pi * t / 5)[:, None])

    def device(self) -> Orthosis:
        return Orthosis(self.spec, self.stiffness)
