"""What effectors that move share: every command goes through the supervisor.

An author writes `takes` (what the stream gives), `spec` (what the device does), `device()`, and where these differ
`control`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from . import _limits
from ._client import Client
from ._overheard import Overheard
from ._spec import CommandSpec, Device, Felt
from ._supervisor import Cause, Command, Seen, Supervisor

LOOK_BACK_S = 10.0  # what `look` remembers
SETTLED_S = 3.0  # in a gap of lock-step: by then everything is at rest


@dataclass(eq=False)
class Moved(Sink):
    """An effector above whose device a supervisor stands, in a process of its own with the device in another; in lock-step
    both are stepped here by the stream's own index, so that a seed gives the same bytes. Limits of one's own are a signed
    file; without one, the device is simulated and its limits are those of the package."""

    kind = "effector"
    inline = True
    takes: ClassVar[CommandSpec]
    spec: ClassVar[CommandSpec]

    limits: Annotated[str, Setting("limits file, signed; none: of the simulated device")] = ""
    lockstep: Annotated[bool, Setting("supervisor and device in step with the stream, in this process: headless")] = False
    seed: Annotated[int, Setting("of everything random in the device", low=0, high=2**32 - 1)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.alive = True  # the dead-man switch, for whoever has one
        self._client: Client | None = None
        self._device: Device | None = None
        self._sup: Supervisor | None = None
        self._holding = False

    # -- what an author writes

    def device(self) -> Device:
        """The device, at rest."""
        raise NotImplementedError(f"{type(self).__name__} has no device()")

    def control(self, row: np.ndarray, felt: Felt) -> np.ndarray:
        """The device's command from one row of the stream (in the order of `takes`) and what is felt."""
        return row

    # -- what others call

    def limits_path(self) -> Path:
        return Path(self.limits).expanduser() if self.limits else _limits.packaged(self.part_name())

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        if not s.rate:
            raise WrongUse(
                f"{self.part_name()} needs commands at a steady rate.", "How old a command may be follows from it."
            )
        self._columns = self.takes.columns(s, self.part_name())
        self._order = len(self._columns)
        self._seen: deque[tuple[int, Felt]] = deque(maxlen=math.ceil(LOOK_BACK_S * s.rate))
        self._index = -1  # of the newest command
        if not self.lockstep:
            self._client = Client(self.part_name(), self.settings(), self.spec, 1 / s.rate)
            return
        limits = _limits.read(self.limits_path())
        self._sup = Supervisor(limits, self.spec, 1 / s.rate)
        self._sup.take(1)
        self._device = self.device()
        self._steps: int | None = None  # done since index 0
        self._felt = self._device.step(self._sup.value[0], limits.period_s)

    def send(self, c: Chunk) -> None:
        if self._client is not None:
            if len(c):
                row = self.control(np.asarray(c.data[-1], float)[self._columns], self._client.felt)
                brain = float(np.max(c.time))
                self._client.send(row, brain if math.isfinite(brain) else time.monotonic(), self.alive)
            return
        for i, row in enumerate(c.data):
            self._step(c.first + i, np.asarray(row, float)[self._columns])

    def _step(self, index: int, row: np.ndarray) -> None:
        """In lock-step: the command of one sample, and supervisor and device up to the sample after it. Where samples are
        missing, they went on without one."""
        sup, device, rate = self._sup, self._device, self.stream.rate
        if sup is None or device is None:
            return
        dt = sup.dt
        first = math.floor(index / rate / dt + 1e-9)
        if self._steps is None or first - self._steps > SETTLED_S / dt:
            self._steps = first - (0 if self._steps is None else round(SETTLED_S / dt))
        command = None
        while self._steps < math.floor((index + 1) / rate / dt + 1e-9):
            now = self._steps * dt
            if self._steps >= first and command is None:
                sup.hold(False)
                values = self.control(row, self._felt)
                command = Command.of(values, max(index, 0) + 1, index / rate, index / rate, 1, self.alive)
            values = sup.step(now, command, Seen.of(self._felt, now))[0]
            self._felt = device.step(values, dt)
            self._steps += 1
        self._index = index
        self._seen.append((index, self._felt))

    def look(self, index: int | None = None) -> Felt:
        """What the device felt at a sample of the command stream (in lock-step; the newest before it), or feels now."""
        if self._client is not None:
            return self._client.felt
        if self._sup is None:
            raise WrongUse(f"{self.part_name()} is not open.")
        if index is not None:
            for at, felt in reversed(self._seen):
                if at <= index:
                    return felt
        return self._felt if index is None or not self._seen else self._seen[0][1]

    @property
    def senses(self) -> Stream:
        """What the device feels, as a stream for `feedback` or a stimulator: force, torque, distance to a person, and what
        its spec names besides, at the rate of the commands and under their label."""
        return self.stream.but(name=f"felt by {self.part_name()}", channels=self.spec.senses)

    def sense(self) -> Chunk:
        """What it feels now: a row of `senses`, NaN where not measured; in lock-step at the newest command's index."""
        row = self.look().packed(self.spec)[3 * self.spec.points :].astype(np.float32)
        index = max(self._index, 0)
        return Chunk(row[None], index, index / self.stream.rate if self.lockstep else time.monotonic())

    def overheard(self) -> Overheard:
        """The same while another program of this user moves it. Raises DeviceTrouble where none does."""
        return Overheard(_limits.read(self.limits_path()).device, self.spec)

    @property
    def cause(self) -> Cause:
        """Why it does not move."""
        if self._client is not None:
            return self._client.cause
        return Cause.SILENT if self._sup is None else Cause(int(self._sup.cause[0]))

    @property
    def told(self) -> np.ndarray:
        """What the supervisor last ordered; in lock-step alone, NaN where it is another process that does."""
        return np.full(len(self.spec.names), np.nan) if self._sup is None else self._sup.value[0].copy()

    def stop(self) -> None:
        """The emergency stop; a person resets it (`bcikit stop DEVICE --reset NAME`)."""
        if self._client is not None:
            self._client.stop()
        if self._sup is not None:
            self._sup.stop()

    def safe(self) -> None:
        if self._client is not None:
            self._client.hold()
        if self._sup is not None:
            self._sup.hold()

    def pulse(self, report: Report) -> None:
        if report.status.state == "lost":
            self.safe()

    def close(self) -> None:
        client, self._client = self._client, None
        device, self._device = self._device, None
        if client is not None:
            client.close()
        if device is not None:
            device.close()

    @classmethod
    def commands(cls, seconds: float = 4.0, rate: float = 50.0) -> Recording:
        """Simulated commands of the kind it takes: slow waves about rest, a tenth of a unit high. For examples and tests."""
        t = np.arange(round(seconds * rate)) / rate
        rest = np.array(cls.takes.rest)
        wave = 0.1 * np.sin(np.outer(t, 2 * np.arange(1, len(rest) + 1)))
        channels = tuple(Channel(n, "velocity", u) for n, u in zip(cls.takes.names, cls.takes.units, strict=True))
        return recording(Stream("simulated commands", rate, channels, label=SIMULATED), rest + wave)

    @classmethod
    def examples(cls) -> Any:
        yield cls(lockstep=True), cls.commands()
