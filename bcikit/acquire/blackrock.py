"""Blackrock's Cerebus and Gemini processors, through CereLink's `pycbsdk` (9.5 or newer), where it is installed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.clock import WALL
from ..core.errors import DeviceTrouble, WrongUse
from ..core.parts import Board, Setting
from ..core.stream import Channel, Stream
from ._ring import Count
from ._wired import Gone, Link, Piece, Wired

GROUPS = {"500": 1, "1000": 2, "2000": 3, "10000": 4, "30000": 5, "raw": 6}
RATES = {"raw": 30_000.0}
MICROVOLTS = {"uV": 1.0, "µV": 1.0, "mV": 1e3, "V": 1e6}
HOLD_S = 2.0  # of samples that wait to be read; what comes then is lost, and counted by its time


@dataclass(eq=False)
class Blackrock(Wired):
    """The channels of one sample group, as the processor is set up (in Central, or by a CCF file); int16 with the scale that
    the processor states. What is missing is told by the processor's time of each sample.

    Tested against a stand-in for the library alone: no processor was at hand.
    """

    device: Annotated[
        str,
        Setting("the processor", choices=("LEGACY_NSP", "NSP", "HUB1", "HUB2", "HUB3", "NPLAY")),
    ] = "HUB1"
    group: Annotated[str, Setting("sample group: its rate in Hz, or raw", choices=tuple(GROUPS))] = "30000"

    def connect(self, again: bool) -> tuple[Link, Stream]:
        try:
            import pycbsdk
        except ImportError as error:
            raise WrongUse("The board blackrock needs the library pycbsdk.", do="pip install pycbsdk[numpy]") from error
        try:
            session = pycbsdk.Session(self.device)
        except (RuntimeError, OSError) as error:
            why = "Is it on, and this computer in its network?"
            raise DeviceTrouble(f"The processor {self.device} does not answer.", f"{error}.", why) from error
        try:
            return self._linked(session)
        except BaseException:
            session.close()
            raise

    def _linked(self, session: Any) -> tuple[Link, Stream]:
        numbers = session.get_group_channels(GROUPS[self.group])
        if not numbers:
            what = f"The processor samples no channel in the group {self.group}."
            raise DeviceTrouble(what, "", "Choose a group in Central, or --opt group=raw.")
        scales, channels = [], []
        for n in numbers:
            how = session.get_channel_scaling(n) or {}
            span = how.get("digmax", 0) - how.get("digmin", 0)
            unit = MICROVOLTS.get(how.get("anaunit", ""))
            if not span or unit is None:
                raise DeviceTrouble(f"The processor does not say what a count of channel {n} is.", f"It says {how}.")
            scales.append(unit * (how["anamax"] - how["anamin"]) / span)
            channels.append(Channel(session.get_channel_label(n) or f"chan{n}", "broadband"))
        rate = RATES.get(self.group) or float(self.group)
        link = _Session(session, GROUPS[self.group], rate)
        return link, Stream("blackrock", rate, tuple(channels), scale=tuple(scales), info=self.settings())

    @classmethod
    def examples(cls) -> Iterator[Board]:
        """None: a device on the wall clock; tests drive this board by a stand-in for its library."""
        return iter(())


class _Session:
    """What the library's thread calls back with, until it is read."""

    turn = 0

    def __init__(self, session: Any, group: int, rate: float) -> None:
        self.session, self.rate = session, rate
        self._pieces: deque[Piece] = deque()
        self._lock, self._woken = threading.Lock(), Count()
        self._held, self._number = 0, 0
        self._newest: int | None = None  # processor time of the newest sample, ns
        self.note = ""  # the last error that the library told
        session.on_error(self._fail)
        session.on_group_batch(group)(self._came)

    def take(self, wait: float) -> list[Piece]:
        if self._woken.wait(wait):
            self._woken.take()
        with self._lock:
            pieces, self._held = list(self._pieces), 0
            self._pieces.clear()
        if not pieces and not self.session.running:
            raise Gone(self.note or "the session ended")
        return pieces

    def close(self) -> None:
        self.session.close()
        self._woken.close()

    # -- in the library's thread

    def _came(self, samples: np.ndarray, times: np.ndarray) -> None:
        arrival, ns = WALL.now(), times.astype(np.int64)
        before = self._newest if self._newest is not None else int(ns[0]) - round(1e9 / self.rate)
        steps = np.rint(np.diff(ns, prepend=before) * (self.rate / 1e9)).astype(np.int64)
        numbers = self._number + np.cumsum(steps)
        self._newest, self._number = int(ns[-1]), int(numbers[-1])
        with self._lock:
            if self._held + len(samples) > HOLD_S * self.rate:
                return
            self._held += len(samples)
            self._pieces.append(Piece(samples, numbers, arrival))
        self._woken.add(1)

    def _fail(self, message: str) -> None:
        self.note = message
        self._woken.add(1)
