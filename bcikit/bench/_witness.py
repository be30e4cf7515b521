"""Whether the machine itself stood still: on each core a process that only looks how late it is woken, before all else that
is at work here. Where it is late, the core was not to be had by anybody: its host, or the kernel, had it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ..core.errors import BciError
from ..effectors._priority import SUPERVISES, favour

PRIORITY = SUPERVISES + 2
LOOK_S, LATE_S = 0.001, 0.005


class Witness:
    """One for each core. Use it as a context."""

    def __init__(self) -> None:
        self._said, theirs = os.pipe()
        self._text = b""
        self._watching = [
            subprocess.Popen([sys.executable, "-m", "bcikit.bench._witness", str(core)], stdout=theirs)
            for core in sorted(os.sched_getaffinity(0))
        ]
        os.close(theirs)
        while self._text.count(b"\n") < len(self._watching):  # until all of them look
            if not (said := os.read(self._said, 4096)):
                raise BciError("The processes that see whether the machine stands still did not start.")
            self._text += said
        os.set_blocking(self._said, False)

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *exc: object) -> None:
        for one in self._watching:
            one.kill()
            one.wait()
        os.close(self._said)

    def stalled(self, since: float, until: float) -> float:
        """The longest time, in seconds, for which a core stood still that reaches into these moments."""
        try:
            while True:
                self._text += os.read(self._said, 65536)
        except BlockingIOError:
            pass
        stalls = [tuple(map(float, line.split())) for line in self._text.splitlines() if line]
        return max((b - a for a, b in stalls if a < until and b > since), default=0.0)


def main(core: int) -> None:
    parent = os.getppid()
    os.sched_setaffinity(0, {core})
    favour(PRIORITY)
    os.write(1, b"\n")
    last = time.monotonic()
    while os.getppid() == parent:
        time.sleep(LOOK_S)
        now = time.monotonic()
        if now - last > LATE_S:
            os.write(1, f"{last} {now}\n".encode())  # at once: others write there too
        last = now


if __name__ == "__main__":
    main(int(sys.argv[1]))
