"""The program's side of a supervised device: it writes the newest command, and reads how the device is."""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

from ..acquire._ring import shared_memory
from ..core.errors import DeviceTrouble, WrongUse
from ._guardian import START_S
from ._priority import lead, leave
from ._slot import Panel
from ._spec import CommandSpec, Felt
from ._supervisor import Cause

CLOSE_S = 3.0  # how long closing waits for the device to be at rest

_outliving: list[subprocess.Popen] = []  # supervisors still at work after their client was closed


class Client:
    """Starts the supervisor of an effector and holds its lease. period: seconds between commands. Raises what the supervisor
    could not do: read the limits, get the lease, start the device. The thread that opens it is the one that commands."""

    def __init__(self, effector: str, settings: dict[str, Any], spec: CommandSpec, period: float) -> None:
        if not hasattr(os, "pidfd_open"):
            raise WrongUse("The supervisor's process needs Linux.", do="Headless, set lockstep=yes.")
        self.spec, self.seq, self.lease = spec, 0, secrets.randbits(31) | 1
        self._brain = -math.inf  # of the newest command
        self._thread = 0  # that commands, where it has real-time priority
        memory = shared_memory()
        self.panel = Panel(memory, len(spec.names), spec.feelings)
        ours, theirs = socket.socketpair()
        asked = {"effector": effector, "settings": settings, "parent": os.getpid(), "lease": self.lease}
        asked |= {"period": period, "memory": memory, "feelings": spec.feelings, "thread": threading.get_native_id()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bcikit.effectors._guardian", str(theirs.fileno())],
            pass_fds=[memory, theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        os.close(memory)
        self.control: socket.socket | None = ours
        ours.settimeout(START_S + 5)
        try:
            ours.sendall(json.dumps(asked).encode() + b"\n")
            with ours.makefile("r") as line:
                said = json.loads(line.readline() or "null")
        except (OSError, ValueError):
            said = None
        if said is None or "error" in said:
            self.close()
            what = said["error"] if said else [f"The supervisor of {effector} did not start.", "", ""]
            raise DeviceTrouble(*what)
        self._thread = lead()

    def send(self, values: np.ndarray, brain: float, alive: bool = True) -> None:
        """One command, made from brain data of `brain` seconds."""
        self.seq, self._brain = self.seq + 1, brain
        self.panel.command.write((self.seq, self.lease, brain, time.monotonic(), alive, 0, 0, *values))

    def hold(self) -> None:
        """Be safe until the next command."""
        self._word(hold=1)

    def stop(self) -> None:
        """The emergency stop: latched."""
        self._word(stop=1)

    def _word(self, hold: int = 0, stop: int = 0) -> None:
        self.seq += 1
        self.panel.command.write((self.seq, self.lease, self._brain, time.monotonic(), 0, hold, stop, *self.spec.rest))

    @property
    def felt(self) -> Felt:
        """What the device felt last."""
        return Felt.unpacked(np.array(self.panel.felt.read()[1][3 + len(self.spec.names) :]), self.spec)

    @property
    def cause(self) -> Cause:
        """Why it does not move; DEVICE where the supervisor itself is silent."""
        count, state = self.panel.state.read()
        if not count or time.monotonic() - state[0] > 0.5:
            return Cause.DEVICE
        return Cause(int(state[1]) if math.isfinite(state[1]) else Cause.DEVICE)

    def close(self) -> None:
        """Bring the device to rest and give it back; idempotent."""
        if self.control is not None:
            self.control.close()
            self.control = None
            leave(self._thread)
            try:
                self.process.wait(CLOSE_S)
            except subprocess.TimeoutExpired:
                _outliving.append(self.process)  # it goes on until the device is at rest: that is what it is for
            self.panel.close()
