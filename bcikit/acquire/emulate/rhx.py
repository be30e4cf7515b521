"""An emulated Intan controller behind the RHX software: its command and its waveform port, on loopback.

Facts: Intan's "RHX Remote TCP Control" and the RHX source (version 3.4): semicolons between commands, no answer to a `set`
that is obeyed, blocks of 128 frames, timestamps from 0 at each run, up to eight ports of 128 channels.
"""

from __future__ import annotations

import math
import select
import socket
import time
from typing import Any

import numpy as np

from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.simulate.played import rendered

from ._emulator import Emulator

MAGIC, FRAMES, PORTS, MOST = 0x2EF07A08, 128, "ABCDEFGH", 128
RATES = (20_000, 25_000, 30_000)
TRIES = 20  # to find two free ports side by side


class Firmware:
    """What RHX knows and says. The signal is simulated."""

    def __init__(self, channels: int, rate: int, seed: int) -> None:
        if not 1 <= channels <= MOST * len(PORTS) or rate not in RATES:
            raise WrongUse(
                f"RHX has no {channels} channels at {rate} Hz.", f"1 to 1024, at {', '.join(map(str, RATES))} Hz."
            )
        full, rest = divmod(channels, MOST)
        self.on = {f"{PORTS[k // MOST]}-{k % MOST:03d}": False for k in range(channels)}
        self.sizes = dict(zip(PORTS, [MOST] * full + [rest], strict=False))
        self.rate, self.streaming, self.blocks_per_write = rate, False, 10
        self._counts = rendered(channels, rate, FRAMES, seed)
        self._block: np.ndarray | None = None

    @property
    def packets_per_s(self) -> float:
        return self.rate / FRAMES

    def hear(self, data: bytes) -> bytes:
        """The answers to these commands."""
        words = (command.split() for command in data.decode("latin-1").split(";"))
        return "".join(self._obey([w.lower() for w in command]) for command in words if command).encode()

    def _obey(self, words: list[str]) -> str:
        match words:
            case ["get", name]:
                return self._tell(name)
            case ["set", "runmode", ("run" | "stop") as mode]:
                self.streaming = mode == "run"
                self._block = None
            case ["set", "tcpnumberdatablocksperwrite", number] if number.isdigit() and 1 <= int(number) <= 100:
                self.blocks_per_write = int(number)
            case ["set", name, ("true" | "false") as value] if (channel := self._channel(name)) and not self.streaming:
                self.on[channel] = value == "true"
            case ["execute", "clearalldataoutputs"] if not self.streaming:
                self.on = dict.fromkeys(self.on, False)
            case ["set" | "execute", *_]:
                return "Error: not done"
            case _:
                return "Error - Command 1: Unrecognized command"
        return ""

    def _channel(self, name: str) -> str | None:
        channel, _, rest = name.upper().partition(".")
        return channel if channel in self.on and rest == "TCPDATAOUTPUTENABLED" else None

    def _tell(self, name: str) -> str:
        if channel := self._channel(name):
            return f"Return: TCPDataOutputEnabled {self.on[channel]}"
        port, _, rest = name.upper().partition(".")
        if rest == "NUMBERAMPLIFIERCHANNELS" and port in PORTS:
            return f"Return: NumberAmplifierChannels {self.sizes.get(port, 0)}"
        if name == "sampleratehertz":
            return f"Return: SampleRateHertz {self.rate}"
        if name == "runmode":
            return f"Return: RunMode {'Run' if self.streaming else 'Stop'}"
        return "Unrecognized parameter"

    def packet(self, number: int, tick: int) -> bytes:
        """Block `number` of the run; what is measured goes on by `tick`."""
        columns = np.flatnonzero(list(self.on.values()))
        if self._block is None:
            frame = np.dtype([("time", "<u4"), ("x", "<u2", (len(columns),))])
            self._block = np.zeros(1, np.dtype([("magic", "<u4"), ("frames", frame, (FRAMES,))]))
            self._block["magic"] = MAGIC
        frames, at = self._block["frames"][0], tick * FRAMES % len(self._counts)
        frames["time"] = (number * FRAMES + np.arange(FRAMES)) % 2**32
        rows = self._counts[at : at + FRAMES].view(np.uint16)
        np.bitwise_xor(rows if len(columns) == rows.shape[1] else rows[:, columns], np.uint16(0x8000), out=frames["x"])
        return self._block.tobytes()


class Rhx(Emulator):
    """`with Rhx(channels=64, port=0) as rhx:`, then Intan(port=rhx.where).

    port: of the commands, 0: any free one; that of the waveforms is the next one. A packet is a block of 128 frames.
    While it vanishes, neither port is there and the run goes on. The rest: see Emulator."""

    firmware: Firmware

    def __init__(
        self,
        channels: int = 128,
        rate: int = 30_000,
        *,
        address: str = "127.0.0.1",
        port: int = 5000,
        seed: int = 0,
        **faults: Any,
    ) -> None:
        super().__init__(Firmware(channels, rate, seed), seed=seed, **faults)
        self.address = address
        self.where = port
        self._servers: list[socket.socket] = []
        self._clients: list[socket.socket | None] = [None, None]  # of the commands, of the waveforms

    def connect(self) -> str:
        for left in range(TRIES if not self.where else 1, 0, -1):
            try:
                self._servers.append(socket.create_server((self.address, self.where)))
                second = self._servers[0].getsockname()[1] + 1
                self._servers.append(socket.create_server((self.address, second)))
            except (OSError, OverflowError) as error:
                self.disconnect()
                if left == 1:
                    what = f"{self.address}:{self.where} and the port behind it cannot be listened at."
                    raise DeviceTrouble(what, f"{error}.", "Is RHX running here? Give another --port.") from error
            else:
                break
        self.where = self._servers[0].getsockname()[1]
        return f"{self.address}:{self.where}"

    def disconnect(self) -> None:
        for one in (*self._servers, *self._clients):
            if one is not None:
                one.close()
        self._servers, self._clients = [], [None, None]

    def listen(self, wait: float) -> None:
        if not self._servers:
            time.sleep(wait)
            return
        commands, waves = self._clients
        ready = select.select([s for s in (*self._servers, commands, waves) if s is not None], [], [], wait)[0]
        for k, server in enumerate(self._servers):
            if server in ready:
                self._hang_up(k)
                self._clients[k] = server.accept()[0]
        for k, client in enumerate((commands, waves)):
            if client is not None and client in ready and client is self._clients[k]:  # not one just replaced
                self._read(k, client)

    def _read(self, k: int, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
            if data and k == 0 and not self.silent:
                client.sendall(self._told(data))
        except OSError:
            data = b""
        if not data:
            self._hang_up(k)

    def _told(self, data: bytes) -> bytes:
        was = self.streaming
        answer = self.firmware.hear(data)
        if self.streaming and not was:
            self._start = math.nan  # each run begins anew
            self._begin()
        return answer

    def _hang_up(self, k: int) -> None:
        client, self._clients[k] = self._clients[k], None
        if client is not None:
            client.close()

    def write(self, data: bytes) -> bool:
        client = self._clients[1]
        if client is None:
            return False
        try:
            client.settimeout(1.0)
            client.sendall(data)
        except OSError:
            self._hang_up(1)
            return False
        return True
