"""Timing side by side: the contenders take turns in one run, so that what else the machine does falls on all of them."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TURN_S = 0.05  # how long one contender runs before the next has its turn
WARM_S = 0.2


class Contender:
    """One implementation of the work. `step(i)` does chunk i of the input and gives what came out of it, or None."""

    def __init__(self, name: str, start: Callable[[], Callable[[int], Any]], note: str = "") -> None:
        self.name, self.start, self.note = name, start, note

    def first(self, chunks: int) -> np.ndarray:
        """What comes out of the first chunks, begun anew: for comparing."""
        step = self.start()
        out = [y for y in map(step, range(chunks)) if y is not None and len(y)]
        return np.concatenate(out) if out else np.empty(0)

    def begin(self) -> None:
        self._step, self._at = self.start(), 0

    def turn(self, seconds: float) -> np.ndarray:
        """Go on for so long; gives the seconds of each chunk."""
        step, i, now = self._step, self._at, time.perf_counter
        took = []
        end = now() + seconds
        while True:
            t0 = now()
            step(i)
            t1 = now()
            took.append(t1 - t0)
            i += 1
            if t1 >= end:
                break
        self._at = i
        return np.array(took)

    def end(self) -> None:
        """Whatever it holds is let go."""


Compare = Callable[[np.ndarray, np.ndarray], tuple[float | None, str]]


@dataclass
class Row:
    """What one contender took, in microseconds a chunk, or why it is not there. ratio: how many times the reference's time
    is this one's (mean of a turn, median over the turns; above 1 is faster than the reference). error: the largest
    difference of its numbers from the reference's, of their rms; None where they are not the same, and `note` says why."""

    name: str
    us_p50: float | None = None
    us_p99: float | None = None
    us_p999: float | None = None
    us_worst: float | None = None
    ratio: float | None = None
    ratio_iqr: tuple[float, float] | None = None
    real_time_factor: float | None = None
    error: float | None = None
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        rounded = {k: _rounded(v) for k, v in vars(self).items() if k != "more"}
        return {**rounded, **self.more}


def _rounded(v: Any) -> Any:
    if isinstance(v, float):
        return float(f"{v:.4g}")
    return [_rounded(x) for x in v] if isinstance(v, (tuple, list)) else v


def race(
    contenders: Sequence[Contender],
    seconds: float,
    chunk_s: float,
    same: int = 0,
    compare: Compare = lambda a, b: (difference(a, b), ""),
) -> list[Row]:
    """Every contender for `seconds`, in turns; the first is the reference. same: over how many chunks the numbers are
    compared before; compare: of two results, the error and what else there is to say."""
    rows = [Row(c.name, note=c.note) for c in contenders]
    if same:
        reference = contenders[0].first(same)
        for contender, row in zip(contenders[1:], rows[1:], strict=True):
            row.error, said = compare(contender.first(same), reference)
            row.note = "; ".join(n for n in (row.note, said) if n)
    took: list[list[np.ndarray]] = [[] for _ in contenders]
    for contender in contenders:
        contender.begin()
        contender.turn(WARM_S)
    gc.collect()
    gc.freeze()
    try:
        for _ in range(max(round(seconds / TURN_S), 3)):
            for contender, its in zip(contenders, took, strict=True):
                its.append(contender.turn(TURN_S))
    finally:
        gc.unfreeze()
        for contender in contenders:
            contender.end()
    base = np.array([np.mean(t) for t in took[0]])  # the dear chunks, that end a bin, count as they come
    for row, its in zip(rows, took, strict=True):
        ratios = base / np.array([np.mean(t) for t in its])
        row.ratio = float(np.median(ratios))
        row.ratio_iqr = (float(np.percentile(ratios, 25)), float(np.percentile(ratios, 75)))
        told(row, np.concatenate(its))
        row.real_time_factor = chunk_s / float(np.mean(np.concatenate(its)))
    return rows


def told(row: Row, took: np.ndarray) -> Row:
    """The row with the percentiles of these seconds."""
    row.us_p50, row.us_p99, row.us_p999, row.us_worst = (float(v) * 1e6 for v in np.percentile(took, (50, 99, 99.9, 100)))
    return row


def difference(mine: np.ndarray, reference: np.ndarray) -> float | None:
    """The largest difference, of the reference's rms; None where they do not even have the same shape."""
    if mine.shape != reference.shape or not mine.size:
        return None
    scale = np.sqrt(np.mean(reference.astype(float) ** 2, axis=0))
    return float((np.abs(mine.astype(float) - reference).max(axis=0) / np.maximum(scale, 1e-30)).max())


def histogram(ms: np.ndarray, width: int = 50) -> list[str]:
    """Lines that draw how these milliseconds are spread; each bin is twice the one before."""
    if not len(ms):
        return []
    edges = 0.0625 * 2.0 ** np.arange(-8, 40)
    ms = np.maximum(ms, edges[0])
    low = max(int(np.searchsorted(edges, ms.min(), "right")) - 1, 0)
    high = int(np.searchsorted(edges, ms.max(), "right"))
    counts = np.histogram(np.clip(ms, edges[low], edges[high]), edges[low : high + 1])[0]
    top = max(int(counts.max()), 1)
    lines = []
    for count, a, b in zip(counts, edges[low:], edges[low + 1 :], strict=False):
        bar = "█" * round(width * count / top) if count else ""
        lines.append(f"  {a:8.3g} to {b:<6.3g} ms {count:7d}  {bar or ('▏' if count else '')}".rstrip())
    return lines


def machine() -> dict[str, Any]:
    """What this ran on."""
    from .. import kernels

    info = {"model name": "", "flags": ""}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if info.get(key.strip()) == "":
                info[key.strip()] = value.strip()
    except OSError:
        pass
    sets = [s for s in ("avx512f", "avx2", "sse2") if s in info["flags"].split()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": info["model name"] or platform.processor() or platform.machine(),
        "vectors": sets[0] if sets else "unknown",
        "cores": cores,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "kernels": "compiled" if kernels.COMPILED else "plain NumPy",
        "switch_s": sys.getswitchinterval(),
    }
