"""The device's own process: it moves as the supervisor orders, and by itself to its safe values when no order comes.

It trusts nobody to tell it that the supervisor is dead: an order that is not renewed within `heartbeat_s` (0.2 s at most)
ends.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import time
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.find import part
from ..kernels import ramp
from . import _limits
from ._limits import Limits
from ._priority import DEVICE, favour
from ._slot import Panel
from ._supervisor import Cause

PARKED_S = 2.0  # after so long at rest without a supervisor it ends


class Failsafe:
    """What the device does without a supervisor: from what it did last to the safe values, within the same bounds."""

    def __init__(self, limits: Limits) -> None:
        self.bounds = limits.bounds()
        self.safe = _limits.values([c.safe for c in limits.channels])
        self.dt = limits.period_s
        self.slope = np.zeros(len(self.safe))

    def follow(self, before: np.ndarray, now: np.ndarray) -> None:
        """An order was carried out: where the slope stands."""
        steep = self.bounds[2]
        self.slope = np.clip((now - before) / self.dt, -steep, steep)

    def step(self, value: np.ndarray) -> np.ndarray:
        target = np.where(np.isnan(self.safe), value, self.safe)
        value, self.slope = ramp(value, self.slope, target, self.bounds, self.dt)
        return value


def run(asked: dict[str, Any]) -> None:
    effector = part("sink", asked["effector"]).make(asked["settings"])
    limits = _limits.read(effector.limits_path())
    device = effector.device()
    panel = Panel(asked["memory"], len(effector.spec.names), asked["feelings"])
    failsafe = Failsafe(limits)
    dt = limits.period_s
    value = np.clip(np.array(effector.spec.rest), *failsafe.bounds[:2])
    cause, since, seen, heard = int(Cause.SILENT), 0.0, 0, 0.0
    gc.collect()
    gc.freeze()
    favour(DEVICE)
    parked = due = time.monotonic()
    while True:
        now = time.monotonic()
        count, order = panel.order.read()
        if count != seen:
            seen, heard = count, now
        before, was = value, cause
        if seen and now - heard <= limits.heartbeat_s:
            cause, value = int(order[1]), np.array(order[2:])
            failsafe.follow(before, value)
            parked = now
        else:
            cause, value = int(Cause.DEVICE), failsafe.step(value)
            if seen and now - parked > PARKED_S:
                return
        if cause != was:
            since = time.monotonic()
        felt = device.step(value, dt)
        panel.felt.write((time.monotonic(), cause, since, *value, *felt.packed(effector.spec)))
        due = max(due + dt, time.monotonic() - dt)
        time.sleep(max(due - time.monotonic(), 0.0))


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
        signal.signal(name, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the supervisor's word that all is at rest
    try:
        run(json.loads(sys.argv[1]))
    except BciError as error:  # the supervisor sees that this process is gone
        sys.exit(str(error))
