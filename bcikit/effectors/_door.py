"""Where whoever moves a device is spoken to by the other programs of this user: to stop it, to reset it, to ask how it is.

A door is a socket in the home folder: `DEVICE.sock` of the supervisor's process, `DEVICE@PID.sock` of a program that steps
the supervisor by itself, as the page does. One line of JSON each way: {stop: true}, {reset: NAME} or {}, and how it is.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any

from ..core.errors import DeviceTrouble, WrongUse
from ..ethics.home import home, made

ANSWER_S = 2.0
ACCEPT_S = 0.2


def opened(device: str, own: bool = False) -> socket.socket:
    """A door of the device, listening; `own`: of this program, beside the supervisor's. Raises DeviceTrouble where there can
    be none: what cannot be stopped from outside does not start."""
    path = made(home() / "effectors") / f"{device}{f'@{os.getpid()}' if own else ''}.sock"
    path.unlink(missing_ok=True)  # of one that is gone: the supervisor's ledger is locked, a program has its number
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise DeviceTrouble(
            f"Nobody could stop the {device} from outside: {path} cannot be a socket.",
            f"{error}.",
            "Set BCIKIT_HOME to a folder with a shorter name.",
        ) from error
    os.chmod(path, 0o600)
    listener.listen(4)
    return listener


def shut(listener: socket.socket) -> None:
    """Close a door and take it away."""
    Path(listener.getsockname()).unlink(missing_ok=True)
    listener.close()


def tell(device: str, **said: Any) -> dict[str, Any]:
    """Speak at every door of a device, from any program of this user: stop=True, reset="NAME", or nothing to ask how it is.
    Gives the answer of its supervisor's process, else of a program that shows it. Raises DeviceTrouble where nobody answers,
    WrongUse where it is refused."""
    answers, silent = [], None
    for path in sorted((home() / "effectors").glob(f"{escape(device)}[.@]*sock")):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(ANSWER_S)
                s.connect(str(path))
                s.sendall(json.dumps(said).encode())
                answers.append(json.loads(s.recv(65536)))
        except (ConnectionRefusedError, FileNotFoundError):  # whose door it was is gone
            path.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            silent = error
    if silent or not answers:
        others = {path.stem.partition("@")[0] for path in (home() / "effectors").glob("*.sock")} - {device}
        raise DeviceTrouble(
            f"No supervisor of {device!r} answers.",
            "It runs while an effector is open, or shown on the page.",
            f"There is one of {', '.join(sorted(others))}." if others else "",
        ) from silent
    if "refused" in answers[0]:
        raise WrongUse(answers[0]["refused"])
    return answers[0]


class Porter:
    """Opens this program's door of a device and answers at it, in a thread, until it is left. answer: what was said, to how
    it is; called in that thread. Where the system has no such sockets there is no door."""

    def __init__(self, device: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._thread: threading.Thread | None = None
        if not hasattr(socket, "AF_UNIX"):
            return
        self._answer, self._listener = answer, opened(device, own=True)
        self._listener.settimeout(ACCEPT_S)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"bcikit-door-{device}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Porter:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread is None:
            return
        self._closing.set()
        self._thread.join()
        shut(self._listener)

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                one = self._listener.accept()[0]
            except TimeoutError:
                continue
            with one:
                try:
                    one.settimeout(ANSWER_S)
                    said = json.loads(one.recv(4096))
                    one.sendall(json.dumps(self._answer(said)).encode() + b"\n")
                except (OSError, ValueError, AttributeError):  # whoever it was said nothing that can be understood
                    continue
