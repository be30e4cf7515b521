"""A ball is kicked by an exoskeleton of the legs: the kick-off of 2014, with a simulated person, implant and exoskeleton."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.stream import Channel
from ..effectors._drawing import Drawing
from ..effectors.leg import JOINTS, Leg
from ._brain import BIN_S, Implant, Will
from .scenario import Gate, Outcome, Watch

FULL = 3.5  # rad/s at a full push
BACK, FORTH = np.array([-0.35, 0.7, 0.0]), np.array([0.8, 0.0, 0.0])  # hip and knee: before the kick, and beyond the ball


def trial(page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None = None) -> Outcome:
    """One kick, the left leg standing. more: the ball's speed, m/s, and the largest load on the harness, N."""
    implant = Implant(int(page["units"]), JOINTS[:2], np.full(2, FULL), seed, "rad/s")
    leg = Leg(lockstep=True, seed=seed)
    left = tuple(Channel(n, "velocity", "rad/s") for n in JOINTS[2:])
    permit = gate.open(leg, implant.out.but(channels=(*implant.out.channels, *left)))
    will, still = Will(FULL, 0.3, seed), np.zeros((1, 2), np.float32)
    fastest = load = 0.0
    bins, stood, swings = 0, 0.0, False
    try:
        while bins * BIN_S < page["seconds"] and fastest < page["ball_m_s"]:
            felt = leg.look().more
            here = np.array([felt["hip_right"], felt["knee_right"], 0.0])
            chunk = implant.decode(will.push(here, FORTH if swings else BACK)[:2])
            stood = stood + BIN_S if will.off(here, BACK) < 0.2 else 0.0
            swings = swings or stood > 0.2
            if swings and felt["hip_right"] > 0.7:
                swings = False  # it went past the ball: once more
            permit.send(chunk.but(data=np.hstack([chunk.data, still])))
            felt = leg.look().more
            if watch is not None:
                watch(implant, leg, Drawing())
            fastest, load, bins = max(fastest, felt["ball_speed"]), max(load, felt["load"]), bins + 1
    finally:
        permit.close()
    missed = {
        f"the load on the harness was over {page['load_n']:g} N": load > page["load_n"],
        "the ball was not kicked": fastest < page["ball_m_s"],
    }
    why = next((w for w, so in missed.items() if so), "")
    return Outcome(seed, not why, bins * BIN_S, why, {"ball_m_s": fastest, "load_n": load})
