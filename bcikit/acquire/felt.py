"""What an effector feels while another program moves it: force, torque, distance to a person, grip, ..."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from ..core.clock import WallClock
from ..core.errors import DeviceTrouble, WrongUse
from ..core.find import part
from ..core.parts import Board, Setting, Status
from ..core.stream import Chunk, Stream

LOOK_S = 0.2  # between two looks for an effector that is not moved yet
POLL_S = 0.001  # for a device that is late


@dataclass(eq=False)
class Felt(Board):
    """Reads, `rate` times a second, what the effector feels then; NaN where it does not measure. It moves nothing, and the
    other program does not notice. So a second session gives back what the first one touches: by `touch` to `stimulator`, or
    to `feedback`. It is waited for at the start; this ends when that program has ended and the device is at rest.

    The label is that of a live person, also where the device is simulated (which the stream's name says then): somebody
    moves it, or feels it. Raises DeviceTrouble where nobody moves the effector, WrongUse where it feels nothing.
    """

    effector: Annotated[str, Setting("the effector that another program of this user moves: arm, hand, leg, drones, ...")]
    limits: Annotated[str, Setting("limits file of that effector, where it has one of its own")] = ""
    rate: Annotated[float, Setting("samples per second", "Hz", low=1, high=100)] = 50.0
    wait_s: Annotated[float, Setting("how long to wait until it is moved", "s", low=0, high=3600)] = 30.0
    stale_s: Annotated[float, Setting("silence of the device after which it is called stale", "s", low=0.05, high=60)] = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        self._heard: Any = None
        self._state, self._newest, self._next, self._lost = "connecting", -math.inf, 0, 0

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: it needs a program that moves something. tests/acquire/test_felt.py has one."""
        return iter(())

    def open(self) -> Stream:
        if not isinstance(self.clock, WallClock):
            raise WrongUse("felt reads what moves now.", "It runs on the wall clock only.")
        self.close()
        moved = part("sink", self.effector)
        if not hasattr(moved, "overheard"):
            raise WrongUse(f"{self.effector} feels nothing.", "No supervisor stands above it.")
        effector = moved.make({"limits": self.limits} if self.limits else {})
        self._heard = self._waited(effector)
        self._began = self.clock.now()
        self._state, self._newest, self._next, self._lost = "streaming", -math.inf, 0, 0
        name = f"felt by {'simulated ' if self._heard.simulated else ''}{self.effector}"
        return Stream(name, self.rate, effector.spec.senses, label=self.label)

    def _waited(self, effector: Any) -> Any:
        until = self.clock.now() + self.wait_s
        while True:
            try:
                return effector.overheard()
            except DeviceTrouble:
                if self.clock.now() >= until:
                    raise
            self.clock.sleep_until(self.clock.now() + LOOK_S)

    def read(self, timeout: float = 0.1) -> Chunk | None:
        until = self.clock.now() + timeout
        while self._heard is not None:
            now = self.clock.now()
            index = math.floor((now - self._began) * self.rate)
            if index >= self._next:
                when, row = self._heard.felt()
                if when > self._newest:
                    self._lost += index - self._next
                    self._newest, self._next, self._state = when, index + 1, "streaming"
                    return Chunk(row[None], index, when)
                if self._heard.ended:
                    self.close()
                    break
                if now - max(self._newest, self._began) > self.stale_s:
                    self._state = "stale"
            if now >= until:
                break
            due = self._began + self._next / self.rate
            self.clock.sleep_until(min(until, due if due > now else now + POLL_S))
        return None

    def close(self) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            heard.close()
            self._state = "ended"

    @property
    def status(self) -> Status:
        return Status(self._state, self.clock.now() - self._newest, self.rate, self._lost, 0.0)

    def index_of(self, time: float) -> tuple[float, float]:
        if not hasattr(self, "_began"):
            raise WrongUse("A mark cannot be placed before the board is open.")
        return (time - self._began) * self.rate, 1 / self.rate
