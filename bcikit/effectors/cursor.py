"""A cursor on a screen: a velocity moves it, the edges stop it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from ._drawing import Drawing, ball, box

EDGE = 0.5  # of the workspace, in widths from its middle


@dataclass(eq=False)
class Cursor(Sink):
    """`place` (2), widths of the workspace from its middle, moved by the first two channels of kind velocity (widths a
    second) for as long as a sample of the stream lasts. `moved` says how fast it went. Where data stop coming, and in
    `safe`, it stays where it is; `held` keeps it there until it is set False. `help`: a velocity that goes beside the
    decoded one, with weight `assist`, as while a decoder is calibrated. Raises WrongUse for a stream without two
    velocities or a rate."""

    top_speed: Annotated[float, Setting("no faster than this", "width/s", low=0.01, high=100)] = 4.0

    kind = "effector"
    inline = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.place, self.moved, self.help = np.zeros(2), np.zeros(2), np.zeros(2)
        self.assist, self.held = 0.0, False

    def open(self, s: Stream, permit: object) -> None:
        self.columns = s.of_kind("velocity")[:2]
        if len(self.columns) < 2 or not s.rate:
            raise WrongUse(f"A cursor cannot follow {s.name}.", "It needs two velocities at a steady rate.")
        super().open(s, permit)

    def send(self, c: Chunk) -> None:
        for row in c.data[:, self.columns].astype(float):
            wanted = (1 - self.assist) * np.nan_to_num(row, posinf=0, neginf=0) + self.assist * self.help
            self.moved = np.zeros(2) if self.held else slowed(wanted[None], self.top_speed)[0]
            self.place = np.clip(self.place + self.moved / self.stream.rate, -EDGE, EDGE)

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming":
            self.safe()

    def safe(self) -> None:
        self.moved = np.zeros(2)

    def drawing(self) -> Drawing:
        """On its screen, a width being a metre."""
        edges = box("place", (-EDGE, 0, -EDGE), (EDGE, 0, EDGE))
        return Drawing((edges,), (ball("body", (self.place[0], 0, self.place[1]), 0.02),), span=1.2)

    @classmethod
    def commands(cls, seconds: float = 4.0, rate: float = 50.0) -> Recording:
        """Simulated velocities, drawn at random."""
        rows = np.random.default_rng(0).standard_normal((round(seconds * rate), 2))
        channels = (Channel("x", "velocity", "width/s"), Channel("y", "velocity", "width/s"))
        return recording(Stream("simulated velocity", rate, channels, label=SIMULATED), rows)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(), cls.commands()


def slowed(velocity: np.ndarray, top: float) -> np.ndarray:
    """(n, 2) velocities, none longer than `top`."""
    speed = np.hypot(velocity[:, :1], velocity[:, 1:])
    return velocity * np.minimum(1.0, top / np.maximum(speed, 1e-9))
