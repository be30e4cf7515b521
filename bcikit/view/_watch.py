"""How good each channel is, judged where it is still true: on the board's own stream, before any filter hides a rail."""

from __future__ import annotations

from typing import Any

from ..core.parts import Sink
from ..core.stream import Chunk, Stream
from ..preprocess.quality import quality
from ._signal import Signal


class Watch(Sink):
    """Stands on the board, beside a view that stands further on."""

    kind = "view"

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.signal = Signal(s)

    def send(self, c: Chunk) -> None:
        self.signal.take(c)


def judged(signal: Signal) -> dict[str, str]:
    """{channel: good, mains, noisy, flat, railed or nan} over the newest second; '' where it cannot be said."""
    s = signal.stream
    x = signal.newest()
    words = quality(x[-max(round(s.rate), 1) :], s.but(shape=(len(s.channels),), scale=None)) if len(x) else ()
    return {
        name: "" if word == "unknown" else word for name, word in zip(s.names, words or [""] * len(s.names), strict=True)
    }
