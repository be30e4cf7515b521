"""Any source that sends packets of 16-bit samples over TCP or UDP, its header described by the settings.

bcikit stream --board socket --opt port=9000 --opt n=128 --opt samples=30 --opt header=8 --opt counter=4
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting
from ..core.stream import Channel, Stream
from ._packets import Packets, Unpacked, Wire, connected
from ._wired import Link, Wired

NUMBERS = {"u1": 8, "u2": 16, "u4": 32, "u8": 0}  # bits after which they begin again; 64 never do
OFFSET = 0x8000  # of samples that are not signed
MOST = {"tcp": 1 << 20, "udp": 65_507}  # bytes of a packet: some of them are held at once; a datagram cannot be longer


@dataclass(eq=False)
class Socket(Wired):
    """Packets of a `header` and `samples` rows of `n` 16-bit integers. What is missing is told by the `counter` in the
    header, where there is one; else by host time, after a connection that broke.

    tcp: connects to the source; udp: waits at `port` for what is sent there, of which a packet is one datagram.
    """

    address: Annotated[str, Setting("tcp: of the source; udp: of this computer, at which it listens")] = "127.0.0.1"
    port: Annotated[int, Setting("port of the source, or here", low=1, high=65535)] = 9000
    protocol: Annotated[str, Setting("how they come", choices=("tcp", "udp"))] = "tcp"
    n: Annotated[int, Setting("channels", low=1, high=65536)] = 1
    rate: Annotated[float, Setting("samples a second of each", "Hz", low=1, high=1_000_000)] = 30_000.0
    samples: Annotated[int, Setting("rows of samples in a packet", low=1, high=65536)] = 1
    scale: Annotated[float, Setting("of a count", "µV", low=1e-9)] = 0.195
    signed: Annotated[bool, Setting("the integers are signed; else 32768 is zero")] = True
    order: Annotated[str, Setting("of the bytes in a number", choices=("little", "big"))] = "little"
    header: Annotated[int, Setting("bytes before the samples of a packet", low=0, high=65536)] = 0
    magic: Annotated[str, Setting("bytes with which the header begins, as hexadecimal digits")] = ""
    counter: Annotated[int, Setting("byte of the header at which its number stands; -1: it has none", low=-1)] = -1
    counter_type: Annotated[str, Setting("bytes of that number", choices=tuple(NUMBERS))] = "u4"
    counts: Annotated[str, Setting("what it counts", choices=("samples", "packets"))] = "samples"
    kind: Annotated[str, Setting("kind of the channels")] = "broadband"
    channels: Annotated[tuple[str, ...], Setting("their names; by default e1, e2, ...")] = ()

    def connect(self, again: bool) -> tuple[Link, Stream]:
        packets, names = self._packets(), self.channels or tuple(f"e{i + 1}" for i in range(self.n))
        if len(set(names)) != self.n:
            raise WrongUse(f"socket:channels names {len(set(names))} different channels; n is {self.n}.")
        if self.protocol == "tcp":
            sock = connected(self.address, self.port, "The source", "Is it running, and its port open?")
        else:
            sock = self._bound()
        made = tuple(Channel(name, self.kind) for name in names)
        return Wire(sock, packets), Stream("socket", self.rate, made, scale=self.scale, info=self.settings())

    def _bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((self.address, self.port))
        except OSError as error:
            sock.close()
            what = f"Nothing can be received at {self.address}:{self.port}."
            raise DeviceTrouble(what, f"{error.strerror}.", "Is another program listening there?") from error
        return sock

    def _packets(self) -> Packets:
        """How the settings say that a packet is laid out. Raises WrongUse where that cannot be."""
        try:
            magic = bytes.fromhex(self.magic)
        except ValueError:
            raise WrongUse(f"socket:magic={self.magic} is not bytes.", "Two hexadecimal digits each, as 2ef07a08.") from None
        order = "<" if self.order == "little" else ">"
        at = {"magic": (0, f"S{len(magic)}")} if magic else {}
        if self.counter >= 0:
            at["number"] = (self.counter, order + self.counter_type)
        ends = [offset + np.dtype(form).itemsize for offset, form in at.values()]
        if max(ends, default=0) > self.header:
            raise WrongUse(f"socket:header={self.header} is too short for the magic bytes and the counter in it.")
        size, most = self.header + 2 * self.samples * self.n, MOST[self.protocol]
        if size > most:
            raise WrongUse(
                f"A packet of {size} bytes is too long: over {self.protocol} it has {most} at most.",
                f"It is header + 2 x samples x n, with header={self.header}, samples={self.samples}, n={self.n}.",
            )
        row = (f"{order}i2" if self.signed else f"{order}u2", (self.samples, self.n))
        dtype = np.dtype(
            {
                "names": [*at, "x"],
                "formats": [*(form for _, form in at.values()), row],
                "offsets": [*(offset for offset, _ in at.values()), self.header],
                "itemsize": size,
            }
        )
        bits, of = NUMBERS[self.counter_type], self.samples if self.counts == "packets" else 1
        return Packets(dtype, magic, self._unpacked, of * 2**bits if bits else 0)

    def _unpacked(self, packets: np.ndarray) -> Unpacked:
        x = packets["x"].reshape(-1, self.n)
        data = np.ascontiguousarray(x, np.int16) if self.signed else np.bitwise_xor(x, np.uint16(OFFSET)).view(np.int16)
        if self.counter < 0:
            return data, None
        number = packets["number"].astype(np.int64) * (self.samples if self.counts == "packets" else 1)
        return data, (number[:, None] + np.arange(self.samples)).reshape(-1)

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: a source on the wall clock; tests drive this board by sockets."""
        return iter(())
