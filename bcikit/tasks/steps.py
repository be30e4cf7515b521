"""Steps on the spot in an exoskeleton of the legs, on body-weight support; person, implant and exoskeleton are simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..effectors._drawing import Drawing
from ..effectors.leg import JOINTS, SHANK, THIGH, Leg
from ._brain import BIN_S, Implant, Will
from .scenario import Gate, Outcome, Watch

FULL = 1.2  # rad/s at a full push
STANDING = np.array([0.0, 0.12, 0.0, 0.12])  # hips and knees, as JOINTS
RAISED = np.array([0.6, 1.0])  # of the leg that steps
NEAR, STOOD_S = 0.2, 0.1  # rad from where a leg is wanted, and for how long


def trial(page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None = None) -> Outcome:
    """Right and left by turns. more: how high the lowest step was (m), and the largest load on the harness, N."""
    implant = Implant(int(page["units"]), JOINTS, np.full(4, FULL), seed, "rad/s")
    leg = Leg(lockstep=True, seed=seed)
    permit = gate.open(leg, implant.out)
    will = Will(FULL, 0.3, seed, ways=4)
    made, bins, stood, raising = 0, 0, 0.0, True
    load, height, lowest = 0.0, 0.0, np.inf
    try:
        while bins * BIN_S < page["seconds"] and made < page["steps"]:
            here, wanted, side = _joints(leg), STANDING.copy(), 2 * (made % 2)
            if raising:
                wanted[side : side + 2] = RAISED
            permit.send(implant.decode(will.push(here, wanted)))
            if watch is not None:
                watch(implant, leg, Drawing())
            hips, knees = _joints(leg).reshape(2, 2).T
            long = THIGH * np.cos(hips) + SHANK * np.cos(hips - knees)
            height = max(height, float(long[1 - made % 2] - long[made % 2]))
            load, bins = max(load, leg.look().more["load"]), bins + 1
            stood = stood + BIN_S if will.off(here, wanted) < NEAR else 0.0
            if stood > STOOD_S:
                stood, raising = 0.0, not raising
                if raising:
                    made, lowest, height = made + 1, min(lowest, height), 0.0
    finally:
        permit.close()
    missed = {
        f"the load on the harness was over {page['load_n']:g} N": load > page["load_n"],
        f"there were {made} steps": made < page["steps"],
        f"a foot was not raised by {page['foot_m']:g} m": lowest < page["foot_m"],
    }
    why = next((w for w, so in missed.items() if so), "")
    return Outcome(seed, not why, bins * BIN_S, why, {"foot_m": float(lowest), "load_n": load})


def _joints(leg: Leg) -> np.ndarray:
    return np.array([leg.look().more[j] for j in JOINTS])
