"""How late the slowest chunk is, beside a process that does nothing, in the same run; and whether memory grows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..core.loop import Gate
from ._measure import Row, histogram, told
from ._rig import Played, measure
from ._work import Work
from .throughput import line

IDLE = Path(__file__).with_name("_idle.py")
PERIOD_S = 0.001


def resident_mb() -> float:
    """Memory of this process that is in use; nan where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * 4096 / 1e6


def jitter(channels: int, rate: float, seconds: float, gate: Gate) -> Iterator[Row | dict[str, Any] | str]:
    """Rows, a histogram, then the summary."""
    work = Work(channels, rate)
    _ = work.counts
    idle = subprocess.Popen([sys.executable, str(IDLE), str(PERIOD_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        before = resident_mb()
        found = measure(Played(work), line(), gate, seconds)
        after = resident_mb()
        late = np.array(json.loads(idle.communicate(timeout=30)[0])) / 1e6
    finally:
        idle.kill()
        idle.wait()
    mine = told(
        Row(f"bcikit, {channels} channels, each chunk of {work.chunk_s * 1000:g} ms", note="due to features"),
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
        "memory_mb": [before, after],
    }
