"""What `stream` and `run` share: consent before the board is opened, views, signals, and the last word."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..core.errors import NotConsented, WrongUse
from ..core.find import parse
from ..core.label import Label
from ..core.loop import Loop
from ..core.parts import Board, Report
from ..core.pipeline import Pipeline
from ..core.session import Session
from ..decode._learner import learns
from ..effectors.console import Console
from ..effectors.store import Store
from ..effectors.xdf import Xdf
from ..ethics.gate import Gate
from ..kernels import one_thread
from ..view._view import View, file_size
from ..view._watch import Watch
from ..view.jsonl import Jsonl
from ..view.terminal import Terminal

if TYPE_CHECKING:
    from ..custody.trail import Trail
    from ..decode._carried import Carried


def go(session: Session, trail: Path | None = None, keep: Path | None = None) -> None:
    """Run a session until the board ends, its seconds have passed, or somebody ends it. trail: a folder for what explains
    each of its commands. keep: a new one for what its model learns."""
    from ._tried import stops_tried

    board, line, gate = session.board, Pipeline(session.stages), Gate()
    stops_tried(gate, session)
    if board.live:
        kinds = [sink.kind for sink, _ in session.sinks] + ["record"] * bool(trail) + ["train"] * learns(session.stages)
        board.label = allowed(gate, session.subject, kinds)
    _pinned(board)
    loop = Loop(board, line, gate)
    carried = _carried(keep, loop, gate) if keep else None
    views = [sink for sink, _ in session.sinks if isinstance(sink, View)]
    recorders = [sink for sink, _ in session.sinks if isinstance(sink, Xdf)]
    for recorder in recorders:
        recorder.about = _about(line, session)
        if isinstance(recorder, Store):
            recorder.place(board.label)
    files = [Path(os.path.expanduser(recorder.path)) for recorder in recorders]
    for view in views:
        view.stop, view.mark, view.recordings = loop.stop, loop.mark, files
        if isinstance(view, Terminal):
            view.line = " → ".join(stage.part_name() for stage in session.stages)
            view.keys = "keyboard" not in str(board.recipe())  # which reads the same keys, as marks
        if session.stages:
            view.watch = Watch()
            loop.add(view.watch, "board")
    left = _trail(trail, session, loop, gate) if trail else None
    for sink, at in session.sinks:
        if isinstance(sink, Console) and views:
            sink.say = views[0].say
        loop.add(left.stand(sink) if left and sink.kind == "effector" else sink, at)
    if not views:
        _say(f"{board.part_name()} runs without a view. Ctrl-C ends it.")
    with _ended_by_signals(loop), one_thread(), left or nullcontext(), carried or nullcontext():
        report = loop.run(session.seconds)
    if not any(isinstance(view, Jsonl) for view in views):
        _say(_last_word(report, files))
        if carried and carried.folder.exists():
            _say(f"What it learnt: --decode {carried.folder}")


def _trail(folder: Path, session: Session, loop: Loop, gate: Gate) -> Trail:
    """Raises WrongUse where it is not one effector that acts by what leaves the line."""
    from ..custody.trail import Trail

    places = [at for sink, at in session.sinks if sink.kind == "effector"]
    ends = ("out", session.stages[-1].part_name()) if session.stages else ()
    if len(places) != 1 or places[0] not in ends:
        raise WrongUse(
            "A trail is of a line and the one effector at its end.", do="Give the session file [effector] and a stage."
        )
    return Trail(folder, loop, gate)


def _carried(folder: Path, loop: Loop, gate: Gate) -> Carried:
    from ..decode._carried import Carried

    return Carried(folder, loop, gate)


def _pinned(board: Board) -> None:
    """Raises NotConsented where a stream of the network would be read that the policy does not name."""
    from ..ethics.consent import Consent

    consent = Consent()
    peers = consent.facts().policy.peers if (consent.home / "consent.db").exists() else ()
    for recipe in _all(board.recipe()) if peers else ():
        if recipe.get("board") == "lsl" and recipe.get("source_id") not in peers:
            raise NotConsented(
                "The policy lets streams of the network be read by their source_id alone.",
                f"It names {', '.join(peers)}.",
                f"--board lsl --opt source_id={peers[0]}",
            )


def _all(value: object) -> Iterator[dict]:
    """The recipes of a board and of those within it, which may be written NAME:key=value."""
    if isinstance(value, dict):
        yield value
        value = [v for k, v in value.items() if k != "board"]
    if isinstance(value, str) and value.partition(":")[0] == "lsl":
        yield parse("board", value).recipe()
    for inner in value if isinstance(value, (list, tuple)) else ():
        yield from _all(inner)


def allowed(gate: Gate, subject: str | None, kinds: list[str]) -> Label:
    """The label of a live board, once its person allowed all these kinds of sink: asked here where nobody is named.
    Raises NotConsented, with one command that grants all that is missing."""
    from ..ethics.consent import best, command
    from ._ask import ask_first_use

    kinds = sorted(set(kinds))
    if not kinds:
        return Label()
    name = subject or ask_first_use(kinds)
    label = gate.consent.label(name)
    grants = gate.consent.grants()
    missing = [kind for kind in kinds if best(grants, name, gate.purpose, kind) is None]
    if len(missing) > 1:
        what = f"{name} did not allow the sinks {', '.join(missing)} for {gate.purpose}."
        raise NotConsented(what, do=command(name, gate.purpose, missing))
    for kind in kinds:
        gate.check(kind, label)
    return label


def _about(line: Pipeline, session: Session) -> dict[str, object]:
    from .. import __version__

    return {"bcikit": __version__, "board": session.board.recipe(), "line": line.recipe()}


@contextmanager
def _ended_by_signals(loop: Loop) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the loop in good order; a second one, or one before it runs, at once."""

    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or not hasattr(loop, "out"):
            raise KeyboardInterrupt
        asked = True
        loop.stop()

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    before = {n: signal.signal(n, end) for name in names if (n := getattr(signal, name, None)) is not None}
    try:
        yield
    finally:
        for n, handler in before.items():
            signal.signal(n, handler)


def _last_word(r: Report, files: list[Path]) -> str:
    said = f"{r.time_s:.1f} s, {r.samples} samples, {r.status.lost} lost"
    if r.gaps or r.bridged:
        said += f" ({r.gaps} gaps, {r.bridged} bridged)"
    said += f", {r.repeated} repeated and left out" if r.repeated else ""
    said += "".join(f"; recorded {path} ({file_size(path)})" for path in files)
    return said + "".join(f"; {sink} was too slow for {n} chunks" for sink, n in r.dropped.items()) + "."


def _say(text: str) -> None:
    click.echo(text, err=True)
