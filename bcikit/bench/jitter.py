"""How late the slowest chunk is, beside a process that does nothing, in the same run; and whether memory grows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..acquire.apart import Apart
from ..acquire.rendered import Rendered
from ..core.loop import Gate
from ..core.parts import Board
from ._measure import Row, histogram, told
from ._rig import measure
from .throughput import line

IDLE = Path(__file__).with_name("_idle.py")
PERIOD_S = 0.001


def jitter(
    channels: int, rate: float, seconds: float, gate: Gate, cores: int = 1, ring: bool = False
) -> Iterator[Row | dict[str, Any] | str]:
    """Rows, a histogram, then the summary. ring: the board in a process of its own."""
    source = Rendered(n=channels, rate=rate)
    board: Board = Apart.of(source) if ring else source
    idle = subprocess.Popen([sys.executable, str(IDLE), str(PERIOD_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        found = measure(board, line(cores), gate, seconds)
        late = np.array(json.loads(idle.communicate(timeout=30)[0])) / 1e6
    finally:
        idle.kill()
        idle.wait()
    processes = "two processes: board | features" if ring else "one process"
    mine = told(
        Row(f"bcikit, {channels} channels, each chunk of {1000 * source.chunk:g} ms", note=f"due to features; {processes}"),
        found.stalls / 1e3,
    )
    nothing = told(Row("a process that does nothing", note=f"wakes every {PERIOD_S * 1000:g} ms, beside it"), late)
    yield mine
    yield nothing
    yield from histogram(found.stalls)
    assert mine.us_worst is not None and nothing.us_worst is not None
    yield {
        "bench": "jitter",
        "channels": channels,
        "rate_hz": rate,
        "seconds": seconds,
        "worst_ms": mine.us_worst / 1000,
        "idle_worst_ms": nothing.us_worst / 1000,
        "lost": found.lost,
        "cpu": found.cpu,
        "memory_mb": found.memory_mb,
    }
