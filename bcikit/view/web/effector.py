"""An effector on the page: a scenario, trial after trial in real time, or an effector by itself; under its supervisor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.clock import WALL, Clock
from ...effectors import _limits
from ...effectors._door import Porter
from ...effectors._drawing import Drawing, ball, box
from ...effectors._limits import Limits
from ...effectors._moved import Moved
from ...effectors._supervisor import Cause
from ...ethics.gate import Gate
from ...tasks import scenario, show
from ...tasks._brain import BIN_S, Implant
from ...tasks.scenario import Outcome
from .live import TOLD_S, Live, digits, rounded

REST_S, SHOWN_S = 1.0, 1.5  # how long it is watched coming to rest after a stop, and how long an outcome is shown
HAND_REACH = 0.35  # widths of the picture between its middle and the mouse from which on a hand pushes fully
KEPT = 40  # outcomes shown
FORGIVEN_S = 0.25  # how far behind the clock it may be before it gives up catching up


class _Over(Exception):
    """The trial is broken off."""


class EffectorLive(Live):
    """`name` is a scenario or an effector. Everything runs in lock-step, paced by the clock: the supervisor is the class
    that guards real devices, and `stop` is its emergency stop, latched until somebody presses start.

    Frames: {drawing, push, decoded, names, orders: [[name, unit, low, high, value]], cause, felt: [[name, unit, value]],
    counts, held}."""

    name = "bcikit-demo"

    def __init__(self, name: str, seed: int, seconds: float | None, clock: Clock = WALL) -> None:
        super().__init__(clock, seconds)
        self.what, self.seed = show.known(name), seed
        self.outcomes: list[Outcome] = []
        self._effector: Any = None
        self._limits: Limits | None = None
        self._halted: float | None = None
        self._paused = False

    # -- from the page

    def do(self, what: str) -> None:
        """start, stop, pause, go, drive, person."""
        super().do(what)
        if what in ("pause", "go"):
            self._paused = what == "pause"

    def halt(self) -> None:
        if self._effector is not None:
            _stop(self._effector)
        if self._halted is None:
            self._halted = self.clock.now()

    def last_word(self) -> str:
        good = sum(o.success for o in self.outcomes)
        if self.what not in scenario.names():
            return f"{self.what} went {len(self.outcomes)} times through its commands (simulated)."
        return f"{good} of {len(self.outcomes)} trials of {self.what} succeeded (simulated)."

    # -- trial after trial

    def play(self) -> str:
        self._halted, self._paused, self._k = None, False, 0
        self._began = self._due = self.clock.now()
        gate, seed = Gate(), self.seed
        try:
            with Porter(self._device(), self._asked):
                while True:
                    self.outcomes.append(show.run(self.what, seed, gate, self._watch))
                    seed += 1
                    over = {**self._last, "counts": "", "push": [], "facts": self._facts()}  # nobody intends anything
                    for _ in range(round(SHOWN_S / BIN_S)):
                        self._pace(over)
        except _Over:
            return "ended" if self._halted is None else "stopped"
        finally:
            self._effector = None

    def _device(self) -> str:
        about: str = scenario.load(self.what)["about"] if self.what in scenario.names() else self.what
        return about.partition(":")[0]

    def _asked(self, said: dict[str, Any]) -> dict[str, Any]:
        """What another program says at the door: stop, or how it is."""
        if "reset" in said:
            return {"refused": "It is shown on a page: whoever looks at it starts it again there."}
        if said.get("stop"):
            self.halt()
        effector, stopped = self._effector, self._halted is not None
        cause = effector.cause if isinstance(effector, Moved) else Cause(0)
        return {"cause": (cause | Cause.ESTOP if stopped else cause).words(), "latched": "estop" if stopped else "none"}

    def _watch(self, implant: Implant | None, effector: Any, around: Drawing) -> None:
        if effector is not self._effector:
            self._effector = effector
            self._limits = _limits.read(effector.limits_path()) if isinstance(effector, Moved) else None
            if self._halted is not None:
                _stop(effector)
        frame: dict[str, Any] = {"counts": "", "push": [], "decoded": [], "names": []}
        if implant is not None:
            implant.hand = self._pushed if self.drives else None
            frame = {"counts": digits(implant.counts), "push": rounded(implant.push), "names": implant.decoder.outputs}
            frame["decoded"] = rounded(implant.decoded / implant.full)
        drawing = effector.drawing() + around
        if self._limits is not None:
            drawing += _fence(self._limits)
            felt = effector.look().more
            orders = zip(self._limits.channels, effector.told, strict=True)
            frame["orders"] = [[c.name, c.unit, c.low, c.high, round(float(v), 4)] for c, v in orders]
            frame["cause"] = effector.cause.words()
            frame["felt"] = [[n, unit, round(float(felt[n]), 3)] for n, unit in effector.spec.felt.items()]
        self._pace({**frame, "drawing": drawing.plain()})

    def _pace(self, frame: dict[str, Any]) -> None:
        """Tell it when it is due, and wait while it is paused."""
        if self._k % round(TOLD_S / BIN_S) == 0 and "facts" not in frame:
            frame["facts"] = self._facts()
        self._k += 1
        self._last = frame
        while True:
            now = self.clock.now()
            self._due = max(self._due + BIN_S, now - FORGIVEN_S)
            self.clock.sleep_until(self._due)
            self.tell({**frame, "held": self._paused, "phase": "use"})
            over = self.seconds is not None and now - self._began >= self.seconds
            if over or (self._halted is not None and now - self._halted > REST_S):
                raise _Over
            if not self._paused or self._halted is not None:
                return

    def _pushed(self, intended: np.ndarray) -> np.ndarray:
        """The mouse in place of the first values: across and up; of three, none into the depth. What else is intended, such
        as to grasp, stays the simulated person's."""
        (x, y), _ = self.pushed(np.zeros(2), HAND_REACH)
        hand = {1: (y,), 2: (x, y)}.get(len(intended), (x, 0.0, y))
        return np.array([*hand, *intended[len(hand) :]])

    def _facts(self) -> dict[str, Any]:
        good = sum(o.success for o in self.outcomes)
        return {
            "what": self.what,
            "about": show.about(self.what),
            "scenario": self.what in scenario.names(),
            "good": good,
            "trials": [self._told(o) for o in self.outcomes[-KEPT:]],
            "count": len(self.outcomes),
            "seed": self.seed + len(self.outcomes),
            "drives": self.drives,
        }

    @staticmethod
    def _told(o: Outcome) -> list[Any]:
        return [o.success, round(o.seconds, 1), o.why]


def _stop(effector: Any) -> None:
    """The emergency stop of what moves; what does not, lets go."""
    (effector.stop if isinstance(effector, Moved) else effector.safe)()


def _fence(limits: Limits) -> Drawing:
    """What a supervisor keeps it within, and out of."""
    lines = [box("limit", limits.allowed.low, limits.allowed.high)] if limits.allowed else []
    lines += [box("limit", b.low, b.high) for b in limits.boxes]
    return Drawing(tuple(lines), tuple(ball("limit", s.center, s.radius) for s in limits.spheres))
