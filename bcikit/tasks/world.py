"""A simulated world: people, a screen with a cursor and a task, and their neurons; several at once, or one.

    world = World([1], units=192, task=Grid([1], 0.02))
    counts = world.sense()             # (1, 192): what the implant gives in this bin
    world.move(velocity)               # (1, 2): what a decoder made of it

A `Scene` is the same without neurons, for whoever has a board that gives the counts (`tasks/closed_loop.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..effectors.cursor import EDGE, slowed
from ..simulate.loop_facts import fact
from ..simulate.person import Steerers
from ..simulate.population import Populations
from ._targets import Targets

STEP_S = 0.02  # a bin


class Scene:
    """People before a screen. cursor, velocity, push (runs, 2), closed (runs): as they are now."""

    def __init__(self, seeds: Sequence[int], task: Targets, step_s: float = STEP_S, perfect: bool = False) -> None:
        self.task, self.step_s = task, step_s
        self.people = Steerers(seeds, step_s, perfect)
        self.cursor, self.velocity, self.push = np.zeros((3, len(seeds), 2))
        self.closed, self.still = np.zeros((2, len(seeds)), bool)

    def look(self) -> None:
        """The people look at the screen and intend something."""
        self.people.look(self.cursor, self.velocity, self.task.target, self.task.size)
        self.push, self.closed = self.people.intend()

    def judge(self, cursor: np.ndarray, velocity: np.ndarray, click: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """The cursor has moved there: (runs) who hit, (runs) who selected wrongly."""
        self.cursor, self.velocity = cursor, velocity
        hit, wrong = self.task.step(cursor, self.still if click is None else click)
        self.people.forget(hit | wrong)
        return hit, wrong

    def help(self, speed: float | np.ndarray, near_s: float) -> np.ndarray:
        """(runs, 2) the velocity with which a computer would go to the target."""
        way = self.task.target - self.cursor
        far = np.sqrt((way * way).sum(axis=1, keepdims=True))
        return way / np.maximum(far, 1e-9) * speed * np.minimum(far / (near_s * speed), 1.0)


class World(Scene):
    """People with implants of so many units."""

    def __init__(
        self, seeds: Sequence[int], units: int, task: Targets, step_s: float = STEP_S, perfect: bool = False
    ) -> None:
        super().__init__(seeds, task, step_s, perfect)
        self.neurons = Populations(units, seeds, step_s)

    def sense(self) -> np.ndarray:
        """The people look, intend, and their neurons fire: (runs, units) counts of this bin."""
        self.look()
        return self.neurons.counts(self.push, self.closed)

    def move(self, velocity: np.ndarray, click: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """The cursor moves for a bin, stopped by the edges; the task judges."""
        velocity = slowed(velocity, fact("top_speed"))
        return self.judge(np.minimum(np.maximum(self.cursor + velocity * self.step_s, -EDGE), EDGE), velocity, click)
