"""The inner loops beside SciPy and their plain-NumPy twins, on a chunk of float32 that lies in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import kernels as compiled
from ..kernels import _numpy as plain
from ._measure import Contender, Row, race
from ._work import SCALE, Work, begun, sos

SILENT_AFTER = 50  # chunks of signal before it goes exactly silent
COMPARED = 60
HELD = 16  # chunks that are played round and round: they stay in the cache, as what a board has just written does


def kernels(channels: int, rate: float, seconds: float) -> Iterator[Row | dict[str, Any]]:
    """The bandpass of four sections with its state carried; the same going silent; rows, then the summary."""
    work = Work(channels, rate)
    pieces = [np.ascontiguousarray(work.piece(i) * np.float32(SCALE)) for i in range(HELD)]
    columns = [np.ascontiguousarray(x.T.astype(float)) for x in pieces]
    sections = sos(rate)
    ours = np.ascontiguousarray(np.delete(sections, 3, axis=1))

    def scipy_start(rows: bool) -> Callable[[], Callable[[int], Any]]:
        def start() -> Callable[[int], Any]:
            from scipy.signal import sosfilt

            state = begun(sections, pieces[0][0])
            zi = state if rows else np.ascontiguousarray(state.transpose(0, 2, 1))

            def step(i: int) -> Any:
                nonlocal zi
                if rows:
                    y, zi = sosfilt(sections, pieces[i % len(pieces)], axis=0, zi=zi)
                    return y
                y, zi = sosfilt(sections, columns[i % len(columns)], axis=1, zi=zi)
                return y.T

            return step

        return start

    def biquads(do: Any, silent: bool = False) -> Callable[[], Callable[[int], Any]]:
        def start() -> Callable[[int], Any]:
            state = begun(sections, pieces[0][0])
            nothing = np.zeros_like(pieces[0])

            def step(i: int) -> Any:
                x = nothing if silent and i >= SILENT_AFTER else pieces[i % len(pieces)]
                y = np.empty_like(x)
                do(x, y, ours, state)
                return y

            return step

        return start

    fast = Contender("bcikit biquads, float64 state", biquads(compiled._do.biquads))
    quiet = Contender("bcikit biquads, input gone exactly silent", biquads(compiled._do.biquads, silent=True))
    contenders = [
        Contender("SciPy sosfilt, float64 (channels, samples)", scipy_start(False)),
        Contender("SciPy sosfilt, float64 (samples, channels)", scipy_start(True)),
        fast,
        quiet,
        Contender("NumPy, a row at a time", biquads(plain.biquads)),
    ]
    rows = race(contenders, seconds, work.chunk_s, COMPARED)
    rows[3].error, rows[3].note = None, f"another input: zeros after {SILENT_AFTER} chunks"
    rows[4].note = "the twin of the kernel"
    yield from rows
    assert rows[2].us_p50 and rows[3].us_p50
    yield {
        "bench": "kernels",
        "channels": channels,
        "rate_hz": rate,
        "chunk_ms": work.chunk_s * 1000,
        "ratio_scipy": rows[2].ratio,
        "real_time_factor": rows[2].real_time_factor,
        "silent_over_normal": rows[3].us_p50 / rows[2].us_p50,
        "error": rows[2].error,
    }
