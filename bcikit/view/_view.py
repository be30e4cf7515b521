"""What the views share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.parts import Report, Sink
from ..core.stream import Chunk, Stream
from ._signal import Signal
from ._watch import Watch, judged

SILENT = ("connecting", "stale", "reconnecting", "lost")  # no data come: nothing is said of the channels


def _nothing(*_: Any) -> None:
    pass


class View(Sink):
    """Remembers the stream. Whoever builds the line may hand over: `stop` and `mark` of the loop, the files that are being
    recorded, and the watch, which stands on the board."""

    kind = "view"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stop: Callable[[], None] = _nothing
        self.mark: Callable[..., None] = _nothing
        self.recordings: list[Path] = []
        self.watch: Watch | None = None

    def say(self, text: str) -> None:
        """What an effector on the same terminal has to say."""
        print(text, file=sys.stderr, flush=True)

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.signal = Signal(s)

    def send(self, c: Chunk) -> None:
        self.signal.take(c)

    def told(self, r: Report) -> Report:
        """The report with what the stages have to say beside what the board says."""
        notes = [n for n in (r.status.note, *self.stream.info.get("notes", ())) if n]
        return replace(r, status=replace(r.status, note="; ".join(dict.fromkeys(notes))))

    @property
    def nominal_hz(self) -> float:
        """The rate that the board states, which what is measured is held against."""
        return (self.watch.signal if self.watch is not None and hasattr(self.watch, "signal") else self.signal).stream.rate

    def quality(self) -> list[str]:
        """A word for each channel: judged on the board's channel of that name, where there is one, else on what is here."""
        here = judged(self.signal)
        board = judged(self.watch.signal) if self.watch is not None and hasattr(self.watch, "signal") else {}
        return [board.get(name, here[name]) for name in self.stream.names]


def file_size(path: Path) -> str:
    """How large a file is now, in words."""
    try:
        n = path.stat().st_size
    except OSError:
        return "not there"
    power = next(p for p in range(4) if n < 1000 ** (p + 1) or p == 3)
    return f"{n / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"
