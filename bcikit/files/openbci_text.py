"""Recordings that the OpenBCI GUI wrote as text, every header version from 1 to 6.

v1, v2 have no time; v3 a time of day; v4 and v5 also seconds or milliseconds since 1970; from v5 on a row names the
columns (and is missing from some). Formats: OpenBCI GUI documentation, "GUI Data Format", and the files themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import FileTrouble
from ..core.stream import Channel, Event, Recording, Stream
from ._contents import channel, lines_of, rows_of, runs, unique
from ._counter import unwrapped

RATE_OFF = 0.005  # a measured rate that differs more is said
RATE_SPAN_S = 10.0  # shorter recordings say nothing about their rate
DAY_S = 86_400.0


def read(path: str | Path, rate: float | None = None) -> Recording:
    """EXG in µV, accelerometer in g, digital and analogue inputs as they stand; time 0 is the first row.

    rate: Hz, where the header says none or a wrong one. Lost samples are gaps; markers are events `marker`.
    Raises FileTrouble.
    """
    path = Path(path)
    lines, complete = lines_of(path)
    head = [line[1:].strip() for line in lines if line.startswith("%")]
    if not any("OpenBCI" in line or "OBCI" in line for line in head):
        raise FileTrouble(f"{path} is not an OpenBCI recording.", "Its first line does not say %OpenBCI.")
    body = [line for line in lines if not line.startswith("%")]
    names = [n.strip() for n in body.pop(0).split(",")] if body and body[0].lstrip()[:1].isalpha() else []
    if len(body) == 1 and not complete and not names:  # nothing says how long a row is
        body = []
    if not body:
        raise FileTrouble(f"{path} holds no samples.", "There is a header and nothing behind it: nothing was recorded.")
    facts = dict(_split(line) for line in head if "=" in line)
    layout = _layout(path, names, body, facts)
    if layout.clock:  # 14:38:21.952 as three columns
        body = [line.replace(":", ",") for line in body]
    table, notes = rows_of(path, body, complete, layout.fields, layout.columns)
    said = _number(facts, "Sample Rate")
    if rate is None and not said:
        notes.append("the file says no rate; 250 Hz, a Cyton's, is assumed (rate= says another)")
    rate = float(rate or said or 250.0)

    n = len(layout.exg)
    data = table[:, 1 : 1 + n + len(layout.others)].astype(np.float32)
    chans = [channel(f"ch{i + 1}") for i in range(n)]
    names = unique(c.name for c in layout.others)
    chans += [Channel(name, c.kind, c.unit) for name, c in zip(names, layout.others, strict=True)]
    rest = table[:, 1 + n + len(layout.others) :]
    seconds, start = _seconds(rest, layout)
    board = facts.get("Board", "")
    index, more = unwrapped(table[:, 0], seconds, rate, data[:, :n], "Ganglion" in board or n == 4)
    notes += more
    info = {"format": "OpenBCI GUI text", "board": board, "start": start, "notes": notes}
    if seconds is not None:
        measured, unsure = _measured(index, seconds)
        info["rate_measured_hz"] = measured
        if abs(measured / rate - 1) > max(RATE_OFF, unsure):  # never so for nan
            notes.append(f"the rate is {rate:g} Hz by the header and {measured:.2f} Hz by the computer's clock")
    events = []
    if layout.marker:
        values = rest[:, -1]
        events = [Event(int(index[i]), "marker", float(values[i])) for i in np.flatnonzero(np.nan_to_num(values))]
    stream = Stream(path.stem, rate, tuple(chans), info={"model": board or "OpenBCI", "file": path.name})
    return runs(stream, data, index, events, info)


@dataclass
class _Layout:
    """Which column is what. `columns` are read in this order: index, EXG, others, times, marker."""

    fields: int
    exg: list[int]
    others: list[Channel] = field(default_factory=list)
    other_columns: list[int] = field(default_factory=list)
    epoch: int | None = None  # column of the time since 1970
    clock: int | None = None  # column of the time of day, where there is no other
    marker: int | None = None

    @property
    def columns(self) -> list[int]:
        times = [self.epoch] if self.epoch is not None else []
        if self.clock is not None:
            times = [self.clock, self.clock + 1, self.clock + 2]
        return [0, *self.exg, *self.other_columns, *times, *([self.marker] if self.marker is not None else [])]


def _layout(path: Path, names: list[str], body: list[str], facts: dict[str, str]) -> _Layout:
    cells = [c.strip() for c in body[(len(body) - 1) // 2].split(",")]
    if names:
        return _by_names(path, names)
    formatted = [i for i, c in enumerate(cells) if ":" in c]
    epochs = [i for i, c in enumerate(cells) if ":" not in c and _is_epoch(c)]
    signals = min([*formatted, *epochs, len(cells)])
    n = int(_number(facts, "Number of channels")) or (signals - 4 if signals - 4 in (4, 8, 16) else signals - 1)
    if n < 1 or n >= signals:
        raise FileTrouble(
            f"{path} has {len(cells)} columns, too few for an OpenBCI recording.", f"A row is {body[0][:60]!r}."
        )
    layout = _Layout(len(cells), list(range(1, n + 1)))
    for i in range(n + 1, signals):
        accel = i <= n + 3
        layout.others.append(Channel(f"accel {'xyz'[i - n - 1]}", "accel", "g") if accel else Channel("Other", "aux", ""))
        layout.other_columns.append(i)
    layout.epoch = epochs[0] if epochs else None
    if formatted and not epochs:
        layout.clock = formatted[0]
        layout.fields += 2
    return layout


def _by_names(path: Path, names: list[str]) -> _Layout:
    layout = _Layout(len(names), [i for i, n in enumerate(names) if n.startswith("EXG")])
    if not layout.exg:
        raise FileTrouble(f"{path} names no EXG columns.", f"Its columns are {', '.join(names)[:80]}.")
    for i, name in enumerate(names):
        if name.startswith("Accel"):
            axis = sum(c.kind == "accel" for c in layout.others)
            layout.others.append(Channel(f"accel {'xyz'[axis] if axis < 3 else axis + 1}", "accel", "g"))
        elif name.startswith("Digital"):
            layout.others.append(Channel(name, "digital", ""))
        elif name.startswith(("Analog", "Other", "Resistance")):
            layout.others.append(Channel(name, "aux", ""))
        else:
            if name == "Timestamp":
                layout.epoch = i
            elif name.startswith("Marker"):
                layout.marker = i
            continue
        layout.other_columns.append(i)
    return layout


def _split(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


def _number(facts: dict[str, str], name: str) -> float:
    """What the header says; 0 where that is no number."""
    found = re.match(r"\d+(\.\d+)?", facts.get(name, ""))
    return float(found[0]) if found else 0.0


def _is_epoch(cell: str) -> bool:
    try:
        return float(cell) > 1e9
    except ValueError:
        return False


def _seconds(rest: np.ndarray, layout: _Layout) -> tuple[np.ndarray | None, str | float | None]:
    """Host time of each row in seconds, None where the file has none; and the first of them as the file says it."""
    if layout.epoch is not None:
        t = rest[:, 0].copy()
        t[t <= 0] = np.nan
        if np.nanmedian(t) > 1e11:  # milliseconds
            t /= 1000
    elif layout.clock is not None:
        t = rest[:, 0] * 3600 + rest[:, 1] * 60 + rest[:, 2]
        t += DAY_S * np.cumsum(np.concatenate([[0], np.diff(np.nan_to_num(t)) < -DAY_S / 2]))
    else:
        return None, None
    good = np.isfinite(t)
    if not good.any():
        return None, None
    t[~good] = np.interp(np.flatnonzero(~good), np.flatnonzero(good), t[good])
    return t, float(t[0])


def _measured(index: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Samples a second by the host's clock over the longest stretch without a loss, and how unsure that is (a share:
    the spread of the arrivals over the length); nan where that is too short."""
    borders = np.concatenate([[0], np.flatnonzero(np.diff(index) != 1) + 1, [len(index)]])
    longest = int(np.diff(borders).argmax())
    a, b = int(borders[longest]), int(borders[longest + 1])
    span = seconds[b - 1] - seconds[a]
    if span < RATE_SPAN_S:
        return float("nan"), float("nan")
    rows = np.arange(b - a)
    each, begin = np.polyfit(rows, seconds[a:b] - seconds[a], 1)
    return float(1 / each), float(np.ptp(seconds[a:b] - seconds[a] - begin - each * rows) / span)
