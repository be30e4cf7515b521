"""A virtual game controller: a page or game on this machine reads it over a websocket, as the browser's Gamepad API gives
it.

    {"axes": [x, y, 0, 0], "buttons": [0, 1, ...], "timestamp": seconds, "use": "for what it may be used"}
"""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import DeviceTrouble, WrongUse
from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from ..ethics.manifest import use
from ._drawing import Drawing, ball, line

AXES, BUTTONS = 4, 17  # of the standard gamepad (W3C Gamepad)
PUSH_S = 0.5  # a client hears at least so often


@dataclass(eq=False)
class Gamepad(Sink):
    """Velocities are the axes, in order (`full` is full deflection; below `dead` of it is none); a decision presses the
    button of its place in the decoder's words, the first word being no button. The server listens on this machine alone
    and asks for the token in `url`. When data stop all is let go."""

    kind: ClassVar[str] = "effector"
    inline: ClassVar[bool] = True

    port: Annotated[int, Setting("TCP port; 0 is a free one", low=0, high=65535)] = 0
    full: Annotated[float, Setting("value of full deflection, in the unit of the channels", low=1e-9)] = 1.0
    dead: Annotated[float, Setting("dead zone, of full deflection", low=0, high=0.9)] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._ready = threading.Condition()
        self._server: Any = None
        self._count = 0
        self.token, self.url = secrets.token_urlsafe(12), ""
        self._rest()

    def _rest(self) -> None:
        self.axes, self.buttons, self.when = [0.0] * AXES, [0] * BUTTONS, 0.0

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        if not s.alphabet and len(s.channels) > AXES and not s.of_kind("velocity", "position"):
            self._columns: list[int] = list(range(AXES))
        else:
            self._columns = (s.of_kind("velocity", "position") or list(range(len(s.channels))))[:AXES]
        if len(s.alphabet) > BUTTONS + 1:
            raise WrongUse(f"gamepad has {BUTTONS} buttons; {s.name} has {len(s.alphabet)} words.")
        try:
            from websockets.sync.server import serve
        except ModuleNotFoundError as error:
            raise WrongUse("gamepad needs the library websockets.", do='pip install "bcikit[io]"') from error
        try:
            self._server = serve(self._serve, "127.0.0.1", self.port, process_request=self._asked)
        except OSError as error:
            raise DeviceTrouble(f"gamepad cannot listen on port {self.port}.", f"{error.strerror}.") from error
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/?token={self.token}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="bcikit-gamepad", daemon=True)
        self._thread.start()

    def _asked(self, connection: Any, request: Any) -> Any:
        """Whoever does not bring the token is sent away."""
        given = request.path.partition("token=")[2]
        return None if secrets.compare_digest(given, self.token) else connection.respond(403, "The token is missing.\n")

    def _serve(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        seen = -1
        try:
            while self._server is not None:
                with self._ready:
                    if self._count == seen:
                        self._ready.wait(PUSH_S)
                    seen, text = self._count, json.dumps(self.state())
                connection.send(text)
        except ConnectionClosed:
            pass  # it has seen enough

    def state(self) -> dict[str, Any]:
        """As the page sees it."""
        pushed = {"axes": list(self.axes), "buttons": list(self.buttons), "timestamp": self.when}
        return {**pushed, "use": use(self.stream.label)}

    def send(self, c: Chunk) -> None:
        if not len(c):
            return
        row = np.asarray(c.data[-1], float).ravel()
        with self._ready:
            self._rest()
            self.when = float(np.max(c.time)) if np.isfinite(np.max(c.time)) else 0.0
            if self.stream.alphabet:
                k = int(row[0]) if np.isfinite(row[0]) else 0
                if 1 <= k <= BUTTONS:
                    self.buttons[k - 1] = 1
            else:
                x = np.clip(np.nan_to_num(row[self._columns] / self.full, posinf=0.0, neginf=0.0), -1.0, 1.0)
                live = np.sign(x) * np.maximum(np.abs(x) - self.dead, 0.0) / (1 - self.dead)
                self.axes[: len(live)] = [float(v) for v in live]
            self._count += 1
            self._ready.notify_all()

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming":
            self.safe()

    def safe(self) -> None:
        with self._ready:
            self._rest()
            self._count += 1
            self._ready.notify_all()

    def drawing(self) -> Drawing:
        """Two sticks as they are pushed, and the buttons that are pressed."""
        shell = [(0.5 * np.cos(a), 0, 0.28 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 49)]
        balls, lines = [], [line("place", *shell, width=0.02)]
        for k, x in enumerate((-0.22, 0.22)):
            stick = np.array([x + 0.09 * self.axes[2 * k], 0, -0.02 + 0.09 * self.axes[2 * k + 1]])
            lines.append(line("body", (x, 0, -0.02), stick, width=0.05))
            balls += [ball("place", (x, 0, -0.02), 0.13), ball("thing", stick, 0.06)]
        for k, pressed in enumerate(self.buttons):
            balls.append(ball("warm" if pressed else "place", (0.8 * (k / (BUTTONS - 1) - 0.5), 0, -0.4), 0.02))
        return Drawing(tuple(lines), tuple(balls), middle=(0.0, 0.0, -0.05), span=1.3)

    @classmethod
    def commands(cls, seconds: float = 8.0, rate: float = 50.0) -> Recording:
        """Simulated: both sticks go round."""
        t = np.arange(round(seconds * rate)) / rate
        rows = np.column_stack([f(w * t) for w in (1.6, 2.3) for f in (np.cos, np.sin)])
        channels = tuple(Channel(n, "velocity", "1") for n in ("x", "y", "x2", "y2"))
        return recording(Stream("simulated sticks", rate, channels, label=SIMULATED), rows)

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            self.safe()
            server.shutdown()
            self._thread.join(2.0)
