"""A simulated car: the driver drives; a decoded intention to brake only makes the brakes ready for the driver's own foot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Recording, Stream, recording
from ._drawing import Drawing, ground, line, word
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

    def drawing(self) -> Drawing:
        """The car on the road, its wheels as they are steered, and how far its brakes are pressed."""
        felt = self.look()
        (place,), heading, pressure = felt.points, felt.more["heading"], felt.more["pressure"]
        ahead, aside = np.array([np.cos(heading), np.sin(heading), 0]), np.array([-np.sin(heading), np.cos(heading), 0])
        sides = [place + a * ahead + b * aside for a, b in ((-1, -0.9), (3.6, -0.9), (3.6, 0.9), (-1, 0.9), (-1, -0.9))]
        steer = self.told[0] if np.isfinite(self.told[0]) else 0.0
        turned = np.cos(steer) * ahead + np.sin(steer) * aside
        wheels = []
        for along, way in ((0.0, ahead), (WHEELBASE, turned)):
            for b in (-0.9, 0.9):
                hub = place + along * ahead + b * aside
                wheels.append(line("warm" if pressure > 0.05 else "body", hub - 0.35 * way, hub + 0.35 * way, width=0.28))
        cabin = [p + np.array([0, 0, 1.3]) for p in (place + 0.3 * ahead, place + 2.2 * ahead)]
        lines = (*ground(place, 24.0, 4.0), line("body", *sides, width=0.12), *wheels, line("body", *cabin, width=0.7))
        words = (word("thing", place + np.array([0, 0, 3.0]), f"{3.6 * felt.more['speed']:.0f} km/h"),)
        return Drawing(lines, words=words, middle=(place[0] + 1, place[1], 0), span=20.0, turn=-0.35, tilt=0.6)

    @classmethod
    def commands(cls, seconds: float = 12.0, rate: float = 50.0) -> Recording:
        """Simulated: a driver who speeds up, steers a little and brakes; the intention is decoded a fifth of a second
        before the foot acts."""
        t = np.arange(round(seconds * rate)) / rate
        turn = t % 12.0
        throttle = np.where(turn < 6, 0.5, 0.0)
        brake = np.where((turn >= 7.0) & (turn < 10), 0.6, 0.0)
        intent = np.where((turn >= 6.8) & (turn < 10), 0.9, 0.1)
        rows = np.column_stack([0.06 * np.sin(0.8 * t), throttle, brake, intent])
        channels = tuple(Channel(n, "velocity", u) for n, u in zip(cls.takes.names, cls.takes.units, strict=True))
        return recording(Stream("simulated driving", rate, channels, label=SIMULATED), rows)

    def device(self) -> Car:
        return Car(self.spec)

    def control(self, row: np.ndarray, felt: Felt) -> np.ndarray:
        return np.array([*row[:3], 1.0 if row[3] > self.arm else 0.0 if np.isfinite(row[3]) else np.nan])
