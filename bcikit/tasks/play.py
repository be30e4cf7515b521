"""The cursor demo without a page: calibration, then the task, as lines of plain values; and what could be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..acquire.units import Units
from ..core.clock import Clock
from ..core.errors import WrongUse
from ..core.loop import Gate
from ..decode.deep._network import missing
from ..decode.kinematics.click import Presses
from ..decode.kinematics.point_click import PointClick
from ..decode.kinematics.steering import Steering
from ..simulate.loop_facts import fact, fingerprint
from ._targets import Targets
from .center_out import CenterOut
from .closed_loop import DAY_S, DECODERS, PUBLISHED, ClosedLoop
from .fitts import Fitts
from .grid import Grid
from .keyboard import Keyboard
from .pursuit import Pursuit
from .raw import raw_loop
from .world import STEP_S, Scene

SPEEDS = (1.0, 1.4, 2.0, 2.8, 4.0)  # widths a second, among which a noiseless person's gain is chosen
USE_S = 60.0  # where nothing is said
FEATURES = {"crossings": ("crossings",), "power": ("power",), "both": ("crossings", "power")}  # kinds that are decoded
TASKS: dict[str, Callable[..., Targets]] = {task.name: task for task in (Grid, CenterOut, Pursuit, Fitts, Keyboard)}


@dataclass(frozen=True)
class CursorDemo:
    """What is to be shown: an implant of so many channels, a grid of side x side cells, and `seconds` of use, of each day
    where nights pass; without end: None. decoder: one of DECODERS. raw: from 30 kHz of every channel, by these of FEATURES.
    clicks: a decoded click selects, not a stay. record: an XDF file. task: of TASKS, where it is not the grid. Raises
    WrongUse for what does not go together."""

    channels: int = 1024
    side: int = 6
    seed: int = 1
    seconds: float | None = None
    days: int = 0
    decoder: str = "prit"
    raw: bool = False
    features: str = "crossings"
    clicks: bool = False
    record: str | None = None
    task: str = "grid"

    def __post_init__(self) -> None:
        made, settings, _ = DECODERS[self.decoder]
        if self.clicks and made is not Steering:
            raise WrongUse(f"--clicks goes without --decoder {self.decoder}.", "What decodes clicks moves the cursor too.")
        if settings.get("by") == "gru" and (lacks := missing()):
            raise WrongUse(f"gru is trained with {', '.join(lacks)}, not installed.", do="pip install 'bcikit[deep]'")

    @property
    def use_s(self) -> float:
        """Seconds of use, of each day, where it must end."""
        return self.seconds or (DAY_S if self.days else USE_S)

    @property
    def calibration(self) -> dict[str, Any]:
        """How it is calibrated, as `ClosedLoop.run` takes it."""
        return PUBLISHED if self.decoder == "refit" else {}

    @property
    def learns(self) -> str | None:
        """What the decoder learns by, day by day, as `ClosedLoop.run` takes it."""
        return DECODERS[self.decoder][2]

    @property
    def ships(self) -> bool:
        """Whether its decoder is the one whose calibration is shipped."""
        return not (self.clicks or self.raw) and DECODERS[self.decoder][:2] == (Steering, {})

    def targets(self) -> Targets:
        """A fresh task, for one person."""
        more = {"side": self.side} if self.task == "grid" else {}
        return TASKS[self.task]([self.seed], STEP_S, None if self.clicks else fact("dwell_s"), **more)

    def loop(self, gate: Gate, clock: Clock, known: Mapping[str, Any] | None = None) -> ClosedLoop:
        """A new loop, whose decoder may know what it learnt before."""
        made, settings, _ = DECODERS[self.decoder]
        if self.raw:
            decoder = made(channels=FEATURES[self.features], **settings)
            return raw_loop(self.channels, self.seed, decoder, self.targets(), gate, clock)
        decoder = (PointClick if self.clicks else made)(**settings)
        if known is not None:
            decoder.restore(known)
        return ClosedLoop(Units(n=self.channels, seed=self.seed), decoder, self.targets(), gate, clock)


def play(demo: CursorDemo, clock: Clock) -> Iterator[dict[str, Any]]:
    """A line every ten seconds, or with `days` one at the end of each; the last one with the scores. Simulated."""
    from ..ethics import gate

    loop, seconds, days = demo.loop(gate.Gate(), clock), demo.use_s, demo.days
    if demo.record is not None:
        from ..effectors.xdf import Xdf

        loop.add(Xdf(path=demo.record))
    line: dict[str, Any] = {}
    day_bins = round(seconds / STEP_S)
    used = 0
    for k, moment in enumerate(loop.run(True, seconds * (days + 1), days, seconds, demo.learns, **demo.calibration), 1):
        used += moment.phase == "use"
        line = {"time_s": round(k * STEP_S, 3), "phase": moment.phase}
        if days and used and used % day_bins == 0:
            yield {**line, "day": loop.day, "simulated": True, **loop.facts()}
        elif not days and k % round(10 / STEP_S) == 0:
            yield {**line, "simulated": True, **loop.facts()}
    asked = {
        name: getattr(demo, name) for name in ("channels", "raw", "features", "decoder", "clicks", "task", "side", "seed")
    }
    yield {**line, **asked, "day": loop.day, "simulated": True, "parameters": fingerprint(), **loop.facts()}


def ceiling(demo: CursorDemo, seconds: float) -> float | None:
    """Bits a second of the same person, never looking away, if the very push, and click, were decoded, at the best of
    SPEEDS; None where a task has no choices to be counted in bits."""
    return max(_noiseless(speed, demo, seconds) for speed in SPEEDS) if demo.targets().choices else None


def _noiseless(speed: float, demo: CursorDemo, seconds: float) -> float:
    scene = Scene([demo.seed], demo.targets(), perfect=True)
    presses = Presses(1, STEP_S)
    scene.people.learn(speed, 0.0)
    for _ in range(round(seconds / STEP_S)):
        scene.look()
        velocity = speed * scene.push
        scene.judge(np.clip(scene.cursor + velocity * STEP_S, -0.5, 0.5), velocity, presses(scene.closed))
    return float(scene.task.bits_per_s()[0])
