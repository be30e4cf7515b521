"""Raw counts to features, unpaced: how many times faster than the samples come, beside the same work by others.

The input is read from a ring rendered into memory beforehand. In the last row another process copies it into the shared
memory that boards use (`apart`), and the features are made from there: that figure has the transport in it.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import kernels
from ..acquire.apart import POSIX, Apart
from ..acquire.implant import Implant
from ..acquire.rendered import BIN_S, Rendered
from ..core.clock import JumpClock
from ..core.parts import Board, Stage
from ..core.pipeline import Pipeline
from ..preprocess.unit_features import UnitFeatures
from ..simulate.played import SCALE
from ._measure import Contender, Row, race
from ._remote import ezmsg, there
from ._work import HIGH, LOW, NOISE_UV, ORDER, REFRACTORY_S, TIMES, Work, alike, scipy_features

COMPARED = 200  # chunks
HELD_S = 0.02  # of signal in the shared ring: it stays in the cache
TAKEN = 50  # chunks that are taken before the clock starts


def line(cores: int = 1) -> list[Stage]:
    """bcikit's one stage for this work."""
    return [
        UnitFeatures(
            low=LOW,
            high=HIGH,
            order=ORDER,
            threshold=TIMES,
            noise=NOISE_UV,
            refractory=REFRACTORY_S,
            width=BIN_S,
            cores=cores,
        )
    ]


def ours(work: Work, cores: int = 1) -> Contender:
    def start() -> Callable[[int], Any]:
        pipeline = Pipeline(line(cores))
        pipeline.start(work.stream)
        return lambda i: pipeline.step(work.chunk(i)).data

    return Contender("bcikit" if cores == 1 else f"bcikit, {cores} cores", start)


def throughput(channels: int, rate: float, seconds: float, cores: int = 1) -> Iterator[Row | dict[str, Any]]:
    """Rows, then the summary."""
    work = Work(channels, rate)
    contenders = [scipy_features(work), ours(work)]
    if cores > 1:
        contenders.append(ours(work, cores))
    if there("ezmsg"):
        contenders.append(ezmsg("ezmsg, transformers in one process", work, "given float32, not integers"))
    rows = race(contenders, seconds, work.chunk_s, COMPARED, alike)
    by = {row.name: row for row in rows}
    mine, shared = by["bcikit"], by.get(f"bcikit, {cores} cores")
    yield from rows
    theirs = by.get("ezmsg, transformers in one process")
    units = graph(work, max(seconds, 1.0), rows[0]) if theirs else None
    moved = transported(work, max(seconds, 1.0)) if POSIX else None
    known = 32 <= channels <= 16_384 and rate in (20_000, 30_000)
    array = simulation(work, max(seconds / 2, 0.2)) if known else None
    yield from (row for row in (units, moved, array) if row)

    def over(other: Row | None) -> float | None:
        factors = mine.real_time_factor, other.real_time_factor if other else None
        return factors[0] / factors[1] if factors[0] and factors[1] else None

    parts = where(work, max(seconds / 2, 0.2))
    copied = parts.pop("copy_gb_s")
    yield {
        "bench": "throughput",
        "input": "a ring rendered into memory",
        "channels": channels,
        "rate_hz": rate,
        "chunk_ms": work.chunk_s * 1000,
        "parts_us": {name: float(f"{us:.3g}") for name, us in parts.items()},
        "read_gb_s": 2e-9 * channels * rate * (mine.real_time_factor or math.nan),
        "machine_copies_gb_s": copied,
        "real_time_factor": mine.real_time_factor,
        "real_time_factor_cores": shared.real_time_factor if shared else None,
        "real_time_factor_transport": moved.real_time_factor if moved else None,
        "real_time_factor_implant": array.real_time_factor if array else None,
        "ratio_scipy": mine.ratio,
        "ratio_ezmsg": (mine.ratio or 0.0) / (theirs.ratio or 1.0) if theirs else None,
        "ratio_ezmsg_graph": over(units),
    }


