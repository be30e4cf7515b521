"""What the Cyton's firmware (v3) does with the characters it hears and the voltages it measures.

Sources of the facts: OpenBCI's "Cyton Board SDK" and "Cyton Data Format", the firmware OpenBCI_Cyton_Library, and the
data sheet of the ADS1299. It knows nothing of time, of the radio or of a port.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from ._source import Source

VERSION = "v3.1.2"
VREF_V = 4.5
FULL = 2**23 - 1
G_PER_COUNT = 0.002 / 16
GAINS = (1, 2, 4, 6, 8, 12, 24)
CHANNELS, OFF, ON = "12345678QWERTYUI", "12345678qwertyui", "!@#$%^&*QWERTYUI"
RATES = (16000, 8000, 4000, 2000, 1000, 500, 250)
MODES = ("default", "debug", "analog", "digital", "marker", "BLE")
TESTS = {"0": (1, 0, 0), "-": (5, 1, 256), "=": (5, 1, 128), "p": (5, 2, 0), "[": (5, 2, 256), "]": (5, 2, 128)}
LENGTHS = {"x": 9, "z": 5, "~": 2, "/": 2, "`": 2}  # commands of more than one character
DEFAULT = "060110"  # on, gain 24, normal input, in bias, SRB2, not SRB1

# The current of the impedance test. OpenBCI's GUI reckons Z = sqrt(2) Vrms / 6 nA - 2.2 kOhm, hence a sine of 6 nA peak
# through the electrode and the resistor on the board; read so, known resistors came out right (OpenBCI_GUI#1211).
TONE_HZ, TONE_A, SERIES_OHM = 31.25, 6e-9, 2200.0


class CytonFirmware:
    """One board: its settings, its answers, its packets. channels: 8, or 16 with a Daisy.

    resistance: ohm between each electrode and the skin; channels beyond the list have the last one given."""

    def __init__(self, source: Source, channels: int, resistance: tuple[float, ...], wifi: bool = False) -> None:
        self.source, self.channels, self.daisy = source, channels, channels == 16
        self.ohm = np.array([resistance[min(i, len(resistance) - 1)] for i in range(16)])
        self.wifi = wifi
        self.rate, self.mode, self.marker = 250, 0, 0  # outlive a soft reset
        self._heard = ""
        self._reset()

    @property
    def kind(self) -> str:
        return "daisy" if self.channels == 16 else "cyton"

    def _reset(self) -> None:
        self.streaming = False
        self.lead_off = np.zeros(16)
        self._test = (0, 0)  # of the ADS1299's own signal: peak in VREF / 2400, period in samples
        self._settle([DEFAULT] * 16)

    def _settle(self, settings: list[str]) -> None:
        """Channel settings, each of six digits: power down, gain, input, bias, SRB2, SRB1."""
        self.settings = settings
        on = [s[0] == "0" for s in settings]
        self.gain = np.array([GAINS[min(int(s[1]), 6)] for s in settings], float)
        self._normal = np.array([o and s[2] == "0" for o, s in zip(on, settings, strict=True)], float)
        self._tested = np.array([o and s[2] == "5" for o, s in zip(on, settings, strict=True)], float)

    # -- commands

    def hear(self, data: bytes) -> bytes:
        """The board's answer to these characters; a command may come in pieces."""
        answer = ""
        for char in data.decode("latin-1"):
            self._heard += char
            if len(self._heard) >= LENGTHS.get(self._heard[0], 1):
                command, self._heard = self._heard, ""
                answer += self._obey(command)
        return answer.encode("latin-1")

    def _obey(self, command: str) -> str:
        char = command[0]
        if char == "v":
            self._reset()
            daisy = "On Daisy ADS1299 Device ID: 0x3E\n" if self.daisy else ""
            return (
                f"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n{daisy}"
                f"LIS3DH Device ID: 0x33\nFirmware: {VERSION}\n$$$"
            )
        if char == "b":
            self.streaming = True
            return ""
        if char == "s":
            self.streaming = False
            return ""
        said = self._set(command)
        quiet = self.streaming and char != "V"
        return f"{said}$$$" if said and not quiet else ""

    def _set(self, command: str) -> str:
        char = command[0]
        if char in "xz":
            return self._channel(command)
        if char in TESTS:
            kind, *test = TESTS[char]
            self._test = (test[0], test[1])
            self._settle([f"0{s[1]}{kind}{s[3:]}" for s in self.settings])
            return "Success: Configured internal test signal."
        if char in OFF[: self.channels]:
            return self._power(OFF.index(char), "1")
        if char in ON[: self.channels]:
            return self._power(ON.index(char), "0")
        if char == "d":
            self.lead_off[:] = 0
            self._settle([DEFAULT] * 16)
            return "updating channel settings to default"
        if char in "cC":
            return self._size(char)
        if char == "~":
            if command[1] in "0123456":
                self.rate = RATES[int(command[1])]
            elif command[1] != "~":
                return "Failure: sample value out of bounds" if command[1].isdigit() else "Failure: invalid sample value"
            return f"Success: Sample rate is {self.rate}Hz"
        if char == "/":
            if command[1] in "012345":
                self.mode = int(command[1])
            elif command[1] != "/":
                out = command[1].isdigit()
                return "Failure: board mode value out of bounds." if out else "Failure: invalid board mode value."
            return f"Success: {MODES[self.mode]}"
        if char == "`":
            self.marker = ord(command[1])
        fixed = {
            "D": DEFAULT,
            "V": VERSION,
            ":": "Wifi present" if self.wifi else "Wifi not present, send { to attach the shield",
        }
        return self._registers() if char == "?" else fixed.get(char, "")

    def _channel(self, command: str) -> str:
        end, nth = ("X", 9) if command[0] == "x" else ("Z", 5)
        index = CHANNELS.find(command[1])
        bits = command[2:-1]
        if command[-1] != end:
            return f"Failure: Err: {nth}th char not {end}"
        if not 0 <= index < self.channels or not bits.isdigit():
            return "Failure: too few chars"
        if command[0] == "z":
            self.lead_off[index] = bits.count("1")
            return f"Success: Lead off set for {index + 1}"
        self._settle([bits if i == index else s for i, s in enumerate(self.settings)])
        return f"Success: Channel set for {index + 1}"

    def _power(self, index: int, down: str) -> str:
        self._settle([down + s[1:] if i == index else s for i, s in enumerate(self.settings)])
        return ""

    def _size(self, char: str) -> str:
        had, self.channels = self.channels, 16 if char == "C" and self.daisy else 8
        if char == "c":
            return "daisy removed" if had == 16 else "no daisy to remove!"
        return "16" if had == 16 else "daisy attached16" if self.daisy else "no daisy to attach!8"

    def _registers(self) -> str:
        boards = ("Board", "Daisy")[: self.channels // 8]
        lines = [
            f"CH{i % 8 + 1}SET, {s}" if i % 8 else f"{boards[i // 8]} ADS Registers\nCH1SET, {s}"
            for i, s in enumerate(self.settings[: self.channels])
        ]
        return "\n".join(lines) + "\n"

    # -- measuring

    def counts(self, tick: int, rate: float) -> tuple[np.ndarray, np.ndarray] | None:
        """(24-bit counts of 16 channels, 3 accelerometer counts) of sample `tick` at `rate` Hz; None behind the end."""
        row = self.source.at(tick, rate)
        if row is None:
            return None
        volts = np.zeros(16)
        n = min(len(row[0]), 16)
        volts[:n] = np.nan_to_num(row[0][:n]) * 1e-6
        volts += self.lead_off * TONE_A * (self.ohm + SERIES_OHM) * math.sin(2 * math.pi * TONE_HZ * tick / rate)
        peak, period = self._test
        level = -1 if period and tick % period >= period // 2 else 1
        volts = volts * self._normal + peak * level * VREF_V / 2400 * self._tested
        counts = np.clip(np.rint(volts * self.gain * (FULL / VREF_V)), -FULL - 1, FULL).astype(np.int64)
        accel = np.zeros(3, np.int64)
        accel[: len(row[1])] = np.clip(np.rint(np.nan_to_num(row[1]) / G_PER_COUNT), -32768, 32767)
        return counts, accel

    def aux(self, tick: int, accel: np.ndarray) -> tuple[bytes, int]:
        """(the six auxiliary bytes, the last byte of the packet) in the present board mode."""
        if self.mode == 2:  # analog pins A5, A6, A7: slow sines over the 10 bits
            levels = [int(512 + 400 * math.sin(tick / 250 + i)) for i in range(3)]
            return struct.pack(">3h", *levels), 0xC1
        if self.mode == 3:  # digital pins D11, D12, D13, D17, D18: each blinks at its own pace
            d11, d12, d13, d17, d18 = (tick >> i & 1 for i in range(5, 10))
            return bytes((d11, d12, d13, d17, 0, d18)), 0xC1
        if self.mode == 4:
            marker, self.marker = self.marker, 0
            return bytes((marker, 0, 0, 0, 0, 0)), 0xC1
        return struct.pack(">3h", *(int(a) for a in accel)), 0xC0

    def packet(self, number: int, tick: int) -> bytes | None:
        """Packet `number` of a stream, `tick` packets after its person began: 0xA0, number, 8 channels of 24 bits, 6
        auxiliary bytes, 0xCx. With a Daisy two packets make a sample: over the radio first channels 9-16, then 1-8, the
        numbers counting on; over WiFi first 1-8, then 9-16, both with the same number."""
        step = self.channels // 8
        measured = self.counts(tick // step, self.packets_per_s / step)
        if measured is None:
            return None
        daisy = step == 2 and number % 2 == (1 if self.wifi else 0)
        data = b"".join(int(c).to_bytes(3, "big", signed=True) for c in measured[0][8 * daisy : 8 * daisy + 8])
        aux, footer = self.aux(tick, measured[1])
        return bytes((0xA0, (number // step if self.wifi else number) & 0xFF)) + data + aux + bytes((footer,))

    @property
    def packets_per_s(self) -> float:
        return self.rate * self.channels / 8 if self.wifi else 250.0
