"""Three simulated quadrotors: flown as one formation or one at a time, within a fence, apart from each other and from
people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ..core.parts import Setting
from ._drawing import Drawing, ball, ground, line
from ._moved import Moved
from ._spec import CommandSpec, Felt

COUNT = 3
CORNERS = np.array([[0.0, 1.0, 0.0], [-0.87, -0.5, 0.0], [0.87, -0.5, 0.0]])  # of the formation, about its middle
START = np.array([0.0, 0.0, 1.0])
PERSON = np.array([-3.0, 0.0, 1.0])  # somebody stands there, as the limits say
PULL = 1.2  # 1/s: how fast a drone goes to its place in the formation
TAU_S, DRAG = 0.18, 0.05  # of the inner loop that tilts until the velocity is as commanded
GUST, GUST_S = 0.15, 0.8  # m/s, and how long a gust lasts


class Quadrotors:
    """Point masses whose velocity follows the command with a lag, in gusts of wind; simulated."""

    def __init__(self, spec: CommandSpec, spread: float, seed: int) -> None:
        self.spec = spec
        self.place = START + spread * CORNERS
        self.velocity = np.zeros((COUNT, 3))
        self._gust = np.zeros((COUNT, 3))
        self._chance = np.random.default_rng(seed)

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        wanted = command.reshape(COUNT, 3)
        kick = self._chance.standard_normal((COUNT, 3)) * GUST * np.sqrt(2 * seconds / GUST_S)
        self._gust += kick - self._gust * seconds / GUST_S
        self.velocity += seconds * ((wanted - self.velocity) / TAU_S + DRAG * self._gust / TAU_S)
        self.place = self.place + self.velocity * seconds
        pairs = [np.linalg.norm(self.place[i] - self.place[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
        near = float(np.linalg.norm(self.place - PERSON, axis=1).min())
        return Felt(self.place.copy(), distance=near, more={"gap": float(min(pairs))})

    def close(self) -> None:
        """Nothing is held."""


@dataclass(eq=False)
class Drones(Moved):
    """Takes a velocity (vx, vy, vz, m/s), the size of the formation (`spread`, m) and `which`: 0 all, 1 to 3 one of them,
    while the others stay. The supervisor keeps them apart, within the fence and away from the person, and slows all
    of them near one (drones.toml)."""

    takes: ClassVar = CommandSpec(("vx", "vy", "vz", "spread", "which"), ("m/s", "m/s", "m/s", "m", "1"), (0, 0, 0, 1, 0))
    spec: ClassVar = CommandSpec(
        tuple(f"{a}{k + 1}" for k in range(COUNT) for a in ("vx", "vy", "vz")),
        ("m/s",) * (3 * COUNT),
        (0.0,) * (3 * COUNT),
        points=COUNT,
        felt={"gap": "m"},
    )

    spread: Annotated[float, Setting("size of the formation at the start", "m", low=0.5, high=3)] = 1.0

    def drawing(self) -> Drawing:
        """Each with its rotors, above its shadow on the ground."""
        places = self.look().points
        lines, balls = [*ground(places.mean(axis=0), 6.0, 1.0)], []
        for p in places:
            lines.append(line("place", p, (p[0], p[1], 0)))
            for a in (0.79, 2.36):
                arm = 0.22 * np.array([np.cos(a), np.sin(a), 0])
                lines.append(line("body", p - arm, p + arm, width=0.04))
                balls += [ball("body", p + arm, 0.1), ball("body", p - arm, 0.1)]
            balls.append(ball("thing", p, 0.09))
        middle = (*places.mean(axis=0)[:2], 1.4)
        return Drawing(tuple(lines), tuple(balls), middle=middle, span=9.0, turn=-0.9, tilt=0.35)

    def device(self) -> Quadrotors:
        return Quadrotors(self.spec, self.spread, self.seed)

    def control(self, row: np.ndarray, felt: Felt) -> np.ndarray:
        velocity, spread, which = row[:3], row[3], row[4]
        if not np.isfinite(row).all():
            return np.full(3 * COUNT, np.nan)  # the supervisor knows what to do with that
        k = round(float(which))
        if 1 <= k <= COUNT:
            out = np.zeros((COUNT, 3))
            out[k - 1] = velocity
            return out.ravel()
        middle = felt.points.mean(axis=0)
        return (velocity + PULL * (middle + spread * CORNERS - felt.points)).ravel()
