"""An emulated OpenBCI WiFi shield on loopback, with a Cyton, Cyton+Daisy or Ganglion under it.

The host asks over HTTP (GET /board, POST /tcp with its own address, POST /command, GET /stream/start and /stream/stop);
the shield then connects to the host by TCP and sends packets of 33 bytes. BrainFlow's boards CYTON_WIFI (5),
CYTON_DAISY_WIFI (6) and GANGLION_WIFI (4) always ask port 80, which usually takes the right to bind low ports.
Sources of the facts: OpenBCI's "WiFi Shield API" and what BrainFlow's driver sends and expects.
"""

from __future__ import annotations

import json
import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

from bcikit.core.errors import DeviceTrouble

from ._cyton import CytonFirmware
from ._emulator import Emulator
from ._ganglion import GanglionFirmware
from ._source import source

BOARDS = {"cyton": 8, "daisy": 16, "ganglion": 4}


class Wifi(Emulator):
    """`with Wifi("daisy") as shield:`, then BrainFlow's driver with ip_address = `shield.address`.

    board: cyton, daisy or ganglion. file, loop, resistance: as of Cyton. address, port: where HTTP is served. While it
    vanishes, neither is there. The rest: see Emulator."""

    firmware: CytonFirmware | GanglionFirmware

    def __init__(
        self,
        board: str = "cyton",
        file: str | Path | None = None,
        *,
        loop: bool = False,
        resistance: tuple[float, ...] = (5000.0,),
        address: str = "127.0.0.1",
        port: int = 80,
        seed: int = 0,
        **faults: Any,
    ) -> None:
        channels = BOARDS[board]
        played = source(file, channels, seed, loop)
        firmware: CytonFirmware | GanglionFirmware
        if board == "ganglion":
            firmware = GanglionFirmware(played, resistance, wifi=True)
        else:
            firmware = CytonFirmware(played, channels, resistance, wifi=True)
        super().__init__(firmware, seed=seed, **faults)
        self.address, self._http_port = address, port
        self._server: HTTPServer | None = None
        self._socket: socket.socket | None = None

    def connect(self) -> str:
        try:
            self._server = HTTPServer((self.address, self._http_port), type("_Bound", (_Handler,), {"shield": self}))
        except OSError as error:
            raise DeviceTrouble(
                f"HTTP cannot be served on {self.address}:{self._http_port}.",
                f"{error.strerror}: BrainFlow asks port 80, which needs the right to bind low ports.",
                "sudo sysctl net.ipv4.ip_unprivileged_port_start=80, run as root, or give another --port or --address.",
            ) from error
        self._http_port = self._server.server_port
        return self.address if self._http_port == 80 else f"{self.address}:{self._http_port}"

    def disconnect(self) -> None:
        if self._server is not None:
            self._server.server_close()
            self._server = None
        self.hang_up()

    def hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def call(self, ip: str, port: int) -> None:
        """Connect to the host, which waits there for the packets."""
        self.hang_up()
        self._socket = socket.create_connection((ip, port), timeout=1.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def listen(self, wait: float) -> None:
        if self._server is None:
            time.sleep(wait)
        else:
            self._server.timeout = wait
            self._server.handle_request()

    def write(self, data: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            sent = self._socket.send(data)
            if sent < len(data):  # a full buffer; the rest must follow, or every later packet would be askew
                self._socket.setblocking(True)
                self._socket.sendall(data[sent:])
                self._socket.setblocking(False)
            return True
        except BlockingIOError:
            return False
        except OSError:
            self.hang_up()
            return False

    def spoil(self, data: bytes) -> bytes:
        """TCP keeps packets whole; what the shield read from the board is wrong, in length as many bytes."""
        wrong = self.rng.integers(0, 256, len(data)).tolist()
        return bytes(w if self.rng.random() < 0.3 else d for d, w in zip(data, wrong, strict=True))

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
        """(status, content type, text) for one request."""
        if path == "/board":
            facts = {
                "board_connected": not self.silent,
                "board_type": self.firmware.kind,
                "gains": [int(g) for g in self.firmware.gain[: self.firmware.channels]],
                "num_channels": self.firmware.channels,
            }
            return 200, "application/json", json.dumps(facts)
        if path == "/tcp":
            try:
                self.call(str(body["ip"]), int(body["port"]))
            except (OSError, KeyError, ValueError) as error:
                return 504, "text/plain", f"Error: cannot connect: {error}"
            return 200, "application/json", json.dumps({**body, "connected": True})
        if self.silent:
            return 502, "text/plain", "Error: no response from board"
        told = {"/stream/start": "b", "/stream/stop": "s", "/command": str(body.get("command", ""))}.get(path)
        if told is None:
            return 404, "text/plain", f"Route Not Found: {path}"
        said = self.tell(told.encode("latin-1", "replace")).decode("latin-1").replace("$$$", "")
        return 200, "text/plain", said or "ok"


class _Handler(BaseHTTPRequestHandler):
    shield: ClassVar[Wifi]
    timeout = 0.5  # a host that connects and says nothing must not hold the packets up

    def do_GET(self) -> None:
        self._reply({})

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        except ValueError:
            body = {}
        self._reply(body if isinstance(body, dict) else {})

    def _reply(self, body: dict[str, Any]) -> None:
        status, kind, text = self.shield.answer(self.path, body)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """A device keeps no log."""
