"""A ROS 2 robot behind a rosbridge server: Twist or JointTrajectory, as JSON over a websocket.

The protocol is rosbridge v2.0 (github.com/RobotWebTools/rosbridge_suite). The robot must stop by itself when nothing comes,
as ros2 diff_drive_controller does after its cmd_vel_timeout.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import DeviceTrouble
from ..core.parts import Setting
from ._outward import DRY, NOTHING, Newest, Outward
from ._spec import CommandSpec, Felt

TWIST = ("linear.x", "linear.y", "linear.z", "angular.x", "angular.y", "angular.z")
TYPES = {"twist": "geometry_msgs/msg/Twist", "joints": "trajectory_msgs/msg/JointTrajectory"}
OPEN_S = 3.0


def twist(spec: CommandSpec, command: np.ndarray) -> dict[str, Any]:
    """A Twist of the commands that bear its names, 0 elsewhere."""
    given = dict(zip(spec.names, map(float, command), strict=True))
    return {part: {a: given.get(f"{part}.{a}", 0.0) for a in "xyz"} for part in ("linear", "angular")}


def joints(spec: CommandSpec, command: np.ndarray, seconds: float) -> dict[str, Any]:
    """A JointTrajectory of one point, to be reached within a step."""
    start = {"sec": int(seconds), "nanosec": round(seconds % 1 * 1e9)}
    return {"joint_names": list(spec.names), "points": [{"positions": [*map(float, command)], "time_from_start": start}]}


class Bridge:
    """The device: one publication a step."""

    def __init__(self, url: str, topic: str, message: str, spec: CommandSpec) -> None:
        self.spec, self.topic, self.message = spec, topic, message
        self.sent: list[str] = []  # of a dry run, the newest few
        self._line: Newest | None = None
        self._open = ExitStack()
        if url == DRY:
            return
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        try:
            peer = self._open.enter_context(connect(url, open_timeout=OPEN_S, close_timeout=0.5))
            peer.send(json.dumps({"op": "advertise", "topic": topic, "type": TYPES[message]}))
        except (OSError, ValueError, WebSocketException) as error:
            raise DeviceTrouble(f"No rosbridge answers at {url}.", str(error)) from error
        self._line = Newest(peer.send, f"rosbridge at {url}")

    def step(self, command: np.ndarray, seconds: float) -> Felt:
        message = twist(self.spec, command) if self.message == "twist" else joints(self.spec, command, seconds)
        text = json.dumps({"op": "publish", "topic": self.topic, "msg": message})
        if self._line is None:
            self.sent = [*self.sent[-9:], text]
        else:
            self._line.put(text)
        return NOTHING

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._open.close()


@dataclass(eq=False)
class Rosbridge(Outward):
    """Drives a robot through the supervisor. The commands of the limits file are, for `twist`, some of linear.x ...
    angular.z (m/s, rad/s); for `joints`, names of joints with their positions (rad)."""

    takes: ClassVar = CommandSpec(("linear.x", "angular.z"), ("m/s", "rad/s"), (0.0, 0.0))
    spec: ClassVar = takes

    url: Annotated[str, Setting("ws://HOST:9090 of the rosbridge server; dry: nothing is connected")] = DRY
    topic: Annotated[str, Setting("topic that is published")] = "/cmd_vel"
    message: Annotated[str, Setting("kind of message", choices=tuple(TYPES))] = "twist"

    def _address(self) -> str:
        return self.url

    def device(self) -> Bridge:
        return Bridge(self.url, self.topic, self.message, self.spec)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(lockstep=True), cls.commands()
