"""The closed loop from the electrodes: 30 kHz of every channel, features of units, decoder, cursor; and back to the neurons.

    loop = RawLoop(Implant(n=1024, seed=1), Steering(channels=("crossings",)), Grid([1], 0.02), Gate(), JumpClock())

The neurons are those of the board `implant`: other than in binned counts they share no noise, do not turn between watching
and steering, and know no closing hand. What the screen shows enters the stream as marks, which `marked` makes channels.
"""

from __future__ import annotations

from ..acquire.implant import Implant
from ..core.clock import Clock, WallClock
from ..core.loop import Gate
from ..core.parts import Stage
from ..decode.kinematics.steering import SCREEN, Steering
from ..preprocess.marked import Marked
from ..preprocess.unit_features import UnitFeatures
from ..simulate.neurons import TICK_S
from ._targets import Targets
from .closed_loop import ClosedLoop

HEADLESS_S = 0.01  # of a chunk, where nobody waits for it: the same bytes as with a millisecond


class RawLoop(ClosedLoop):
    """`ClosedLoop` on the board `implant`."""

    def _before(self) -> tuple[list[Stage], str]:
        return [UnitFeatures(width=self.task.step_s), Marked(names=SCREEN)], "unit_features"

    def _shown(self) -> None:
        (x, y), target = self.scene.cursor[0], self.task.target[0]
        for name, value in zip(SCREEN, (x, y, *target, self.task.size[0]), strict=True):
            self.loop.mark(name, float(value))

    def _intended(self, x: float, y: float, closed: bool) -> None:
        self.board.intend(x, y)


def raw_loop(channels: int, seed: int, decoder: Steering, task: Targets, gate: Gate, clock: Clock) -> RawLoop:
    """A loop on a new implant; in chunks of a millisecond on the wall clock."""
    board = Implant(n=channels, seed=seed, script="rest", chunk=TICK_S if isinstance(clock, WallClock) else HEADLESS_S)
    return RawLoop(board, decoder, task, gate, clock)
