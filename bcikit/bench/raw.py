"""How long it takes: the closed loop from raw signals, paced by the wall clock, and a step of the decoder by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.clock import WALL, JumpClock
from ..core.stream import Channel, Chunk, Stream
from ..decode.kinematics.kalman import Kalman
from ..ethics.gate import Gate
from ..tasks.play import CursorDemo
from ..tasks.world import STEP_S

CHANNELS, SIDE = 1024, 6


def raw(seed: int, seconds: float, channels: int = CHANNELS) -> Iterator[dict[str, Any]]:
    """One simulated person. Calibrated as fast as it goes, then used for so long in real time: person, neurons and
    electrodes are reckoned in the same process as the features and the decoder. `cursor_ms`: from a bin's last sample to the
    cursor that moved by it (p50, p99, worst); `input_ms`: from the last sample of each millisecond of input to the end of
    the work on it, over the last 4,000 (p50, p99); `kept`: bins decoded, of those that passed."""
    demo = CursorDemo(channels, SIDE, seed, raw=True)
    before = demo.loop(Gate(), JumpClock())
    for _ in before.run(calibrate=True, seconds=STEP_S):
        pass
    loop = demo.loop(Gate(), WALL)
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


def step() -> Iterator[dict[str, Any]]:
    """Microseconds of one step of the Kalman filter on 4,096 channels."""
    n = 4096
    k = Kalman().solve(0.9 * np.eye(2), np.eye(2), np.random.default_rng(0).standard_normal((n, 2)), np.full(n, 9.0))
    k.start(Stream("counts", 50.0, tuple(Channel(f"u{i}", "spikes", "count") for i in range(n))))
    took = []
    for i in range(5000):
        c = Chunk(np.ones((1, n), np.float32), i, 0.0)
        begin = time.perf_counter_ns()
        k.step(c)
        took.append((time.perf_counter_ns() - begin) / 1000)
    p50, p99 = np.percentile(took, (50, 99))
    yield {"row": "Kalman step, 4096 channels", "us_p50": float(p50), "us_p99": float(p99)}
