"""What crosses between broker and worker: lengths, plain values, arrays. Nothing in it can run, and its size is bounded."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.stream import Channel, Chunk, Event, Stream

HEAD = struct.Struct("<BI")  # kind, bytes
CHUNK = struct.Struct("<qIIId")  # first, rows, stamps (0: one time), bytes of events, time
MOST = 1 << 28  # bytes of one message
MOST_TEXT = 1 << 20
KINDS = "biuf"


def send(fd: int, kind: int, *parts: Any) -> None:
    """One message, in one write where it fits."""
    body = b"".join(parts)
    data = memoryview(HEAD.pack(kind, len(body)) + body)
    while data:
        data = data[os.write(fd, data) :]


def receive(fd: int) -> tuple[int, bytes]:
    """Raises BciError where the other side is gone, or sends what is too long."""
    first = os.read(fd, 1 << 16)
    while 0 < len(first) < HEAD.size:
        first += os.read(fd, HEAD.size - len(first)) or b""
    if not first:
        raise BciError("The sandboxed worker has ended.")
    kind, size = HEAD.unpack_from(first)
    if size > MOST or len(first) > HEAD.size + size:
        raise BciError("The sandboxed worker sent what no worker sends.")
    if len(first) == HEAD.size + size:
        return kind, first[HEAD.size :]
    body = bytearray(first[HEAD.size :])
    while len(body) < size:
        piece = os.read(fd, size - len(body))
        if not piece:
            raise BciError("The sandboxed worker has ended.")
        body += piece
    return kind, bytes(body)


def chunk_out(c: Chunk) -> tuple[Any, ...]:
    events = json.dumps([[e.index, e.name, _plain(e.value), e.uncertainty] for e in c.events]).encode() if c.events else b""
    stamps = np.asarray(c.time, float) if np.ndim(c.time) else None
    head = CHUNK.pack(
        c.first, len(c.data), 0 if stamps is None else len(stamps), len(events), 0.0 if stamps is not None else c.time
    )
    return head, events, b"" if stamps is None else stamps.tobytes(), np.ascontiguousarray(c.data).tobytes()


def chunk_in(raw: bytes, s: Stream) -> Chunk:
    """A chunk of this stream: of its type and shape, whatever was sent. Raises ValueError, TypeError, struct.error."""
    first, n, stamps, size, time = CHUNK.unpack_from(raw)
    at = CHUNK.size
    events: tuple[Event, ...] = ()
    if size:
        events = tuple(
            Event(float(i), str(name), _plain(value), float(u)) for i, name, value, u in json.loads(raw[at : at + size])
        )
    at += size
    times = np.frombuffer(raw, float, stamps, at) if stamps else time
    at += 8 * stamps
    count = n * int(np.prod(s.shape))
    if len(raw) - at != count * s.dtype.itemsize or (stamps and stamps != n):
        raise ValueError("a chunk is not of the stream that was announced")
    return Chunk(np.frombuffer(raw, s.dtype, count, at).reshape(n, *s.shape), first, times, events)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.item() if isinstance(value, np.generic) else str(value)


def values_out(value: Any) -> bytes:
    """Plain values and arrays as one message."""
    arrays: list[bytes] = []

    def out(v: Any) -> Any:
        if isinstance(v, np.ndarray) and v.dtype.kind in KINDS:
            arrays.append(np.ascontiguousarray(v).tobytes())
            return {"__array__": [v.dtype.str, list(v.shape)]}
        if isinstance(v, dict):
            return {"__pairs__": [[out(k), out(x)] for k, x in v.items()]}
        if isinstance(v, tuple):
            return {"__tuple__": [out(x) for x in v]}
        if isinstance(v, list):
            return [out(x) for x in v]
        return _plain(v)

    text = json.dumps(out(value)).encode()
    return struct.pack("<I", len(text)) + text + b"".join(arrays)


def values_in(raw: bytes) -> Any:
    """The inverse. Raises ValueError, TypeError, struct.error."""
    (size,) = struct.unpack_from("<I", raw)
    at = 4 + size

    def back(v: Any) -> Any:
        nonlocal at
        if isinstance(v, list):
            return [back(x) for x in v]
        if not isinstance(v, dict):
            return v
        if "__array__" in v:
            dtype, shape = np.dtype(str(v["__array__"][0])), tuple(int(k) for k in v["__array__"][1])
            count = int(np.prod(shape, dtype=object))
            if dtype.kind not in KINDS or count < 0:
                raise ValueError(f"no array of {dtype}")
            x = np.frombuffer(raw, dtype, count, at).reshape(shape).copy()
            at += count * dtype.itemsize
            return x
        if "__tuple__" in v:
            return tuple(back(x) for x in v["__tuple__"])
        return {back(k): back(x) for k, x in v["__pairs__"]}

    return back(json.loads(raw[4:at]))


def stream_out(s: Stream) -> dict[str, Any]:
    """All but the label, which the broker keeps, and what no logic reads."""
    channels = [[c.name, c.kind, c.unit, c.position] for c in s.channels]
    plain = {"name": s.name, "rate": s.rate, "shape": s.shape, "delay": s.delay, "scale": s.scale, "alphabet": s.alphabet}
    return {**plain, "channels": channels}


def stream_in(d: dict[str, Any], of: Stream) -> Stream:
    """A stream that the worker announced, with the label of what went in: whatever runs there, it lowers nothing."""
    channels = tuple(
        Channel(str(n)[:100], str(k)[:40], str(u)[:40], tuple(p) if p else None) for n, k, u, p in d["channels"]
    )
    shape, alphabet = tuple(int(k) for k in d["shape"]), tuple(str(w)[:100] for w in d["alphabet"])
    scale = d["scale"] if d["scale"] is None or isinstance(d["scale"], tuple) else float(d["scale"])
    if any(k < 0 for k in shape) or not np.isfinite([d["rate"], d["delay"]]).all():
        raise ValueError("no such stream")
    return of.but(
        name=str(d["name"])[:100], rate=float(d["rate"]), channels=channels, shape=shape, delay=float(d["delay"]),
        scale=scale, alphabet=alphabet, info={},
    )  # fmt: skip
