"""Real-time priority, where the system gives it: of a supervisor, of its device, and of the thread that commands.

On a machine full of other work, a thread of ordinary priority waits tenths of a second for its turn: longer than brain data
may be old. So whoever commands comes before all that is not pressed for time, and behind whoever guards.
"""

from __future__ import annotations

import os
import threading
from collections import Counter

COMMANDS, DEVICE, SUPERVISES = 10, 20, 21

_led: Counter[int] = Counter()  # how many devices each thread commands


def favour(priority: int) -> bool:
    """Ask for it for this thread; what the thread starts (threads, processes) goes without. Whether it was given."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except (OSError, AttributeError):
        return False
    return True


def unfavour(thread: int = 0) -> None:
    """A thread (0: this one) of this process is like any other again."""
    os.sched_setscheduler(thread, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def favoured(thread: int = 0) -> bool:
    """Whether a thread (0: this one) has it, of this process or another."""
    try:
        return os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
    except (OSError, AttributeError):
        return False


def lead() -> int:
    """This thread commands one more device: it is favoured, unless it was before, or there is but one core, which it could
    keep from whoever wants to stop it. Gives what `leave` takes."""
    thread = threading.get_native_id()
    if not _led[thread] and (favoured() or len(os.sched_getaffinity(0)) < 2 or not favour(COMMANDS)):
        return 0
    _led[thread] += 1
    return thread


def leave(thread: int) -> None:
    """That thread commands one device less; behind the last it is like any other."""
    if not thread:
        return
    _led[thread] -= 1
    if _led[thread] == 0:
        del _led[thread]
        if any(t.native_id == thread for t in threading.enumerate()):
            unfavour(thread)
