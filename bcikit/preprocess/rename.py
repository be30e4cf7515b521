"""Gives channels other names: those of the electrodes that sit at these inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..core.errors import WrongUse, nearest
from ..core.parts import Setting, Stage
from ..core.stream import Stream
from ..files.montage import position
from ._signals import flat


@dataclass(eq=False)
class Rename(Stage):
    """(samples, channels) in and out, unchanged; a channel whose new name is an electrode's has that one's place. Names are
    given all at once, so that two can be exchanged. No delay. Before a model, it says which of the board's channels are
    those that the model was trained on.

    Raises WrongUse where a channel is not there, or two would have one name.
    """

    holds = False
    counts = True
    settle = 0.0

    channels: Annotated[tuple[str, ...], Setting("OLD:NEW, one for each")]

    def setup(self, s: Stream) -> Stream:
        flat(s, "rename", regular=False)
        new = {}
        for pair in self.channels:
            old, colon, name = (part.strip() for part in pair.rpartition(":"))
            if not colon or not old or not name:
                raise WrongUse(f"rename:channels={pair} is not OLD:NEW.", do="rename:channels=1:C3+2:C4")
            if old not in s.names:
                there = f"It has {', '.join(s.names[:24])}{' ...' if len(s.names) > 24 else ''}."
                raise WrongUse(f"{s.name} has no channel {old!r}.", there, nearest(old, list(s.names)))
            new[s.names.index(old)] = name
        names = [new.get(i, n) for i, n in enumerate(s.names)]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise WrongUse(f"rename leaves two channels called {', '.join(twice)}.", do="Rename the other one, too.")
        made = (
            replace(c, name=new[i], position=position(new[i]) or c.position) if i in new else c
            for i, c in enumerate(s.channels)
        )
        return s.but(channels=tuple(made))

    def rows(self, x: np.ndarray) -> np.ndarray:
        return x.copy()

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls(channels=("C3:C4", "C4:C3", "accel z:up"))
        yield cls(channels=("Cz:1",))
