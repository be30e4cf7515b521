"""The cursor demo without a page: calibration, then the grid, as lines of plain values; and what could be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..acquire.units import Units
from ..core.clock import Clock
from ..decode.kinematics.click import Presses
from ..decode.kinematics.point_click import PointClick
from ..decode.kinematics.steering import Steering
from ..simulate.loop_facts import fact, fingerprint
from .closed_loop import DECODERS, ClosedLoop
from .grid import Grid
from .raw import raw_loop
from .world import STEP_S, Scene

SPEEDS = (1.0, 1.4, 2.0, 2.8, 4.0)  # widths a second, among which a noiseless person's gain is chosen


def play(
    units: int,
    side: int,
    seed: int,
    seconds: float,
    clock: Clock,
    record: str | None = None,
    raw: bool = False,
    days: int = 0,
    decoder: str = "prit",
    clicks: bool = False,
) -> Iterator[dict[str, Any]]:
    """A line every ten seconds, or with `days` one at the end of each, of `seconds` of use; the last one with the scores.
    raw: from 30 kHz of every channel. decoder: one of DECODERS. clicks: a decoded click selects, not a stay. Simulated."""
    from ..ethics.gate import Gate

    settings, learns = DECODERS[decoder]
    if raw:
        loop: ClosedLoop = raw_loop(units, side, seed, Gate(), clock, **settings)
    else:
        made, dwell_s = (PointClick, None) if clicks else (Steering, fact("dwell_s"))
        loop = ClosedLoop(Units(n=units, seed=seed), made(**settings), Grid([seed], STEP_S, dwell_s, side), Gate(), clock)
    if record is not None:
        from ..effectors.xdf import Xdf

        loop.add(Xdf(path=record))
    line: dict[str, Any] = {}
    day_bins = round(seconds / STEP_S)
    used = 0
    for k, moment in enumerate(loop.run(True, seconds * (days + 1), days, seconds, learns), 1):
        used += moment.phase == "use"
        line = {"time_s": round(k * STEP_S, 3), "phase": moment.phase}
        if days and used and used % day_bins == 0:
            yield {**line, "day": loop.day, "simulated": True, **loop.facts()}
        elif not days and k % round(10 / STEP_S) == 0:
            yield {**line, "simulated": True, **loop.facts()}
    yield {
        **line,
        "channels": units,
        "raw": raw,
        "decoder": decoder,
        "clicks": clicks,
        "day": loop.day,
        "side": side,
        "seed": seed,
        "simulated": True,
        "parameters": fingerprint(),
        **loop.facts(),
    }


def ceiling(side: int, seed: int, seconds: float, clicks: bool = False) -> float:
    """Bits a second of the same person, never looking away, if the very push, and click, were decoded, at the best of
    SPEEDS."""
    return max(_noiseless(speed, side, seed, seconds, clicks) for speed in SPEEDS)


def _noiseless(speed: float, side: int, seed: int, seconds: float, clicks: bool) -> float:
    scene = Scene([seed], Grid([seed], STEP_S, None if clicks else fact("dwell_s"), side), perfect=True)
    presses = Presses(1, STEP_S)
    scene.people.learn(speed, 0.0)
    for _ in range(round(seconds / STEP_S)):
        scene.look()
        velocity = speed * scene.push
        scene.judge(np.clip(scene.cursor + velocity * STEP_S, -0.5, 0.5), velocity, presses(scene.closed))
    return float(scene.task.bits_per_s()[0])
