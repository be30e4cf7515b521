"""The doctor says what works and what to do about what does not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bcikit.bench import doctor


def test_every_finding_that_is_not_good_says_what_to_do():
    found = list(doctor.examine())
    assert {f.name for f in found} >= {"system", "python", "BCIKIT_HOME", "kernels", "liblsl", "clock", "display", "GPU"}
    for f in found:
        assert f.state in ("good", "note", "bad") and f.found
        assert f.do or f.state == "good" or f.name == "display", f


def test_it_names_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path / "mine"))
    (home,) = doctor.home()
    assert str(tmp_path / "mine") in home.found


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def broken():
        raise OSError("no such thing")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (broken,))
    (finding,) = doctor.examine()
    assert finding.state == "bad" and "no such thing" in finding.found


def test_complaint_18_blocked_discovery_is_found_and_the_way_round_it_named(monkeypatch):
    import pylsl

    monkeypatch.setattr(pylsl, "resolve_byprop", lambda *a: [])
    finding = list(doctor.lsl())[-1]
    assert finding.state == "bad" and "--opt address=" in finding.do


def test_complaint_13_a_missing_liblsl_is_said_with_its_mend(monkeypatch):
    from bcikit.acquire import _lsl

    monkeypatch.setitem(sys.modules, "pylsl", None)
    _lsl.library.cache_clear()
    (finding,) = doctor.lsl()
    assert finding.state == "bad" and "pip install pylsl" in finding.do


def test_the_command_prints_json_lines():
    out = subprocess.run([sys.executable, "-m", "bcikit.cli.main", "doctor", "--json"], capture_output=True, text=True)
    assert out.returncode in (0, 1), out.stderr
    assert all({"name", "state", "found", "do"} == set(json.loads(line)) for line in out.stdout.splitlines())


@pytest.mark.realtime
def test_complaint_12_what_is_wrong_with_a_port_is_told_apart():
    from bcikit.acquire.emulate.cyton import Cyton

    (gone,) = doctor.serial_ports(["/dev/no-such-port"])
    assert gone.state == "bad" and "no port" in gone.found
    said = {}
    for name, settings in {"ready": {}, "off": {"power": False}, "channel": {"channel": 7, "dongle_channel": 3}}.items():
        with Cyton(**settings) as board:
            (said[name],) = doctor.serial_ports([board.port])
    assert said["ready"].state == "good" and said["off"].state == said["channel"].state == "bad"
    assert "7" in said["channel"].found + said["channel"].do and said["off"].found != said["channel"].found


def test_complaint_04_the_latency_timer_is_read_and_a_slow_one_said(tmp_path, monkeypatch):
    from bcikit.acquire import _ports

    monkeypatch.setattr(_ports, "diagnose", lambda path: _ports.Finding(path, "ready", "A Cyton answers."))
    monkeypatch.setattr(_ports, "latency_timer", lambda path: 16)
    ready, slow = doctor.serial_ports(["/dev/ttyUSB0"])
    assert ready.state == "good" and "16 ms" in slow.found and "--set-latency-timer" in slow.do
