"""Tables of numbers as text: with a header row, or as BrainFlow writes them, without one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse, nearest
from ..core.stream import Channel, Event, Recording, Stream
from ._contents import VOLTAGE, channel, lines_of, rows_of, runs, unique
from ._counter import unwrapped

TIMES = {
    "time": 1.0,
    "times": 1.0,
    "t": 1.0,
    "timestamp": 1.0,
    "timestamps": 1.0,
    "time_s": 1.0,
    "time_ms": 1e-3,
    "time_us": 1e-6,
}
MARKS = ("label", "marker", "markers", "event", "events", "trigger", "stim", "class", "annotation", "status")
COUNTERS = ("", "index", "sample", "sample_index", "sample index", "counter", "package", "package_num")
BOARDS = {"cyton": 0, "ganglion": 1, "daisy": 2, "synthetic": -1}  # BrainFlow's numbers, for names that people use
STEADY = 0.2  # of a step: stamps that jitter more than this come from a link's bursts and place no sample


def read(
    path: str | Path, rate: float | None = None, columns: Sequence[str] = (), unit: str = "µV", board: str = ""
) -> Recording:
    """One column a channel. A column of time places the samples (steady stamps; gaps where they leave one out), columns
    called label, marker, ... or holding text become events where their value changes.

    rate: Hz, where there is no steady time. columns: those that are channels, where not all are. unit: of the numbers
    (V, mV, µV, nV). board: for a BrainFlow file, which has no header: cyton, ganglion, daisy, or BrainFlow's number.
    Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    if unit not in VOLTAGE:
        raise WrongUse(f"unit={unit} is not known.", f"It can be {', '.join(VOLTAGE)}.")
    lines, complete = lines_of(path)
    lines = [line for line in lines if not line.lstrip().startswith("#")] or [""]
    sep = _separator(lines)
    first = [c.strip().strip('"') for c in lines[0].split(sep)]
    if board:
        return _brainflow(path, lines, complete, sep, board)
    if all(_is_number(c) for c in first):
        names = [f"ch{i + 1}" for i in range(len(first))]
        if rate is None:
            raise WrongUse(
                f"{path.name} has no header: nothing says which column is what, nor its rate.",
                f"It has {len(first)} columns.",
                "A BrainFlow file: board=ganglion (cyton, daisy, number). Else: rate=250, and channels=NAME+NAME+...",
            )
    elif all(not _is_number(c) for c in first) or sum(map(_is_number, first)) < len(first) / 2:
        names, lines = unique(first), lines[1:]
    else:
        raise FileTrouble(f"{path} is not a table of numbers.", f"It begins with {lines[0][:60]!r}.")
    if not lines:
        raise FileTrouble(f"{path} holds no samples.", "There is a header and nothing behind it.")
    for wanted in columns:
        if wanted not in names:
            raise WrongUse(f"{path.name} has no column {wanted!r}.", f"It has {', '.join(names)}.", nearest(wanted, names))
    sample = [[c.strip().strip('"') for c in line.split(sep)] for line in lines[:: max(len(lines) // 50, 1)]]
    low = [n.lower() for n in names]
    text = [i for i in range(len(names)) if all(len(r) > i and not _is_number(r[i]) and r[i] for r in sample)]
    marks = [i for i, n in enumerate(low) if (n in MARKS or i in text) and names[i] not in columns]
    time = next((i for i, n in enumerate(low) if n in TIMES and i not in text and names[i] not in columns), None)
    left = [i for i in range(len(names)) if i not in marks and i != time and low[i] not in COUNTERS]
    chans = [names.index(c) for c in columns] if columns else left
    if not chans:
        raise FileTrouble(f"{path} has no column of samples.", f"Its columns are {', '.join(names)[:80]}.")
    wanted_columns = [*chans, *([time] if time is not None else [])]
    table, notes = rows_of(path, lines, complete, len(names), wanted_columns, sep)
    lines = lines[: len(table)]
    index = np.arange(len(table))
    if time is not None:
        index, rate = _placed(path, table[:, -1] * TIMES[low[time]], rate, notes)
    if rate is None:
        raise WrongUse(f"{path.name} does not say its rate.", "It has no column of time.", "Say it: rate=250 (Hz).")
    events = [e for i in marks for e in _changes(names[i], [line.split(sep)[i].strip().strip('"') for line in lines], index)]
    data = table[:, : len(chans)] * [VOLTAGE[unit] if _kind(names[i])[0] == "eeg" else 1.0 for i in chans]
    stream = Stream(
        path.stem, float(rate), tuple(channel(names[i], *_kind(names[i])) for i in chans), info={"model": "table"}
    )
    return runs(stream, data, index, events, {"format": "table", "notes": notes})


def _separator(lines: Sequence[str]) -> str | None:
    """What parts the cells: the same number of them in the first lines; None is any white space."""
    some = lines[1:20] or lines
    for sep in ("\t", ";", ","):
        if some[0].count(sep) and some[0].count(sep) == some[len(some) // 2].count(sep):
            return sep
    return None if len(some[0].split()) > 1 else ","


def _is_number(cell: str) -> bool:
    try:
        float(cell)
        return True
    except ValueError:
        return False


def _kind(name: str) -> tuple[str, str]:
    low = name.lower()
    if low.startswith("acc"):
        return "accel", "g"
    return ("gyro", "deg/s") if low.startswith("gyr") else ("eeg", "µV")


def _placed(path: Path, t: np.ndarray, rate: float | None, notes: list[str]) -> tuple[np.ndarray, float]:
    """The index of each row from a column of time, and the rate."""
    good = np.isfinite(t)
    steps = np.diff(t[good])
    if len(steps) < 2 or np.median(steps) <= 0:
        if rate is None:
            raise WrongUse(f"The times in {path.name} do not go on.", "They cannot tell its rate.", "Say it: rate=250 (Hz).")
        notes.append("the times do not go on; the samples are taken as following each other")
        return np.arange(len(t)), rate
    step = float(np.median(steps))
    if rate is None and np.nanmedian(t) > 1e11:  # milliseconds since 1970
        step, t = step / 1000, t / 1000
        steps = steps / 1000
    whole = np.rint(steps / step)
    steady = bool((np.abs(steps - whole * step) < STEADY * step).mean() > 0.95 and (whole >= 1).all() and good.all())
    if not steady:
        if rate is None:
            raise WrongUse(
                f"The times in {path.name} are not steady.",
                f"Steps go from {steps.min():.4g} to {steps.max():.4g} s; they cannot tell its rate.",
                "Say it: rate=250 (Hz).",
            )
        notes.append("the times are not steady; the samples are taken as following each other")
        return np.arange(len(t)), rate
    own = 1 / float(np.mean(steps[whole == 1]))
    own = round(own) if abs(own - round(own)) < 0.005 * own else own
    rate = rate or float(own)
    index = np.concatenate([[0], np.cumsum(np.rint(steps * own))]).astype(np.int64)
    lost = int(index[-1]) + 1 - len(index)
    if lost:
        notes.append(f"{lost} samples are missing by the times")
    return index, rate


def _changes(name: str, cells: Sequence[str], index: np.ndarray) -> list[Event]:
    """An event where the value changes to one that says something."""
    out, before = [], ""
    for i, cell in enumerate(cells):
        if cell != before and cell not in ("", "0", "0.0", "nan", "NaN", "None"):
            out.append(Event(int(index[i]), name, float(cell) if _is_number(cell) else cell))
        before = cell
    return out


def _brainflow(path: Path, lines: Sequence[str], complete: bool, sep: str | None, board: str) -> Recording:
    """BrainFlow's own layout: columns by the board's table."""
    facts = _board(board)
    table, notes = rows_of(path, lines, complete, facts["num_rows"], range(facts["num_rows"]), sep)
    if len(lines[0].split(sep)) != facts["num_rows"]:
        raise FileTrouble(
            f"{path} has {len(lines[0].split(sep))} columns, a recording of {facts['name']} has {facts['num_rows']}.",
            "It is of another board.",
            "board= names the right one.",
        )
    exg = next(facts[k] for k in ("eeg_channels", "exg_channels", "emg_channels", "ecg_channels") if facts.get(k))
    chans = [channel(f"ch{i + 1}") for i in range(len(exg))]
    accel = facts.get("accel_channels", [])[:3]
    chans += [Channel(f"accel {a}", "accel", "g") for a in "xyz"[: len(accel)]]
    gone = {*exg, *accel, facts.get("package_num_channel"), facts.get("timestamp_channel"), facts.get("marker_channel")}
    other = [i for i in range(facts["num_rows"]) if i not in gone]
    chans += [Channel(f"aux {i + 1}", "aux", "") for i in range(len(other))]
    rate = float(facts["sampling_rate"])
    data = table[:, [*exg, *accel, *other]].astype(np.float32)
    seconds = table[:, facts["timestamp_channel"]]
    usable = np.isfinite(seconds).all() and seconds[0] > 0
    counter = table[:, facts["package_num_channel"]]
    index, more = unwrapped(counter, seconds if usable else None, rate, data[:, : len(exg)], "Ganglion" in facts["name"])
    marks = table[:, facts["marker_channel"]]
    events = [Event(int(index[i]), "marker", float(marks[i])) for i in np.flatnonzero(np.nan_to_num(marks))]
    stream = Stream(path.stem, rate, tuple(chans), info={"model": facts["name"]})
    info = {"format": "BrainFlow", "start": float(seconds[0]) if usable else None, "notes": notes + more}
    return runs(stream, data, index, events, info)


def _board(name: str) -> dict[str, Any]:
    """BrainFlow's table row of a board. Raises WrongUse for one it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # brainflow imports pkg_resources, which says that it is old
        from brainflow.board_shim import BoardIds, BoardShim, BrainFlowError

        short = name.strip().lower().removesuffix("_board")
        known = {b.name.lower().removesuffix("_board"): b.value for b in BoardIds} | BOARDS
        number = int(short) if short.lstrip("-").isdigit() else known.get(short)
        try:
            if number is not None:
                return BoardShim.get_board_descr(number)
        except BrainFlowError:
            pass
    raise WrongUse(
        f"BrainFlow has no board {name!r}.", f"It has {', '.join(list(known)[:12])}, ...", nearest(short, list(known))
    )
