"""The arm before another person's hand, which is there in the place of the cup: it moves, shakes once it is held, and is as
thick and as restless as hands are. Simulated."""

from __future__ import annotations

import numpy as np

from ._arm import Arm7
from ._spec import CommandSpec, Felt

STIFF, LOOSE = 80.0, 8.0  # N/m, N s/m: how the other holds the own hand in its place
TURN, TURN_LOOSE = 1.0, 0.02  # N m/rad, N m s/rad: and upright
RADIUS_M, CLENCH_M = (0.024, 0.034), 0.003  # of hands, and how much one swells and slackens while it is shaken
SWAY_M, SWAY_S = 0.015, 5.0  # it never keeps quite still
RISE_M, RISE_S = 0.04, 1.8  # of a shake
FELT_N, WAIT_S = 2.0, 0.5  # the other shakes once held so hard for so long


class Partner(Arm7):
    """`cup` is the middle of the other's hand. wanted_at: where the other is about to bring it. shaking: 0 before, 1 while,
    2 after; it shakes two or three times."""

    def __init__(self, spec: CommandSpec, seed: int = 0) -> None:
        super().__init__(spec, seed, (0.0, 0.0))
        chance = np.random.default_rng([seed, 71])
        self.radius = float(chance.uniform(*RADIUS_M))
        self.shakes = int(chance.integers(2, 4))
        self._home = np.array([chance.uniform(0.50, 0.58), chance.uniform(-0.05, 0.15), chance.uniform(0.24, 0.32)])
        self._phase = float(chance.uniform(0, 2 * np.pi))
        self._clench = float(chance.uniform(1.5, 3.0))  # s
        self._time = self._since = 0.0
        self.shaking = 0
        self.wanted_at = self._home
        self.model.geom_size[self._cup, 0] = self.radius
        self.data.qpos[9:12] = self._home
        self._mj.mj_forward(self.model, self.data)

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        self._live(seconds)
        felt = super().step(command, seconds)
        if self.shaking == 0:
            self._since = self._since + seconds if felt.more["grip"] > FELT_N else 0.0
            if self._since > WAIT_S:
                self.shaking, self._since = 1, 0.0
        return felt

    def _live(self, seconds: float) -> None:
        """What the other does for a moment."""
        d, body = self.data, self._cup_body
        self._time += seconds
        way = 2 * np.pi * self._time / SWAY_S + self._phase
        at = self._home + SWAY_M * np.array([0.0, np.sin(way), 0.3 * np.cos(way)])
        if self.shaking == 1:
            self._since += seconds
            at[2] += RISE_M * np.sin(2 * np.pi * self._since / RISE_S)
            swollen = CLENCH_M * np.sin(2 * np.pi * self._since / self._clench)
            self.model.geom_size[self._cup, 0] = self.radius + swollen
            if self._since > self.shakes * RISE_S:
                self.shaking = 2
        self.wanted_at = at
        pull = STIFF * (at - d.xpos[body]) - LOOSE * d.qvel[9:12] - self.model.body_mass[body] * self.model.opt.gravity
        lean = np.cross(d.xmat[body].reshape(3, 3)[:, 2], [0.0, 0.0, 1.0])
        d.xfrc_applied[body] = np.concatenate([pull, TURN * lean - TURN_LOOSE * d.qvel[12:15]])

    @property
    def opening(self) -> float:
        """Half of what is seen between the fingers, m."""
        return float(np.mean(self.data.qpos[7:9])) + 0.002
