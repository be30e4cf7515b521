"""A line of stages as the decoder of FALCON, the benchmark of implants that must stay good: its calls, and no more.

    decoder = Falcon(Pipeline([trained]), stream)      # stream: the counts, as the benchmark bins them

Source: B. M. Karpowicz et al., NeurIPS Datasets and Benchmarks, 2024 (FALCON); the interface is that of `BCIDecoder` there.
Whatever the batch, each of its runs has a line of its own, so that none learns from another. The benchmark fills a batch
with zeros, cannot take NaN, and calls `on_done` only where it cuts a recording into trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import WrongUse
from ...core.pipeline import Pipeline, build
from ...core.stream import Chunk, Stream


class Falcon:
    """reset(tags), predict(x) and observe(x) with x (runs, channels) of one bin, on_done(runs that ended)."""

    def __init__(self, line: Pipeline, stream: Stream, batch_size: int = 1) -> None:
        self.line, self.stream, self.batch_size = line, stream, batch_size
        self._lines: list[Pipeline] = []
        self._at: list[int] = []
        self._said: list[np.ndarray] = []

    def set_batch_size(self, batch_size: int) -> None:
        """So many runs at once from the next reset on."""
        self.batch_size = batch_size

    def reset(self, dataset_tags: Sequence[Any] = ("",)) -> None:
        """Begin anew, a run for each data set."""
        self._lines, self._at, self._said = [], [0] * len(dataset_tags), []
        for _ in dataset_tags:
            twin = build(self.line.recipe())
            if not isinstance(twin, Pipeline):
                raise WrongUse("FALCON's decoder is a Pipeline.")
            twin.restore(self.line.learned())
            twin.start(self.stream)
            self._lines.append(twin)
            self._said.append(np.zeros(twin.out.shape, np.float32))

    def predict(self, neural_observations: Any) -> np.ndarray:
        """(runs, outputs) of this bin; the last that was said where the line says nothing new, zeros before it said any."""
        x = np.atleast_2d(np.asarray(neural_observations, np.float32))
        if len(x) != len(self._lines):
            raise WrongUse(f"There are {len(self._lines)} runs, and {len(x)} were given.", do="Call reset(tags) first.")
        return np.stack([self._step(i, row) for i, row in enumerate(x)])

    def observe(self, neural_observations: Any) -> None:
        """A bin of which nothing is asked."""
        self.predict(neural_observations)

    def on_done(self, dones: Any) -> None:
        """These runs' trials ended: as behind a gap, what is remembered of the signal begins anew."""
        for i in np.flatnonzero(np.asarray(dones)):
            self._lines[int(i)].start(self.stream)
            self._at[int(i)] = 0

    def _step(self, run: int, row: np.ndarray) -> np.ndarray:
        at = self._at[run]
        self._at[run] += 1
        line = self._lines[run]
        y = line.step(
            Chunk(np.ascontiguousarray(row[None]), at, at / self.stream.rate if self.stream.rate else float(at))
        ).data
        if len(y) and np.isfinite(y[-1]).all():
            self._said[run] = y[-1]
        return self._said[run]
