"""Another person's hand is reached for, held no harder than is kind, shaken with them, and let go: what the arm touches is
felt through stimulation, as in the hand shake of 2016 (S. N. Flesher et al., doi:10.1126/scitranslmed.aaf8083). Simulated
person, implant, arm and other person."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..effectors._partner import Partner
from ..simulate.loop_facts import fact
from ._brain import BIN_S
from ._reach import DEAD, FULL_N, Reach
from .scenario import Gate, Outcome, Watch

EASE = 0.55  # how hard the hand is wished closed or open while touching somebody
STILL_M = 0.0004  # fingers that went no further in a bin are seen to stand


class Plan:
    """What the person does next. felt: what is felt, 0 to 1. Who feels nothing closes until the fingers are seen to stand,
    and leaves them so."""

    def __init__(self, hand: Partner, page: Mapping[str, Any]) -> None:
        self.hand, self.step, self.held = hand, 0, 0.0
        self.feels = bool(page["feel"])
        self.middle = (page["hold_n"] + page["hurt_n"]) / 2 / FULL_N
        late = round(fact("visual_s") / BIN_S) + 1
        self._there: deque[np.ndarray] = deque([hand.wanted_at.copy()], maxlen=late)  # the other's hand, as seen: late
        self._gap: deque[float] = deque([hand.opening], maxlen=late + 1)
        self._shaken: deque[bool] = deque([False], maxlen=late)
        self.here = hand.hand

    def see(self) -> None:
        self._there.append(self.hand.wanted_at.copy())
        self._gap.append(self.hand.opening)
        self._shaken.append(self.hand.shaking == 2)

    def target(self, felt: float) -> tuple[np.ndarray, float, float]:
        """(where, how fast at most, wish to close)."""
        there, beside = self._there[0], np.array([-0.13, 0.0, 0.0])
        return [
            (there + beside, 1.0, -1.0),
            (there, 0.5, -0.6),
            (there, 1.0, self._closing(felt)),
            (there, 1.0, self._closing(felt) if self.feels else 0.0),
            (there, 1.0, -1.0),
            (self.here + beside, 0.6, -0.6),
        ][self.step]

    def _closing(self, felt: float) -> float:
        off = self.middle - felt
        if not self.feels:
            return EASE
        return float(np.sign(off) * min(DEAD + 1.2 * abs(off), EASE)) if abs(off) > 0.06 else 0.0

    def look(self, off: float, felt: float) -> bool:
        """Whether all is done; goes on to the next step where this one is."""
        self.see()
        stands = self._gap[0] - self._gap[1] < STILL_M and self._gap[0] < 0.038
        ready = [
            off < 0.025,
            off < 0.012,
            abs(felt - self.middle) < 0.12 if self.feels else stands,
            self._shaken[0],
            felt < 0.05 if self.feels else self._gap[0] > 0.038,
            off < 0.03,
        ][self.step]
        self.held = self.held + BIN_S if ready else 0.0
        if self.held > (0.1, 0.1, 0.3, 0.2, 0.5, 0.1)[self.step]:
            self.step, self.held, self.here = self.step + 1, 0.0, self.hand.hand
        return self.step == 6


def trial(page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None = None) -> Outcome:
    """One greeting. more: the hardest grip, the largest other force (N), how long of the shaking it was held too loosely
    (s), and what share of the other's up and down the arm went along with."""
    hardest = worst = loose = ours = theirs = 0.0
    done = False
    with Reach(page, seed, gate, watch, slow_m=0.05, before="hand") as reach:
        hand = reach.device
        if not isinstance(hand, Partner):
            raise TypeError(hand)
        plan = Plan(hand, page)
        while not done and reach.seconds < page["seconds"]:
            feels = reach.feels if plan.feels else 0.0
            place, their = reach.arm.look().points[0], hand.wanted_at[2]
            felt, off = reach.step(*plan.target(feels))
            grip = felt.more["grip"]
            hardest, worst = max(hardest, grip), max(worst, felt.force)
            if hand.shaking == 1:
                loose += BIN_S * (grip < page["hold_n"])
                ours += abs(float(felt.points[0, 2] - place[2]))
                theirs += abs(float(hand.wanted_at[2] - their))
            done = plan.look(off, feels)
    along = ours / theirs if theirs else 0.0
    missed = {
        "the hand was never held": hand.shaking == 0,
        f"the hand was squeezed over {page['hurt_n']:g} N": hardest > page["hurt_n"],
        "the hand slipped": loose > page["loose_s"],
        "the arm did not go along": along < page["along"],
        f"a collision was over {page['force']:g} N": worst > page["force"],
        "time was up": not done,
    }
    why = next((w for w, so in missed.items() if so), "")
    more = {"grip_n": hardest, "force_n": worst, "loose_s": loose, "along": along}
    return Outcome(seed, not why, reach.seconds, why, more)
