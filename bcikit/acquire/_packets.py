"""Packets of samples out of a socket: fixed blocks of bytes, laid out as a NumPy dtype says."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core.clock import WALL
from ..core.errors import DeviceTrouble
from ._wired import Gone, Piece

CONNECT_S = 2.0
HELD = 64  # packets that are taken at once, at most
RECEIVE = 8 << 20  # bytes the system is asked to hold for a busy reader
DATAGRAM = 65_536

Unpacked = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Packets:
    """dtype: one packet. magic: the bytes that it begins with, if any. unpack: (packets) -> samples (n, channels) int16 and
    their numbers (n), or None. turn: how many numbers there are, 0 where they never begin again."""

    dtype: np.dtype
    magic: bytes
    unpack: Callable[[np.ndarray], Unpacked]
    turn: int = 0


def connected(address: str, port: int, what: str, do: str) -> socket.socket:
    """A TCP connection. Raises DeviceTrouble."""
    try:
        made = socket.create_connection((address, port), timeout=CONNECT_S)
    except OSError as error:
        raise DeviceTrouble(f"{what} does not answer at {address}:{port}.", f"{error.strerror or error}.", do) from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class Wire:
    """A `Link` over a connected TCP socket, or a bound UDP one. What does not begin as a packet does is skipped and
    counted."""

    def __init__(self, sock: socket.socket, packets: Packets, *others: socket.socket) -> None:
        self.sock, self.packets, self.others, self.turn = sock, packets, others, packets.turn
        self.skipped = 0  # bytes
        self.broken = False
        self._stream = sock.type == socket.SOCK_STREAM
        size = packets.dtype.itemsize
        self._buffer, self._held = bytearray(max(HELD * size, DATAGRAM)), 0
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
        sock.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def note(self) -> str:
        return f"{self.skipped} bytes that are no packet" if self.skipped else ""

    def take(self, wait: float) -> list[Piece]:
        if not self._poll.poll(wait * 1000):
            return []
        try:
            self._receive()
        except BlockingIOError:
            return []
        except (Gone, OSError) as error:
            self.broken = True
            raise Gone(str(getattr(error, "strerror", None) or error)) from error
        arrival, whole = WALL.now(), self._whole()
        if not len(whole):
            return []
        data, numbers = self.packets.unpack(whole)
        return [Piece(data, numbers, arrival)]

    def close(self) -> None:
        for one in (self.sock, *self.others):
            one.close()

    def _receive(self) -> None:
        size, view = self.packets.dtype.itemsize, memoryview(self._buffer)
        if self._stream:
            got = self.sock.recv_into(view[self._held :])
            if not got:
                raise Gone("the other side closed the connection")
            self._held += got
            return
        while self._held + size <= len(self._buffer):  # a datagram is a packet, or it is none
            try:
                got = self.sock.recv_into(view[self._held :])
            except BlockingIOError:
                return
            if got == size:
                self._held += size
            else:
                self.skipped += got

    def _whole(self) -> np.ndarray:
        """The whole packets, of which none is left in the buffer."""
        size, magic, found = self.packets.dtype.itemsize, self.packets.magic, []
        at, view = 0, memoryview(self._buffer)
        while self._held - at >= size:
            many = (self._held - at) // size
            block = np.frombuffer(view[at : at + many * size], self.packets.dtype)
            good = self._begun(at, many)
            if good:
                found.append(block[:good].copy())
                at += good * size
            if good < many:
                place = self._buffer.find(magic, at + 1, self._held)
                to = place if place >= 0 else max(self._held - len(magic) + 1, at + 1)
                self.skipped += to - at
                at = to
        self._buffer[: self._held - at] = self._buffer[at : self._held]
        self._held -= at
        return np.concatenate(found) if len(found) > 1 else found[0] if found else np.empty(0, self.packets.dtype)

    def _begun(self, at: int, many: int) -> int:
        """How many packets from `at` on begin with the magic bytes."""
        size, magic = self.packets.dtype.itemsize, self.packets.magic
        for k in range(many if magic else 0):
            if self._buffer[at + k * size : at + k * size + len(magic)] != magic:
                return k
        return many
