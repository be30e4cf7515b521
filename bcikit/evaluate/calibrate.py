"""From a person to a decoder: a task is shown, recorded, learnt from, and scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..acquire._impedance import impedances
from ..acquire.openbci import Openbci
from ..core.clock import Clock
from ..core.errors import DeviceTrouble, FileTrouble, WrongUse
from ..core.loop import Loop
from ..core.parts import Board
from ..core.stream import Chunk, Stream
from ..effectors.xdf import Xdf
from ..ethics.gate import Gate
from ..preprocess._signals import BRAIN
from ..preprocess.quality import quality
from ..tasks.cued._board import TERMINAL_S, Cued, Show
from ..tasks.cued._task import Task
from .evaluate import evaluate
from .report import write
from .train import train

LOOK_S = 4.0  # the signal is looked at for so long before the task begins
RECORDING = "recording.xdf"


def calibrate(
    board: Board,
    task: Task,
    subject: str,
    out: str | Path,
    clock: Clock,
    gate: Gate,
    show: Show,
    say: Callable[[str], None],
    decoder: str = "",
    trigger: str = "",
    seen_s: float = TERMINAL_S,
    anyway: bool = False,
) -> dict[str, Any]:
    """Record a task at a board into `out` (recording.xdf and its card), train (model), and report: what `evaluate` says,
    with the folder of the model. A board that replays brings its own cues. say: one line for the person who helps.
    Raises WrongUse, FileTrouble, DeviceTrouble (bad signals, unless `anyway`), NotConsented."""
    folder, card, model, about = taught(board, task, subject, out, clock, gate, show, say, decoder, trigger, seen_s, anyway)
    result = evaluate(str(card), folder, [decoder or task.decoder], "within", use_cache=False)
    report = write(result, folder / "report", str(card), folder)
    trials = {"trials": about["trials"], "labels": about["labels"]}
    return {"model": str(model), "report": str(report), "recording": str(folder / RECORDING), **trials, **result}


def taught(
    board: Board,
    task: Task,
    subject: str,
    out: str | Path,
    clock: Clock,
    gate: Gate,
    show: Show,
    say: Callable[[str], None],
    decoder: str = "",
    trigger: str = "",
    seen_s: float = TERMINAL_S,
    anyway: bool = False,
) -> tuple[Path, Path, Path, dict[str, Any]]:
    """The same without its scores: (the folder, the card in it, the model's folder, what the model says of itself)."""
    folder = Path(out).expanduser()
    if (folder / RECORDING).exists():
        raise WrongUse(f"{folder} holds a calibration already.", do="Choose another --out, or move it away.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileTrouble(f"{folder} cannot be made.", f"{error.strerror}.") from None
    if isinstance(board, Openbci) and board.live:
        for reading in impedances(board):
            said = f"{reading.channel}: {reading.ohm / 1000:.0f} kOhm, {reading.grade}  {reading.advice}"
            say(said.rstrip())
    else:
        say(f"Impedance: {board.part_name()} cannot measure it.")
    _record(board, task, folder, clock, gate, show, say, trigger, seen_s, anyway)
    card = _card(task, subject, folder, gate.purpose)
    model, about = train(str(card), folder, decoder or task.decoder, folder / "model")
    return folder, card, model, about


def _record(
    board: Board,
    task: Task,
    folder: Path,
    clock: Clock,
    gate: Gate,
    show: Show,
    say: Callable[[str], None],
    trigger: str,
    seen_s: float,
    anyway: bool,
) -> None:
    """The board, with the task before its person, into a file; its signal is looked at before the task begins."""
    replays = not board.live and not hasattr(board, "intend")
    source = board if replays else Cued(board, task, show, LOOK_S, seen_s, trigger)
    loop = Loop(source, gate=gate, clock=clock)
    loop.add(Xdf(path=str(folder / RECORDING)), "board")
    seen: list[np.ndarray] | None = []
    for c in loop.chunks():
        if seen is not None:
            seen.append(c.data)
            if sum(map(len, seen)) >= LOOK_S * loop.stream.rate:
                _placed(loop.stream, task, say)
                _looked(np.concatenate(seen), loop.stream, say, anyway)
                seen = None
        if replays:
            _replayed(c, task, show)
        elif isinstance(source, Cued) and source.done:
            loop.stop()
    show("")


def _looked(x: np.ndarray, s: Stream, say: Callable[[str], None], anyway: bool) -> None:
    brain = s.of_kind(*BRAIN)
    states = quality(x, s)
    bad = [f"{s.names[i]} {states[i]}" for i in brain if states[i] not in ("good", "unknown", "mains")]
    notes = [f"{s.names[i]} {states[i]}" for i in brain if states[i] != "good"]
    say(
        f"Signal: {len(brain) - len(notes)} of {len(brain)} channels good" + (f"; {', '.join(notes)}" if notes else "") + "."
    )
    if brain and 2 * len(bad) > len(brain) and not anyway:
        raise DeviceTrouble(
            f"The signal is too poor to learn from: {', '.join(bad)}.",
            "Electrodes do not touch, or the cable is off.",
            "`bcikit impedance` shows which; --anyway records nevertheless.",
        )


def _placed(s: Stream, task: Task, say: Callable[[str], None]) -> None:
    """A word where the board has no electrode at places that the task's answer is seen at."""
    there = {name.casefold() for name in s.names}
    missing = [e for e in task.electrodes if e.casefold() not in there]
    if missing:
        say(
            f"This task is seen best at {', '.join(task.electrodes)}; this board has none at {', '.join(missing)}."
            " Move electrodes there, or expect less."
        )


def _replayed(c: Chunk, task: Task, show: Show) -> None:
    for e in c.events:
        if e.name in task.classes():
            show(e.name)


def _card(task: Task, subject: str, folder: Path, purpose: str) -> Path:
    """A data-set card beside the recording, so that it can be evaluated again like any other."""
    told = {k: v for k, v in task.trials().items() if not isinstance(v, dict)}
    tables = {k: v for k, v in task.trials().items() if isinstance(v, dict)}
    lines = [
        f"title = {json.dumps(f'Calibration of {subject}: {type(task).__name__}')}",
        'source = "bcikit calibrate"',
        'licence = "none: the person\'s own"',
        "subjects = 1",
        'channels = "as the recording says"',
        "rate_hz = 0",
        'unit = "µV"',
        f"paradigm = {json.dumps(task.paradigm)}",
        "",
        "[consent]",
        'basis = "The person\'s own, for their own decoder."',
        f"purposes = [{json.dumps(purpose)}]",
        "",
        "[trials]",
        *(f"{k} = {json.dumps(v)}" for k, v in told.items()),
        *(f"{k} = {{ {', '.join(f'{json.dumps(n)} = {x}' for n, x in v.items())} }}" for k, v in tables.items()),
        "",
        "[[runs]]",
        f'files = "{RECORDING}"',
        f"subject = {json.dumps(subject)}",
        'run = "1"',
    ]
    path = folder / "calibration.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
