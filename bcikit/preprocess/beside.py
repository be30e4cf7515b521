"""A fork that joins again: several lines of stages on the same input, their channels side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.grid import Grid
from ..core.parts import Part, Stage
from ..core.pipeline import Pipeline, build
from ..core.stream import Channel, Chunk, Stream


class Beside(Stage):
    """Each line gets every sample; the outputs stand beside each other in one stream, in the order of the lines.

    All lines must put their outputs on one grid (the same rate and offset). At a start, outputs begin when the slowest line
    has its first. A channel name that two lines share gets its line's number: `C3.2`. The delay is the longest.
    """

    holds = False

    def __init__(self, lines: Iterable[Pipeline] = ()) -> None:
        self.lines = list(lines)

    @property
    def settle(self) -> float:  # type: ignore[override]
        return max((line.settle for line in self.lines), default=0.0)

    @property
    def leaky(self) -> bool:  # type: ignore[override]
        return any(line.leaky for line in self.lines)

    def start(self, s: Stream) -> Stream:
        if not self.lines:
            raise WrongUse("beside has no lines to put side by side.")
        outs = [line.start(s) for line in self.lines]
        grids = [composed(line) for line in self.lines]
        shapes = [o.shape[1:] for o in outs]
        for i, (grid, shape) in enumerate(zip(grids, shapes, strict=True), 1):
            if grid != grids[0] or shape != shapes[0]:
                raise WrongUse(
                    f"Line {i} of beside gives {outs[i - 1].rate:g} Hz samples of another grid or shape than line 1.",
                    do="Give the lines stages with the same hop, length and axes.",
                )
        self.grid = grids[0]
        names = [c.name for o in outs for c in o.channels]
        channels = tuple(
            Channel(f"{c.name}.{i}" if names.count(c.name) > 1 else c.name, c.kind, c.unit, c.position)
            for i, o in enumerate(outs, 1)
            for c in o.channels
        )
        label = outs[0].label
        for o in outs[1:]:
            label = label.join(o.label)
        self.into = s
        self.out = outs[0].but(
            channels=channels, shape=(len(channels), *shapes[0]), delay=max(o.delay for o in outs), label=label
        )
        return self.out

    def step(self, c: Chunk) -> Chunk:
        outs = [line.step(c) for line in self.lines]
        first = max(o.first for o in outs)
        longest = max(outs, key=lambda o: o.first)
        data = np.concatenate([o.data[first - o.first :] for o in outs], axis=1)
        extra = dict.fromkeys(e for o in outs for e in o.events)  # what one line alone says is said once
        return Chunk(data, first, longest.time, tuple(extra))

    def gap(self, seconds: float) -> None:
        for line in self.lines:
            line.gap(seconds)

    def state(self) -> dict[str, Any]:
        return {"lines": [line.state() for line in self.lines]}

    def learned(self) -> dict[str, Any]:
        return {"lines": [line.learned() for line in self.lines]}

    def restore(self, kept: Mapping[str, Any]) -> None:
        for line, its in zip(self.lines, kept["lines"], strict=True):
            line.restore(its)

    def recipe(self) -> dict[str, Any]:
        return {"stage": "beside", "lines": [line.recipe() for line in self.lines]}

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> Beside:
        unknown = sorted(set(settings) - {"lines"})
        if unknown:
            raise WrongUse(f"beside has no setting {unknown[0]!r}.", "It has lines: a list of pipelines' recipes.")
        recipes = settings.get("lines", ())
        if isinstance(recipes, str) or not all(isinstance(r, Mapping) for r in recipes):
            what = "The lines of beside are stages themselves, which are no text."
            raise WrongUse(what, do='In a session file: lines = [{stage = "bandpass", low = 8}, {stage = "envelope"}]')
        lines = [build(r) for r in recipes]
        return cls([line if isinstance(line, Pipeline) else Pipeline([line]) for line in lines])

    @classmethod
    def examples(cls) -> Iterator[Part]:
        yield cls.make(
            {"lines": [{"stage": "bandpass", "low": 8, "high": 12}, {"stage": "bandpass", "low": 13, "high": 30}]}
        )
        yield cls.make({"lines": [{"stage": "rereference"}, {"stage": "pipeline", "stages": []}]})


def composed(line: Pipeline) -> Grid:
    """The grid of a whole line. Raises WrongUse where two changes of rate do not compose to one."""
    grid = Grid()
    for g in (composed(s) if isinstance(s, Pipeline) else s.grid for s in line.stages):
        if grid.same:
            grid = g
        elif not g.same:
            if grid.q != 1 or g.q != 1:
                raise WrongUse("beside cannot join lines that change the rate twice by fractions.", do="Resample once.")
            grid = Grid(grid.p * g.p, 1, grid.off + g.off * grid.p)
    return grid
