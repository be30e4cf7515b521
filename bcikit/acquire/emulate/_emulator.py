"""What all emulated devices share: packets at absolute deadlines, faults on request, what was sent, the port."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from bcikit.core.errors import DeviceTrouble, WrongUse

NAP_S = 0.02  # the longest wait before looking at everything
Span = tuple[float, float]  # (seconds after the stream began, for how many seconds)


class Emulator:
    """A device in a thread of this process (`with`), or run by the caller (`run`).

    drop: probability that a packet is lost; the number goes on. garble: probability that random bytes come between two
    packets or in the midst of one. stall: spans of silence, the radio being out of reach. vanish: spans during which the
    port itself is gone. Whatever is lost, the measured person goes on: behind a fault the stream is where it would have
    been without it. log: a file that gets one line for each packet: running number, nanoseconds of CLOCK_MONOTONIC, fate.
    """

    def __init__(
        self,
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
        self.drop, self.garble = drop, garble
        self.stall, self.vanish = tuple(stall), tuple(vanish)
        self.rng = np.random.default_rng(seed)
        self.fates = {"sent": 0, "dropped": 0, "garbled": 0, "stalled": 0, "unheard": 0}
        self.ended = False  # the recording is at its end
        self._log_path, self._log = log, None
        self._start = self._first = float("nan")  # when the person, and the stream, began
        self._tick = 0  # samples since the person began
        self._number = 0  # packets since the last start
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    # -- what a device says

    packets_per_s: float = 250.0
    streaming: bool = False

    def connect(self) -> str:
        """Bring the port up; returns its name."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Take the port away."""
        raise NotImplementedError

    def listen(self, wait: float) -> None:
        """Wait up to `wait` seconds for commands and obey them."""
        raise NotImplementedError

    def make(self, number: int, tick: int) -> bytes | None:
        """The packet `number` of the present stream with sample `tick`; None behind the end of the recording."""
        raise NotImplementedError

    def write(self, data: bytes) -> bool:
        """False where nobody reads."""
        raise NotImplementedError

    # -- running

    def run(self, seconds: float | None = None) -> None:
        """Until `stop`, or for `seconds`. `open` must have been called; the port is closed at the end."""
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        try:
            while not self._halt.is_set() and (now := time.monotonic()) < end:
                self._meet(now)
                due = self._start + self._tick / self.packets_per_s if self.streaming else float("inf")
                if due <= now:
                    self._emit()
                else:
                    self.listen(max(0.0, min(due - now, end - now, NAP_S)))
        finally:
            self._shut()

    def open(self) -> str:
        """The name of the port, which is there from now on."""
        if self._log_path is not None and self._log is None:
            self._log = open(self._log_path, "w", buffering=1)  # noqa: SIM115
        self.port = self.connect()
        self._gone = False
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

    def last_words(self) -> str:
        return json.dumps(self.summary)

    # -- packets

    def begin(self) -> None:
        """The host starts the stream. The person begins anew after a stop or at the end, else has gone on meanwhile."""
        now = time.monotonic()
        if self._start != self._start or self.ended:
            self._start, self._tick, self.ended = now, 0, False
        else:
            self._tick = max(self._tick, int((now - self._start) * self.packets_per_s) + 1)
        if self._first != self._first:
            self._first = now
        self._number = 0

    def rewind(self) -> None:
        """The host stopped the stream: the next one begins the recording anew."""
        self._start = float("nan")

    def _within(self, spans: tuple[Span, ...], now: float) -> bool:
        since = now - self._first
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
        data = self.make(self._number, self._tick)
        if data is None:
            self.ended, self.streaming = True, False
            return
        running = self.summary["packets"]
        self._number += 1
        self._tick += 1
        lost, hurt = self.rng.random(2)
        if self._gone or self.silent:
            fate = "stalled"
        elif lost < self.drop:
            fate = "dropped"
        else:
            fate = "sent"
            if hurt < self.garble:
                junk = self.rng.integers(0, 256, int(self.rng.integers(1, 40)), np.uint8).tobytes()
                cut = int(self.rng.integers(0, len(data))) if self.rng.random() < 0.5 else 0
                data, fate = data[:cut] + junk + data[cut:], "garbled"
            if not self.write(data):
                fate = "unheard"
        self.fates[fate] += 1
        if self._log is not None:
            self._log.write(f"{running},{time.monotonic_ns()},{fate}\n")


class Pty:
    """A pseudo-terminal under a stable name: a symbolic link that follows it when it comes back as another."""

    def __init__(self, link: str | Path | None = None) -> None:
        if sys.platform == "win32":
            raise WrongUse("There are no pseudo-terminals on Windows.", do="Run `bcikit emulate` on Linux or macOS.")
        self._folder = None if link is not None else tempfile.mkdtemp(prefix="bcikit-")
        self.link = Path(link) if link is not None else Path(str(self._folder)) / "port"
        if os.path.lexists(self.link) and (not self.link.is_symlink() or self.link.exists()):
            raise WrongUse(
                f"{self.link} is there already.", "It may be the port of another emulator.", "Give another --link."
            )
        self._master = -1

    def up(self) -> str:
        import tty

        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._name = os.ttyname(slave)
        os.close(slave)  # so that reading tells whether anybody has the port open
        self.open = False
        fresh = self.link.with_name(f".{self.link.name}.{os.getpid()}")
        try:
            os.symlink(self._name, fresh)
            os.replace(fresh, self.link)
        except OSError as error:
            self.down()
            raise DeviceTrouble(f"{self.link} cannot be made.", str(error), "Give another --link.") from error
        return str(self.link)

    def down(self) -> None:
        """The port is gone: who has it open gets a hang-up."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        with contextlib.suppress(OSError):
            if self.link.is_symlink() and os.readlink(self.link) == self._name:
                os.unlink(self.link)

    def remove(self) -> None:
        self.down()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)

    def read(self, wait: float) -> bytes:
        """What the host wrote; b'' after `wait` seconds without."""
        if self._master < 0:
            time.sleep(wait)
            return b""
        if self.open:
            select.select([self._master], [], [], wait)
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            self.open = True
            return b""
        except OSError:
            data = b""
        if data:
            self.open = True
            return data
        if self.open:
            self._drain()
        self.open = False
        time.sleep(min(wait, 0.005))
        return b""

    def write(self, data: bytes) -> bool:
        """False where nobody reads: as of a real port, nothing is kept for a host that is not there."""
        if not self.open or self._master < 0:
            return False
        try:
            return os.write(self._master, data) == len(data)
        except OSError:
            return False

    def _drain(self) -> None:
        import termios

        with contextlib.suppress(OSError, termios.error):
            slave = os.open(self._name, os.O_RDWR | os.O_NOCTTY)
            try:
                termios.tcflush(slave, termios.TCIOFLUSH)
            finally:
                os.close(slave)
