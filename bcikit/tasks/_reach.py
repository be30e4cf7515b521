"""A simulated person with an implant reaches and grasps with a simulated arm, whose grip they feel by a stimulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.pipeline import Pipeline
from ..decode.map.grasp import Grasp
from ..decode.map.touch import sensation
from ..effectors._arm import Arm7
from ..effectors._drawing import Drawing, ball
from ..effectors._spec import Felt
from ..effectors.arm import Arm
from ..effectors.stimulator import Stimulator
from ._brain import BIN_S, Implant, Will
from .scenario import Gate, Watch

FULL = 0.2  # m/s at a full push
FULL_N = 12.0  # of grip force, felt fully
DEAD = 0.3  # of the mapper: wishes to close or open below are none, and the person has learnt it


class Reach:
    """Person, implant, decoder, arm and stimulator for one trial, in lock-step, as a context. slow_m: how near to its target
    the person slows down; arm: settings of the arm. bins: how many have passed, of BIN_S each."""

    def __init__(
        self, page: Mapping[str, Any], seed: int, gate: Gate, watch: Watch | None, slow_m: float, **arm: Any
    ) -> None:
        self.implant = Implant(int(page["units"]), ("vx", "vy", "vz", "grip"), np.array([FULL, FULL, FULL, 1.0]), seed)
        self.arm, self._touch = Arm(lockstep=True, seed=seed, **arm), Stimulator(lockstep=True)
        self._mapper, self._will, self._watch = Pipeline([Grasp(dead=DEAD)]), Will(FULL, slow_m, seed), watch
        self._moves = gate.open(self.arm, self._mapper.start(self.implant.out))
        self._touches = gate.open(self._touch, Stimulator.commands().stream)
        if not isinstance(self.arm._device, Arm7):
            raise TypeError(self.arm._device)
        self.device, self.bins = self.arm._device, 0

    def __enter__(self) -> Reach:
        return self

    def __exit__(self, *exc: object) -> None:
        self._moves.close()
        self._touches.close()

    @property
    def seconds(self) -> float:
        return self.bins * BIN_S

    @property
    def feels(self) -> float:
        """What the person feels of the grip, 0 to 1."""
        return self._touch.felt

    def step(self, where: np.ndarray, most: float, close: float) -> tuple[Felt, float]:
        """One bin in which the person wants the hand there, at most so fast, and to close or open it: what the arm feels
        then, and how far from there the hand looks."""
        self.arm.goal = where
        place = self.arm.look().points[0]
        chunk = self.implant.decode(np.array([*self._will.push(place, where, most), close]))
        self._moves.send(self._mapper.step(chunk))
        felt = self.arm.look()
        strength = float(np.clip(felt.more["grip"] / FULL_N, 0.0, 1.0))
        self._touches.send(chunk.but(data=sensation(strength)[None].astype(np.float32)))
        self.bins += 1
        if self._watch is not None:
            self._watch(self.implant, self.arm, Drawing(balls=(ball("limit", where, 0.008),)))
        return felt, self._will.off(place, where)
