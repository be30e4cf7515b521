"""The simplest effector: prints what it is told to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.parts import Report, Setting, Sink
from ..core.stream import Chunk, Stream
from ..ethics.manifest import use


def _print(text: str) -> None:
    print(text, flush=True)


@dataclass(eq=False)
class Console(Sink):
    """Prints the newest command of each chunk when it differs from the one before by more than `change`; a stream with
    an alphabet is printed in its words. First it says for what they may be used. When data stop coming, and at the end, it
    prints `safe`: what was told last holds no longer."""

    change: Annotated[
        float, Setting("how much a value must change to be printed again, in the unit of its channel", low=0)
    ] = 0.0

    kind = "effector"
    inline = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.say: Callable[[str], None] = _print  # a view that owns the screen puts its own here
        self._told: np.ndarray | None = None

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.say(f"({use(s.label)})")

    def send(self, c: Chunk) -> None:
        if not len(c):
            return
        rows = np.asarray(c.data, float).reshape(len(c), -1)
        for row in rows if self.stream.alphabet else rows[-1:]:  # no decision is skipped; of what is continuous, the newest
            if self._told is None or self._differs(row, self._told):
                self._told = row.copy()
                self.say(self._text(row))

    def _differs(self, row: np.ndarray, told: np.ndarray) -> bool:
        known = np.isfinite(row)
        return bool((known != np.isfinite(told)).any() or (np.abs(row - told)[known] > self.change).any())

    def _text(self, row: np.ndarray) -> str:
        words = self.stream.alphabet
        if words:
            return " ".join(words[int(v)] if v == v and 0 <= int(v) < len(words) else "unknown" for v in row)
        return "  ".join(f"{c.name} {v:.4g} {c.unit}".rstrip() for c, v in zip(self.stream.channels, row, strict=False))

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming" and self._told is not None:
            self.safe()

    def safe(self) -> None:
        self._told = None
        self.say("safe")

    def close(self) -> None:
        if self._told is not None:
            self.safe()
