"""An outlet of the Lab Streaming Layer: whoever is on the network can receive what is sent here."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from .. import __version__
from ..acquire import _lsl
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Setting, Sink
from ..core.stream import Chunk, Event, Stream
from ..ethics.manifest import use

HELD_S = 60  # what liblsl holds for a receiver that is slow


@dataclass(eq=False)
class Lsl(Sink):
    """Sends a stream with its metadata, each sample stamped with the time it was taken. The metadata have names, kinds,
    units, positions, the words of decisions (`word0` and so on) and, under `use`, for what it may be used.

    Where samples are missing the stamps jump: nothing is invented. Events go to a second stream, NAME-events, as text:
    `name`, or `name:value`. Sending never waits for a receiver. liblsl listens on every interface of the machine,
    unencrypted and for anyone, whatever its scope: what is sent leaves, so the Gate asks for the grant `lsl`.
    """

    kind = "lsl"

    name: Annotated[str, Setting("name of the stream on the network")] = "bcikit"
    type: Annotated[str | None, Setting("content type; EEG where there are EEG channels, else the first channel's kind")] = (
        None
    )
    source_id: Annotated[str | None, Setting("identifier by which receivers find it again; made of name and host")] = None

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        if len(s.shape) != 1:
            raise WrongUse(
                f"LSL sends rows of channels; {s.name} has samples of shape {s.shape}.", "Put the outlet before it."
            )
        if not self.name:
            raise WrongUse("An LSL stream needs a name.", do="--lsl NAME")
        lsl = _lsl.library()
        kinds = [c.kind for c in s.channels]
        source = self.source_id or f"bcikit-{self.name}-{socket.gethostname()}"
        kind = self.type or ("EEG" if "eeg" in kinds else kinds[0])
        self._offset = _lsl.offset()
        self._scale = None if s.scale is None else np.asarray(s.scale, np.float32)
        facts = {"version": __version__, "stream": s.name, "delay_s": f"{s.delay:g}", "simulated": str(s.label.simulated)}
        facts["use"] = use(s.label)
        facts |= {f"word{i}": word for i, word in enumerate(s.alphabet)}
        try:
            info = lsl.StreamInfo(self.name, kind, len(s.channels), s.rate, "float32", source)
            _lsl.metadata(info, s.channels, facts)
            self._outlet = lsl.StreamOutlet(info, 0, HELD_S)
            marks = lsl.StreamInfo(f"{self.name}-events", "Markers", 1, 0.0, "string", f"{source}-events")
            _lsl.metadata(marks, (), facts)
            self._marks = lsl.StreamOutlet(marks, 0, HELD_S)
        except RuntimeError as error:
            self.close()
            raise DeviceTrouble(f"The LSL outlet {self.name!r} cannot be made.", str(error)) from error

    def send(self, c: Chunk) -> None:
        rate = self.stream.rate
        if len(c):
            x = c.data if self._scale is None else c.data * self._scale
            times = np.asarray(c.time_at(np.arange(len(c)), rate), float) - self._offset
            if np.isfinite(times).all():
                self._outlet.push_chunk(x, times.tolist())
            else:  # a stream that does not know its time
                self._outlet.push_chunk(x)
        for e in c.events:
            self._marks.push_sample([_text(e)], self._when(e, c) - self._offset)

    def _when(self, e: Event, c: Chunk) -> float:
        """When an event took place, in seconds of the chunk's clock; it may lie before or behind its chunk."""
        when, rate = math.nan, self.stream.rate
        if np.ndim(c.time) and len(c):
            when = float(c.time[min(max(round(e.index) - c.first, 0), len(c) - 1)])
        elif not np.ndim(c.time):
            when = float(c.time) - ((c.end - 1 - e.index) / rate if rate else 0.0)
        return when if math.isfinite(when) else self._offset  # LSL takes 0 for now

    def close(self) -> None:
        self._outlet = self._marks = None


def _text(e: Event) -> str:
    return e.name if e.value is None else f"{e.name}:{e.value}"
