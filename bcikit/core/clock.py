"""Time as an argument: the monotonic clock of the machine, or one that jumps for headless runs and tests."""

from __future__ import annotations

import sys
import time
from typing import Protocol

_seconds = time.perf_counter if sys.platform == "win32" else time.monotonic  # Windows' monotonic ticks every 16 ms


class Clock(Protocol):
    def now(self) -> float:
        """Seconds; the same scale as LSL's local_clock on the wall clock."""
        ...

    def sleep_until(self, when: float) -> None: ...


class WallClock:
    """`time.monotonic`, slept on to absolute deadlines."""

    def now(self) -> float:
        return _seconds()

    def sleep_until(self, when: float) -> None:
        left = when - _seconds()
        if left > 0:
            time.sleep(left)


class JumpClock:
    """Begins at 0 and jumps to whatever is waited for: a day passes in a moment, the same in every run."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def sleep_until(self, when: float) -> None:
        self._now = max(self._now, when)


WALL = WallClock()
