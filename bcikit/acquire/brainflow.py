"""Any board that BrainFlow drives, by name or number: synthetic, playback, streaming, muse_2, unicorn, ...

OpenBCI's own boards are better opened as `openbci`, which knows their settings, losses and impedances.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from ..core.errors import FileTrouble, WrongUse, nearest
from ..core.label import SIMULATED
from ..core.parts import Board, Setting
from ..core.stream import Stream
from ._brainflow import Layout, Session, layout, library
from ._driven import Driven
from ._ports import POSIX, Held

PLAYBACK, STREAMING, SYNTHETIC = -3, -2, -1
AGAIN_S = 3.0  # a board without a port that is silent for so long is connected anew
_opened = itertools.count()


def boards() -> dict[str, int]:
    """{name: number} of the boards that the installed BrainFlow knows."""
    library()
    from brainflow.board_shim import BoardIds

    return {b.name.lower().removesuffix("_board"): b.value for b in BoardIds if b.name != "NO_BOARD"}


@dataclass(eq=False)
class Brainflow(Driven):
    """A BrainFlow board. Which of the settings a board needs: brainflow.readthedocs.io, Supported Boards.

    Channels are of the kinds and in the units that BrainFlow states; where it names no electrodes, EEG1, EEG2, ...
    `synthetic` is BrainFlow's own simulation, seeded by the time of day; bcikit's board `synthetic` is the better one.
    """

    id: Annotated[str, Setting("name or number of the board (brainflow's BoardIds)")] = "synthetic"
    port: Annotated[str, Setting("serial port")] = ""
    mac: Annotated[str, Setting("Bluetooth address")] = ""
    ip: Annotated[str, Setting("network address")] = ""
    ip_port: Annotated[int, Setting("network port", low=0, high=65535)] = 0
    serial_number: Annotated[str, Setting("serial number or name of the device")] = ""
    other_info: Annotated[str, Setting("what else the board asks for")] = ""
    file: Annotated[str, Setting("recording made by BrainFlow, for playback")] = ""
    master: Annotated[str, Setting("for playback and streaming: the board that it was recorded from")] = ""
    config: Annotated[tuple[str, ...], Setting("commands sent to the board before it streams")] = ()
    timeout: Annotated[int, Setting("for the device to be found", "s", low=0, high=600)] = 0

    @property
    def live(self) -> bool:  # type: ignore[override]
        return _number(self.id, "id") != SYNTHETIC

    def open(self) -> Stream:
        self.number = _number(self.id, "id")
        if self.number == SYNTHETIC:
            self.label = SIMULATED
        return super().open()

    def connect(self, again: bool) -> tuple[Session, Layout]:
        params: dict[str, Any] = {
            "serial_port": self.port,
            "mac_address": self.mac,
            "ip_address": self.ip,
            "ip_port": self.ip_port,
            "serial_number": self.serial_number,
            "other_info": self.other_info,
            "file": self.file,
            "timeout": self.timeout,
        }
        name, master = f"board {self.id}", self.number
        if self.number in (PLAYBACK, STREAMING):
            if not self.master:
                raise WrongUse(f"{name} needs the board it was recorded from.", do="--opt master=cyton, for example")
            master = params["master_board"] = _number(self.master, "master")
        if self.number == PLAYBACK and not os.path.isfile(self.file):
            raise FileTrouble(f"There is no file {self.file!r} to play back.", do="--opt file=RECORDING, made by BrainFlow")
        if self.number == SYNTHETIC:
            params["other_info"] += f"#{next(_opened)}"  # so that two of them do not share one session
        session = Session(name, self.number, params, Held(self.port) if self.port and POSIX else None)
        try:
            for command in self.config:
                session.tell(command)
            return session, layout(master, session.rate(), {"driver": "brainflow", "board": self.id})
        except BaseException:
            session.close()
            raise

    def silent(self, session: Session, seconds: float) -> bool:
        if self.number == PLAYBACK:
            self._state = "ended"
            return False
        return self.number >= 0 and session.held is None and seconds >= AGAIN_S

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: these are real devices on the wall clock; the laws are for headless boards."""
        return iter(())


def _number(board: str, setting: str) -> int:
    known = boards()
    plain = board.strip().lower().replace("-", "_").replace(" ", "_").removesuffix("_board")
    if plain in known:
        return known[plain]
    try:
        number = int(board)
    except ValueError:
        number = None
    if number in known.values():
        assert number is not None
        return number
    raise WrongUse(
        f"BrainFlow has no board {board!r} (brainflow:{setting}).",
        nearest(plain, list(known)) or f"It has {', '.join(known)}.",
    )
