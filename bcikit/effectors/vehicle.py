"""A simulated car: the driver drives; a decoded intention to brake only makes the brakes ready for the driver's own foot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.parts import Setting
from ._moved import Moved
from ._spec import CommandSpec, Felt

WHEELBASE, PULL, BRAKE, DRAG = 2.7, 3.0, 8.0, 0.03  # m, m/s², m/s², 1/s
SLACK_S, READY_S = 0.30, 0.10  # from the pedal to full brake pressure, and with pads already at the disc


class Car:
    """A bicycle model. The brake follows its pedal with a lag, which is shorter once it was made ready."""

    def __init__(self, spec: CommandSpec) -> None:
        self.spec = spec
        self.place, self.heading, self.speed, self.pressure = np.zeros(2), 0.0, 0.0, 0.0

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        steer, throttle, brake, ready = map(float, command)
        lag = SLACK_S + (READY_S - SLACK_S) * min(max(ready, 0.0), 1.0)
        self.pressure += (brake - self.pressure) * min(3 * seconds / lag, 1.0)
        speed = self.speed + seconds * (PULL * throttle - BRAKE * self.pressure - DRAG * self.speed)
        self.speed = max(speed, 0.0)
        self.heading += seconds * self.speed * np.tan(steer) / WHEELBASE
        self.place = self.place + seconds * self.speed * np.array([np.cos(self.heading), np.sin(self.heading)])
        point = np.array([[*self.place, 0.0]])
        return Felt(point, more={"speed": self.speed, "heading": float(self.heading), "pressure": self.pressure})

    def close(self) -> None:
        """Nothing is held."""


@dataclass(eq=False)
class Vehicle(Moved):
    """Takes the driver's wheel and pedals, and `intent`, the decoded probability that the driver is about to brake (S.
    Haufe et al., J. Neural Eng. 8:056001, 2011, doi:10.1088/1741-2560/8/5/056001). Above `arm` the brake pads go to the
    discs, so that the driver's own foot acts sooner; nothing is braked by the intention alone. Safe is braked, off the
    throttle, wheel as it is."""

    takes: ClassVar = CommandSpec(("steer", "throttle", "brake", "intent"), ("rad", "1", "1", "1"), (0.0, 0.0, 0.0, 0.0))
    spec: ClassVar = CommandSpec(
        ("steer", "throttle", "brake", "ready"), ("rad", "1", "1", "1"), (0.0, 0.0, 0.0, 0.0), points=1,
        felt={"speed": "m/s", "heading": "rad", "pressure": "1"},
    )  # fmt: skip

    arm: Annotated[float, Setting("probability above which the brakes are made ready", low=0, high=1)] = 0.7

    def device(self) -> Car:
        return Car(self.spec)

    def control(self, row: np.ndarray, felt: Felt) -> np.ndarray:
        return np.array([*row[:3], 1.0 if row[3] > self.arm else 0.0 if np.isfinite(row[3]) else np.nan])
