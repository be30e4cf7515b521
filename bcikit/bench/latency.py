"""From the moment the newest sample of a bin was due at the source to the command reaching the effector, in real time.

Through the board, the filters, the spikes, the decoder, the limits and the Gate; each row names the processes taking part.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..acquire.apart import Apart
from ..acquire.rendered import BIN_S, Rendered
from ..acquire.synthetic import Synthetic
from ..core.errors import BciError
from ..core.find import part
from ..core.label import SIMULATED
from ..core.loop import Gate
from ..core.parts import Board, Stage
from ..core.pipeline import Pipeline
from ..preprocess.bandpass import Bandpass
from ..preprocess.notch import Notch
from ._measure import Row, histogram
from ._remote import ezmsg, there
from ._rig import Measured, measure
from ._work import Work
from .throughput import line

ADAPTED_S = 0.25  # ezmsg's graph begins anew for each measurement: its first bins are not counted


@dataclass
class Case:
    """One way from a source to the effector. make: the board, where it can be had; what it needs is put on the stack."""

    name: str
    make: Callable[[ExitStack], Board]
    stages: Callable[[], list[Stage]]
    processes: str


def eeg_line() -> list[Stage]:
    """Notch, bandpass, a decision ten times a second, and the velocity it stands for."""
    return [Notch(), Bandpass(low=1, high=40), part("stage", "threshold")(), part("stage", "lookup")()]


def implant_line(channels: int, cores: int = 1) -> Callable[[], list[Stage]]:
    """Features, a Kalman decoder of a random (simulated) tuning, and the limit of its velocity."""

    def make() -> list[Stage]:
        stages = line(cores)
        features = len(Pipeline(stages).start(Work(channels).stream).channels)
        rng = np.random.default_rng(0)
        decoder = part("stage", "kalman")()
        tuning = rng.normal(0, 1, (features, 2))
        decoder.solve(0.95 * np.eye(2), 0.01 * np.eye(2), tuning, np.eye(features) * 25)
        return [*stages, decoder, part("stage", "limit")()]

    return make


def cases(channels: Sequence[int]) -> Iterator[Case]:
    for n in channels:
        yield Case(f"{n} channels at 30 kHz", lambda stack, n=n: Rendered(n=n), implant_line(n), "one")  # type: ignore[misc]
    n = channels[0]
    yield Case(f"{n} channels, ring", lambda stack: Apart.of(Rendered(n=n)), implant_line(n), "two: board | loop")
    yield Case("EEG, 8 channels at 250 Hz", lambda stack: Synthetic(chunk=0.004), eeg_line, "one")
    yield Case("the same, ring", lambda stack: Apart.of(Synthetic(chunk=0.004)), eeg_line, "two: board | loop")
    yield Case("the same, LSL loopback", _lsl, eeg_line, "two: sender | loop")
    yield Case("the same, emulated Cyton", _cyton, eeg_line, "one; the emulator and BrainFlow in threads of it")


def _lsl(stack: ExitStack) -> Board:
    name = f"bcikit bench {os.getpid()}"
    command = [sys.executable, "-m", "bcikit.bench._lsl_sender", name]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stack.callback(_ended, sender)
    assert sender.stdout is not None
    sender.stdout.readline()
    return part("board", "lsl")(name=name)


def _ended(process: subprocess.Popen) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cyton(stack: ExitStack) -> Board:
    from ..acquire.emulate.cyton import Cyton

    emulator = stack.enter_context(Cyton(loop=True))
    return part("board", "openbci")(port=emulator.port)


def latency(channels: Sequence[int], seconds: float, gate: Gate) -> Iterator[Row | dict[str, Any] | str]:
    """Rows, each followed by its histogram, then the summary."""
    summary: dict[str, Any] = {
        "bench": "latency",
        "from": "the newest sample of a bin due",
        "to": "the command at the effector",
    }
    for case in cases(channels):
        row = Row(case.name, note=f"processes: {case.processes}")
        try:
            with ExitStack() as stack:
                board = case.make(stack)
                board.label = SIMULATED  # of the bench's own sender or emulator
                found = measure(board, case.stages(), gate, seconds)
        except BciError as error:
            row.note = f"left out: {error.what}"
            yield row
            continue
        yield told(row, found)
        yield from histogram(found.ms)
        if isinstance(board, Rendered) and "ms_p50" not in summary:
            summary |= {"ms_p50": float(np.median(found.ms)), "ms_p99": float(np.percentile(found.ms, 99))}
    if there("ezmsg"):
        ms = graph(channels[0], seconds)
        row = Row(f"ezmsg, {channels[0]} channels, bandpass and power only", note="processes: one; a graph of units")
        yield _percentiles(row, ms)
        yield from histogram(ms)
        summary["ezmsg_ms_p50"] = float(np.median(ms))
        summary["ratio_ezmsg"] = summary["ezmsg_ms_p50"] / summary["ms_p50"] if "ms_p50" in summary else None
    summary["ms_unpaced"] = unpaced(channels[0], implant_line(channels[0])())
    yield {**summary, "channels": channels[0], "rate_hz": 30_000.0, "ratio_ezmsg": summary.get("ratio_ezmsg")}


def unpaced(channels: int, stages: Sequence[Stage], chunks: int = 3000) -> float:
    """ms that the same stages take for a chunk that ends a bin, one chunk after the other without a pause (the median)."""
    work, line, took = Work(channels), Pipeline(stages), []
    line.start(work.stream)
    for i in range(chunks):
        c = work.chunk(i)
        begin = time.perf_counter()
        if len(line.step(c)):
            took.append(time.perf_counter() - begin)
    return 1000 * float(np.median(took))


def rig(board: Board, stages: Sequence[Stage], gate: Gate, seconds: float) -> Iterator[Row | dict[str, Any] | str]:
    """The user's own board and line."""
    found = measure(board, stages, gate, seconds)
    row = told(Row(board.part_name(), note=f"{found.lost} samples lost"), found)
    yield row
    yield from histogram(found.ms)
    if len(found.ms):
        yield f"  {found.dearest} costs most: {found.parts[found.dearest]:.3g} ms of {np.median(found.ms):.3g} ms."
    yield {"bench": "latency", "board": board.part_name(), **row.more, "costs_most": found.dearest}


def graph(channels: int, seconds: float) -> np.ndarray:
    """ms from due to features, in ezmsg's graph, paced."""
    work = Work(channels)
    remote = ezmsg("ezmsg", work)
    try:
        came = remote.ask("paced", seconds + ADAPTED_S)
    finally:
        remote.end()
    last = ((came[:, 0] + 1) * work.bin - 1) / work.rate  # the newest sample of the bin
    return (came[:, 1] - last)[came[:, 0] * BIN_S >= ADAPTED_S] * 1000


def told(row: Row, found: Measured) -> Row:
    row.more = {"parts_ms": {k: float(f"{v:.3g}") for k, v in found.parts.items()}, "costs_most": found.dearest}
    row.more |= {"cpu": round(found.cpu, 4), "lost": found.lost}
    row.note += f"; {found.dearest} costs most" if found.dearest else ""
    return _percentiles(row, found.ms)


def _percentiles(row: Row, ms: np.ndarray) -> Row:
    if not len(ms):
        row.note += "; nothing came out"
        return row
    row.us_p50, row.us_p99, row.us_p999, row.us_worst = (float(v) * 1000 for v in np.percentile(ms, (50, 99, 99.9, 100)))
    return row
