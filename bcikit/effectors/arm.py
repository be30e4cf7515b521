"""A simulated arm of seven joints with a gripper: brings a cup to the mouth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from ..core.parts import Setting
from ._arm import Arm7
from ._drawing import Drawing, ball, word
from ._moved import Moved
from ._partner import Partner
from ._spec import CommandSpec, Felt

NEAR_M = 0.15  # shared autonomy begins to pull at this distance


@dataclass(eq=False)
class Arm(Moved):
    """Takes the velocity of the hand (vx, vy, vz, m/s) and `grip`, 0 open to 1 closed; the hand stays level.

    help: shared autonomy, off by default: the share of the velocity, near `goal` (where a person or a program has set
    one), that is replaced by a pull towards it. What was helped is always told: `helped` is the mean share of the motion
    so far, and 0 means that every millimetre was the person's. before: a cup on a table, or another person's hand.
    """

    takes: ClassVar = CommandSpec(("vx", "vy", "vz", "grip"), ("m/s", "m/s", "m/s", "1"), (0.0, 0.0, 0.0, 0.0))
    spec: ClassVar = CommandSpec(takes.names, takes.units, takes.rest, points=1, felt={"grip": "N"})

    help: Annotated[float, Setting("shared autonomy: the share of the motion that it may take over", low=0, high=1)] = 0.0

    before: Annotated[str, Setting("what it stands before", choices=("cup", "hand"))] = "cup"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.goal: np.ndarray | None = None
        self._helped, self._commands = 0.0, 0

    def device(self) -> Arm7:
        return (Arm7 if self.before == "cup" else Partner)(self.spec, self.seed)

    def drawing(self) -> Drawing:
        """All of it in lock-step; where the device is another process, the hand alone is known. What was helped stands
        below."""
        device = self._device
        if isinstance(device, Arm7):
            seen = device.drawing()
        else:
            seen = Drawing(
                balls=tuple(ball("body", p, 0.03) for p in self.look().points), middle=(0.32, 0.0, 0.28), span=1.25
            )
        return replace(seen, words=(*seen.words, word("place", (0.32, 0.0, -0.18), f"helped {self.helped:.0%}")))

    @property
    def helped(self) -> float:
        return self._helped / max(self._commands, 1)

    def control(self, row: np.ndarray, felt: Felt) -> np.ndarray:
        self._commands += 1
        if not self.help or self.goal is None or not np.isfinite(row).all():
            return row
        way = self.goal - felt.points[0]
        far = float(np.linalg.norm(way))
        share = self.help * float(np.clip(1 - far / NEAR_M, 0.0, 1.0))
        self._helped += share
        speed = float(np.linalg.norm(row[:3]))
        pull = way / max(far, 1e-6) * min(speed, 2 * far)
        return np.array([*((1 - share) * row[:3] + share * pull), row[3]])
