"""What becomes of another process: seen in the kernel, not asked of the process itself."""

from __future__ import annotations

import select

# columns behind the name: flags, where a process is on its way out, and pending signals, where it is yet to be killed
FLAGS, EXITING = 6, 0x404  # PF_EXITING, PF_SIGNALED
PENDING, KILLED = 28, 1 << 9 - 1  # SIGKILL, which other systems do not name


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
    """Whether that is what a line of /proc/PID/stat says. On a busy machine a process that was killed is there long after,
    until it has had the processor to die and to give its memory back; but that it will is said at once."""
    fields = stat.rpartition(b")")[2].split()
    doomed = int(fields[PENDING]) & KILLED or int(fields[FLAGS]) & EXITING
    return fields[0] in (b"T", b"t", b"Z", b"X") or bool(doomed)
