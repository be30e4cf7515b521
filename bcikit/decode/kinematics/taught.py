"""Cursor velocity by any decoder of movement that is fitted beforehand: taught in use as `steering` is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ...core.find import part
from ...core.parts import Setting, Stage
from ...core.stream import Chunk, Event, Stream
from ._intention import towards
from .kalman import faded
from .steering import GUESSES, Steering


@dataclass(eq=False)
class Taught(Steering):
    """`steering` until enough is known to fit the stage `by`; from then on that moves the cursor, and is fitted anew at each
    `recalibrate` to what was intended (`towards`) in all that is remembered. It begins at rest, with the bin behind the
    event. Where targets are to be guessed it stays as it was.

    In and out as `steering`; no delay of its own. Raises WrongUse as both do, so where a library is missing that `by` learns
    with.

    Source: as `steering`, and the stage's own.
    """

    exempt: ClassVar = {**Steering.exempt, **{f"setting {n}": "it acts in learning" for n in ("by", "least_s")}}
    exempt["setting full"] = "it acts until the stage moves the cursor"

    by: Annotated[str, Setting("the stage that is fitted", choices=("ridge_lags", "gru"))] = "ridge_lags"
    least_s: Annotated[float, Setting("of known intentions, from which on it is", "s", low=1, high=3600)] = 50.0

    def fit_by(self, X: Any, push: np.ndarray, weight: np.ndarray) -> Taught:
        """Fit the stage to intentions as `fit_push` takes them; the rows follow each other. Learns `by_`, what it learnt."""
        Y = np.where(weight[:, None] > 0, self.speed * push, np.nan)
        self.by_ = part("stage", self.by)().fit(X, Y).learned()
        return self

    def setup(self, s: Stream) -> Stream:
        out = super().setup(s)
        self.neurons = s.but(channels=tuple(s.channels[i] for i in self.columns))
        self.one: Stage | None = None
        if hasattr(self, "by_"):
            self._begins()
        return out

    def _begins(self) -> None:
        self.one = part("stage", self.by)()
        self.one.restore(self.by_)
        self.one.start(self.neurons)

    def velocities(self, x: np.ndarray) -> np.ndarray:
        if self.one is None:
            return super().velocities(x)
        y = self.one.step(Chunk(x[:, self.columns], self.at, 0.0)).data
        return faded(y, self.still) if self.still else y

    def adapt(self, event: Event) -> None:
        if event.name == "recalibrate" and not {*GUESSES} & {*str(event.value).split(), self.teacher}:
            counts, screen, _, _ = self._used()
            push, weight = towards(screen[:, :2], screen[:, 2:4], screen[:, 4], self.step_s, self.near_s * self.speed)
            if (weight > 0).sum() * self.step_s >= self.least_s:
                self.fit_by(counts, push, weight)._begins()
        super().adapt(event)

    def gap(self, seconds: float) -> None:
        super().gap(seconds)
        if self.one is not None:
            self.one.gap(seconds)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "_one": None if self.one is None else self.one.state()}

    def restore(self, kept: Mapping[str, Any]) -> None:
        super().restore({name: value for name, value in kept.items() if name != "_one"})
        if "by_" in kept and hasattr(self, "neurons"):
            self._begins()
        if kept.get("_one") is not None and self.one is not None:
            self.one.restore(kept["_one"])

    @classmethod
    def examples(cls) -> Iterator[Any]:
        for one, use in super().examples():
            one.least_s, past = 3.0, use.data[:600].astype(float)
            push, weight = towards(past[:, 8:10], past[:, 10:12], past[:, 12], 0.02, 0.3)
            yield one.fit_by(past[:, [int(name[1:]) for name in one.channels]], push, weight), use
