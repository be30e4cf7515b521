"""The recorder: a stream into an XDF file, exactly as it comes, readable however it ends."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

from ..core.errors import WrongUse
from ..core.parts import Part, Report, Setting, Sink
from ..core.stream import Chunk, Stream
from ..files.xdf import Writer

SYNC_S = 1.0  # what a power cut may cost


@dataclass(eq=False)
class Xdf(Sink):
    """Records a stream to an XDF file, with its events and gaps, the board's states and what it missed itself.

    XDF 1.0, for pyxdf, EEGLAB and MNE; read back by bcikit it gives the same bytes. `about` takes facts for the record
    before it is opened: the line's recipe, the board's settings. Raises FileTrouble: the file exists, its folder does
    not, the disk is full.
    """

    kind: ClassVar[str] = "record"

    path: Annotated[str, Setting("file to make; it must not exist")] = "session.xdf"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.about: Mapping[str, Any] = {}
        self._writer: Writer | None = None

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        path = Path(os.path.expanduser(self.path))  # an unknown ~user stays as it is written
        if self.plain and path.suffix.lower() != ".xdf":
            raise WrongUse(
                f"A recording is an XDF file; {self.path!r} is no name for one.", do=f"Name it {self.path or 'session'}.xdf"
            )
        # what is simulated is the same bytes in every run, and was made at no date
        when = "" if s.label.simulated else datetime.now().astimezone().isoformat(timespec="seconds")
        self._writer = Writer(path, s, self.about, when, sealed=not self.plain)
        self._state, self._dropped, self._synced = "", 0, time.monotonic()

    def send(self, c: Chunk) -> None:
        if self._writer:
            self._writer.write(c)

    def pulse(self, report: Report) -> None:
        writer, status = self._writer, report.status
        if writer is None:
            return
        if status.state != self._state:
            self._state = status.state
            writer.say(status.state + (f": {status.note}" if status.note else ""), status.age_s)
        dropped = report.dropped.get(self.part_name(), 0)
        if dropped > self._dropped:
            writer.say(f"dropped {dropped - self._dropped}", status.age_s)
            self._dropped = dropped
        now = time.monotonic()
        if now - self._synced >= SYNC_S:  # here, not in send: a disk may take longer than a send may
            self._synced = now
            writer.sync()

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer:
            writer.close()

    @classmethod
    def examples(cls) -> Iterator[Part]:
        folder = tempfile.TemporaryDirectory(prefix="bcikit-")
        atexit.register(folder.cleanup)
        yield cls(path=str(Path(folder.name) / "example.xdf"))
