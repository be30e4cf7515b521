"""What a run leaves behind so that each of its commands can be explained: a recording at every place of the line, and of
what the effector did. Each goes through the Gate as a recording, encrypted like any other.

    FOLDER/board.sealed          as it came; about: the line's recipe and what it had learnt
    FOLDER/1-bandpass.sealed     behind each stage
    FOLDER/effector.sealed       one row for each chunk of commands that reached it
    FOLDER/ended.json            why it ended: a refusal of the Gate, or nothing
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.loop import Loop
from ..core.parts import Report, Sink
from ..core.stream import Channel, Chunk, Stream
from ..effectors._moved import Moved
from ..effectors.cursor import Cursor
from ..effectors.store import Store
from ..ethics.gate import Gate
from ..files.sealed import SUFFIX

ENDED = "ended.json"


class Trail:
    """Of one run: `stand` before the loop runs, which it does `with` this. Raises FileTrouble where the folder
    holds something."""

    def __init__(self, folder: Path, loop: Loop, gate: Gate) -> None:
        self.folder, self.loop, self.gate = folder, loop, gate
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise FileTrouble(f"{folder} is not empty.", "A trail is of one run.", "Name a new folder.")
        except OSError as error:
            raise FileTrouble(f"{folder} cannot be written.", f"{error.strerror}.") from error

    def stand(self, effector: Sink) -> Sink:
        """Recorders at every place; gives what goes into the loop in the effector's stead."""
        line = self.loop.line
        self._recorder("board", "board", {"line": line.recipe(), "learned": as_text(line.learned())})
        for i, stage in enumerate(line.stages, 1):
            name = stage.part_name()
            if name not in [s.part_name() for s in line.stages[: i - 1]]:  # a second of a name is judged with the next
                self._recorder(f"{i}-{name}", name, {"place": i})
        return Traced(effector, self)

    def _recorder(self, name: str, at: str, about: Mapping[str, Any]) -> None:
        sink = Store(path=str(self.folder / (name + SUFFIX)))
        sink.about = about
        self.loop.add(sink, at)

    def __enter__(self) -> Trail:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Written down: the Gate's word for a refusal."""
        (self.folder / ENDED).write_text(json.dumps({"rule": getattr(error, "rule", "")}) + "\n")


class Traced(Sink):
    """An effector, watched: what it was sent, ordered and did. The Gate judges it as what it is."""

    def __init__(self, sink: Sink, trail: Trail) -> None:
        self.sink, self.trail = sink, trail
        for name in ("kind", "inline", "plain", "real", "limits"):
            if hasattr(sink, name):
                setattr(self, name, getattr(sink, name))
        self.part_name = sink.part_name  # type: ignore[method-assign]

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self.sink.open(s, _Stand(self.sink))
        row = seen(self.sink, np.zeros(len(s.channels)))
        recorder = Store(path=str(self.trail.folder / f"effector{SUFFIX}"))
        recorder.about = {"sink": self.sink.part_name(), "settings": self.sink.settings(), "told": len(row[1])}
        channels = tuple(Channel(f"a{i}", "aux", "") for i in range(3 + len(row[1]) + len(row[2])))
        told = Stream("effector", s.rate, channels, label=s.label)
        self._permit = self.trail.gate.open(recorder, told)

    def send(self, c: Chunk) -> None:
        self.sink.send(c)
        if len(c):
            row = acted(self.sink, c)
            self._permit.send(Chunk(row[None], c.end - 1, float(np.max(c.time))))

    def pulse(self, report: Report) -> None:
        self.sink.pulse(report)

    def safe(self) -> None:
        self.sink.safe()

    def close(self) -> None:
        self.sink.close()
        if hasattr(self, "_permit"):
            self._permit.close()


class _Stand:
    """In a permit's place, for what the Gate allowed to its watcher, or a simulated device that is replayed."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink


def replayed(sink: Sink, s: Stream) -> Sink:
    """The effector of a trail, opened to go through it once more. Raises WrongUse where its device is a real one."""
    if not can_replay(sink):
        raise WrongUse(f"{sink.part_name()} acts on the world: it is not replayed.")
    sink.open(s, _Stand(sink))
    return sink


def can_replay(sink: Sink) -> bool:
    return isinstance(sink, Cursor) or (isinstance(sink, Moved) and sink.lockstep)


def seen(sink: Sink, row: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """(why it does not move, what the limiter lets the device do, what the device did) for the newest command."""
    if isinstance(sink, Moved):
        return int(sink.cause), sink.told, sink.look().packed(sink.spec)
    if isinstance(sink, Cursor):
        return 0, sink.moved, sink.place
    return 0, row, np.empty(0)


def acted(sink: Sink, c: Chunk) -> np.ndarray:
    """A row of the recording: how many commands came, alive, cause, told, did."""
    cause, told, did = seen(sink, np.asarray(c.data[-1], float).ravel())
    return np.array([len(c), getattr(sink, "alive", True), cause, *told, *did], np.float32)


def as_text(value: Any) -> Any:
    """Arrays and plain values as JSON takes them, to the bit."""
    if isinstance(value, np.ndarray):
        return {"__array__": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]}
    if isinstance(value, Mapping):
        return {k: as_text(v) for k, v in value.items()}
    return [as_text(v) for v in value] if isinstance(value, (list, tuple)) else value


def from_text(value: Any) -> Any:
    """The inverse of `as_text`."""
    if isinstance(value, Mapping):
        if "__array__" in value:
            kind, shape, data = value["__array__"]
            return np.frombuffer(base64.b64decode(data), np.dtype(kind)).reshape(shape).copy()
        return {k: from_text(v) for k, v in value.items()}
    return [from_text(v) for v in value] if isinstance(value, list) else value
