"""What the Ganglion's firmware (v3) does with the characters it hears and the voltages it measures.

Sources of the facts: OpenBCI's "Ganglion Data Format", the firmware OpenBCI_Ganglion_Library, and how BrainFlow reads it.
"""

from __future__ import annotations

import struct

import numpy as np

from ._source import Source

VERSION = "3.0.2"
UV_PER_COUNT = 1.2e6 / (8388607 * 1.5 * 51)
RATES = (25600, 12800, 6400, 3200, 1600, 800, 400, 200)
G_PER_BYTE, G_PER_COUNT = 0.016, 0.001  # over Bluetooth, over WiFi
IMPEDANCES_PER_S = 4.0  # one electrode after the other: four channels and the reference


class GanglionFirmware:
    """One board of four channels, heard over Bluetooth, or over WiFi. resistance: ohm of the electrodes and of the
    reference (the fifth), which the board measures itself and reports in whole kilo-ohm."""

    channels, kind = 4, "ganglion"

    def __init__(self, source: Source, resistance: tuple[float, ...], wifi: bool = False) -> None:
        self.source, self.wifi = source, wifi
        self.ohm = [resistance[min(i, len(resistance) - 1)] for i in range(5)]
        self.gain = np.ones(4)
        self.rate = 200
        self._pending = ""
        self._reset()

    def _reset(self) -> None:
        self.streaming = self.testing = False
        self.accelerometer = self.wifi  # is off until asked for, where it costs two bits of each sample
        self.on = np.ones(4)

    @property
    def packets_per_s(self) -> float:
        if self.testing:
            return IMPEDANCES_PER_S
        return self.rate if self.wifi else self.rate / 2

    # -- commands

    def hear(self, data: bytes) -> bytes:
        """The board's answer to these characters."""
        return b"".join(self._obey(char).encode() for char in data.decode("latin-1"))

    def _obey(self, char: str) -> str:
        if self._pending:
            self._pending = ""
            if char in "01234567":
                self.rate = RATES[int(char)]
            elif char != "~":
                return "Failure: sample value out of bounds\n" if char.isdigit() else "Failure: invalid sample value\n"
            return f"Success: Sample rate is {self.rate}Hz\n"
        if char == "~":
            self._pending = char
        elif char == "v":
            self._reset()
            return f"OpenBCI Ganglion v{VERSION}\nLIS2DH ID: 0x33\nMCP3912 CONFIG_1: 0xFF000A\n"
        elif char in "bz":
            self.streaming, self.testing = True, char == "z"
            return ("Impedance started\n" if self.testing else "Stream started\n") if self.wifi else ""
        elif char in "sZ":
            self.streaming = self.testing = False
            return "Impedance stopped\n" if char == "Z" else "stop running\n"
        elif char in "nN":
            self.accelerometer = char == "n"
            return "" if self.streaming else f"accelerometer {'enabled' if self.accelerometer else 'disabled'}\n"
        elif char in "1234!@#$":
            index = "1234!@#$".index(char)
            self.on[index % 4] = index // 4
            return f"{'A' if index // 4 else 'Dea'}ctivating channel {index % 4 + 1}\n"
        return ""

    # -- measuring

    def packet(self, number: int, tick: int) -> bytes | None:
        """33 bytes of one sample over WiFi, or 20 bytes of two samples over Bluetooth; None behind the end."""
        if self.testing:
            return self._impedance(number % 5)
        return self._over_wifi(number, tick) if self.wifi else self._over_bluetooth(number, tick)

    def _counts(self, tick: int) -> tuple[np.ndarray, np.ndarray] | None:
        row = self.source.at(tick, self.rate)
        if row is None:
            return None
        n = min(len(row[0]), 4)
        microvolts, g = np.zeros(4), np.zeros(3)
        microvolts[:n] = np.nan_to_num(row[0][:n])
        g[: len(row[1])] = np.nan_to_num(row[1])
        counts = np.clip(np.rint(microvolts * self.on / UV_PER_COUNT), -(2**23), 2**23 - 1)
        return counts.astype(np.int64), g

    def _over_wifi(self, number: int, tick: int) -> bytes | None:
        measured = self._counts(tick)
        if measured is None:
            return None
        data = b"".join(int(c).to_bytes(3, "big", signed=True) for c in measured[0])
        x, y, z = (int(v) for v in np.clip(np.rint(measured[1] / G_PER_COUNT), -32768, 32767))
        aux = struct.pack(">3h", y, x, -z) if self.accelerometer else bytes(6)  # the axes as the firmware mistakes them
        return bytes((0xA0, number % 201)) + data + bytes(12) + aux + (b"\xc0" if self.accelerometer else b"\xc1")

    def _over_bluetooth(self, number: int, tick: int) -> bytes | None:
        """A number, then eight samples of 18 or 19 bits: the upper bits of 24, the lowest of them the sign."""
        bits = 18 if self.accelerometer else 19
        first, second = self._counts(2 * tick), self._counts(2 * tick + 1)
        if first is None or second is None:
            return None
        packed = 0
        for count in (*first[0], *second[0]):
            value = int(count) >> (24 - bits) & ~1 | int(count < 0)
            packed = packed << bits | value & (1 << bits) - 1
        number %= 100
        if not self.accelerometer:
            return bytes((100 + number,)) + packed.to_bytes(19, "big")
        x, y, z = (int(v) for v in np.clip(np.rint(first[1] / G_PER_BYTE), -127, 127))
        byte = {0: -z, 1: y, 2: x}.get(number % 10, 0)
        return bytes((number,)) + packed.to_bytes(18, "big") + struct.pack("b", byte)

    def _impedance(self, electrode: int) -> bytes:
        text = str(round(self.ohm[electrode] / 1000)).encode()
        if self.wifi:
            return (bytes((0xA0, electrode + 1)) + text).ljust(32, b"\0") + b"\xc7"
        return (bytes((201 + electrode,)) + text + b"Z\n").ljust(20, b"\0")
