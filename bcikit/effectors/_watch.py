"""What becomes of another process: seen in the kernel, not asked of the process itself."""

from __future__ import annotations

import os
import select

# columns behind the name: flags, where a process is on its way out, and pending signals, where it is yet to be killed
FLAGS, EXITING = 6, 0x404  # PF_EXITING, PF_SIGNALED
PENDING, KILLED = 28, 1 << 9 - 1  # SIGKILL, which other systems do not name
STAT_BYTES = 4096


class Watched:
    """A process, by its number; whatever becomes of that number later, it is this one that is looked at."""

    def __init__(self, pid: int) -> None:
        self.pidfd = os.pidfd_open(pid)
        try:
            self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._stat = -1  # it ended meanwhile

    def gone(self) -> bool:
        return gone(self.pidfd)

    def stopped(self) -> bool:
        """Whether it was stopped by a signal or a debugger, is not there, or is about to be killed."""
        try:
            return halted(os.pread(self._stat, STAT_BYTES, 0))  # opening it anew would cost ten times as much
        except OSError:
            return True


def gone(pidfd: int) -> bool:
    """Whether the process behind it has ended, however it did."""
    return bool(select.select([pidfd], [], [], 0)[0])


def halted(stat: bytes) -> bool:
    """Whether that is what a line of /proc/PID/stat says. On a busy machine a process that was killed is there long after,
    until it has had the processor to die and to give its memory back; but that it will is said at once."""
    fields = stat.rpartition(b")")[2].split()
    doomed = int(fields[PENDING]) & KILLED or int(fields[FLAGS]) & EXITING
    return fields[0] in (b"T", b"t", b"Z", b"X") or bool(doomed)
