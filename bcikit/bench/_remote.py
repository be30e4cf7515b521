"""Peers that live in a virtual environment of their own, made on request and kept under BCIKIT_HOME."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..acquire.rendered import BIN_S
from ..core.errors import DeviceTrouble, WrongUse
from ..ethics.home import home
from ..simulate.played import SCALE
from . import _work
from ._measure import Contender
from ._work import Work

HERE = Path(__file__).parent
PACKAGES = {
    "ezmsg": ("ezmsg", "ezmsg-sigproc", "ezmsg-event"),
    "mne_lsl": ("mne-lsl",),
    "moabb": ("moabb",),
    "timeflux": ("timeflux", "timeflux_dsp"),
}


def environment(peer: str) -> Path:
    """Where a peer's Python is, or would be."""
    folder = home() / "peers" / peer
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def there(peer: str) -> bool:
    return environment(peer).exists()


def set_up(peer: str, say: Callable[[str], None]) -> None:
    """Make a peer's environment. Raises DeviceTrouble where that fails."""
    python = environment(peer)
    folder = python.parent.parent
    say(f"Making {folder} with {', '.join(PACKAGES[peer])} ...")
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *PACKAGES[peer]],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DeviceTrouble(
                f"{peer} could not be installed.", done.stderr.strip().splitlines()[-1:][0] if done.stderr else ""
            )


def ezmsg(name: str, work: Work, note: str = "") -> Remote:
    """ezmsg, on the work of an implant's decoder."""
    asked = {"scale": SCALE, "n": work.n, "rate": work.rate, "bin_s": BIN_S, "band": [_work.LOW, _work.HIGH]}
    asked |= {"order": _work.ORDER, "threshold": _work.THRESHOLD_UV, "refractory_s": _work.REFRACTORY_S}
    return Remote("ezmsg", name, work.counts, asked, note)


class Remote(Contender):
    """A contender in another Python, which has its turns like the others; the input lies in a file that both map."""

    def __init__(self, peer: str, name: str, x: np.ndarray, asked: dict[str, Any], note: str = "") -> None:
        if not there(peer):
            raise WrongUse(f"{peer} is not set up.", do="bcikit bench peers --setup")
        super().__init__(name, lambda: lambda i: None, note)
        self._folder = tempfile.TemporaryDirectory(prefix="bcikit-bench-")
        np.save(file := Path(self._folder.name) / "input.npy", x)
        self._process = subprocess.Popen(
            [str(environment(peer)), str(HERE / f"_{peer}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(log := Path(self._folder.name) / "log").open("w"),
        )
        self._log = log
        self._say(json.dumps({"input": str(file), **asked}))

    def _say(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def ask(self, what: str, number: Any) -> np.ndarray:
        try:
            self._say(f"{what} {number}")
            pipe: IO[bytes] | None = self._process.stdout
            assert pipe is not None
            shape = json.loads(pipe.readline())
            return np.frombuffer(pipe.read(8 * int(np.prod(shape)))).reshape(shape)
        except (OSError, ValueError):
            said = self._log.read_text(encoding="utf-8").strip().splitlines()
            self.end()
            raise DeviceTrouble(f"The peer {self.name} ended.", said[-1] if said else "") from None

    def first(self, chunks: int) -> np.ndarray:
        return self.ask("first", chunks)

    def begin(self) -> None:
        pass

    def turn(self, seconds: float) -> np.ndarray:
        return self.ask("turn", seconds)

    def end(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
                self._process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._folder.cleanup()
