"""Raw counts to features, unpaced: how many times faster than the samples come, beside the same work by others.

The input is read from a ring rendered into memory beforehand: neither a board nor a transport is in these figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.parts import Stage
from ..core.pipeline import Pipeline
from ..preprocess.bandpass import Bandpass
from ..preprocess.rereference import Rereference
from ._measure import Contender, Row, race
from ._remote import Remote, there
from ._work import BIN_S, HIGH, LOW, ORDER, Features, Work, alike, scipy_features

COMPARED = 200  # chunks


def line() -> list[Stage]:
    """bcikit's stages for the same work."""
    return [Rereference(), Bandpass(low=LOW, high=HIGH, order=ORDER)]


def ours(work: Work) -> Contender:
    def start() -> Callable[[int], Any]:
        pipeline, features = Pipeline(line()), Features(work)
        pipeline.start(work.stream)

        def step(i: int) -> np.ndarray | None:
            return features(pipeline.step(work.chunk(i)).data)

        return step

    return Contender("bcikit", start)


def throughput(channels: int, rate: float, seconds: float) -> Iterator[Row | dict[str, Any]]:
    """Rows, then the summary."""
    work = Work(channels, rate)
    contenders = [scipy_features(work), ours(work)]
    if there("ezmsg"):
        contenders.append(Remote("ezmsg", "ezmsg, transformers in one process", work, "given float32, not integers"))
    rows = race(contenders, seconds, work.chunk_s, COMPARED, alike)
    if there("ezmsg"):
        rows.append(graph(work, max(seconds, 1.0), rows[0]))
    yield from rows
    mine, *others = (row.real_time_factor or float("nan") for row in rows[1:])
    yield {
        "bench": "throughput",
        "input": "a ring rendered into memory",
        "channels": channels,
        "rate_hz": rate,
        "chunk_ms": work.chunk_s * 1000,
        "real_time_factor": mine,
        "ratio_scipy": rows[1].ratio,
        "ratio_ezmsg": (rows[1].ratio or 0.0) / (rows[2].ratio or 1.0) if others else None,
        "ratio_ezmsg_graph": mine / others[1] if others else None,
    }


def graph(work: Work, seconds: float, reference: Row) -> Row:
    """ezmsg's units in its own graph, run behind the others and not in turns with them; the mean alone."""
    remote = Remote("ezmsg", "ezmsg, as a graph", work)
    try:
        bins, came = remote.ask("graph", seconds)[-1]
    finally:
        remote.end()
    factor = float((bins + 1) * BIN_S / came)
    row = Row(remote.name, us_p50=work.chunk_s / factor * 1e6, real_time_factor=factor)
    row.ratio = factor / (reference.real_time_factor or factor)
    row.note = "the mean; run behind the others, not in turns with them"
    return row
