"""A closed loop acts only after its stop was tried: on a real device always, and wherever the policy declares one."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from bcikit import Channel, Chunk, Label, NotConsented, Stream
from bcikit.cli import _tried
from bcikit.core.session import session
from bcikit.effectors import _limits
from bcikit.effectors._door import tell
from bcikit.effectors.console import Console
from bcikit.effectors.drones import Drones
from bcikit.effectors.serial import Serial
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate

S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
CLOSED = 'version = 1\n[limits]\nbits_per_s = 100.0\n[manifest]\ndirection = "closed-loop"\nstop = "the red button"\n'


@pytest.fixture
def port():
    """(the end of a serial line that a device would have, a serial effector with signed limits on the other)."""
    pty = pytest.importorskip("pty", reason="left out: no pseudo-terminals on this system")
    pytest.importorskip("serial", reason="left out: pyserial is not installed")
    device, ours = pty.openpty()
    yield device, os.ttyname(ours)
    os.close(device)
    os.close(ours)


def test_a_real_device_opens_only_after_its_stop_was_tried(port, tmp_path):
    mine = tmp_path / "serial.toml"
    shutil.copy(_limits.packaged("serial"), mine)
    _limits.sign(mine)
    sink = Serial(port=port[1], limits=str(mine), lockstep=True)
    assert sink.real and not Serial(lockstep=True).real
    Consent().grant("S1", "research", ["effector"])
    names = zip(sink.takes.names, sink.takes.units, strict=True)
    stream = Stream("commands", 50.0, tuple(Channel(n, "velocity", u) for n, u in names), label=S1)
    gate = Gate()
    with pytest.raises(NotConsented, match="stop control") as caught:
        gate.open(sink, stream)
    assert "bcikit run" in caught.value.do and caught.value.rule == "red line: no-stop"
    gate.stop_exercised()
    permit = gate.open(sink, stream)
    permit.send(Chunk(np.zeros((1, len(stream.channels)), np.float32), 0, 0.0))
    permit.close()
    assert os.read(port[0], 4096).startswith(b"$BCI,")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="left out: the supervisor's process needs Linux")
def test_a_person_stops_it_and_lets_it_go_again_before_anything_moves(monkeypatch):
    asked = []

    def person(ask, err):
        asked.append(ask)
        tell("drones", **({"reset": "Ada"} if "--reset" in ask else {"stop": True}))

    with monkeypatch.context() as patch:
        patch.setattr("click.echo", person)
        _tried.stopped(Drones(), wait_s=30)
    assert len(asked) == 2 and "bcikit stop drones" in asked[0] and "--reset" in asked[1]
    with pytest.raises(NotConsented, match="was not tried"):
        _tried.stopped(Drones(), wait_s=0.3)


def a_session(board="lsl"):
    made = session({"board": {"use": board}, "effector": {"use": "console"}})
    assert isinstance(made.sinks[0][0], Console)
    return made


def test_a_declared_closed_loop_asks_at_the_terminal_and_a_simulated_one_does_not(monkeypatch):
    gate = Gate()
    _tried.stops_tried(gate, a_session())  # the policy declares none
    gate.consent.use_policy(CLOSED)
    gate.consent.grant("S1", "research", ["effector"])
    _tried.stops_tried(gate, a_session("synthetic"))  # nobody's signals
    with pytest.raises(NotConsented, match="no terminal"):
        _tried.stops_tried(gate, a_session())
    monkeypatch.setattr("sys.stdin", type("T", (), {"isatty": lambda self: True})())
    for said, tried in (("", False), ("yes", False), ("stopped", True)):
        monkeypatch.setattr("click.prompt", lambda *a, said=said, **k: said)
        if not tried:
            with pytest.raises(NotConsented, match="not tried"):
                _tried.stops_tried(gate, a_session())
            assert not gate._stopped
    _tried.stops_tried(gate, a_session())
    assert gate._stopped
