"""What an effector takes and what it feels: the contract between a command stream, the supervisor and a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Channel, Stream


@dataclass(frozen=True)
class CommandSpec:
    """The command of a device: one value a name, each in its unit; `points` places in space that it moves, and what it
    reports besides (`felt`, names with their units). `rest` is the command that moves nothing."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    rest: tuple[float, ...]
    points: int = 0
    felt: Mapping[str, str] = field(default_factory=dict)

    @property
    def senses(self) -> tuple[Channel, ...]:
        """What the device feels, but for the places: force, torque, distance to a person, and `felt`."""
        units = {"force": "N", "torque": "N m", "distance": "m", **self.felt}
        return tuple(Channel(n, "aux", u) for n, u in units.items())

    @property
    def feelings(self) -> int:
        """How many numbers it reports."""
        return 3 * self.points + len(self.senses)

    def columns(self, s: Stream, effector: str) -> list[int]:
        """For each command the column of `s` that gives it. A stream of as many channels, none of them called so, is taken
        in order. Raises WrongUse where one is missing or in another unit."""
        if len(s.shape) != 1 or s.alphabet:
            raise WrongUse(
                f"{effector} takes {', '.join(self.names)}; {s.name} is not a command.",
                "A decision or a window moves nothing by itself.",
                "Put a mapper before it, such as lookup.",
            )
        known = {c.name: i for i, c in enumerate(s.channels)}
        if not any(n in known for n in self.names) and len(known) == len(self.names):
            columns = list(range(len(self.names)))
        else:
            if missing := [n for n in self.names if n not in known]:
                raise WrongUse(
                    f"{effector} lacks the command {', '.join(missing)}.",
                    f"{s.name} has {', '.join(known)}; {effector} takes {', '.join(self.names)}.",
                )
            columns = [known[n] for n in self.names]
        for name, unit, column in zip(self.names, self.units, columns, strict=True):
            if (has := s.channels[column].unit) != unit:
                raise WrongUse(f"{effector} takes {name} in {unit}; {s.name} gives {has or 'no unit'}.")
        return columns


@dataclass(frozen=True)
class Felt:
    """What a device reports. points (points, 3), metres; force, N; torque, N m; distance to the nearest person, m: NaN where
    not measured. more: by name, in the units of `CommandSpec.felt`."""

    points: np.ndarray
    force: float = float("nan")
    torque: float = float("nan")
    distance: float = float("nan")
    more: Mapping[str, float] = field(default_factory=dict)

    def packed(self, spec: CommandSpec) -> np.ndarray:
        """As a row of numbers, in the order of `unpacked`."""
        more = [float(self.more.get(name, np.nan)) for name in spec.felt]
        return np.array([*np.ravel(self.points), self.force, self.torque, self.distance, *more])

    @classmethod
    def unpacked(cls, row: np.ndarray, spec: CommandSpec) -> Felt:
        k = 3 * spec.points
        more = dict(zip(spec.felt, map(float, row[k + 3 :]), strict=True))
        return cls(row[:k].reshape(-1, 3), float(row[k]), float(row[k + 1]), float(row[k + 2]), more)


class Device(Protocol):
    """What moves. It is stepped by its own process (or in lock-step by its effector) with supervised commands alone."""

    spec: CommandSpec

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        """Do `command` (in the order of the spec) for so long."""
        ...

    def close(self) -> None: ...
