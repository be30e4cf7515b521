"""A simulated neurostimulator: what the arm feels becomes what the person feels, within limits that hold for every train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from ..decode.map.touch import FELT_UA, FULL_UA, SHAPE, TRAIN, sensation
from . import _dose
from ._dose import Meter, Train
from ._drawing import Drawing, ball, line, word
from ._limits import packaged
from ._spec import CommandSpec

SPREAD_UA_MM2 = 1292.0  # µA/mm²: S. D. Stoney et al., J. Neurophysiol. 31:659-669, 1968, doi:10.1152/jn.1968.31.5.659


@dataclass(eq=False)
class Stimulator(Sink):
    """Each row of the stream is a train, by the names and units of `takes`; with no current it asks for none. A train that
    breaks a limit is not given at all: it is counted (`refused`, `why`) and whatever was under way ends. Trains are short:
    one that is not followed by another ends by itself. Charge of the session and the day is kept in a book that survives
    restarts, written ahead; headless (`lockstep`) it begins at 0."""

    kind: ClassVar[str] = "effector"
    inline: ClassVar[bool] = True
    takes: ClassVar = CommandSpec(
        tuple(TRAIN),
        tuple(TRAIN.values()),
        (1.0, 0.0, *SHAPE[:2], 0.0, SHAPE[2], 100.0, 0.02),
    )

    limits: Annotated[str, Setting("limits file, signed; none: of the simulated stimulator")] = ""
    lockstep: Annotated[bool, Setting("headless: what was given before does not count")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refused, self.given, self.why = 0, 0, ""
        self.train: Train | None = None  # under way
        self._meter: Meter | None = None
        self._book: Any = None

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self._columns = self.takes.columns(s, self.part_name())
        dose = _dose.read(Path(self.limits).expanduser() if self.limits else packaged(self.part_name()))
        if not self.lockstep:
            from ._ledger import Ledger

            self._book = Ledger(dose.device, portion=dose.train_s)
        self._meter = Meter(dose, (self._book.session, self._book.day) if self._book else (0.0, 0.0))

    def send(self, c: Chunk) -> None:
        for row in np.asarray(c.data, float):
            self._give(Train(*(float(row[i]) for i in self._columns)))

    def _give(self, t: Train) -> None:
        meter = self._meter
        if meter is None:
            return
        if t.current == 0 and t.back_current == 0:
            self.train = None
            return
        self.why = meter.give(t)
        if self.why:
            self.refused += 1
            self.train = None
            return
        if self._book is not None:
            self._book.use(meter.session, meter.day)  # before the first pulse
        self.given, self.train = self.given + 1, t

    @property
    def reached(self) -> tuple[float, np.ndarray]:
        """(radius in mm of the tissue that the train under way drives, its middle): simulated, from the electrode's
        place."""
        if self.train is None or self._meter is None:
            return 0.0, np.zeros(3)
        place = self._meter.dose.electrodes[int(self.train.electrode) - 1].position
        return float(np.sqrt(self.train.current / SPREAD_UA_MM2)), np.array(place)

    @property
    def felt(self) -> float:
        """How strongly the simulated person feels it, 0 to 1: the inverse of `sensation`."""
        if self.train is None:
            return 0.0
        return float(np.clip((self.train.current - FELT_UA) / (FULL_UA - FELT_UA), 0.0, 1.0))

    def drawing(self) -> Drawing:
        """The electrodes in their tissue, and how far around one the train under way reaches; drawn in millimetres."""
        if self._meter is None:
            return Drawing()
        places = [np.array(e.position) for e in self._meter.dose.electrodes]
        radius, at = self.reached
        balls = [ball("place", p, 0.06) for p in places] + ([ball("warm", at, radius)] if radius else [])
        middle = np.mean(places, axis=0)
        span = 2 * float(np.ptp(places, axis=0).max()) + 1.5
        lines = [line("body", p, p + span * np.array([0, 0, 0.4]), width=0.03) for p in places]
        told = f"{self.given} trains given, {self.refused} refused"
        text = word("thing", middle - span * np.array([0, 0, 0.32]), told)
        return Drawing(tuple(lines), tuple(balls), (text,), middle=tuple(map(float, middle)), span=span, turn=0.3, tilt=0.3)

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming":
            self.safe()

    def safe(self) -> None:
        """No current, at once."""
        self.train = None

    def close(self) -> None:
        self.safe()
        book, self._book = self._book, None
        if book is not None:
            book.close()

    @classmethod
    def commands(cls, seconds: float = 4.0, rate: float = 50.0) -> Recording:
        """Simulated: a sensation that comes and goes."""
        t = np.arange(round(seconds * rate)) / rate
        rows = np.array([sensation(x, seconds=1 / rate) for x in np.sin(2 * np.pi * t)])
        channels = tuple(Channel(n, "aux", u) for n, u in zip(cls.takes.names, cls.takes.units, strict=True))
        return recording(Stream("simulated sensations", rate, channels, label=SIMULATED), rows)

    @classmethod
    def examples(cls) -> Any:
        yield cls(lockstep=True), cls.commands()
        yield cls(), cls.commands()
