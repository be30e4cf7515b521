"""What the laws of stages are tried on: simulated noise, and each stage's own examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.find import where
from ..core.label import SIMULATED, Label
from ..core.parts import Stage
from ..core.pipeline import Pipeline, build
from ..core.stream import Channel, Event, Recording, Stream, recording

_PLACES = {"Fp1": (-3, 8, 0), "Fp2": (3, 8, 0), "C3": (-6, 0, 6), "Cz": (0, 0, 9), "C4": (6, 0, 6), "O1": (-3, -8, 1)}


def noise(seconds: float = 6.0, rate: float = 250.0, seed: int = 0, label: Label = SIMULATED) -> Recording:
    """Simulated: six EEG channels (µV; 1/f-like noise, 10 Hz, 50 Hz, offsets of millivolts) and one of an accelerometer (g),
    with events on, between, before and behind samples."""
    rng = np.random.default_rng(seed)
    n, c = round(seconds * rate), len(_PLACES)
    t = np.arange(n) / rate
    x = np.cumsum(rng.standard_normal((n, c)), axis=0) * 0.7 + 8 * rng.standard_normal((n, c))
    x += 12 * np.sin(2 * np.pi * 10 * t + 1)[:, None] * np.linspace(0.3, 1, c)
    x += 9 * np.sin(2 * np.pi * 50 * t)[:, None] + np.linspace(-2000, 3000, c)
    x[:, 0] += 150 * np.exp(-(((t % 2) - 1) ** 2) / 0.01)
    data = np.column_stack([x, 0.02 * rng.standard_normal(n) + 1])
    channels = [Channel(k, "eeg", "µV", (v[0] / 100, v[1] / 100, v[2] / 100)) for k, v in _PLACES.items()]
    stream = Stream("simulated noise", rate, (*channels, Channel("accel z", "accel", "g")), label=label)
    events = (Event(0, "begin"), Event(101.0, "left", "C3"), Event(333.25, "tap", 1.5, 0.004), Event(n - 1, "end"))
    return recording(stream, data, events, start=100.0)


@dataclass(frozen=True)
class Case:
    """A stage with the input to try it on."""

    stage: Stage
    input: Recording
    name: str = ""

    @property
    def installed(self) -> bool:
        """Whether the stage is found by its name, so that its recipe can make it again."""
        place = where("stage").get(self.stage.part_name(), "").partition(":")[0]
        return isinstance(self.stage, Pipeline) or place == type(self.stage).__module__

    def fresh(self) -> Stage:
        """An equal stage, made from the recipe and what was learnt."""
        twin = build(self.stage.recipe()) if self.installed else type(self.stage)(**self.stage.settings())
        twin.restore(self.stage.learned())
        return twin

    def line(self) -> Stage:
        """A fresh stage; one that learns, within a Pipeline, which teaches it."""
        return taught(self.fresh())

    def run(self, stage: Stage | None = None, cuts: Sequence[int] = (), source: Recording | None = None) -> Recording:
        """The output for the whole input (one chunk, unless cut), of a fresh stage unless one is given."""
        source, stage = source or self.input, taught(stage or self.fresh())
        out = stage.start(source.stream)
        return Recording(out, tuple(stage.step(c) for c in source.recut(cuts)))


def taught(stage: Stage) -> Stage:
    return Pipeline([stage]) if stage.learns_from else stage


def cases(cls: type[Stage]) -> Iterator[Case]:
    """The examples of a stage, each with the input it brings or else noise long enough for it to settle."""
    example: Any
    for i, example in enumerate(cls.examples()):
        stage, source = example if isinstance(example, tuple) else (example, None)
        if source is None:
            probe = noise(0.1)
            stage.start(probe.stream)
            source = noise(max(6.0, 3 + 1.5 * stage.settle))
        yield Case(stage, source, f"{stage.part_name()}-{i}")
