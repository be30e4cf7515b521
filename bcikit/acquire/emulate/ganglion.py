"""An emulated OpenBCI Ganglion behind its BLED112 dongle, on a pseudo-terminal: BrainFlow's board GANGLION_BOARD (1).

The dongle speaks Silicon Labs' BGAPI: 4 bytes (0x00 command or response, 0x80 event; length; class; method), then the
payload, little-endian. Sources of the facts: the "Bluetooth Smart Software API Reference" and what BrainFlow's driver
sends and expects. Give BrainFlow `other_info = "fw:auto"`: without it 5.23 never opens the dongle. BrainFlow's own
Bluetooth (GANGLION_NATIVE_BOARD) needs a real radio and cannot be reached; over WiFi see wifi.py.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from ._emulator import Emulator
from ._ganglion import GanglionFirmware
from ._pty import Pty
from ._source import source

SYSTEM, CONNECTION, CLIENT, GAP = 0, 3, 4, 6  # classes
ADDRESS = bytes.fromhex("efbeadde3412")
NAME = b"Ganglion-1.3.0-beef"  # the 12th character is the version of the firmware
SERVICE, CONFIGURATION = 0xFE84, 0x2902
RECEIVE = bytes.fromhex("2d30c082f39f4ce6923f3484ea480596")[::-1]
SEND = bytes.fromhex("2d30c083f39f4ce6923f3484ea480596")[::-1]
HANDLES = {10: b"\x00\x28", 12: RECEIVE, 13: CONFIGURATION.to_bytes(2, "little"), 15: SEND}


class Ganglion(Emulator):
    """`with Ganglion(file="a.txt") as board:`, then BrainFlow's driver on `board.port`. file: any recording (µV), of which
    the first four channels are taken; without one a seeded simulated signal. resistance: ohm of the four electrodes and
    the reference. The rest: see Emulator."""

    firmware: GanglionFirmware

    def __init__(
        self,
        file: str | Path | None = None,
        *,
        loop: bool = False,
        resistance: tuple[float, ...] = (5000.0,),
        link: str | Path | None = None,
        seed: int = 0,
        **faults: Any,
    ) -> None:
        super().__init__(GanglionFirmware(source(file, 4, seed, loop), resistance), seed=seed, **faults)
        self._pty = Pty(link)
        self._heard = b""
        self._notify = False

    def connect(self) -> str:
        return self._pty.up()

    def disconnect(self) -> None:
        self._pty.down()

    def close(self) -> None:
        super().close()
        self._pty.remove()

    def write(self, data: bytes) -> bool:
        return self._notify and self._pty.write(_event(CLIENT, 5, struct.pack("<BHB", 0, 12, 1), data))

    def spoil(self, data: bytes) -> bytes:
        """Over Bluetooth nothing comes between packets: bytes of one are wrong, its number as likely as others."""
        wrong = self.rng.integers(0, 256, len(data)).tolist()
        return bytes(w if self.rng.random() < 0.3 else d for d, w in zip(data, wrong, strict=True))

    def listen(self, wait: float) -> None:
        self._heard += self._pty.read(wait)
        while len(self._heard) >= 4 and len(self._heard) >= 4 + self._heard[1]:
            _, length, group, method = self._heard[:4]
            payload, self._heard = self._heard[4 : 4 + length], self._heard[4 + length :]
            self._pty.write(self._dongle(group, method, payload))

    def _dongle(self, group: int, method: int, payload: bytes) -> bytes:
        """The response to one command and the events that follow it."""
        if (group, method) == (SYSTEM, 0):  # reset: the dongle leaves the bus for a moment and forgets everything
            self._notify, self._heard = False, b""
            return b""
        if group == GAP:
            done = _message(0, GAP, method, bytes(2) + (b"\0" if method == 3 else b""))
            if self.silent:
                return done
            if method == 2:
                advert = bytes((len(NAME) + 1, 9)) + NAME
                return done + _event(GAP, 0, struct.pack("<bB", -60, 0) + ADDRESS + b"\x01\xff", advert)
            if method == 3:
                status = struct.pack("<BB6sBHHHB", 0, 5, ADDRESS, 1, 76, 100, 0, 0xFF)
                return done + _message(0x80, CONNECTION, 0, status)
            return done
        if group != CLIENT:
            return b""
        done = _message(0, CLIENT, method, bytes(3))
        if self.silent:
            return done
        if method == 1:
            return done + _event(CLIENT, 2, struct.pack("<BHH", 0, 10, 15), SERVICE.to_bytes(2, "little")) + _completed()
        if method == 3:
            found = (_event(CLIENT, 4, struct.pack("<BH", 0, handle), uuid) for handle, uuid in HANDLES.items())
            return done + b"".join(found) + _completed()
        if method == 5:
            handle = int.from_bytes(payload[1:3], "little")
            if HANDLES.get(handle) == SEND:
                self.tell(payload[4:])
            elif handle == 13:
                self._notify = payload[4:5] == b"\x01"
            return done + _completed()
        return done


def _message(kind: int, group: int, method: int, payload: bytes) -> bytes:
    return bytes((kind, len(payload), group, method)) + payload


def _event(group: int, method: int, head: bytes, array: bytes) -> bytes:
    """An event whose last field is an array of bytes."""
    return _message(0x80, group, method, head + bytes((len(array),)) + array)


def _completed() -> bytes:
    return _message(0x80, CLIENT, 1, struct.pack("<BHH", 0, 0, 0))
