"""Connecting anew to a board that is gone, away from the loop, which goes on telling how it is."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from ..core.clock import WALL
from ..core.errors import DeviceTrouble

LOOK_S = 0.05  # between two looks at whether the board is there


class Connects(Protocol):
    """A board that can. `connect` gives (what is held, what it is like); what is held has a `close`."""

    reconnect_s: float

    def connect(self, again: bool) -> tuple[Any, Any]: ...
    def part_name(self) -> str: ...


class Again:
    """Closes what was held and connects, until that succeeds or `reconnect_s` have passed. result: what `connect` gave,
    None where there is only the last error."""

    def __init__(self, board: Connects, old: Any) -> None:
        self.board, self.old = board, old
        self.result: tuple[Any, Any] | None = None
        self.error = DeviceTrouble("not tried")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bcikit-reconnect", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def cancel(self) -> None:
        self._stop.set()
        self._thread.join()
        if self.result is not None:
            self.result[0].close()

    def _work(self) -> None:
        if self.old is not None:
            self.old.close()
        end = WALL.now() + self.board.reconnect_s
        while not self._stop.is_set():
            try:
                self.result = self.board.connect(again=True)
                return
            except DeviceTrouble as error:
                self.error = error
            except Exception as error:  # nothing may be lost in a thread
                self.error = DeviceTrouble(f"{self.board.part_name()} cannot be connected again: {error}")
                return
            if WALL.now() >= end:
                return
            self._stop.wait(LOOK_S)
