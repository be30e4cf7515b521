"""What all emulated devices share: packets at absolute deadlines, faults on request, what was sent, the port."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from bcikit.core.errors import FileTrouble, WrongUse

NAP_S = 0.02  # the longest wait before looking at everything
Span = tuple[float, float]  # (seconds after the stream began, for how many seconds)


class Firmware(Protocol):
    """A board: what it answers, what it measures."""

    streaming: bool

    @property
    def packets_per_s(self) -> float: ...
    def hear(self, data: bytes) -> bytes: ...
    def packet(self, number: int, tick: int) -> bytes | None: ...


class Emulator:
    """A device in a thread of this process (`with`), or run by the caller (`run`).

    drop: probability that a packet is lost; the number goes on. garble: probability that random bytes come between two
    packets or in the midst of one. stall: spans of silence, the radio being out of reach. vanish: spans during which the
    port itself is gone. Whatever is lost, the measured person goes on: behind a fault the stream is where it would have
    been without it. log: a file that gets one line for each packet: running number, nanoseconds of CLOCK_MONOTONIC, fate:
    sent, dropped, garbled, stalled, vanished, or unheard (nobody had the port open, or read too slowly).
    """

    def __init__(
        self,
        firmware: Firmware,
        *,
        drop: float = 0.0,
        garble: float = 0.0,
        stall: tuple[Span, ...] = (),
        vanish: tuple[Span, ...] = (),
        seed: int = 0,
        log: str | Path | None = None,
    ) -> None:
        for name, p in (("drop", drop), ("garble", garble)):
            if not 0 <= p <= 1:
                raise WrongUse(f"{name}={p:g} is not a probability.", "It can be 0 to 1.")
        self.firmware = firmware
        self.drop, self.garble = drop, garble
        self.stall, self.vanish = tuple(stall), tuple(vanish)
        self.rng = np.random.default_rng(seed)
        self.fates = dict.fromkeys(("sent", "dropped", "garbled", "stalled", "vanished", "unheard"), 0)
        self.ended = False  # the recording is at its end
        self._log_path = log
        self._log: TextIO | None = None
        self._gone = False
        self._start = self._first = float("nan")  # when the person, and the stream, began
        self._tick = 0  # samples since the person began
        self._number = 0  # packets since the last start
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    # -- what a device says

    def connect(self) -> str:
        """Bring the port up; returns its name."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Take the port away."""
        raise NotImplementedError

    def listen(self, wait: float) -> None:
        """Wait up to `wait` seconds for commands and obey them."""
        raise NotImplementedError

    def write(self, data: bytes) -> bool:
        """Send a packet on its way; False where nobody reads."""
        raise NotImplementedError

    def spoil(self, data: bytes) -> bytes:
        """The packet as a bad line delivers it: random bytes before it or in its midst."""
        junk = self.rng.integers(0, 256, int(self.rng.integers(1, 40)), np.uint8).tobytes()
        cut = int(self.rng.integers(0, len(data))) if self.rng.random() < 0.5 else 0
        return data[:cut] + junk + data[cut:]

    @property
    def streaming(self) -> bool:
        return self.firmware.streaming

    # -- running

    def run(self, seconds: float | None = None) -> None:
        """Until `stop`, or for `seconds`. `open` must have been called; the port is closed at the end."""
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        heard = time.monotonic()
        try:
            while not self._halt.is_set() and (now := time.monotonic()) < end:
                self._meet(now)
                due = self._start + self._tick / self.firmware.packets_per_s if self.streaming else float("inf")
                if due <= now:
                    self._emit()
                if due > now or now - heard > NAP_S:
                    self.listen(max(0.0, min(due - now, end - now, NAP_S)))
                    heard = now
        finally:
            self._shut()

    def open(self) -> str:
        """The name of the port, which is there from now on."""
        if self._log_path is not None and self._log is None:
            try:
                self._log = open(self._log_path, "w", buffering=1)
            except OSError as error:
                raise FileTrouble(f"{self._log_path} cannot be written.", f"{error.strerror}.") from error
        try:
            self.port = self.connect()
        except BaseException:
            self.close()
            raise
        return self.port

    def stop(self) -> None:
        self._halt.set()

    def close(self) -> None:
        """Final and idempotent: ends the thread, takes the port away."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._shut()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def __enter__(self) -> Any:
        self.open()
        self._thread = threading.Thread(target=self._carry, name=f"emulated {type(self).__name__}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry(self) -> None:
        try:
            self.run()
        except BaseException as failure:
            self._failure = failure

    def _shut(self) -> None:
        self.disconnect()
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def summary(self) -> dict[str, int]:
        """How many packets there were, and what became of them."""
        return {"packets": sum(self.fates.values()), **self.fates}

    # -- packets

    def tell(self, data: bytes) -> bytes:
        """What the board answers to these characters; the stream begins and ends as they say."""
        answer = b""
        for i in range(len(data)):
            was, pace = self.streaming, self.firmware.packets_per_s
            answer += self.firmware.hear(data[i : i + 1])
            if self.streaming and not was:
                self._begin()
            elif self.streaming and pace != self.firmware.packets_per_s:
                self._catch_up()
            elif was and not self.streaming and data[i : i + 1] != b"v":
                self._start = float("nan")  # stopped, not reset: the next stream begins the recording anew
        return answer

    def _begin(self) -> None:
        """The person begins anew after a stop or at the end of the recording, else has gone on meanwhile."""
        if math.isnan(self._start) or self.ended:
            self._start, self._tick, self.ended = time.monotonic(), 0, False
        else:
            self._catch_up()
        if math.isnan(self._first):
            self._first = self._start
        self._number = 0

    def _catch_up(self) -> None:
        self._tick = int((time.monotonic() - self._start) * self.firmware.packets_per_s) + 1
        self._tick += self._tick % 2  # where two packets make a sample, begin with the first

    def _within(self, spans: tuple[Span, ...], now: float) -> bool:
        since = now - self._first + 1e-6  # a packet due at the border falls on its later side, whatever the rounding
        return any(at <= since < at + length for at, length in spans)

    @property
    def silent(self) -> bool:
        return self._within(self.stall, time.monotonic())

    def _meet(self, now: float) -> None:
        gone = self._within(self.vanish, now)
        if gone and not self._gone:
            self.disconnect()
        elif self._gone and not gone:
            self.connect()
        self._gone = gone

    def _emit(self) -> None:
        data = self.firmware.packet(self._number, self._tick)
        if data is None:
            self.ended, self.firmware.streaming = True, False
            return
        running, due = self.summary["packets"], self._start + self._tick / self.firmware.packets_per_s
        self._number += 1
        self._tick += 1
        lost, hurt = self.rng.random(2)
        if self._within(self.vanish, due):  # by when it was due, not by when it was made: the same number every time
            fate = "vanished"
        elif self._within(self.stall, due):
            fate = "stalled"
        elif lost < self.drop:
            fate = "dropped"
        else:
            fate = "sent"
            if hurt < self.garble:
                data, fate = self.spoil(data), "garbled"
            if not self.write(data):
                fate = "unheard"
        self.fates[fate] += 1
        if self._log is not None:
            self._log.write(f"{running},{time.monotonic_ns()},{fate}\n")
