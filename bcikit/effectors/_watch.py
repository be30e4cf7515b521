"""What becomes of another process: seen in the kernel, not asked of the process itself."""

from __future__ import annotations

import select


def gone(pidfd: int) -> bool:
    """Whether the process behind a pidfd has ended, however it did."""
    return bool(select.select([pidfd], [], [], 0)[0])


def stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal or a debugger, or is not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rpartition(b")")[2][1:2] in b"TtZX"
    except OSError:
        return True
