"""The emulated WiFi shield: its HTTP, and BrainFlow's own drivers (they ask port 80, which must be allowed here)."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest

from bcikit.acquire.emulate._source import Simulated
from bcikit.acquire.emulate.wifi import Wifi
from bcikit.core.errors import DeviceTrouble
from tests.acquire.brainflow_driver import driver, until

COUNT_UV = 4.5e6 / 24 / (2**23 - 1)
GANGLION_UV = 1.2e6 / (2**23 - 1) / 1.5 / 51


@contextlib.contextmanager
def shield(*args, **settings):
    try:
        with Wifi(*args, address="127.0.0.2", **settings) as it:
            yield it
    except DeviceTrouble as trouble:
        pytest.skip(f"left out: {trouble.what} {trouble.why}")


def over_wifi(device, board_id):
    with socket.socket() as free:
        free.bind((device.address, 0))
        return driver(board_id, ip_address=device.address, ip_port=free.getsockname()[1])


def ask(port, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://{port}{path}", data, timeout=5) as answer:
        return answer.read().decode()


def streamed(device, board_id, n):
    with over_wifi(device, board_id) as host:
        host.start_stream()
        until(lambda: host.get_board_data_count() >= n)
        data = host.get_board_data()
        host.stop_stream()
    return data


def test_http_tells_the_board_and_passes_commands_on():
    with Wifi("daisy", port=0) as it, socket.create_server(("127.0.0.1", 0)) as host:
        board = json.loads(ask(it.port, "/board"))
        assert board["board_type"] == "daisy" and board["num_channels"] == 16 and board["gains"] == [24] * 16
        assert ask(it.port, "/command", {"command": "x1020000X"}) == "Success: Channel set for 1"
        assert json.loads(ask(it.port, "/board"))["gains"][0] == 4
        assert json.loads(ask(it.port, "/tcp", {"ip": "127.0.0.1", "port": host.getsockname()[1]}))["connected"]
        line, _ = host.accept()
        with line:
            ask(it.port, "/stream/start")
            got = b""
            while len(got) < 4 * 33:
                got += line.recv(4 * 33 - len(got))
            ask(it.port, "/stream/stop")
        assert [got[33 * i + 1] for i in range(4)] == [0, 0, 1, 1]  # both halves of a sample bear its number
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(it.port, "/nonsense")


def test_a_host_that_cannot_be_reached_is_said():
    with Wifi(port=0) as it, socket.create_server(("127.0.0.1", 0)) as host:
        closed = host.getsockname()[1]
        host.close()
        with pytest.raises(urllib.error.HTTPError, match="504"):
            ask(it.port, "/tcp", {"ip": "127.0.0.1", "port": closed})
        with pytest.raises(urllib.error.HTTPError, match="504"):
            ask(it.port, "/tcp", {"nothing": 1})


def test_a_port_that_is_taken_is_said_with_the_remedy():
    with Wifi(port=0) as it:
        number = int(it.port.split(":")[1])
        with pytest.raises(DeviceTrouble, match="--port"):
            Wifi(port=number).open()


@pytest.mark.realtime
def test_brainflow_reads_a_cyton_over_wifi():
    with shield("cyton", seed=4) as it:
        data = streamed(it, 5, 1500)
    n, whole = data.shape[1], Simulated(8, 4)
    wanted = np.array([whole.at(i, 1000)[0] for i in range(n)])  # BrainFlow sets 1000 Hz
    assert np.array_equal(data[0], np.arange(n) % 256)
    assert np.abs(data[1:9].T - wanted).max() <= COUNT_UV / 2 * (1 + 1e-6)


@pytest.mark.realtime
def test_brainflow_reads_sixteen_channels_over_wifi():
    with shield("daisy", seed=4) as it:
        data = streamed(it, 6, 1500)
    n, whole = data.shape[1], Simulated(16, 4)
    wanted = np.array([whole.at(i, 1000)[0] for i in range(n)])
    assert np.array_equal(data[0], np.arange(n) % 256)
    assert np.abs(data[1:17].T - wanted).max() <= COUNT_UV / 2 * (1 + 1e-6)


@pytest.mark.realtime
def test_brainflow_loses_exactly_the_packets_dropped_over_wifi(tmp_path):
    with shield("cyton", drop=0.05, seed=4, log=tmp_path / "log") as it:
        data = streamed(it, 5, 1000)
    fates = [line.split(",")[2] for line in (tmp_path / "log").read_text().splitlines()]
    kept = [i for i, fate in enumerate(fates) if fate == "sent"][: data.shape[1]]
    assert np.array_equal(data[0], np.array(kept) % 256) and len(kept) < kept[-1]


@pytest.mark.realtime
def test_brainflow_reads_a_ganglion_over_wifi_and_its_impedances():
    with shield("ganglion", seed=4, resistance=(3e3, 7e3, 20e3, 45e3, 9e3)) as it:
        data = streamed(it, 4, 2000)
        with over_wifi(it, 4) as host:
            host.config_board("z")
            host.start_stream()
            until(lambda: host.get_board_data_count() >= 6)
            ohms = host.get_board_data()[18:23, -1]
            host.stop_stream()
    n, whole = data.shape[1], Simulated(4, 4)
    wanted = np.array([whole.at(i, 1600)[0] for i in range(n)])
    assert np.abs(data[1:5].T - wanted).max() <= GANGLION_UV / 2 * (1 + 1e-6)
    assert np.allclose(data[5:8, ::10].T, [0.02, -0.01, 1.0], atol=0.0005)
    assert ohms.tolist() == [3, 7, 20, 45, 9]
