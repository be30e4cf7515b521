"""Intan's RHD and RHS controllers, through the RHX software and its TCP ports.

RHX, "Remote TCP control": commands are text, `get NAME`, `set NAME VALUE`, `execute ACTION`, with semicolons between them;
an answer begins with `Return: `, a refusal with `Error`. Samples come in blocks of 128 frames: the magic number 0x2ef07a08,
then for each frame a 32-bit timestamp (samples since the run began) and a 16-bit sample of every channel whose output is
on, 32768 for zero, 0.195 µV a count; all little-endian.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.clock import WALL
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting
from ..core.stream import Channel, Stream
from ._packets import CONNECT_S, Packets, Unpacked, Wire, connected
from ._wired import Link, Wired

MAGIC = 0x2EF07A08
FRAMES = 128
SCALE = 0.195  # µV a count
ZERO = 0x8000
PORTS = "ABCDEFGH"
MOST = 4096  # channels of a port
AT_ONCE = 20  # commands in one message: longer ones could be cut in two on their way
MENU = "In RHX: Network, Remote TCP Control, then Connect for the commands, and for waveforms on the tab Data Output."


@dataclass(eq=False)
class Intan(Wired):
    """All amplifier channels, wide band, of an Intan controller. Where RHX stands, the channels' output is switched on and
    the run is begun, and stopped at the end; where it runs already, it is taken as it is: the channels are those whose
    output is on, and it runs on. What RHX drops is told by its timestamps, and so is what was missed while the connection
    was gone."""

    address: Annotated[str, Setting("of the computer on which RHX runs")] = "127.0.0.1"
    port: Annotated[int, Setting("of its commands", low=1, high=65535)] = 5000
    waveforms: Annotated[int, Setting("of its waveforms; 0: the one behind that", low=0, high=65535)] = 0
    channels: Annotated[tuple[str, ...], Setting("native names, as A-000; none named: all")] = ()

    def connect(self, again: bool) -> tuple[Link, Stream]:
        commands = Commands(connected(self.address, self.port, "RHX", MENU))
        try:
            waves = connected(self.address, self.waveforms or self.port + 1, "RHX's waveform output", MENU)
        except DeviceTrouble:
            commands.close()
            raise
        try:
            rate, mode = commands.number("SampleRateHertz", 1, 1e6), commands.get("RunMode").lower()
            if mode != "stop":
                names = self._sent(commands)
            elif again:
                raise DeviceTrouble("RHX was stopped.", do="Begin the run in RHX, or start bcikit again, which begins it.")
            else:
                names = self._begun(commands)
            self._ours = mode == "stop" or (again and self._ours)
        except BaseException:
            waves.close()
            commands.close()
            raise
        made = tuple(Channel(name, "broadband") for name in names)
        info = {"model": "Intan, through RHX", **self.settings()}
        link = _Rhx(waves, packets(len(names)), commands, self._ours)
        return link, Stream("intan", rate, made, scale=SCALE, info=info)

    _ours = False  # the run was begun here

    def _there(self, commands: Commands) -> list[str]:
        """The amplifier channels there are, in RHX's order."""
        sizes = {port: int(commands.number(f"{port}.NumberAmplifierChannels", 0, MOST, "0")) for port in PORTS}
        if not any(sizes.values()):
            raise DeviceTrouble("RHX has no amplifier channels.", "No headstage was found.", "Rescan the ports in RHX.")
        return [f"{port}-{k:03d}" for port, size in sizes.items() for k in range(size)]

    def _wanted(self, there: list[str]) -> list[str]:
        asked = [name.upper() for name in self.channels]
        if missing := sorted(set(asked) - set(there)):
            raise WrongUse(f"RHX has no channel {missing[0]}.", f"It has {there[0]} to {there[-1]}, {len(there)} in all.")
        return [name for name in there if not asked or name in asked]

    def _begun(self, commands: Commands) -> list[str]:
        """The run begun, with the output of the channels asked for, and no other."""
        names = self._wanted(self._there(commands))
        commands.tell(["execute clearalldataoutputs"])
        commands.tell([f"set {name}.TCPDataOutputEnabled true" for name in names])
        commands.tell(["set TCPNumberDataBlocksPerWrite 1", "set RunMode run"])
        return names

    def _sent(self, commands: Commands) -> list[str]:
        """What is sent already, which must be what was asked for."""
        there = self._there(commands)
        on = [name for name in there if commands.get(f"{name}.TCPDataOutputEnabled").lower() == "true"]
        if not on or (self.channels and on != self._wanted(there)):
            what = f"RHX runs, and sends {len(on)} channels" + (", not those asked for." if on else ".")
            raise DeviceTrouble(
                what, "Their output cannot be changed while it runs.", "Stop it in RHX: bcikit then starts it."
            )
        return on

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: a device on the wall clock; tests drive this board by `emulate/rhx.py`."""
        return iter(())


def packets(channels: int) -> Packets:
    """RHX's blocks of so many channels."""
    frame = np.dtype([("time", "<u4"), ("x", "<u2", (channels,))])
    return Packets(np.dtype([("magic", "<u4"), ("frames", frame, (FRAMES,))]), MAGIC.to_bytes(4, "little"), _unpacked, 2**32)


