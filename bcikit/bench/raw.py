"""The closed loop from raw signals, paced by the wall clock: how late the cursor is, and whether the loop keeps up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.clock import WALL, JumpClock
from ..ethics.gate import Gate
from ..tasks.raw import raw_loop
from ..tasks.world import STEP_S

CHANNELS, SIDE = 1024, 6


def raw(seed: int, seconds: float, channels: int = CHANNELS) -> Iterator[dict[str, Any]]:
    """One simulated person. Calibrated as fast as it goes, then used for so long in real time: person, neurons and
    electrodes are reckoned in the same process as the features and the decoder. `cursor_ms`: from a bin's last sample to the
    cursor that moved by it (p50, p99, worst); `input_ms`: from the last sample of each millisecond of input to the end of
    the work on it, over the last 4,000 (p50, p99); `kept`: bins decoded, of those that passed."""
    before = raw_loop(channels, SIDE, seed, Gate(), JumpClock())
    for _ in before.run(calibrate=True, seconds=STEP_S):
        pass
    loop = raw_loop(channels, SIDE, seed, Gate(), WALL)
    loop.decoder.restore(before.decoder.learned())
    late, bins = [], 0
    for moment in loop.run(calibrate=False, seconds=seconds):
        late.append(moment.late_s)
        bins += len(moment.chunk)
    yield {
        "row": f"raw, {channels} channels at 30 kHz, paced",
        "seconds": seconds,
        "cursor_ms": [1000 * float(q) for q in np.percentile(late, (50, 99, 100))],
        "input_ms": list(loop.loop.report().latency_ms),
        "kept": bins / (seconds / STEP_S),
        "bits_per_s": loop.facts()["bits_per_s"],
    }
