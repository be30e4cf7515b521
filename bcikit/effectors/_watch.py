"""What becomes of another process: seen in the kernel, not asked of the process itself."""

from __future__ import annotations

import select
import signal

PENDING, KILLED = 28, 1 << signal.SIGKILL - 1  # the column of pending signals behind the name, and the bit of this one


def gone(pidfd: int) -> bool:
    """Whether the process behind a pidfd has ended, however it did."""
    return bool(select.select([pidfd], [], [], 0)[0])


def stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal or a debugger, is not there, or is about to be killed."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return halted(f.read())
    except OSError:
        return True


def halted(stat: bytes) -> bool:
    """Whether that is what a line of /proc/PID/stat says. A process that was killed goes on being there until it gets the
    processor once more, long on a busy machine; but its death is among its pending signals at once."""
    fields = stat.rpartition(b")")[2].split()
    return fields[0] in (b"T", b"t", b"Z", b"X") or bool(int(fields[PENDING]) & KILLED)
