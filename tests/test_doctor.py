"""The doctor says what works and what to do about what does not."""

from __future__ import annotations

import json
import subprocess
import sys

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
    assert finding.state == "bad" and "--opt host=" in finding.do


def test_complaint_13_a_missing_liblsl_is_said_with_its_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    (finding,) = doctor.lsl()
    assert finding.state == "bad" and "pip install pylsl" in finding.do


def test_the_command_prints_json_lines():
    out = subprocess.run([sys.executable, "-m", "bcikit.cli.main", "doctor", "--json"], capture_output=True, text=True)
    assert out.returncode in (0, 1), out.stderr
    assert all({"name", "state", "found", "do"} == set(json.loads(line)) for line in out.stdout.splitlines())
