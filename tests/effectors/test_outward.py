"""What leaves over a line, against real peers on loopback."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from http.client import HTTPConnection

import numpy as np
import pytest

from bcikit import Channel, Chunk, Event, Status, Stream
from bcikit.core.errors import DeviceTrouble, WrongUse
from bcikit.core.label import SIMULATED
from bcikit.core.parts import Report
from bcikit.effectors import _limits
from bcikit.effectors.gamepad import Gamepad
from bcikit.effectors.osc import Osc
from bcikit.effectors.rosbridge import Rosbridge
from bcikit.effectors.serial import Serial, framed, unframed
from bcikit.testing import OpenGate

VELOCITY = Stream("cursor velocity", 50.0, tuple(Channel(n, "velocity", "1/s") for n in "xy"), label=SIMULATED)
WORDS = Stream("decision", 10.0, (Channel("d", "decision", ""),), alphabet=("rest", "left", "right"), label=SIMULATED)


def chunk(*rows, first=0, time=0.0, events=()):
    return Chunk(np.array(rows, np.float32), first, time, events)


def signed(tmp_path, name):
    """The package's example limits, taken over and signed by their owner."""
    path = tmp_path / f"{name}.toml"
    path.write_text(_limits.packaged(name).read_text())
    _limits.sign(path)
    return str(path)


# -- OSC


def test_osc_reaches_a_peer_and_waits_for_nobody():
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import ThreadingOSCUDPServer

    heard, dispatcher = [], Dispatcher()
    dispatcher.set_default_handler(lambda address, *args: heard.append((address, args)))
    with ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        port = server.server_address[1]
        for stream, data in ((VELOCITY, chunk([0.25, -1.5], events=(Event(0, "hit", 3),))), (WORDS, chunk([2.0], [0.0]))):
            osc = Osc(port=port)
            permit = OpenGate().open(osc, stream)
            permit.send(data)
            osc.safe()
            permit.close()
        end = time.monotonic() + 5
        while len(heard) < 8 and time.monotonic() < end:
            time.sleep(0.01)
        server.shutdown()
        thread.join()
    assert sorted(heard) == sorted([
        ("/bcikit/cursor_velocity", (0.25, -1.5)), ("/bcikit/event", ("hit", 3)), ("/bcikit/safe", (1,)),
        ("/bcikit/decision", ("right",)), ("/bcikit/decision", ("rest",)), ("/bcikit/safe", (1,)),
        *[("/bcikit/use", ("a simulation; not for medical purposes",))] * 2,
    ])  # fmt: skip
    for _ in range(3):  # nobody listens any more
        permit = OpenGate().open(Osc(port=port), VELOCITY)
        permit.send(chunk([1, 1]))
        permit.close()
    with pytest.raises(WrongUse, match="no OSC address"):
        Osc(address="bcikit")


# -- serial


def test_a_frame_has_a_checksum_and_a_damaged_one_is_no_frame():
    frame = framed("BCI", "17", "0.25", "-0.1")
    assert frame.endswith(b"\r\n") and unframed(frame) == ["BCI", "17", "0.25", "-0.1"]
    for at in range(len(frame) - 2):
        for bit in range(7):
            broken = bytearray(frame)
            broken[at] ^= 1 << bit
            fields = unframed(bytes(broken))
            assert fields is None or (at > len(frame) - 5 and fields == unframed(frame))


class Arduino:
    """The device at the other end of a pty: believes whole frames alone, and stops by itself when none comes."""

    def __init__(self):
        self.fd, self.slave = os.openpty()
        self.port = os.ttyname(self.slave)
        self.values, self.numbers, self.heard = [], [], 0.0
        self._end = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        rest = b""
        while not self._end:
            if select.select([self.fd], [], [], 0.02)[0]:
                *lines, rest = (rest + os.read(self.fd, 4096)).split(b"\n")
                for line in lines:
                    fields = unframed(line)
                    if fields and fields[0] == "BCI":
                        self.numbers.append(int(fields[1]))
                        self.values.append([float(f) for f in fields[2:]])
                        self.heard = time.monotonic()
                os.write(self.fd, framed("FELT", "2.5", "0.5"))

    def close(self):
        self._end = True
        self._thread.join()
        os.close(self.fd)
        os.close(self.slave)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="left out: the supervisor's process needs Linux")
@pytest.mark.realtime
def test_serial_drives_a_microcontroller_through_the_supervisor(tmp_path):
    arduino = Arduino()
    serial = Serial(port=arduino.port, limits=signed(tmp_path, "serial"))
    stream = Stream("c", 50.0, (Channel("a", "aux", "1"), Channel("b", "aux", "1")), label=SIMULATED)
    permit = OpenGate().open(serial, stream)
    for k in range(60):
        permit.send(chunk([0.5 + 0.001 * (k % 3), -0.25], first=k, time=time.monotonic()))
        time.sleep(0.02)
    assert np.allclose(arduino.values[-1], [0.5, -0.25], atol=0.01)
    assert np.abs(np.diff(arduino.values, axis=0)).max() <= 2 * 0.02 + 1e-4  # its velocity is bounded
    assert serial.look().force == 2.5 and serial.look().torque == 0.5
    time.sleep(1.0)  # no more commands
    assert np.allclose(arduino.values[-1], 0, atol=1e-3)
    permit.close()
    assert arduino.numbers == list(range(1, len(arduino.numbers) + 1))
    arduino.close()


