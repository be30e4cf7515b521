"""The supervisor's own process. It is started before the first command and ends after the device is at rest, whatever
becomes of the program that started it: killed, stopped, or hung. `_client.py` starts it, `_mover.py` is the device's
process.
"""

from __future__ import annotations

import gc
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.find import part
from . import _limits
from ._door import opened, shut
from ._ledger import Ledger
from ._priority import SUPERVISES, favour, favoured
from ._slot import Panel
from ._supervisor import Cause, Command, Seen, Supervisor
from ._watch import Watched

LINGER_S = 0.5  # at rest for so long before device and supervisor end
START_S = 20.0  # for the device to report


class Guardian:
    """Steps the supervisor at its period: commands in, orders out. asked: what the program wrote on the control line."""

    def __init__(self, asked: dict[str, Any], control: socket.socket) -> None:
        self.parent, self.thread, self.control = int(asked["parent"]), int(asked["thread"]), control
        self.program = Watched(self.parent)
        effector = part("sink", asked["effector"]).make(asked["settings"])
        self.limits = _limits.read(effector.limits_path())
        self.spec, self.real = effector.spec, effector.real
        self.ledger = Ledger(self.limits.device)
        used = self.ledger.session, self.ledger.day
        self.sup = Supervisor(self.limits, self.spec, float(asked["period"]), used_s=used)
        self.sup.take(int(asked["lease"]))
        self.sup.latched |= self.ledger.latched
        self.lease, self.memory = int(asked["lease"]), int(asked["memory"])
        self.panel = Panel(self.memory, len(self.spec.names), asked["feelings"])
        self.mover = subprocess.Popen(
            [sys.executable, "-m", "bcikit.effectors._mover", json.dumps(asked | {"guardian": os.getpid()})],
            pass_fds=[self.memory],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.doors = opened(self.limits.device)
        self.talks: list[socket.socket] = []
        self.leaving, self.rested = False, math.nan
        self.worst, self.newest = 0.0, 0.0

    def ready(self) -> None:
        """Wait for the device's first word."""
        end = time.monotonic() + START_S
        while self.panel.felt.read()[0] == 0:
            if self.mover.poll() is not None or time.monotonic() > end:
                raise BciError("The device's process did not start.", f"It ended with {self.mover.returncode}.")
            time.sleep(0.005)

    def run(self) -> None:
        dt = self.limits.period_s
        due = time.monotonic()
        while not self._done():
            due = max(due + dt, time.monotonic() - dt)  # after a pause of its own it does not hurry through what it missed
            self._wait(due)
            began = time.monotonic()
            self._step(began)
            self.worst = max(self.worst, time.monotonic() - began)

    def _wait(self, due: float) -> None:
        """Until the next step; a dead parent, a word on the line or at the door ends the wait early."""
        while (left := due - time.monotonic()) > 0:
            watched: list[Any] = [self.doors, *self.talks, *([] if self.sup.orphan[0] else [self.program.pidfd])]
            watched += [] if self.leaving else [self.control]
            ready = select.select(watched, [], [], left)[0]
            for one in ready:
                if one is self.program.pidfd:
                    self.sup.orphan[:] = True
                    return
                if one is self.control:
                    self.leaving = True  # closed in good order, or by its death
                    return
                if one is self.doors:
                    self.talks.append(self.doors.accept()[0])
                    self.talks[-1].settimeout(0.02)
                elif isinstance(one, socket.socket):
                    self._talk(one)

    def _step(self, now: float) -> None:
        sup = self.sup
        if not sup.orphan[0] and self.program.stopped():
            sup.orphan[:] = True
        elif sup.orphan[0] and not self.leaving and not self.program.gone() and not self.program.stopped():
            sup.orphan[:] = False  # it was stopped and goes on
        count, c = self.panel.command.read()
        command = None
        if count:
            seq, lease, brain, written, alive, hold, stop = c[:7]
            sup.hold(bool(hold) or self.leaving)
            if stop and seq != self.newest:  # once: a person may have reset it since
                sup.stop()
            self.newest = seq
            command = Command.of(np.array(c[7:]), int(seq), brain, written, int(lease), bool(alive))
        heard, values = self.panel.felt.read()
        seen = Seen.packed(values[3 + len(self.spec.names) :], self.spec.points, values[0] if heard else -math.inf)
        out = sup.step(now, command, seen)[0]
        cause = int(sup.cause[0])
        self.panel.order.write((now, cause, *out))
        self.ledger.use(float(sup.session_s[0]), float(sup.day_s[0]))
        self.ledger.latch(int(sup.latched[0]))
        took = time.monotonic() - now
        totals = sup.session_s[0], sup.day_s[0]
        self.panel.state.write((now, cause, sup.latched[0], sup.refused[0], *totals, took))
        still = cause and np.all(out[sup.speeds] == 0)
        self.rested = (now if math.isnan(self.rested) else self.rested) if still else math.nan

    def _done(self) -> bool:
        """Nobody commands any more, and the device has been at rest for a while (or is gone)."""
        ended = self.leaving or self.program.gone()
        return ended and (time.monotonic() - self.rested > LINGER_S or self.mover.poll() is not None)

    def _talk(self, one: socket.socket) -> None:
        """A line from another program of this user: stop, reset (by whom), or nothing but how it is."""
        try:
            said = json.loads(one.recv(4096) or b"null")
            answer: dict[str, Any] = {}
            if said is None:
                raise OSError
            if said.get("stop"):
                self.sup.stop()
            if "reset" in said:
                answer["done"] = self.sup.reset(str(said["reset"]))
            answer |= {"cause": Cause(int(self.sup.cause[0])).words(), "latched": Cause(int(self.sup.latched[0])).words()}
            prompt = {"program": self.thread, "supervisor": 0, "device": self.mover.pid}
            answer |= {"real-time": ", ".join(n for n, t in prompt.items() if favoured(t)) or "none"}
            answer |= {"guardian": os.getpid(), "mover": self.mover.pid, "memory": self.memory, "parent": self.parent}
            answer["simulated"] = not self.real
            answer |= {"session_s": float(self.sup.session_s[0]), "day_s": float(self.sup.day_s[0]), "worst_s": self.worst}
            one.sendall(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError, BciError, AttributeError) as error:
            if isinstance(error, BciError):
                one.sendall(json.dumps({"refused": error.what}).encode() + b"\n")
            self.talks.remove(one)
            one.close()

    def close(self) -> None:
        """Whatever ended this: a device that is not at rest is left to come to rest by itself, and ends then."""
        shut(self.doors)  # while the ledger is locked: the next supervisor has a door of the same name
        self.ledger.close()
        if not math.isnan(self.rested):
            self.mover.terminate()
            self.mover.wait()


def main(control_fd: int) -> None:
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(name, signal.SIG_IGN)  # they are the program's; this one ends when the device is at rest
    control = socket.socket(fileno=control_fd)
    guardian = None
    try:
        asked = json.loads(control.makefile("r").readline())
        guardian = Guardian(asked, control)
        guardian.ready()
        control.sendall(json.dumps({"ready": os.getpid()}).encode() + b"\n")
        gc.collect()
        gc.freeze()
        favour(SUPERVISES)
        guardian.run()
    except Exception as error:
        what = [error.what, error.why, error.do] if isinstance(error, BciError) else [repr(error), "", ""]
        try:
            control.sendall(json.dumps({"error": what}).encode() + b"\n")
        except OSError:
            print(*what, file=sys.stderr)
    finally:
        if guardian is not None:
            guardian.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
