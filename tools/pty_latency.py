"""How long a packet takes from the emulated Cyton's pseudo-terminal to the chunk out of the last stage, and what of it is
the polling of BrainFlow's buffer.

    python tools/pty_latency.py [SECONDS]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import bcikit
from bcikit.core.label import SIMULATED
from bcikit.core.loop import Loop

STAGES = ("bandpass", "notch")


def main(seconds: float = 20.0) -> None:
    log = Path(tempfile.mkdtemp()) / "packets"
    words = [sys.executable, "-m", "bcikit.cli.main", "emulate", "cyton", "--loop", "--log", str(log)]
    emulator = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    port = emulator.stdout.readline().split(": ", 1)[1].strip()
    board = bcikit.board("openbci", port=port)
    board.label = SIMULATED  # the emulator's own signal
    loop = Loop(board, bcikit.Pipeline([bcikit.stage(name) for name in STAGES]))
    out = [(c.first, c.end, time.monotonic()) for c in loop.chunks(seconds) if len(c)]
    report = loop.report()
    emulator.terminate()
    emulator.communicate()
    sent = [line.split(",") for line in log.read_text().splitlines()]
    written = np.array([int(ns) / 1e9 for _, ns, fate in sent if fate == "sent"])
    late = min(
        (np.array([at - written[first + end - 1] for _, end, at in out]) for first in range(0, 200)
         if first + out[-1][1] <= len(written)),
        key=lambda d: np.inf if np.percentile(d, 1) < 0 else np.median(d),
    ) * 1000  # fmt: skip
    told = {
        f"pty to the chunk out of {' and '.join(STAGES)} ({len(late)} chunks)": np.percentile(late, (50, 99)),
        "of it, from BrainFlow's stamp to the loop (polling_ms of --json)": report.status.polling_ms,
        "against the modelled times (latency_ms of --json)": report.latency_ms,
    }
    for what, (p50, p99) in told.items():
        print(f"{what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
