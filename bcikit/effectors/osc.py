"""Open Sound Control over UDP: for sound, light, games and whatever else speaks OSC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import WrongUse
from ..core.parts import Setting, Sink
from ..core.stream import Chunk, Stream
from ..ethics.manifest import use


@dataclass(eq=False)
class Osc(Sink):
    """Each row becomes one message, ADDRESS/STREAM with a float for each channel; a decision goes as its word. Each event
    becomes ADDRESS/event with its name and value. `safe` is ADDRESS/safe; ADDRESS/use, sent first, says for what it may be
    used. UDP: nobody is waited for, and what gets lost is lost; so nothing that moves near a person is driven by it. It
    leaves the machine, or may: the Gate asks for `network`."""

    kind: ClassVar[str] = "network"

    host: Annotated[str, Setting("to whom")] = "127.0.0.1"
    port: Annotated[int, Setting("UDP port", low=1, high=65535)] = 9000
    address: Annotated[str, Setting("beginning of every OSC address")] = "/bcikit"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._client: Any = None
        if not self.address.startswith("/") or any(c in self.address for c in " #*,?[]{}"):
            raise WrongUse(f"osc: {self.address!r} is no OSC address.", do="address=/bcikit")

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        try:
            from pythonosc.udp_client import SimpleUDPClient
        except ModuleNotFoundError as error:
            raise WrongUse("osc needs the library python-osc.", do='pip install "bcikit[io]"') from error
        try:
            self._client = SimpleUDPClient(self.host, self.port)
        except (OSError, UnicodeError) as error:  # the latter where it cannot be a name
            raise WrongUse(f"osc cannot find {self.host}.", f"{getattr(error, 'strerror', error)}.") from error
        self._to = f"{self.address}/{'_'.join(s.name.split())}"
        self._say(f"{self.address}/use", [use(s.label)])

    def send(self, c: Chunk) -> None:
        words = self.stream.alphabet
        scale = 1.0 if self.stream.scale is None else np.asarray(self.stream.scale)
        for row in np.asarray(c.data, float).reshape(len(c), int(np.prod(self.stream.shape))):
            if words:
                said: list[Any] = [words[int(v)] if v == v and 0 <= int(v) < len(words) else "unknown" for v in row]
            else:
                said = [float(v) for v in row * scale]
            self._say(self._to, said)
        for e in c.events:
            self._say(f"{self.address}/event", [e.name, "" if e.value is None else e.value])

    def _say(self, to: str, values: list[Any]) -> None:
        if self._client is not None:
            try:
                self._client.send_message(to, values)
            except OSError:  # nobody listens at that port just now: as if it were lost on the way
                pass

    def safe(self) -> None:
        self._say(f"{self.address}/safe", [1])

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client._sock.close()
