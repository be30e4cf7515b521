"""A program with a supervised effector, to be killed, stopped and held: each line it reads is one command.

It reads lines of `brain time, velocity` from a socket, as from a board on a network, and sends each to three simulated
drones; `hold SECONDS` holds the interpreter, as a library that does not let go of it does.
"""

from __future__ import annotations

import ctypes
import socket
import sys

import numpy as np

from ..core.label import SIMULATED
from ..core.stream import Channel, Chunk, Stream
from ..effectors.drones import Drones
from ..ethics.gate import Gate

RATE = 50.0


def main(port: int) -> None:
    takes = Drones.takes
    channels = tuple(Channel(n, "velocity", u) for n, u in zip(takes.names, takes.units, strict=True))
    permit = Gate().open(Drones(), Stream("simulated commands", RATE, channels, label=SIMULATED))
    with socket.create_connection(("127.0.0.1", port)) as board:
        for index, line in enumerate(board.makefile("r")):
            if line.startswith("hold"):
                ctypes.PyDLL(None).usleep(int(float(line.split()[1]) * 1e6))  # PyDLL keeps the interpreter's lock
                continue
            brain, velocity = map(float, line.split())
            row = np.array([[velocity, 0, 0, takes.rest[3], takes.rest[4]]], np.float32)
            permit.send(Chunk(row, index, brain))
    permit.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
