"""Timers to the microsecond, for boards that pace themselves by the clock."""

from __future__ import annotations

import ctypes
import sys

PR_SET_TIMERSLACK = 29  # linux/prctl.h


def sharp() -> None:
    """Ask Linux not to put off this thread's wake-ups by up to 50 µs to join them with others: a simulated source is then as
    punctual as a device that interrupts. Elsewhere, or where it is not allowed, nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
