"""The stop of what acts, tried by the person before anything moves: a stop that was never pressed is a hope."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from ..core.errors import NotConsented
from ..core.parts import Sink
from ..core.session import Session
from ..effectors import _limits
from ..effectors._client import Client
from ..effectors._door import tell
from ..effectors._moved import Moved
from ..ethics.gate import Gate
from ..ethics.manifest import classify

WAIT_S = 300.0  # for the person
PERIOD_S = 0.02  # of commands that never come while the stop is tried


def stops_tried(gate: Gate, session: Session) -> None:
    """Every effector of a session whose stop must have been tried: one that moves something in the world, or any where
    the policy declares a closed loop, or a use that needs a stop. What no person's signals move is not asked for.
    Raises NotConsented where a stop was not tried, or did not stop."""
    if session.board.label.simulated:
        return
    manifest = gate.consent.facts().policy.manifest if (gate.consent.home / "consent.db").exists() else None
    declared = manifest is not None and (manifest.direction == "closed-loop" or "stop" in classify(manifest)[1])
    acting = [s for s, _ in session.sinks if s.kind == "effector" and (declared or getattr(s, "real", False))]
    for sink in acting:
        if isinstance(sink, Moved) and not sink.lockstep:
            stopped(sink)
        else:
            said_stopped(sink, (manifest and manifest.stop) or "Ctrl-C")
    if acting:
        gate.stop_exercised()


def stopped(sink: Moved, wait_s: float = WAIT_S) -> None:
    """Its supervisor is started, at rest, stopped by the person with `bcikit stop`, and reset."""
    device = _limits.read(sink.limits_path()).device
    client = Client(sink.part_name(), sink.settings(), sink.spec, PERIOD_S)
    until = time.monotonic() + wait_s

    def latched(wanted: bool, ask: str) -> None:
        if (tell(device)["latched"] != "none") is not wanted:
            click.echo(ask, err=True)
        _wait(lambda: (tell(device)["latched"] != "none") is wanted, until, device)

    try:
        latched(False, f"{device} is still stopped. When nobody is in the way:  bcikit stop {device} --reset NAME")
        latched(True, f"Before {device} may move, try its stop, in another terminal:  bcikit stop {device}")
        latched(False, f"It stopped. To let it move, when nobody is in the way:  bcikit stop {device} --reset NAME")
    finally:
        client.close()


def said_stopped(sink: Sink, control: str) -> None:
    """No supervisor sees this one's stop: the person at the terminal says what it did."""
    name = sink.part_name()
    if not sys.stdin.isatty():
        raise NotConsented(
            f"{name} acts, and nobody has tried its stop.", "There is no terminal to ask at.", "Start it at a terminal."
        )
    click.echo(f"Before {name} acts, try its stop: {control}.", err=True)
    if click.prompt("Type stopped once you have seen it work", default="", show_default=False, err=True) != "stopped":
        raise NotConsented(f"The stop of {name} was not tried, so nothing was opened.")


def _wait(done: Callable[[], bool], until: float, device: str) -> None:
    while not done():
        if time.monotonic() > until:
            raise NotConsented(f"The stop of {device} was not tried, so nothing was opened.")
        time.sleep(0.1)
