"""bcikit: brain-computer interfaces in real time and offline with the same code.

import bcikit

board = bcikit.board("synthetic")
line = bcikit.Pipeline([bcikit.stage("bandpass", low=1, high=40), bcikit.stage("notch")])
for chunk in bcikit.stream(board, line, seconds=5):
    print(chunk.data.shape)
"""

from __future__ import annotations

from typing import Any

from .core.errors import BciError, DeviceTrouble, FileTrouble, NotConsented, WrongUse
from .core.label import Label, Level
from .core.parts import Board, Setting, Sink, Stage, Status
from .core.pipeline import Pipeline, build
from .core.stream import Channel, Chunk, Event, Recording, Stream, recording

__version__ = "0.1.0"

__all__ = [
    "BciError",
    "Board",
    "Channel",
    "Chunk",
    "DeviceTrouble",
    "Event",
    "FileTrouble",
    "Label",
    "Level",
    "NotConsented",
    "Pipeline",
    "Recording",
    "Setting",
    "Sink",
    "Stage",
    "Status",
    "Stream",
    "WrongUse",
    "board",
    "build",
    "recording",
    "sink",
    "stage",
    "stream",
]


def board(name: str, **settings: Any) -> Board:
    """A board by name; `bcikit boards` lists them with their settings."""
    from .core.find import part

    return part("board", name).make(settings)


def stage(name: str, **settings: Any) -> Stage:
    """A stage by name; `bcikit stages` lists them with their settings."""
    from .core.find import part

    return part("stage", name).make(settings)


def sink(name: str, **settings: Any) -> Sink:
    """A sink by name; open it with `gate.open(sink, stream)`."""
    from .core.find import part

    return part("sink", name).make(settings)


def stream(source: Board, line: Pipeline | None = None, *, seconds: float | None = None) -> Any:
    """Chunks as they leave the last stage, until the board ends, `seconds` of samples have come, or you stop."""
    from .core.loop import Loop

    return Loop(source, line).chunks(seconds)
