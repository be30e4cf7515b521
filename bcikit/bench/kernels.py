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

    def single() -> Callable[[int], Any]:
        state, base = np.zeros((len(ours), 2, channels), np.float32), pieces[0][0].copy()
        sharpest_first = ours[::-1].copy()  # as the stage runs them
        return lambda i: compiled.biquads32(pieces[i % len(pieces)], base, sharpest_first, state)

    contenders = [
        Contender("SciPy sosfilt, float64 (channels, samples)", scipy_start(False)),
        Contender("SciPy sosfilt, float64 (samples, channels)", scipy_start(True)),
        fast,
        Contender("bcikit biquads, float32 state", single),
        quiet,
        Contender("NumPy, a row at a time", biquads(plain.biquads)),
    ]
    rows = race(contenders, seconds, work.chunk_s, COMPARED)
    by = {r.name: r for r in rows}
    mine, alone, silent = (by[c.name] for c in contenders[2:5])
    silent.error, silent.note = None, f"another input: zeros after {SILENT_AFTER} chunks"
    rows[-1].note = "the twin of the kernel"
    yield from rows
    yield from twins(pieces, seconds / 5)
    exact, short = (c.first(COMPARED).astype(float) for c in (contenders[0], contenders[3]))
    assert mine.us_p50 and silent.us_p50
    yield {
        "bench": "kernels",
        "channels": channels,
        "rate_hz": rate,
        "chunk_ms": work.chunk_s * 1000,
        "ratio_scipy": mine.ratio,
        "ratio_scipy_float32": alone.ratio,
        "real_time_factor": mine.real_time_factor,
        "silent_over_normal": silent.us_p50 / mine.us_p50,
        "error": mine.error,
        "error_float32": alone.error,
        "error_float32_rms": float(np.sqrt(((short - exact) ** 2).mean(axis=0) / (exact**2).mean(axis=0)).max()),
    }


def twins(pieces: list[np.ndarray], seconds: float) -> Iterator[Row]:
    """Each of the other loops beside the NumPy that says what it does."""
    n, c = pieces[0].shape
    rule = np.array([30.0, 2.0, 30.0, -1.0, 6.0, 0.002])
    taps = np.hanning(64)[None].repeat(3, 0) / 32
    row, phase = np.arange(63, n + 63, 3), np.zeros(-(-n // 3), np.int64)
    past = np.concatenate([np.zeros((63, c), np.float32), pieces[0]])

    def made(do: Any) -> dict[str, Callable[[np.ndarray], Any]]:
        out, y, total = np.empty(n, np.float32), np.empty((n, c), np.float32), np.zeros(c)
        own = np.zeros((5, c), np.float32)
        short = np.empty((len(row), c), np.float32)
        return {
            "means (common average)": lambda x: do.means(x, out, 1.0),
            "medians (median reference)": lambda x: do.medians(x, out),
            "crossings": lambda x: do.crossings(x, y, own, 0, rule),
            "squares (power)": lambda x: do.squares(x, total),
            "fir (decimation by 3)": lambda x: do.fir(past, short, row, phase, taps),
        }

    fast, slow = made(compiled._do), made(plain)
    for name in fast:
        pair = []
        for kind, do in (("NumPy", slow[name]), ("compiled", fast[name])):
            pair.append(Contender(f"{name}, {kind}", lambda do=do: lambda i: do(pieces[i % len(pieces)])))  # type: ignore[misc]
        yield race(pair, seconds, n / 30_000)[1]
