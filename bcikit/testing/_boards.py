"""The laws of boards that need no hardware: each is read on a clock that jumps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..core.clock import JumpClock
from ..core.label import Label
from ..core.parts import Board
from ..core.stream import Chunk, Recording, Stream


def _open(board: Board, timeouts: Sequence[float] = (0.1,)) -> tuple[Stream, Iterator[Chunk]]:
    """A board on a clock that jumps: its stream, and what comes from it, read with these timeouts in turn, to its end."""
    board.clock = JumpClock()
    stream = board.open()

    def chunks() -> Iterator[Chunk]:
        for turn in range(100_000):
            c = board.read(timeouts[turn % len(timeouts)])
            if c is not None:
                yield c
            elif board.status.state in ("ended", "lost"):
                return

    return stream, chunks()


def _read(board: Board, timeouts: Sequence[float], seconds: float = 3.0) -> Recording:
    """What a board gives in this time; closed behind it."""
    try:
        stream, chunks = _open(board, timeouts)
        end = round(seconds * stream.rate)
        kept: list[Chunk] = []
        for c in chunks:
            if c.end >= end and stream.rate:
                kept.append(c.cut(max(end - c.first, 0), stream.rate)[0])
                break
            kept.append(c)
        return Recording(stream, tuple(kept))
    finally:
        board.close()


def board_gives_the_same_bytes(make: Callable[[], Board]) -> None:
    """11a. However it is read, and beside a twin, a headless board gives the same samples and events."""
    whole = _read(make(), [0.5])
    assert len(whole.data), "the board gave nothing"
    for timeouts in ([0.01], [0.0, 0.3, 0.02]):
        other = _read(make(), timeouts)
        assert np.array_equal(whole.index, other.index), "indices depend on the reading"
        assert whole.data.tobytes() == other.data.tobytes(), "bytes depend on the reading"
    again = make()
    _read(again, [0.1], seconds=0.5)
    assert _read(again, [0.1]).data.tobytes() == whole.data.tobytes(), "a board opened again is not as new"


def board_counts_its_samples(make: Callable[[], Board]) -> None:
    """11b. Indices never go back, data fit the stream, times do not run backwards, and the status says how it is."""
    board = make()
    r = _read(board, [0.1])
    assert r.stream.rate >= 0 and r.stream.channels, "a stream without rate or channels"
    assert len(set(r.stream.names)) == len(r.stream.names), "two channels with one name"
    at, time = None, -np.inf
    for c in r.chunks:
        assert c.data.dtype == r.stream.dtype and c.data.shape[1:] == r.stream.shape, "data do not fit the stream"
        assert c.data.flags.c_contiguous and not c.data.flags.writeable
        assert at is None or c.first >= at, "the index went back"
        at = c.end
        if len(c):
            newest = float(np.max(c.time))
            assert newest >= time, "time runs backwards"
            time = newest


def board_closes(make: Callable[[], Board]) -> None:
    """11c. Closing is final and idempotent, also before opening, and leaves no thread and no file or port open."""
    unopened = make()
    assert unopened.status.state, "`status` is asked at any time"
    unopened.close()
    _read(make(), [0.1], seconds=0.2)  # libraries open what they keep for good
    fds = Path("/proc/self/fd")
    before, threads = len(list(fds.iterdir())) if fds.exists() else 0, threading.active_count()
    board = make()
    _read(board, [0.1], seconds=0.2)
    board.close()
    board.close()
    assert board.status.state, "`status` is asked at any time"
    assert threading.active_count() <= threads, "a thread is left behind"
    assert not fds.exists() or len(list(fds.iterdir())) <= before, "a file or port is left open"


def board_label_is_true(make: Callable[[], Board]) -> None:
    """11d. The label is the one the person at the board was given, unless the samples are simulated or come from a file."""
    board = make()
    given = Label(subjects=frozenset({"S1"}))
    board.label = given
    label = _read(board, [0.1], seconds=0.1).stream.label
    assert label == given or label.simulated or label.recorded, "the label was changed"


def board_places_marks(make: Callable[[], Board]) -> None:
    """11e. A mark made when a sample was taken lies on that sample, give or take one and the stated uncertainty."""
    board = make()
    stream, chunks = _open(board)
    try:
        newest = next(c for c in chunks if len(c))
        index, uncertainty = board.index_of(float(np.max(newest.time)))
    finally:
        board.close()
    assert abs(index - (newest.end - 1)) <= 1 + uncertainty * stream.rate, "a mark lies where it was not made"


BOARD_LAWS: dict[str, Callable[[Callable[[], Board]], None]] = {
    law.__name__: law
    for law in (
        board_gives_the_same_bytes,
        board_counts_its_samples,
        board_closes,
        board_label_is_true,
        board_places_marks,
    )
}
