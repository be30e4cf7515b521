"""Keys pressed in a terminal as markers; to be merged with a board that has samples."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting, Status
from ..core.stream import Channel, Chunk, Event, Stream

AT_ONCE = 64


@dataclass(eq=False)
class Keyboard(Board):
    """Each key is an event `key` whose value is the character, at the moment the key was read; its uncertainty is the time
    since keys were last looked for. The terminal does not wait for Enter and shows nothing; Ctrl-C still ends the program.
    """

    terminal: Annotated[str, Setting("the terminal whose keys are read (not used on Windows)")] = "/dev/tty"
    name: Annotated[str, Setting("name of the events")] = "key"

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: it needs a terminal."""
        return iter(())

    def open(self) -> Stream:
        self._fd: int | None = None
        self._before: Any = None
        self._keys = _WindowsKeys() if sys.platform == "win32" else None
        if self._keys is None:
            self._take_over()
        self._looked, self._count, self._newest = self.clock.now(), 0, float("nan")
        return Stream("keyboard", 0.0, (Channel("key", "marker", ""),), label=self.label)

    def _take_over(self) -> None:
        import termios
        import tty

        try:
            self._fd = os.open(self.terminal, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
        except (OSError, termios.error) as error:
            self.close()
            raise DeviceTrouble(
                "There is no keyboard to read: this program does not run in a terminal.",
                f"{self.terminal}: {error.args[1]}.",
                "Start it in a terminal, or send marks by LSL: --markers lsl:name=NAME",
            ) from error

    def read(self, timeout: float = 0.1) -> Chunk | None:
        text, now = self._typed(timeout), self.clock.now()
        since, self._looked = now - self._looked, now
        if not text:
            return None
        first, self._count, self._newest = self._count, self._count + len(text), now
        events = tuple(Event(first + i, self.name, key, since) for i, key in enumerate(text))
        codes = np.array([[ord(key)] for key in text], np.float32)
        return Chunk(codes, first, np.full(len(text), now), events)

    def _typed(self, timeout: float) -> str:
        """What was typed since the last call; waits for it at most `timeout` seconds."""
        if self._keys is not None:
            return self._keys.typed()
        if self._fd is None:
            return ""
        import select

        try:
            if not select.select([self._fd], [], [], timeout)[0]:
                return ""
            return os.read(self._fd, AT_ONCE).decode("utf-8", "replace")
        except OSError:  # the terminal is gone
            self.close()
            return ""

    def close(self) -> None:
        fd, self._fd = getattr(self, "_fd", None), None
        if fd is None:
            return
        import termios

        if self._before is not None:
            try:
                termios.tcsetattr(fd, termios.TCSANOW, self._before)
            except termios.error:
                pass  # the terminal is gone
        os.close(fd)

    @property
    def status(self) -> Status:
        if not hasattr(self, "_looked"):
            return Status()
        gone = self._fd is None and self._keys is None
        return Status("ended" if gone else "streaming", self.clock.now() - self._newest)

    def index_of(self, time: float) -> tuple[float, float]:
        if not hasattr(self, "_count"):
            raise WrongUse("A mark cannot be placed before the board is open.")
        return float(self._count), float("inf")


class _WindowsKeys:
    """The console of Windows, which is asked and never waits."""

    def typed(self) -> str:
        import msvcrt

        keys = []
        while msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            keys.append(msvcrt.getwch())  # type: ignore[attr-defined, unused-ignore]
        return "".join(keys)