def simulation(work: Work, seconds: float) -> Row:
    """The board `implant` at this size: how much faster than real time one core renders it."""
    board = Implant(n=work.channels, rate=int(work.rate), chunk=work.chunk_s)
    board.clock = JumpClock()
    with board:
        board.open()
        for _ in range(TAKEN):
            first = _through(board)
        begin, now = time.process_time(), 0.0
        while now < seconds:
            last, now = _through(board), time.process_time() - begin
    row = _behind(Row("the board implant, simulating it"), work, (last - first) / work.rate / now, None)
    row.note = "seconds of this processor"
    return row


def where(work: Work, seconds: float) -> dict[str, float]:
    """What of a chunk's microseconds each part takes (medians), and the copying of as much memory beside it (GB/s)."""
    pipeline = Pipeline(line())
    pipeline.start(work.stream)
    for i in range(TAKEN):
        pipeline.step(work.chunk(i))
    fused: Any = pipeline.stages[0]
    sums, at = np.zeros((2, work.channels)), [TAKEN]
    offset = kernels.means(work.piece(0), SCALE)
    whole = (0, work.channels)

    def fast() -> None:
        x, row = work.piece(at[0]), at[0] * work.n
        band, spikes = fused.band, fused.spikes
        state = band.sos, band._state, band._base, spikes._own, row, spikes.rule
        kernels.unit_features(x, fused.scales, offset, *state, sums[0], sums[1], whole)

    def step() -> None:
        pipeline.step(work.chunk(at[0]))
        at[0] += 1

    there = np.empty_like(work.counts)
    parts = {
        "whole": step,
        "reference": lambda: kernels.means(work.piece(at[0]), SCALE),
        "filters, crossings, power": fast,
        "copy": lambda: np.copyto(there, work.counts),
    }
    took: dict[str, list[float]] = {name: [] for name in parts}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, do in parts.items():
            for _ in range(1 if name == "copy" else TAKEN):
                begin = time.perf_counter()
                do()
                took[name].append(time.perf_counter() - begin)
    us = {name: 1e6 * float(np.median(t)) for name, t in took.items()}
    copied = work.counts.nbytes / us.pop("copy") / 1e3
    us["Python around them"] = us["whole"] - us["reference"] - us["filters, crossings, power"]
    return {**us, "copy_gb_s": copied}


def graph(work: Work, seconds: float, reference: Row) -> Row:
    """ezmsg's units in its own graph, run behind the others and not in turns with them; the mean alone."""
    remote = ezmsg("ezmsg, as a graph", work)
    try:
        bins, came = remote.ask("graph", seconds)[-1]
    finally:
        remote.end()
    return _behind(Row(remote.name), work, float((bins + 1) * BIN_S / came), reference)


def transported(work: Work, seconds: float) -> Row:
    """The features of what another process writes into the ring as fast as it is taken: the mean alone. It is not in turns
    with the others, which would leave the ring standing full."""
    board = Apart.of(Rendered(n=work.channels, rate=work.rate, chunk=work.chunk_s, pace=0.0), hold_s=HELD_S)
    pipeline = Pipeline(line())
    with board:
        pipeline.start(board.open())
        gc.collect()
        gc.freeze()
        try:
            for _ in range(TAKEN):
                first = _through(board, pipeline)
            begin = time.perf_counter()
            while (now := time.perf_counter()) - begin < seconds:
                last = _through(board, pipeline)
        finally:
            gc.unfreeze()
    factor = (last - first) / work.rate / (now - begin)
    row = _behind(Row("bcikit, through shared memory"), work, factor, None)
    row.note = "two processes: board | features; " + row.note
    return row


def _through(board: Board, pipeline: Pipeline | None = None) -> int:
    c = board.read(1.0)
    while c is None:
        c = board.read(1.0)
    if pipeline is not None:
        pipeline.step(c)
    return c.end


def _behind(row: Row, work: Work, factor: float, reference: Row | None) -> Row:
    row.us_p50, row.real_time_factor = work.chunk_s / factor * 1e6, factor
    if reference is not None:
        row.ratio = factor / (reference.real_time_factor or np.nan)
    row.note = "the mean; run behind the others, not in turns with them"
    return row