def test_what_is_real_needs_limits_of_its_own():
    with pytest.raises(WrongUse, match="moves something real") as error:
        Serial(port="/dev/ttyACM0")
    assert "bcikit limits sign" in error.value.do
    with pytest.raises(WrongUse, match="moves something real"):
        Rosbridge(url="ws://robot:9090")


def test_a_port_that_is_not_there_is_said(tmp_path):
    made = Serial(port=str(tmp_path / "ttyNONE"), limits=signed(tmp_path, "serial"), lockstep=True)
    with pytest.raises(DeviceTrouble, match="cannot be opened"):
        OpenGate().open(made, Serial.commands().stream)


# -- rosbridge


class Server:
    """A small rosbridge server: keeps what is advertised and published."""

    def __init__(self):
        from websockets.sync.server import serve

        self.heard = []
        self._server = serve(self._talk, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _talk(self, connection):
        for text in connection:
            self.heard.append(json.loads(text))

    def close(self):
        self._server.shutdown()
        self._thread.join()


@pytest.mark.parametrize("message", ["twist", "joints"])
def test_rosbridge_advertises_and_publishes(tmp_path, message):
    server = Server()
    made = Rosbridge(url=server.url, limits=signed(tmp_path, "rosbridge"), message=message, topic="/t", lockstep=True)
    permit = OpenGate().open(made, Rosbridge.commands().stream)
    for k in range(100):
        permit.send(chunk([0.2 + 0.001 * (k % 3), -0.5], first=k))
    permit.close()
    server.close()
    assert server.heard[0]["op"] == "advertise" and server.heard[0]["topic"] == "/t"
    last = server.heard[-1]
    assert last["op"] == "publish" and last["topic"] == "/t"
    if message == "twist":
        assert server.heard[0]["type"] == "geometry_msgs/msg/Twist"
        assert last["msg"]["linear"]["x"] == pytest.approx(0.2, abs=0.01) and last["msg"]["linear"]["y"] == 0
        assert last["msg"]["angular"] == {"x": 0.0, "y": 0.0, "z": pytest.approx(-0.5, abs=0.01)}
    else:
        assert server.heard[0]["type"] == "trajectory_msgs/msg/JointTrajectory"
        assert last["msg"]["joint_names"] == ["linear.x", "angular.z"]
        point = last["msg"]["points"][0]
        assert point["positions"][0] == pytest.approx(0.2, abs=0.01)
        assert point["time_from_start"] == {"sec": 0, "nanosec": 20_000_000}


def test_no_rosbridge_there_is_said(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{s.getsockname()[1]}"
    made = Rosbridge(url=url, limits=signed(tmp_path, "rosbridge"), lockstep=True)
    with pytest.raises(DeviceTrouble, match="No rosbridge answers"):
        OpenGate().open(made, Rosbridge.commands().stream)


# -- gamepad


def newest(peer, wanted, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = json.loads(peer.recv(timeout=seconds))
        if wanted(state):
            return state
    raise AssertionError("it was never so")


def test_a_gamepad_is_read_over_a_websocket_with_its_token():
    from websockets.sync.client import connect

    pad = Gamepad(full=2.0, dead=0.2)
    permit = OpenGate().open(pad, VELOCITY)
    with connect(pad.url) as peer:
        permit.send(chunk([2.0, -0.2], time=7.0))
        assert newest(peer, lambda s: s["axes"][0] == 1.0) == {
            "axes": [1.0, 0.0, 0.0, 0.0], "buttons": [0] * 17, "timestamp": 7.0,
            "use": "a simulation; not for medical purposes",
        }  # fmt: skip
        permit.send(chunk([np.nan, np.inf], first=1))
        newest(peer, lambda s: s["axes"] == [0.0] * 4)
        permit.send(chunk([1.2, 0], first=2))
        assert newest(peer, lambda s: s["axes"][0])["axes"][0] == pytest.approx(0.5)
        pad.pulse(Report(1.0, Status("stale"), 1, (0, 0), (0, 0), {}))
        newest(peer, lambda s: s["axes"] == [0.0] * 4)
    host = pad.url.split("/")[2]
    refused = HTTPConnection(host, timeout=5)
    keys = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    refused.request("GET", "/?token=guess", headers=keys | {"Sec-WebSocket-Key": "A" * 22 + "=="})
    assert refused.getresponse().status == 403
    refused.close()
    permit.close()


def test_a_decision_presses_its_button():
    pad = Gamepad()
    permit = OpenGate().open(pad, WORDS)
    permit.send(chunk([2.0]))
    assert pad.buttons[:3] == [0, 1, 0]
    permit.send(chunk([0.0]))
    assert not any(pad.buttons)
    permit.close()
    with pytest.raises(WrongUse, match="17 buttons"):
        OpenGate().open(Gamepad(), WORDS.but(alphabet=tuple(map(str, range(30)))))
