"""Serial ports: found from a made-up /sys, and diagnosed on pseudo-terminals."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bcikit.acquire import _ports
from bcikit.acquire._ports import Held, diagnose, latency_timer, ports, set_latency_timer
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.core.errors import DeviceTrouble

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /sys and /proc")


@pytest.fixture
def made_up(tmp_path):
    """A /sys with an OpenBCI dongle, an Arduino and a port that no USB device made."""
    for name, bus, facts in [
        ("ttyUSB0", "usb-serial", {"idVendor": "0403", "idProduct": "6015", "serial": "DQ0", "product": "FT231X"}),
        ("ttyACM3", "usb", {"idVendor": "2341", "idProduct": "0043", "product": "Arduino Uno"}),
        ("ttyS0", "platform", {}),
    ]:
        device = tmp_path / "devices" / name / "usb1" / "1-1"
        interface = device / "1-1:1.0" / name
        interface.mkdir(parents=True)
        for key, value in facts.items():
            (device / key).write_text(value + "\n")
        (tmp_path / "class/tty" / name).mkdir(parents=True)
        (tmp_path / "class/tty" / name / "device").symlink_to(interface)
        if bus == "usb-serial":
            timer = tmp_path / "bus/usb-serial/devices" / name
            timer.mkdir(parents=True)
            (timer / "latency_timer").write_text("16\n")
    return tmp_path


def test_ports_are_found_with_what_made_them(made_up):
    found = {p.path: p for p in ports(made_up)}
    assert set(found) == {"/dev/ttyUSB0", "/dev/ttyACM3"}
    assert found["/dev/ttyUSB0"].openbci and found["/dev/ttyUSB0"].serial == "DQ0"
    assert not found["/dev/ttyACM3"].openbci and found["/dev/ttyACM3"].device == "Arduino Uno"


def test_the_latency_timer_is_read_and_set(made_up):
    assert latency_timer("/dev/ttyUSB0", made_up) == 16
    set_latency_timer("/dev/ttyUSB0", 1, made_up)
    assert latency_timer("/dev/ttyUSB0", made_up) == 1
    assert latency_timer("/dev/ttyACM3", made_up) is None
    with pytest.raises(DeviceTrouble, match="no latency timer"):
        set_latency_timer("/dev/ttyACM3", 1, made_up)


def test_a_latency_timer_that_is_not_ours_to_set_says_how(made_up):
    file = made_up / "bus/usb-serial/devices/ttyUSB0/latency_timer"
    file.unlink()
    file.mkdir()  # nobody, not even root, writes into a folder
    with pytest.raises(DeviceTrouble, match="cannot be set") as told:
        set_latency_timer("/dev/ttyUSB0", 1, made_up)
    assert "sudo tee" in told.value.do and "udev" in told.value.do


def test_states_are_told_apart(tmp_path, monkeypatch):
    assert diagnose(str(tmp_path / "none")).state == "missing"
    with Cyton() as ready:
        finding = diagnose(ready.port)
        assert finding.state == "ready" and "OpenBCI V3" in finding.banner
        held = Held(ready.port)
        assert diagnose(ready.port).state == "busy"
        held.close()
        monkeypatch.setattr(_ports.os, "access", lambda *_: False)
        forbidden = diagnose(ready.port)
        assert forbidden.state == "permission" and "usermod" in forbidden.do
        monkeypatch.undo()
    with Cyton(power=False) as off:
        assert diagnose(off.port).state == "off" and diagnose(off.port, scan=False).state == "off"
    with Cyton(channel=20, dongle_channel=3) as astray:
        finding = diagnose(astray.port)
        assert (finding.state, finding.channel) == ("channel", 20) and astray.dongle_channel == 3
    master, slave = os.openpty()
    try:
        begin = time.monotonic()
        assert diagnose(os.ttyname(slave)).state in ("silent", "busy") and time.monotonic() - begin < 5
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_in_use_by_a_program_without_locks_is_busy():
    with Cyton() as emulator:
        code = (
            "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"
        )
        arguments = [sys.executable, "-c", code, emulator.port]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"open\n"
            finding = diagnose(emulator.port)
            other.stdin.close()
        assert finding.state == "busy" and str(other.pid) in finding.what


def test_a_port_that_goes_is_noticed(tmp_path):
    link = tmp_path / "port"
    with Cyton(link=link):
        held = Held(str(link))
        assert not held.gone
    assert held.gone
    held.close()
    held.close()


def test_a_board_left_streaming_answers_all_the_same():
    with Cyton() as emulator:
        held = Held(emulator.port)
        os.write(held.fd, b"b")
        deadline = time.monotonic() + 5
        while emulator.fates["sent"] < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert _ports.check(held).state == "ready"
        held.close()
