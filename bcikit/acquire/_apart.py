"""The process of a board that is read apart: `python -m bcikit.acquire._apart CONTROL MEMORY FILLED... FREED...`

It ends when the control socket does, so also when the reader was killed; the board is closed then. What it puts into the
ring are chunks, now and then how the board is, and at the end the end. Pickle passes between these two processes alone.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any, BinaryIO

import numpy as np

from ..core.clock import WALL
from ..core.errors import BciError, DeviceTrouble
from ..core.find import part
from ..core.parts import Board, Status
from ..core.stream import Chunk, Event, Stream
from ._ring import Count, Ring

READ_S = 0.02  # the longest wait for samples
TELL_S = 0.05  # how often the reader hears how the board is
CLOSE_S = 2.0  # a board that does not close in this time ends with its process
CHUNK, STATUS, END, ERROR = range(4)
HEAD = struct.Struct("=qqqqqdqq")  # kind, rows, first, bytes of data, of times, time, bytes of the rest, -
LEAST = 1 << 20


def packed(c: Chunk) -> tuple[Any, ...]:
    """A chunk as the parts of a record."""
    data = np.ascontiguousarray(c.data)
    several = np.ndim(c.time) > 0
    times = np.ascontiguousarray(c.time, float) if several else np.empty(0)
    rest = pickle.dumps([(e.index, e.name, e.value, e.uncertainty) for e in c.events]) if c.events else b""
    time = float("nan") if several else c.time
    head = HEAD.pack(CHUNK, len(data), c.first, data.nbytes, times.nbytes if several else -1, time, len(rest), 0)
    return head, data, times, rest


def unpacked(record: np.ndarray, stream: Stream) -> Chunk | tuple[int, Any]:
    """The chunk, or what else a record tells: (kind, value)."""
    kind, rows, first, size, times, time, rest, _ = HEAD.unpack(record[: HEAD.size].tobytes())
    at = HEAD.size
    if kind != CHUNK:
        return kind, pickle.loads(record[at:].tobytes())
    data = record[at : at + size].view(stream.dtype).reshape(rows, *stream.shape)
    at += size
    when: Any = time
    if times >= 0:
        when = np.frombuffer(record[at : at + times].tobytes())
        at += times
    events = tuple(Event(*e) for e in pickle.loads(record[at:].tobytes())) if rest else ()
    return Chunk(data, first, when, events)


class Producer:
    """Reads a board into a ring until the board ends or nobody listens."""

    def __init__(self, board: Board, ring: Ring, stream: Stream, wait: bool, stop: threading.Event) -> None:
        self.board, self.ring, self.stream, self.wait, self.stop = board, ring, stream, wait, stop
        self.overrun = 0  # samples that found no room
        self.pending: tuple[Event, ...] = ()  # events of chunks that found none
        self.told, self.state = -1.0, ""
        row = int(np.prod(stream.shape)) * stream.dtype.itemsize + (0 if stream.rate else 8)
        self.most = max(ring.size // 4 // max(row, 1), 1)  # rows a record

    def run(self) -> None:
        try:
            self.say(
                STATUS, self._how(self.board.status, WALL.now())
            )  # so that a mark can be placed from the first sample on
            while not self.stop.is_set():
                c = self.board.read(READ_S)
                if c is not None:
                    self.give(c)
                now = WALL.now()
                if c is None or now - self.told >= TELL_S or self.state != "streaming":
                    status = self.board.status
                    over = c is None and status.state in ("ended", "lost")
                    if over:
                        self.say(END, self._how(status, now), wait=True)
                        return
                    if now - self.told >= TELL_S or status.state != self.state:
                        self.say(STATUS, self._how(status, now))
                        self.told, self.state = now, status.state
        except Exception as error:  # the reader raises it, behind the last sample
            self.say(ERROR, spelled(error), wait=True)

    def give(self, c: Chunk) -> None:
        while len(c) > self.most:
            head, c = c.cut(self.most, self.stream.rate)
            self.give(head)
        if self.pending:
            c = c.but(events=(*self.pending, *c.events))
        parts = packed(c)
        if self._put(parts, self.wait):
            self.pending = ()
        else:
            self.overrun += len(c)
            self.pending = c.events

    def say(self, kind: int, value: Any, wait: bool = False) -> None:
        if kind != STATUS and self.pending:  # events behind which no sample came any more
            rest = Chunk(np.empty((0, *self.stream.shape), self.stream.dtype), int(self.pending[-1].index) + 1, float("nan"))
            self._put(packed(rest.but(events=self.pending)), True)
        self._put((HEAD.pack(kind, 0, 0, 0, -1, 0.0, 0, 0), pickle.dumps(value)), wait)

    def _put(self, parts: tuple[Any, ...], wait: bool) -> bool:
        while not self.ring.put(*parts):
            if not wait or self.stop.is_set():
                return False
            self.ring.freed.wait(TELL_S)
        return True

    def _how(self, status: Status, now: float) -> tuple[Status, float, int, tuple[float, float, float] | None]:
        """Status, when it was so, samples that found no room, and where this moment lies: index, per second, uncertainty."""
        try:
            (a, unsure), (b, _) = self.board.index_of(now), self.board.index_of(now - 1.0)
            return status, now, self.overrun, (a, a - b, unsure)
        except (NotImplementedError, BciError):
            return status, now, self.overrun, None


def spelled(error: BaseException) -> tuple[str, str, str, str]:
    if isinstance(error, BciError):
        return type(error).__name__, error.what, error.why, error.do
    return DeviceTrouble.__name__, f"The board's process failed: {type(error).__name__}: {error}", "", ""


def _favoured(cpu: int | None, priority: int) -> str:
    """Pin this process and raise its priority where that is allowed; says what was not."""
    said = []
    try:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
    except (OSError, AttributeError):
        said.append(f"could not be held to core {cpu}")
    try:
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except (OSError, AttributeError):
        said.append("real-time priority is not allowed here")
    return "; ".join(said)


def _listen(control: BinaryIO, board: Board, stop: threading.Event) -> None:
    """Calls that are passed on to the board, until the reader is gone."""
    while True:
        try:
            name, args = pickle.load(control)
        except (EOFError, OSError):
            break
        try:
            getattr(board, name)(*args)
        except Exception as error:  # it was said from afar; whoever said it cannot be told
            print(f"{board.part_name()}.{name}: {error}", file=sys.stderr)
    stop.set()
    time.sleep(CLOSE_S)
    os._exit(1)


def main(control_fd: int, memory: int, *counts: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the reader's
    control = socket.socket(fileno=control_fd).makefile("rwb")
    asked = pickle.load(control)
    try:
        note = _favoured(asked["cpu"], asked["priority"])
        board = part("board", asked["name"]).make(asked["settings"])
        board.label = asked["label"]
        stop = threading.Event()
        with board:
            stream = board.open()
            row = int(np.prod(stream.shape)) * stream.dtype.itemsize
            size = max(int(asked["hold_s"] * (stream.rate or 1000.0) * row), LEAST)
            half = len(counts) // 2
            ring = Ring(memory, size, Count(counts[:half]), Count(counts[half:]))
            pickle.dump(("open", stream, ring.size, note), control)
            control.flush()
            threading.Thread(target=_listen, args=(control, board, stop), daemon=True).start()
            import gc

            gc.collect()
            gc.freeze()
            Producer(board, ring, stream, asked["wait"], stop).run()
    except Exception as error:
        pickle.dump(("error", *spelled(error)), control)
        control.flush()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
