"""From a person to a decoder: a task is shown, recorded, learnt from, and scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from .train import scored, train

LOOK_S = 4.0  # the signal is looked at for so long before the task begins
RECORDING = "recording.xdf"


@dataclass(frozen=True)
class Calibration:
    """A task at a board, shown to a person by `show`, recorded into the folder `out`; `say` tells whoever helps a line. A
    board that replays brings its own cues. decoder: another than the task's. trigger, seen_s: what `Cued` is told of when a
    cue was seen. anyway: bad signals too."""

    board: Board
    task: Task
    subject: str
    out: str | Path
    clock: Clock
    gate: Gate
    show: Show
    say: Callable[[str], None]
    decoder: str = ""
    trigger: str = ""
    seen_s: float = TERMINAL_S
    anyway: bool = False


def calibrate(c: Calibration) -> dict[str, Any]:
    """Record (recording.xdf and its card), train (model), and report: what `evaluate` says, with the folder of the model.
    Raises WrongUse, FileTrouble, DeviceTrouble (bad signals, unless `anyway`), NotConsented."""
    folder, card, model, about = taught(c)
    result = evaluate(str(card), folder, [c.decoder or c.task.decoder], "within", use_cache=False)
    scored(model, result)
    report = write(result, folder / "report", str(card), folder)
    trials = {"trials": about["trials"], "labels": about["labels"]}
    return {"model": str(model), "report": str(report), "recording": str(folder / RECORDING), **trials, **result}


def taught(c: Calibration) -> tuple[Path, Path, Path, dict[str, Any]]:
    """The same without its scores: (the folder, the card in it, the model's folder, what the model says of itself)."""
    folder = Path(c.out).expanduser()
    if (folder / RECORDING).exists():
        raise WrongUse(f"{folder} holds a calibration already.", do="Choose another --out, or move it away.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileTrouble(f"{folder} cannot be made.", f"{error.strerror}.") from None
    if isinstance(c.board, Openbci) and c.board.live:
        for reading in impedances(c.board):
            said = f"{reading.channel}: {reading.ohm / 1000:.0f} kOhm, {reading.grade}  {reading.advice}"
            c.say(said.rstrip())
    else:
        c.say(f"Impedance: {c.board.part_name()} cannot measure it.")
    _record(c, folder)
    card = _card(c.task, c.subject, folder, c.gate.purpose)
    model, about = train(str(card), folder, c.decoder or c.task.decoder, folder / "model")
    return folder, card, model, about


def _record(c: Calibration, folder: Path) -> None:
    """The board, with the task before its person, into a file; its signal is looked at before the task begins."""
    replays = not c.board.live and not hasattr(c.board, "intend")
    source = c.board if replays else Cued(c.board, c.task, c.show, LOOK_S, c.seen_s, c.trigger)
    loop = Loop(source, gate=c.gate, clock=c.clock)
    loop.add(Xdf(path=str(folder / RECORDING)), "board")
    seen: list[np.ndarray] | None = []
    for chunk in loop.chunks():
        if seen is not None:
            seen.append(chunk.data)
            if sum(map(len, seen)) >= LOOK_S * loop.stream.rate:
                _placed(loop.stream, c.task, c.say)
                _looked(np.concatenate(seen), loop.stream, c.say, c.anyway)
                seen = None
        if replays:
            _replayed(chunk, c.task, c.show)
        elif isinstance(source, Cued) and source.done:
            loop.stop()
    c.show("")


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