def _unpacked(blocks: np.ndarray) -> Unpacked:
    frames = blocks["frames"].reshape(-1)
    return np.bitwise_xor(frames["x"], np.uint16(ZERO)).view(np.int16), frames["time"].astype(np.int64)


class Commands:
    """RHX's command port. Raises DeviceTrouble where it refuses, or says nothing."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def get(self, name: str, unknown: str | None = None) -> str:
        """The value of a parameter; `unknown` where there is none of that name and one was given."""
        said = self._asked([f"get {name}"], name.rpartition(".")[2])
        value = re.search(r"Return: \S+ ?([^;\r\n]*?)(?=Return:|Error|$)", said)
        if value:
            return value[1].strip()
        if unknown is not None:
            return unknown
        raise DeviceTrouble(f"RHX does not tell its {name}.", f"It answered: {said.strip()[:200]}")

    def number(self, name: str, low: float, high: float, unknown: str | None = None) -> float:
        """The value of a parameter that is a number between these."""
        said = self.get(name, unknown)
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise DeviceTrouble(f"RHX says that its {name} is {said[:40]!r}.", "Another program answers, or a new version.")
        return value

    def tell(self, commands: list[str]) -> None:
        """Commands that answer nothing where all is well: what is asked behind them tells that they were obeyed."""
        for k in range(0, len(commands), AT_ONCE):
            said = self._asked([*commands[k : k + AT_ONCE], "get RunMode"], "RunMode")
            if "Error" in said or "nrecognized" in said:
                raise DeviceTrouble("RHX refused a command.", said.partition("Return:")[0].strip()[:200])

    def _asked(self, commands: list[str], last: str) -> str:
        """What is said until the answer to the last command, a `get`, is there."""
        said, end = "", WALL.now() + CONNECT_S
        try:
            self.sock.sendall("".join(f"{c};" for c in commands).encode())
            while not re.search(rf"Return: \S*{last}\b|Unrecognized parameter", said, re.IGNORECASE):
                if (left := end - WALL.now()) <= 0:
                    raise TimeoutError
                self.sock.settimeout(left)
                got = self.sock.recv(65536)
                if not got:
                    raise ConnectionResetError(None, "it closed the connection")
                said += got.decode("latin-1")
        except OSError as error:
            why = "It said nothing." if isinstance(error, TimeoutError) else f"{error.strerror}."
            raise DeviceTrouble(f"RHX does not answer {commands[-1]!r}.", why, MENU) from error
        return said

    def close(self) -> None:
        self.sock.close()


class _Rhx(Wire):
    """The waveforms, and the commands that began them. stops: the run was begun here, and ends with the link."""

    def __init__(self, waves: socket.socket, how: Packets, commands: Commands, stops: bool) -> None:
        super().__init__(waves, how, commands.sock)
        self.commands, self.stops = commands, stops

    def close(self) -> None:
        try:
            if self.stops and not self.broken:
                self.commands.tell(["set RunMode stop"])
        except DeviceTrouble:  # it is gone already
            pass
        super().close()
