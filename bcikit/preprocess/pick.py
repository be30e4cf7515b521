"""Chooses channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ._signals import chosen, flat


@dataclass(eq=False)
class Pick(Stage):
    """(samples, channels) in, (samples, chosen channels) out, unchanged, in the order asked for. No delay.

    Raises WrongUse where a name or kind is unknown, or nothing is left.
    """

    holds = False
    counts = True
    settle = 0.0

    channels: Annotated[tuple[str, ...], Setting("channels or kinds, in order. Without: all voltages of the body")] = ()
    drop: Annotated[tuple[str, ...], Setting("channels or kinds left out of them")] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "pick", regular=False)
        wanted = s.pick(self.channels) if self.channels else chosen(s, (), "pick")
        out = set(s.pick(self.drop))
        self.columns = np.array([i for i in wanted if i not in out], int)
        if not len(self.columns):
            raise WrongUse("pick leaves no channel.", f"drop={'+'.join(self.drop)} takes out all that were chosen.")
        self.all = np.array_equal(self.columns, np.arange(len(s.channels)))  # a plain copy is faster
        scale = tuple(s.scale[i] for i in self.columns) if isinstance(s.scale, tuple) else s.scale
        return s.but(channels=tuple(s.channels[i] for i in self.columns), scale=scale)

    def rows(self, x: np.ndarray) -> np.ndarray:
        return x.copy() if self.all else np.take(x, self.columns, axis=1)

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(channels=("C4", "C3", "accel"), drop=("C3",))
