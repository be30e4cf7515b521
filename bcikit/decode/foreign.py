"""A decoder of another package that learns and decides in the sandboxed worker: it sees trials, and gives probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.parts import Setting
from ..core.stream import Channel, Chunk, Event, Stream
from ..ethics import sandbox
from ._decoder import Decoder, trained
from .sandbox import Sandbox


@dataclass(eq=False)
class Foreign(Decoder):
    """The same numbers as that decoder gives in this process, none of whose code is loaded here. What it learnt is kept as
    it gave it, and only ever read by it. Raises BciError where there is no sandbox here, or the worker ends."""

    exempt = {**Decoder.exempt, "setting decoder": "tests/evaluate/test_tier_2.py runs another in it"}  # noqa: RUF012

    decoder: Annotated[str, Setting("a decoder, as NAME or NAME:KEY=VALUE,...")] = "toeplitz_lda"

    def learn(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> None:
        worker = Sandbox([self.decoder])
        channels = [[n, "eeg", "µV", None] for n in self.names_]
        plain = {"name": "trials", "delay": 0.0, "scale": None, "alphabet": (), "shape": X.shape[1:]}
        worker.fit(X, y, groups, {**plain, "rate": self.rate_, "channels": channels} if self.rate_ else None)
        self.worker_, self.taught_by_ = worker.learned(), worker.teachers
        worker.end()

    @property
    def learns_from(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(getattr(self, "taught_by_", ()))

    def prepare(self, s: Stream) -> None:
        self.inner = Sandbox([self.decoder])
        self.inner.restore(self.worker_)
        self.inner.start(s.but(channels=tuple(Channel(n) for n in self.names_ or s.names)))
        self.count = 0

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        out = self.inner.step(Chunk(np.asarray(X, self.into.dtype), self.count, np.zeros(len(X))))
        self.count += len(X)
        return np.asarray(out.data, float)

    def adapt(self, event: Event) -> None:
        self.inner.adapt(event)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "inner": self.inner.state(), "count": self.count}

    def learned(self) -> dict[str, Any]:
        if hasattr(self, "inner"):
            self.worker_ = self.inner.learned()
        return super().learned()

    def restore(self, kept: Mapping[str, Any]) -> None:
        kept = dict(kept)
        if "inner" in kept:
            self.inner.restore(kept.pop("inner"))
            self.count = kept.pop("count")
        super().restore(kept)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        if not sandbox.available():
            yield trained(cls())
