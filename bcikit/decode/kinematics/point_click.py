"""Cursor velocity and clicks from the same counts, both learnt from the same use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting
from ...core.stream import Channel, Event, Stream
from .click import Click, closer, may_close
from .steering import Steering


@dataclass(eq=False)
class PointClick(Steering):
    """`steering`, and beside its two velocities how probable it is that the hand is closed in thought, as `click` says it.

    At `recalibrate` both learn, clicks from bins whose target is known: nobody tells in which the hand closed, only that it
    does so on targets (`may_close`). Before that the probability is 0. Output (bins, 3), no delay of its own.

    Source: as `steering` and `click`.
    """

    closed_s: Annotated[float, Setting("how long a hand stays closed, on average", "s", low=0.02, high=10)] = 0.15
    every_s: Annotated[float, Setting("how long until it closes again, on average", "s", low=0.05, high=1000)] = 2.0

    def fit_clicks(self, X: Any, cursor: Any, target: Any, size: Any, velocity: Any, step_s: float) -> PointClick:
        """Learn the click from use, as `fit_use` takes it. Raises WrongUse where too few clicked."""
        one = Click().fit(X, may_close(cursor, target, size, step_s), velocity)
        self.click_, self.click_from_ = one.weights_, one.offset_
        return self

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        self.shut, self.open = (1 - math.exp(-self.step_s / t) for t in (self.every_s, self.closed_s))
        self.settle = max(self.settle, 10 * (self.closed_s + self.every_s))
        self._closed = 0.0
        return out.but(channels=(*out.channels, Channel("click", "probability", "")))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.column_stack([super().rows(x), np.zeros(len(x), np.float32)])
        if hasattr(self, "click_"):
            for row, to in zip(x[:, self.columns].astype(float), y, strict=True):
                says = float(np.dot(self.click_, row)) + self.click_from_
                self._closed = closer(self._closed, says if math.isfinite(says) else 0.0, self.shut, self.open)
                to[2] = self._closed
        return y

    def adapt(self, event: Event) -> None:
        if event.name == "recalibrate":
            counts, screen, velocity, _ = self._used()
            with suppress(WrongUse):  # what is asked for too soon must not end the loop
                self.fit_clicks(counts, screen[:, :2], screen[:, 2:4], screen[:, 4], velocity, self.step_s)
        super().adapt(event)

    def gap(self, seconds: float) -> None:
        super().gap(seconds)
        self._closed = 0.0

    @classmethod
    def examples(cls) -> Iterator[Any]:
        for one, use in super().examples():
            one.every_s = 0.5
            past = use.data[:600].astype(float)
            x = past[:, [int(name[1:]) for name in one.channels]]
            cursor, target, size = past[:, 8:10], past[:, 10:12], past[:, 12]
            yield one.fit_clicks(x, cursor, target, size, target - cursor, 0.02), use
