"""Three drones, flown as one formation through gates by a simulated person with a simulated implant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.stream import Channel
from ..effectors._drawing import Drawing, line
from ..effectors.drones import Drones
from ._brain import BIN_S, Implant, Will
from .scenario import Gate, Outcome, Watch

FULL = 0.6  # m/s at a full push


def trial(page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None = None) -> Outcome:
    """One flight. more: the smallest gap between two drones and the worst miss of a gate's middle, m."""
    chance = np.random.default_rng([seed, 90])
    count = int(page["gates"])
    gates = np.column_stack([
        float(page["apart_m"]) * np.arange(1, count + 1), chance.uniform(-1, 1, count), chance.uniform(1.0, 2.0, count),
    ])  # fmt: skip
    implant = Implant(int(page["units"]), ("vx", "vy", "vz"), np.full(3, FULL), seed)
    drones = Drones(lockstep=True, seed=seed, spread=float(page["spread_m"]))
    more = (Channel("spread", "position", "m"), Channel("which", "aux", "1"))
    permit = gate.open(drones, implant.out.but(channels=(*implant.out.channels, *more)))
    will = Will(FULL, 0.6, seed)
    fixed = np.array([[page["spread_m"], 0.0]], np.float32)
    before = drones.look().points
    gap, miss, passed, bins = np.inf, 0.0, np.zeros((count, 3), bool), 0
    try:
        while not passed.all() and bins * BIN_S < page["seconds"]:
            place = before.mean(axis=0)
            ahead = int(np.argmin(passed.all(axis=1)))
            beyond = gates[ahead] + [1.2 if abs(place[1] - gates[ahead, 1]) < 0.4 else -0.8, 0, 0]
            chunk = implant.decode(will.push(place, beyond))
            permit.send(chunk.but(data=np.hstack([chunk.data, fixed])))
            felt = drones.look()
            gap = min(gap, felt.more["gap"])
            for k, here in enumerate(gates):
                through = (before[:, 0] < here[0]) & (felt.points[:, 0] >= here[0]) & ~passed[k]
                for i in np.flatnonzero(through):
                    off = float(np.hypot(*(felt.points[i, 1:] - here[1:])))
                    miss, passed[k, i] = max(miss, off), True
            before, bins = felt.points, bins + 1
            if watch is not None:
                watch(implant, drones, _hoops(gates, passed, float(page["radius_m"])))
    finally:
        permit.close()
    missed = {
        "a drone missed a gate": miss > page["radius_m"],
        "two drones came too near": gap < page["gap_m"],
        "time was up": not passed.all(),
    }
    why = next((w for w, so in missed.items() if so), "")
    return Outcome(seed, not why, bins * BIN_S, why, {"gap_m": float(gap), "miss_m": miss})


def _hoops(gates: np.ndarray, passed: np.ndarray, radius: float) -> Drawing:
    """The gates as rings; the one ahead shines."""
    turn = np.linspace(0, 2 * np.pi, 33)
    ring = radius * np.column_stack([np.zeros(33), np.cos(turn), np.sin(turn)])
    ahead = int(np.argmin(passed.all(axis=1)))
    hoops = [line("warm" if k == ahead else "limit", *(place + ring), width=0.06) for k, place in enumerate(gates)]
    return Drawing(tuple(hoops))
