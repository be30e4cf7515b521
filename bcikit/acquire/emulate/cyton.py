"""An emulated OpenBCI Cyton, alone or with a Daisy, on a pseudo-terminal: the board behind its radio and USB dongle.

Sources of the facts: OpenBCI's "Cyton Board SDK", the firmware OpenBCI_Radios of the dongle, and what BrainFlow's driver
expects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._cyton import CytonFirmware
from ._emulator import Emulator
from ._pty import Pty
from ._source import source

DOWN = b"Failure: Communications timeout - Device failed to poll Host$$$"


class Cyton(Emulator):
    """`with Cyton(file="a.txt", drop=0.03, seed=1) as board:` and then BrainFlow's driver on `board.port`.

    file: any recording (µV); without one a seeded simulated signal. Channels that it lacks read 0. After a stop, or at its
    end, the next stream begins it anew. daisy: 16 channels; by default where the file has more than 8.
    resistance: ohm of each electrode, for the impedance test. channel, dongle_channel: of the two radios, 1 to 25; where
    they differ, or `power` is off, the dongle answers that the device failed to poll. The rest: see Emulator."""

    def __init__(
        self,
        file: str | Path | None = None,
        *,
        daisy: bool | None = None,
        loop: bool = False,
        resistance: tuple[float, ...] = (5000.0,),
        link: str | Path | None = None,
        channel: int = 7,
        dongle_channel: int | None = None,
        power: bool = True,
        seed: int = 0,
        **faults: Any,
    ) -> None:
        played = source(file, 16 if daisy else 8, seed, loop)
        both = played.channels > 8 if daisy is None else daisy
        super().__init__(CytonFirmware(played, 16 if both else 8, resistance), seed=seed, **faults)
        self.firmware: CytonFirmware
        self.power, self.channel, self.dongle_channel = power, channel, dongle_channel or channel
        self._pty = Pty(link)
        self._radio = b""

    @property
    def streaming(self) -> bool:
        return self.firmware.streaming and self.firmware.rate == 250  # the radio bears no more

    def connect(self) -> str:
        return self._pty.up()

    def disconnect(self) -> None:
        self._pty.down()

    def close(self) -> None:
        super().close()
        self._pty.remove()

    def write(self, data: bytes) -> bool:
        return self._pty.write(data)

    # -- what the host writes

    def listen(self, wait: float) -> None:
        data = self._pty.read(wait)
        while data:
            if self._radio or data[0] == 0xF0:
                self._radio, data = self._radio + data, b""
                need = 3 if self._radio[1:2] and self._radio[1] in (1, 2, 4) else 2
                if len(self._radio) >= need:
                    command, data, self._radio = self._radio[:need], self._radio[need:], b""
                    self._pty.write(self._dongle(command))
            else:
                upto = data.find(b"\xf0")
                mine, data = (data, b"") if upto < 0 else (data[:upto], data[upto:])
                self._pty.write(self._board(mine))

    @property
    def _linked(self) -> bool:
        return self.power and self.channel == self.dongle_channel and not self.silent

    def _board(self, data: bytes) -> bytes:
        """Characters that the dongle sends on to the board, if it can."""
        return self.tell(data) if self._linked else DOWN

    def _dongle(self, command: bytes) -> bytes:
        """The dongle's own commands: 0xF0, code, value."""
        code, value = command[1], command[2] if len(command) > 2 else 0
        up = self._linked
        if code in (1, 2) and not 1 <= value <= 25:
            return b"Failure: Verify channel number is less than 25$$$"
        if code == 0:
            who = b"Success: Host and Device on " if up else b"Failure: Host on "
            return who + self._said_channel()
        if code == 1:
            if not up:
                return b"Failure: Channel Change Request" + DOWN[9:]
            self.channel = self.dongle_channel = value
            return b"Success: " + self._said_channel()
        if code == 2:
            self.dongle_channel = value
            return b"Success: Host override - " + self._said_channel()
        if code in (3, 4):
            return b"Success: Poll time: 80P$$$" if up else DOWN
        if code in (5, 6, 10):
            return b"Success: Switch your baud rate to %d$$$" % {5: 115200, 6: 230400, 10: 921600}[code]
        if code == 7:
            return b"Success: System is Up$$$" if up else b"Failure: System is Down$$$"
        return b""

    def _said_channel(self) -> bytes:
        return b"Channel number: %d%c$$$" % (self.dongle_channel, self.dongle_channel)
