"""A microcontroller on a serial port: framed commands with a checksum, and what it feels back.

    $BCI,17,0.250,-0.100*5C\\r\\n        number, values in the order of the limits file, XOR of what stands between $ and *
    $FELT,3.2,0.4*2B\\r\\n               from the device: force (N), torque (N m); may be left out

The sketch for an Arduino, with the watchdog that it must have, is in docs/effectors.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Setting
from ._outward import DRY, Outward
from ._spec import CommandSpec, Felt

WRITE_S = 0.05  # a frame that cannot be written for so long is a fault


def framed(kind: str, *fields: str) -> bytes:
    """One frame."""
    body = ",".join((kind, *fields))
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n".encode()


def unframed(line: bytes) -> list[str] | None:
    """The fields of a frame, its kind first; None where it is damaged."""
    body, star, check = line.strip().partition(b"*")
    if not star or body[:1] != b"$" or check != b"%02X" % reduce(xor, body[1:], 0):
        return None
    try:
        return body[1:].decode("ascii").split(",")
    except UnicodeDecodeError:
        return None


class Port:
    """The device: writes a frame each step, reads what came."""

    def __init__(self, port: str, baud: int, spec: CommandSpec) -> None:
        self.spec, self.count = spec, 0
        self.frames: list[bytes] = []  # of a dry run, the newest few
        self._felt, self._rest = Felt(np.zeros((0, 3))), b""
        self._serial: Any = None
        if port != DRY:
            import serial

            try:
                self._serial = serial.Serial(port, baud, timeout=0, write_timeout=WRITE_S, exclusive=True)
            except (OSError, ValueError) as error:
                raise DeviceTrouble(f"The serial port {port} cannot be opened.", str(error)) from error

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        self.count += 1
        frame = framed("BCI", str(self.count), *(f"{v:.6g}" for v in command))
        if self._serial is None:
            self.frames = [*self.frames[-9:], frame]
            return self._felt
        try:
            self._serial.write(frame)
            *lines, self._rest = (self._rest + self._serial.read(4096)).split(b"\n")
        except OSError as error:
            raise DeviceTrouble("The serial device does not take its commands any more.", str(error)) from error
        self._rest = self._rest[-256:]
        for line in lines:
            fields = unframed(line)
            if fields and fields[0] == "FELT" and len(fields) == 3:
                try:
                    self._felt = Felt(np.zeros((0, 3)), float(fields[1]), float(fields[2]))
                except ValueError:
                    continue
        return self._felt

    def close(self) -> None:
        if self._serial is not None:
            self._serial.close()


@dataclass(eq=False)
class Serial(Outward):
    """Drives what hangs on a serial port, through the supervisor; the names, units and bounds of the command are those of
    the limits file. Where the file bounds force or torque, the device must report them (`$FELT`), or it does not move."""

    takes: ClassVar = CommandSpec(("a", "b"), ("1", "1"), (0.0, 0.0))
    spec: ClassVar = takes

    port: Annotated[str, Setting("the serial port; dry: nothing is connected")] = DRY
    baud: Annotated[int, Setting("speed of the line", "baud", low=1200, high=4_000_000)] = 115_200

    def _address(self) -> str:
        return self.port

    def device(self) -> Port:
        if not self.port:
            raise WrongUse("serial has no port.", do="--opt port=/dev/ttyACM0")
        return Port(self.port, self.baud, self.spec)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(lockstep=True), cls.commands()
