"""The terminal view: scrolling traces or a table of the channels, and above them whether the data can be trusted."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any, TextIO

from ..core.parts import Report, Setting
from ..core.stream import Stream
from ._screen import Facts, Look, frame
from ._text import fit, shown
from ._view import SILENT, View, file_size

FRAME_S = 1 / 15
SLOW_S = 0.5  # how often quality, bands and file sizes are looked at
SPANS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
JOIN_S = 2.0
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # a screen of its own, no cursor, no wrapping
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"


@dataclass(eq=False)
class Terminal(View):
    """Draws from a thread of its own, some 15 times a second, whatever the loop does; where nothing comes the traces go on
    into an empty space and the age grows. A gap is empty, a band's bar is its share of the power from 1 to 45 Hz, rms and
    quality are of the newest second. Where the output is no terminal it prints a plain line a second.

    Keys: q stop, space pause the view (never the data), t traces or table, + and - scale, [ ] time, n and p page, m mark.
    """

    seconds: Annotated[float, Setting("width of the traces", "s", low=1, high=30)] = 5.0
    table: Annotated[bool, Setting("begin with the table in place of the traces")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.out: TextIO | None = None  # standard output, unless a file is given
        self.keys = True  # False where another part reads the keyboard
        self.line = ""  # the stages, for the head
        self._thread: threading.Thread | None = None
        self._report: Report | None = None
        self._said = ""

    # -- the sink

    @property
    def _stream_out(self) -> TextIO:
        return self.out or sys.stdout

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self._look = Look(self.table, self.seconds)
        self._second = -1
        self._heard = time.monotonic()
        if not _draws(self._stream_out):
            return
        self._ends = threading.Event()
        self._keyboard = _Keyboard(self.keys)
        self._thread = threading.Thread(target=self._draw, name="bcikit-screen", daemon=True)
        self._thread.start()

    def pulse(self, report: Report) -> None:
        report = self.told(report)
        self._report, self._heard = report, time.monotonic()
        ended = report.exit is not None and report.samples > 0
        if self._thread is None and (int(report.time_s) > self._second or ended):
            self._second = int(report.time_s)
            self._write(self._plain(report) + "\n")

    def say(self, text: str) -> None:
        self._said = text
        if self._thread is None:
            self._write(shown(text) + "\n")

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._ends.set()
        self._keyboard.wake()
        thread.join(JOIN_S)
        self._keyboard.close()
        self._write(LEAVE)

    # -- drawing

    def _draw(self) -> None:
        if sys.platform == "win32":
            os.system("")  # makes older consoles understand escapes
        self._write(ENTER)
        drawn: list[str] = []
        size, looked, still = (0, 0), -1.0, None
        quality, bands, files = [""] * len(self.stream.channels), None, []
        colour = "NO_COLOR" not in os.environ
        while not self._ends.is_set():
            began = time.monotonic()
            if (now := _size(self._stream_out)) != size:
                size, drawn = now, []
                self._write("\x1b[2J")
            if self._look.paused != (still is not None):
                still = self.signal.still() if self._look.paused else None
            if began - looked >= SLOW_S:
                looked = began
                quality, bands = self.quality(), self.signal.bands()
                files = [(str(path), file_size(path)) for path in self.recordings]
            if self._report is not None:
                silent = began - self._heard
                signal = still or self.signal
                facts = Facts(self.stream, self._report, silent, self.line, files, signal, quality, bands, self._said)
                facts.keys, facts.nominal_hz = self._keyboard.reads, self.nominal_hz
                lines = frame(facts, self._look, size[0] - 1, size[1], colour)  # the last column: not all terminals agree
                new = "".join(
                    f"\x1b[{i};1H{line}\x1b[K" for i, line in enumerate(lines, 1) if i > len(drawn) or line != drawn[i - 1]
                )
                drawn = lines
                if new:
                    self._write(f"\x1b[?2026h{new}\x1b[?2026l")
            for key in self._keyboard.wait(began + FRAME_S):
                if key == "\x0c":
                    drawn = []
                self._pressed(key)

    def _pressed(self, key: str) -> None:
        look = self._look
        if key in "qQ\x03":
            self.stop()
        elif key == " ":
            look.paused = not look.paused
        elif key == "t":
            look.table = not look.table
        elif key in "+=-_":
            look.zoom += 1 if key in "+=" else -1
        elif key in "[]":
            at = min(range(len(SPANS)), key=lambda i: abs(SPANS[i] - look.seconds)) + (1 if key == "]" else -1)
            look.seconds = SPANS[min(max(at, 0), len(SPANS) - 1)]
        elif key in "np":
            look.page += 1 if key == "n" else -1
        elif key == "m":
            self.mark("mark")
            self._said = "marked"

    def _plain(self, r: Report) -> str:
        """One line for where there is no terminal."""
        s, (p50, p99) = r.status, r.latency_ms
        words = [
            f"{r.time_s:7.1f} s  {s.state:<12}",
            f"{s.rate_hz:.1f} Hz" if s.rate_hz == s.rate_hz else "",
            f"{r.samples} samples  lost {s.lost}",
            f"age {s.age_s * 1000:.0f} ms" if s.age_s == s.age_s else "",
            f"latency {p50:.3g}/{p99:.3g} ms" if p50 == p50 else "",
            "simulated" if self.stream.label.simulated else "",
        ]
        bad = [f"{shown(n)} {q}" for n, q in zip(self.stream.names, self.quality(), strict=True) if q not in ("", "good")]
        if s.state not in SILENT and bad:
            words.append(fit(", ".join(bad), 60).rstrip())
        if s.note not in ("", "simulated"):
            words.append(shown(s.note))
        return "  ".join(w for w in words if w)

    def _write(self, text: str) -> None:
        try:
            self._stream_out.write(text)
            self._stream_out.flush()
        except (OSError, ValueError):  # nobody looks any more: end in good order
            self.stop()


def _draws(out: TextIO) -> bool:
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        return False
    try:
        "●⣿─".encode(out.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _size(out: TextIO) -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        width, height = 0, 0
    return width or 80, height or 24


class _Keyboard:
    """Single keys from the terminal, which is given back as it was; none where there is no terminal to read from."""

    def __init__(self, wanted: bool) -> None:
        self.reads, self._before = False, None
        self._wake_in, self._wake_out = os.pipe()
        if not wanted or sys.platform == "win32" or not sys.stdin or not sys.stdin.isatty():
            return
        import termios

        self._fd = sys.stdin.fileno()
        if os.tcgetpgrp(self._fd) != os.getpgrp():
            return  # in the background the terminal belongs to somebody else
        self._before = termios.tcgetattr(self._fd)
        mode = termios.tcgetattr(self._fd)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VSUSP] = b"\x00"  # Ctrl-Z would stop the data too
        termios.tcsetattr(self._fd, termios.TCSANOW, mode)
        self.reads = True

    def wait(self, until: float) -> str:
        """The keys pressed until a moment of the monotonic clock; returns at the first."""
        fds = [self._wake_in, *([self._fd] if self.reads else [])]
        left = max(until - time.monotonic(), 0.0)
        if sys.platform == "win32":
            time.sleep(left)
            return ""
        ready = select.select(fds, [], [], left)[0]
        if not self.reads or self._fd not in ready:
            return ""
        keys = os.read(self._fd, 64).decode("ascii", "ignore")
        self.reads = bool(keys) and self.reads
        return "" if keys.startswith("\x1b") else keys  # arrows and the like

    def wake(self) -> None:
        os.write(self._wake_out, b"x")

    def close(self) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        os.close(self._wake_in)
        os.close(self._wake_out)
