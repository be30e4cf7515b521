"""A cup is reached for, grasped, brought to the mouth, brought back and let go: the task of Hochberg 2012 and Collinger 2013
(doi:10.1038/nature11076, doi:10.1016/S0140-6736(12)61816-9), with a simulated person and a simulated arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..effectors._arm import Arm7
from ._brain import BIN_S
from ._reach import Reach
from .scenario import Gate, Outcome, Watch


class Plan:
    """What the person does next, from what they see and feel: each step has its target and what ends it. A cup that was
    missed is reached for again."""

    def __init__(self, arm: Arm7, page: Mapping[str, Any]) -> None:
        self.arm, self.page = arm, page
        self.start, self.step, self.held = arm.cup, 0, 0.0
        self.lifted = 0.0  # of the cup, at most
        self.drunk = False
        self.here = arm.hand  # where it was when this step began

    def target(self) -> tuple[np.ndarray, float, float]:
        """(where, how fast at most, wish to close)."""
        cup, place = self.arm.cup, self.start.copy()
        above, table = np.array([0, 0, 0.10]), np.array([0, 0, 0.014])
        return [
            (cup + np.array([-0.12, 0, 0.02]), 1.0, -1.0),
            (cup + np.array([0.0, 0, 0.012]), 0.5, 0.0),
            (self.here, 0.3, 1.0),
            (self.start + above, 0.7, 0.0),
            (self.arm.mouth + np.array([0, 0.01, 0.012]), 0.8, 0.0),
            (place + above, 0.8, 0.0),
            (place + table, 0.4, 0.0),
            (self.here, 0.3, -1.0),
            (place + np.array([-0.13, 0, 0.03]), 0.6, -0.6),
        ][self.step]

    def look(self, off: float, feels: float) -> bool:
        """Whether all is done; goes on to the next step where this one is."""
        arm = self.arm
        self.lifted = max(self.lifted, float(arm.cup[2] - self.start[2]))
        near = (0.025, 0.014, 0, 0.03, 0.035, 0.03, 0.012, 0, 0.03)[self.step]
        if self.step == 2:
            self.held = self.held + BIN_S if feels > 0.3 else 0.0
            done = self.held > 0.5
        elif self.step == 7:
            self.held = self.held + BIN_S if feels < 0.05 else 0.0
            done = self.held > 0.6
        elif self.step == 4:
            at = float(np.linalg.norm(arm.cup - arm.mouth)) < self.page["mouth_m"]
            self.held = self.held + BIN_S if at else 0.0
            self.drunk = done = self.held > self.page["drink_s"]
        else:
            self.held = self.held + BIN_S if off < near else 0.0
            done = self.held > 0.1
        if done:
            missed = self.step == 3 and arm.cup[2] - self.start[2] < 0.03  # it stayed on the table: again
            self.step, self.held, self.here = 0 if missed else self.step + 1, 0.0, arm.hand
        return self.step == 9


def trial(page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None = None) -> Outcome:
    """One cup. more: the largest force of a collision, N, how much help was given, and when the cup was grasped, s."""
    worst, grasped, done = 0.0, float("nan"), False
    with Reach(page, seed, gate, watch, slow_m=0.07, help=float(page["help"])) as reach:
        device = reach.device
        plan = Plan(device, page)
        while not done and reach.seconds < page["seconds"]:
            felt, off = reach.step(*plan.target())
            worst = max(worst, felt.force)
            if plan.step > 2 and np.isnan(grasped):
                grasped = (reach.bins - 1) * BIN_S
            done = plan.look(off, reach.feels)
        cup, upright = device.cup, device.data.xmat[device._cup_body].reshape(3, 3)[2, 2]
    limit = float(page["force"])
    missed = {
        "the cup was never lifted": plan.lifted < 0.05,
        "the cup never came to the mouth": not plan.drunk,
        f"a collision was over {limit:g} N": worst > limit,
        "the cup was not put back": float(np.linalg.norm(cup[:2] - plan.start[:2])) > page["back_m"] or cup[2] > 0.08,
        "the cup fell over": upright < 0.9,
        "time was up": not done,
    }
    why = next((w for w, so in missed.items() if so), "")
    return Outcome(seed, not why, reach.seconds, why, {"force_n": worst, "helped": reach.arm.helped, "grasped_s": grasped})
