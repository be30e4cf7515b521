"""The laws of sinks, each with the input that its example brings or else noise, and a gate for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.errors import BciError, WrongUse
from ..core.parts import Sink
from ..core.stream import Chunk, Recording, Stream
from ._case import noise


class OpenGate:
    """A gate for tests: lets simulated streams through to any sink, and nothing else."""

    def open(self, sink: Sink, stream: Stream) -> OpenPermit:
        if not stream.label.simulated:
            raise WrongUse("The gate for tests lets only simulated streams through.")
        permit = OpenPermit(sink)
        sink.open(stream, permit)
        return permit


class OpenPermit:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def send(self, c: Chunk) -> None:
        self.sink.send(c)

    def close(self) -> None:
        self.sink.close()


def sink_needs_a_permit(make: Callable[[], Sink], source: Recording | None = None) -> None:
    """12a. A sink does not open without a permit that is its own."""
    for permit in (None, object(), OpenPermit(make())):
        try:
            sink = make()
            sink.open((source or noise(0.1)).stream, permit)
        except BciError:
            continue
        sink.close()
        raise AssertionError("opened without a permit")


def sink_takes_any_chunk(make: Callable[[], Sink], source: Recording | None = None) -> None:
    """12b. Empty chunks, gaps, NaN and events pass; the input is not changed; `safe` and `close` work at any time."""
    sink = make()
    sink.safe()
    source = source or noise(2.0)
    permit = OpenGate().open(sink, source.stream)
    chunks = list(source.recut((0, 50, 1, 100)))
    del chunks[2]  # a gap
    try:
        for c in chunks:
            buffer = c.data.copy()
            if source.stream.scale is None:
                buffer[:3] = np.nan
            before = buffer.tobytes()
            permit.send(Chunk(buffer, c.first, c.time, c.events))
            assert buffer.tobytes() == before, "the sink changed what it was given"
            sink.safe()
    finally:
        permit.close()
        permit.close()
        sink.safe()


SINK_LAWS: dict[str, Callable[..., None]] = {law.__name__: law for law in (sink_needs_a_permit, sink_takes_any_chunk)}
