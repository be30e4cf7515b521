"""What was used of a device today and in this session, and whether it is stopped: kept in a file, so that no restart
forgets.

Amounts are booked before they are used, in portions: a crash costs up to one portion and never gives one back.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.errors import DeviceTrouble, FileTrouble
from ..ethics.home import home as _home
from ..ethics.home import made, replace_file

PAUSE_S = 1800.0  # a session ends when nothing was used for so long, not when a program is started again
PORTION = 10.0  # what is booked ahead, in the unit of the amounts


class Ledger:
    """The book of `device`, locked: one supervisor at a time, whoever started it. Raises DeviceTrouble where another has it,
    FileTrouble where the book is damaged: then nobody knows what was used, and nothing moves."""

    def __init__(
        self, device: str, home: Path | None = None, wall: Callable[[], float] = time.time, portion: float = PORTION
    ):
        import fcntl

        folder = made((home or _home()) / "effectors")
        self.path, self.wall, self.portion = folder / f"{device}.json", wall, portion
        self._lock = os.open(folder / f"{device}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise DeviceTrouble(
                f"The {device} is led by another program.",
                "One controller at a time; or its supervisor is still bringing it to rest.",
                "Close the other program, or wait some seconds.",
            ) from None
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        now = self.wall()
        self.session = self.day = self.booked = 0.0
        self.latched, self.date = 0, _date(now)
        if not self.path.exists():
            return
        try:
            doc: dict[str, Any] = json.loads(self.path.read_text())
            session, day, last, latched = (doc[k] for k in ("session", "day", "last", "latched"))
            if not all(isinstance(x, (int, float)) and math.isfinite(x) and x >= 0 for x in (session, day, last, latched)):
                raise ValueError(doc)
            date = str(doc["date"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileTrouble(
                f"The book {self.path} is damaged.",
                "It says how much the device may still be used today.",
                "Find out why; then remove it, and count today's use as unknown.",
            ) from error
        self.latched = int(latched)
        if date >= self.date:  # today, or a clock that was set back
            self.day, self.date = day, date
        if now - last < PAUSE_S:
            self.session = session
        self.booked = self.day

    def use(self, session: float, day: float) -> None:
        """These totals are reached now; written down ahead, a portion at a time."""
        self.session, self.day = session, day
        if day >= self.booked:
            self.booked = day + self.portion
            self._write(session + self.portion, self.booked)

    def latch(self, causes: int) -> None:
        """Written at once: a stop outlives whatever dies."""
        if causes != self.latched:
            self.latched = causes
            self._write(self.session + max(self.booked - self.day, 0.0), max(self.booked, self.day))

    def _write(self, session: float, day: float) -> None:
        doc = {"date": self.date, "session": session, "day": day, "last": self.wall(), "latched": self.latched}
        replace_file(self.path, json.dumps(doc).encode())

    def close(self) -> None:
        """Write what was truly used, and let the next one lead. Idempotent."""
        if self._lock >= 0:
            if hasattr(self, "date") and self.booked:
                self._write(self.session, self.day)
            os.close(self._lock)
            self._lock = -1


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).date().isoformat()
