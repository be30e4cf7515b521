"""Any board in a process of its own, read through memory that both share: the loop's pauses are not the board's.

bcikit stream --board apart --opt board=openbci:port=/dev/ttyUSB0
Apart.of(Openbci(port="/dev/ttyUSB0"))
"""

from __future__ import annotations

import math
import os
import pickle
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from ..core import errors
from ..core.clock import WallClock
from ..core.errors import DeviceTrouble, WrongUse
from ..core.find import parse
from ..core.parts import Board, Setting, Status
from ..core.stream import Chunk, Stream
from ._apart import CLOSE_S, ERROR, unpacked
from ._ring import Count, Ring, shared_memory
from .merge import _written

Line = tuple[float, float, float]  # an index, how it goes on per second, and the uncertainty in seconds
POSIX = sys.platform != "win32"


@dataclass(eq=False)
class Apart(Board):
    """The board's own process reads it and writes what comes into a ring, which holds `hold_s` of signal. Samples, indices,
    times, events and the board's status are those of the board. While the ring is full, a live board's samples are lost and
    counted, to the sample; a board without a person waits for room. Where the board's process dies, the board is lost;
    where this one dies, that one closes the board and ends; neither leaves memory behind.

    Off the wall clock, and on Windows, the board is read in this process.
    """

    board: Annotated[str, Setting("the board, as NAME or NAME:key=value,...")] = ""
    hold_s: Annotated[float, Setting("how much signal the ring holds", "s", low=0.001, high=600)] = 1.0
    full: Annotated[str, Setting("what happens to new samples while the ring is full", choices=("auto", "drop", "wait"))] = (
        "auto"
    )
    stale_s: Annotated[float, Setting("without a word from its process it is stale", "s", low=0.1, high=60)] = 0.25
    cpu: Annotated[int | None, Setting("the core that its process is held to", low=0, high=4095)] = None
    priority: Annotated[int, Setting("real-time priority of its process, 0 for none", low=0, high=99)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._board: Board | None = parse("board", self.board) if self.board else None
        if self._board is not None:
            self.live = self._board.live
        self._link: _Link | None = None
        self._inline = False
        self._told: tuple[Status, float, int, Line | None] | None = None
        self._state, self._note = "connecting", ""

    @classmethod
    def of(cls, board: Board, **settings: Any) -> Apart:
        """The same of a board that is there already (and is not opened here)."""
        made = cls(_written(board), **settings)
        made._board = board
        return made

    @classmethod
    def examples(cls) -> Iterator[Board]:
        yield cls("synthetic:n=4")

    # -- the board

    def open(self) -> Stream:
        if self._board is None:
            raise WrongUse("apart has no board to read.", do="--opt board=NAME:key=value,...")
        self.close()
        self._state, self._note = "connecting", ""
        self._told = None
        self._newest, self._heard = -math.inf, self.clock.now()
        self._inline = not POSIX or not isinstance(self.clock, WallClock)
        if self._inline:
            self._board.clock, self._board.label = self.clock, self.label
            return self._board.open()
        wait = not self._board.live if self.full == "auto" else self.full == "wait"
        asked = {"name": self._board.part_name(), "settings": self._board.settings(), "label": self.label, "wait": wait}
        asked |= {"hold_s": self.hold_s, "cpu": self.cpu, "priority": self.priority}
        self._link = _Link(asked)
        self._stream, self._note = self._link.stream, self._link.note
        return self._stream

    def read(self, timeout: float = 0.1) -> Chunk | None:
        if self._inline and self._board is not None:
            return self._board.read(timeout)
        end = self.clock.now() + timeout
        while self._link is not None and self._state not in ("ended", "lost"):
            record = self._link.ring.get()
            if record is None:
                left = end - self.clock.now()
                if self._link.woken(max(left, 0.0)):
                    continue
                if self._link.dead:
                    self._state, self._note = "lost", f"the process of {self.board} died ({self._link.fate()})"
                elif self.clock.now() - self._heard > self.stale_s and self._state == "streaming":
                    self._state = "stale"
                if left <= 0 or self._link.dead:
                    return None
                continue
            self._heard = self.clock.now()
            c = unpacked(record, self._stream)
            if isinstance(c, Chunk):
                if len(c):
                    self._newest, self._state = float(np.max(c.time)), "streaming"
                return c
            self._hear(*c)
        return None

    def _hear(self, kind: int, value: Any) -> None:
        if kind == ERROR:
            self._state = "lost"
            raise _error(*value)
        self._told = value
        self._state = value[0].state

    def tell(self, name: str, *args: Any) -> None:
        """Call a method of the board, in its process: `board.tell("intend", "left")`. Its answer stays there."""
        if self._inline:
            getattr(self._board, name)(*args)
        elif self._link is not None:
            self._link.say((name, args))

    def close(self) -> None:
        if self._inline and self._board is not None:
            self._board.close()
        link, self._link = self._link, None
        if link is not None:
            link.close()
            self._state = "lost" if self._state == "lost" else "ended"

    @property
    def status(self) -> Status:
        if self._inline and self._board is not None:
            return self._board.status
        if self._told is None:
            return Status(self._state, note=self._note)
        said, at, overrun, _ = self._told
        age = max(self.clock.now() - max(self._newest, at - said.age_s), 0.0) if math.isfinite(said.age_s) else said.age_s
        notes = [n for n in (said.note, self._note) if n]
        if overrun:
            notes.append(f"{overrun} samples came while the ring was full")
        return replace(said, state=self._state, age_s=age, lost=said.lost + overrun, note="; ".join(notes))

    def index_of(self, time: float) -> tuple[float, float]:
        if self._inline and self._board is not None:
            return self._board.index_of(time)
        _, at, _, line = self._told or (None, 0.0, 0, None)
        if line is None:
            raise DeviceTrouble(f"{self.board} cannot place marks yet.", "Its process has not told where it is.")
        return line[0] + (time - at) * line[1], line[2]


class _Link:
    """The board's process and what is shared with it. Raises what the board's opening raised."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.counts = Count(), Count()
        memory = shared_memory()
        self.socket, its = socket.socketpair()
        fds = [its.fileno(), memory, *self.counts[0].fds, *self.counts[1].fds]
        command = [sys.executable, "-m", "bcikit.acquire._apart", *map(str, fds)]
        self.process = subprocess.Popen(command, pass_fds=set(fds), start_new_session=True, stdin=subprocess.DEVNULL)
        its.close()
        self.control = self.socket.makefile("rwb")
        try:
            self.say(asked)
            answer = pickle.load(self.control)
            if answer[0] == "error":
                raise _error(*answer[1:])
            _, self.stream, size, self.note = answer
            self.ring = Ring(memory, size, *self.counts)
        except (EOFError, OSError):
            self.close()
            raise DeviceTrouble(f"The process of the board {asked['name']} ended at once ({self.fate()}).") from None
        except BaseException:
            self.close()
            raise
        finally:
            os.close(memory)
        self._poll = select.poll()
        self._poll.register(self.counts[0].fds[0], select.POLLIN)
        self._poll.register(self.socket.fileno(), select.POLLIN)
        self.dead = False

    def say(self, what: Any) -> None:
        pickle.dump(what, self.control)
        self.control.flush()

    def woken(self, seconds: float) -> bool:
        """Wait for a record. False: none came; `dead` says whether one ever will."""
        there = dict(self._poll.poll(seconds * 1000))
        if self.counts[0].fds[0] in there:
            return True
        self.dead = self.dead or bool(there)
        return False

    def fate(self) -> str:
        try:
            code = self.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            return "it hangs"
        return f"signal {-code}" if code < 0 else f"exit {code}"

    def close(self) -> None:
        """The end of the socket is what its process ends on."""
        for end in (self.control, self.socket):
            try:
                end.close()
            except OSError:
                pass
        try:
            self.process.wait(2 * CLOSE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "ring"):
            self.ring.close()
        for count in self.counts:
            count.close()


def _error(name: str, what: str, why: str, do: str) -> errors.BciError:
    return getattr(errors, name, DeviceTrouble)(what, why, do)
