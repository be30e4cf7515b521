"""A pseudo-terminal that looks like a serial port which can be unplugged."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import tempfile
import time
from pathlib import Path

from bcikit.core.errors import DeviceTrouble, WrongUse


class Pty:
    """A pseudo-terminal under a stable name: a symbolic link that follows it when it comes back as another."""

    def __init__(self, link: str | Path | None = None) -> None:
        if sys.platform == "win32":
            raise WrongUse("There are no pseudo-terminals on Windows.", do="Run `bcikit emulate` on Linux or macOS.")
        self.link = Path(link) if link is not None else None
        if self.link is not None and os.path.lexists(self.link) and (not self.link.is_symlink() or self.link.exists()):
            why = "It may be the port of another emulator."
            raise WrongUse(f"{self.link} is there already.", why, "Give another --link.")
        self._folder: str | None = None
        self._master = -1
        self._name = ""
        self.open = False  # somebody has it open

    def up(self) -> str:
        import tty

        if self.link is None:
            self._folder = tempfile.mkdtemp(prefix="bcikit-")
            self.link = Path(self._folder) / "port"
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
            raise DeviceTrouble(f"{self.link} cannot be made.", f"{error.strerror}.", "Give another --link.") from error
        return str(self.link)

    def down(self) -> None:
        """The port is gone: who has it open gets a hang-up."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
        if self.link is not None:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == self._name:
                    os.unlink(self.link)

    def remove(self) -> None:
        self.down()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self._folder)
            self._folder = self.link = None

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
        time.sleep(min(wait, 0.01))
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
