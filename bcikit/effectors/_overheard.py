"""What a device feels that another program moves: read in its supervisor's memory, which is not written from here."""

from __future__ import annotations

import os

import numpy as np

from ..core.errors import DeviceTrouble
from ._door import tell
from ._slot import Panel
from ._spec import CommandSpec
from ._watch import gone


class Overheard:
    """A device by the name at its door. Raises DeviceTrouble where no supervisor's process moves it."""

    def __init__(self, device: str, spec: CommandSpec) -> None:
        said = tell(device)
        if "guardian" not in said:
            raise DeviceTrouble(
                f"The {device} is moved on the page alone.",
                "What it feels there is the page's own.",
                "Move it by bcikit run SESSION.toml.",
            )
        self.simulated = bool(said["simulated"])
        try:
            self._pidfd = os.pidfd_open(said["guardian"])
            with open(f"/proc/{said['guardian']}/fd/{said['memory']}", "rb", buffering=0) as memory:
                self._panel = Panel(memory.fileno(), len(spec.names), spec.feelings, reads=True)
        except (OSError, ValueError) as error:
            raise DeviceTrouble(f"What the {device} feels cannot be read.", f"{error}.") from error
        self._skip = 3 + len(spec.names) + 3 * spec.points

    def felt(self) -> tuple[float, np.ndarray]:
        """(when, seconds; a value for each of the spec's senses): the newest; -inf where there is none yet."""
        count, values = self._panel.felt.read()
        return values[0] if count else -np.inf, np.array(values[self._skip :], np.float32)

    @property
    def ended(self) -> bool:
        """Whether its supervisor is gone."""
        return gone(self._pidfd)

    def close(self) -> None:
        self._panel.close()
        os.close(self._pidfd)
