"""What a page shows: something that runs in real time in a thread of its own, tells frames and obeys buttons."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.clock import WALL, Clock
from ...core.errors import BciError

TOLD_S = 0.5  # how often the slow facts are told
HAND_S = 0.5  # a hand not heard of for so long is at rest


class Live:
    """Something that runs, or was stopped and can begin again. `tell` is called with every frame, a dict of plain values,
    from its thread: fifty a second, with {facts: ...} in some, and {state: stopped | ended, note} when it ends. Everything
    else may be called from any thread.

    An author writes `play`, which tells frames until it is over or `halt` is called, and gives "stopped" or "ended"; `halt`;
    `last_word`; and takes what it knows of `do`. seconds: an end, where it has one, at which `ended` is called, as after an
    error."""

    name = "bcikit-page"

    def __init__(self, clock: Clock = WALL, seconds: float | None = None) -> None:
        self.clock, self.seconds = clock, seconds
        self.error: BciError | None = None
        self.tell: Callable[[dict[str, Any]], None] = lambda frame: None
        self.ended: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._hand = (0.0, 0.0, False, -1e9)  # x, y, pressed, when
        self.drives = False

    # -- what an author writes

    def play(self) -> str:
        raise NotImplementedError(f"{type(self).__name__} has no play()")

    def halt(self) -> None:
        """End `play`, at once for whatever moves."""
        raise NotImplementedError(f"{type(self).__name__} has no halt()")

    def do(self, what: str) -> None:
        """start, stop, drive, person, and whatever else an author knows; anything else is let pass."""
        if what == "start":
            self.start()
        elif what == "stop":
            self.halt()
        elif what in ("drive", "person"):
            self.drives = what == "drive"

    def last_word(self) -> str:
        """How it went, in a line."""
        return ""

    # -- from the page

    def start(self) -> None:
        """Begin, unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def hand(self, x: float, y: float, pressed: bool) -> None:
        """Where the mouse is, in widths of the picture from its middle."""
        self._hand = (min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0), pressed, self.clock.now())

    def leave(self) -> None:
        """The page is gone: nobody's hand is on it."""
        self._hand = (*self._hand[:3], -1e9)

    def close(self) -> None:
        """End it and wait until it has."""
        self.halt()
        if self._thread is not None:
            self._thread.join(5)

    def pushed(self, here: np.ndarray, reach: float) -> tuple[np.ndarray, bool]:
        """The push of a hand that wants to go from `here` to the mouse, full from `reach` on, and whether it is pressed."""
        x, y, pressed, when = self._hand
        if self.clock.now() - when > HAND_S:
            return np.zeros(2), False
        way = np.array([x, y]) - here
        far = float(np.hypot(*way))
        return way / max(far, 1e-9) * min(far / reach, 1.0), pressed

    def _run(self) -> None:
        state, note = "ended", ""
        try:
            state = self.play()
        except BciError as error:
            self.error, note = error, str(error)
        finally:
            self.tell({"state": state, "note": note})
            if self.error or (self.seconds is not None and state == "ended"):
                self.ended()


def rounded(v: np.ndarray) -> list[float]:
    return [round(float(x), 4) for x in v]


def digits(counts: np.ndarray) -> str:
    """A digit a channel, 9 for more, 0 where nothing is known yet."""
    return (np.minimum(np.nan_to_num(counts), 9).astype(np.uint8) + ord("0")).tobytes().decode()
