"""What effectors share that drive a real device over a line: the command is what the signed limits file names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import DeviceTrouble, WrongUse
from . import _limits
from ._limits import Limits
from ._moved import Moved
from ._spec import CommandSpec, Felt

DRY = "dry"  # as a port or address: nothing is connected, and what would be sent is kept


def spec_of(limits: Limits) -> CommandSpec:
    """The command that a limits file is for; at rest it is safe (0 where that is to keep what is)."""
    rest = tuple(0.0 if c.safe == "keep" else float(c.safe) for c in limits.channels)
    return CommandSpec(tuple(c.name for c in limits.channels), tuple(c.unit for c in limits.channels), rest)


@dataclass(eq=False)
class Outward(Moved):
    """A device outside this machine. It needs limits of its own; the package's serve a dry run alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.limits and self._address() != DRY:
            raise WrongUse(
                f"{self.part_name()} moves something real, and has no limits.",
                "Nobody but its owner knows what it may do near a person.",
                f"Copy {_limits.packaged(self.part_name())}, write its limits, then: bcikit limits sign FILE",
            )
        path = Path(self.limits).expanduser() if self.limits else _limits.packaged(self.part_name())
        self.takes = self.spec = spec_of(_limits.read(path))  # type: ignore[misc]

    @property
    def real(self) -> bool:  # type: ignore[override]
        """It moves something in the world: the Gate wants its stop tried first."""
        return self._address() != DRY

    def _address(self) -> str:
        raise NotImplementedError


class Newest:
    """Sends the newest of what it is given from a thread of its own, so that a slow line holds up nobody. Raises
    DeviceTrouble in `put` once the line has failed."""

    def __init__(self, send: Callable[[str], object], name: str) -> None:
        self._send, self._name = send, name
        self._ready = threading.Condition()
        self._text: str | None = None
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"bcikit-{name}", daemon=True)
        self._thread.start()

    def put(self, text: str) -> None:
        with self._ready:
            if self._error is not None:
                raise DeviceTrouble(f"The {self._name} does not answer any more.", str(self._error))
            self._text = text
            self._ready.notify()

    def _work(self) -> None:
        while True:
            with self._ready:
                while self._text is None and not self._closed:
                    self._ready.wait()
                text, self._text = self._text, None
            if text is None:
                return
            try:
                self._send(text)
            except Exception as error:  # told to whoever puts next
                self._error = error
                return

    def close(self) -> None:
        """After what was put last."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(1.0)


NOTHING = Felt(np.zeros((0, 3)))
