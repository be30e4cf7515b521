"""What every reader shares: the bytes of a file or why not, rows of numbers, channels, and a recording made of runs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble
from ..core.stream import Channel, Chunk, Event, Recording, Stream
from . import sealed
from .montage import position

VOLTAGE = {"V": 1e6, "mV": 1e3, "µV": 1.0, "uV": 1.0, "nV": 1e-3}
UNREADABLE_SHARE = 0.5  # of the rows: more than this is another format, not a damaged file


def contents(path: Path, limit: int | None = None) -> bytes:
    """The bytes of a file (the first `limit`), unpacked where it ends in .gz. Raises FileTrouble."""
    try:
        if path.is_dir():
            raise FileTrouble(f"{path} is a folder.", "A recording is one file.", "Name the file in it.")
        if path.exists() and not path.is_file():  # reading a pipe or a device might never end
            raise FileTrouble(f"{path} is a pipe or a device.", "A recording is a file.", "Save it to one, and name that.")
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            raw = file.read(-1 if limit is None else limit)
            if raw.startswith(sealed.MAGIC):
                raw = sealed.opened(raw + file.read(), path, limit=limit)
    except FileNotFoundError:
        raise FileTrouble(f"There is no file {path}.", "The name or the folder is not right.") from None
    except PermissionError:
        raise FileTrouble(f"{path} may not be read.", "It belongs to another user.", f"chmod +r {path}") from None
    except (OSError, EOFError, ValueError, zlib.error) as error:  # a name that cannot be one; damage in what is packed
        raise FileTrouble(f"{path} cannot be read.", f"{getattr(error, 'strerror', None) or error}.") from None
    if not raw:
        raise FileTrouble(f"{path} is empty.", "The recording ended before anything was written.")
    return raw


def lines_of(path: Path) -> tuple[list[str], bool]:
    """The lines of a text file without blank ones, and whether the last is complete (ends its line)."""
    raw = contents(path)
    if b"\0" in raw[:4096]:
        raise FileTrouble(f"{path} is not text.", "It holds binary data under a text file's name.")
    text = raw.decode("utf-8-sig", "replace")
    return [line for line in text.splitlines() if line.strip()], raw.endswith((b"\n", b"\r"))


def rows_of(
    path: Path, lines: Sequence[str], complete: bool, fields: int, columns: Sequence[int], sep: str | None = ","
) -> tuple[np.ndarray, list[str]]:
    """The numbers in these columns: (rows, columns) float64, and notes. A last line that was cut is left out; a cell
    that is no number is NaN; both are said. Raises FileTrouble where hardly anything is a number."""
    notes: list[str] = []
    counts = np.fromiter((len(line.split(sep)) if sep is None else line.count(sep) + 1 for line in lines), int, len(lines))
    if len(lines) and counts[-1] < fields and not complete:
        lines, counts = lines[:-1], counts[:-1]
        notes.append("the last line is cut; it is left out")
    elif len(lines) and counts[-1] < fields and (counts[:-1] == fields).all():
        lines, counts = lines[:-1], counts[:-1]
        notes.append("the last line is short; it is left out")
    elif not complete:
        notes.append("the last line has no end: its last number may be cut")
    if not len(lines):
        raise FileTrouble(f"{path} holds no samples.", "There is a header and nothing behind it: nothing was recorded.")
    try:
        if (counts < fields).any():
            raise ValueError("short rows")
        table = np.loadtxt(lines, delimiter=sep, usecols=columns, ndmin=2, comments=None)
    except ValueError:
        table = np.array([_cells(line.split(sep), fields, columns) for line in lines])
        bad = ~np.isfinite(table).all(axis=1)
        unreadable = int((~np.isfinite(table)).all(axis=1).sum())
        if unreadable > UNREADABLE_SHARE * len(table):
            raise FileTrouble(
                f"{path} is not a table of numbers: {unreadable} of {len(table)} rows cannot be read.",
                f"The first of them is {lines[int(np.flatnonzero(bad)[0])][:60]!r}.",
            ) from None
        if bad.any():
            where = ", ".join(str(i + 1) for i in np.flatnonzero(bad)[:5]) + (" ..." if bad.sum() > 5 else "")
            notes.append(f"{bad.sum()} rows hold cells that are no numbers; they are NaN (rows {where})")
    return table, notes


def _cells(cells: list[str], fields: int, columns: Sequence[int]) -> list[float]:
    if len(cells) > fields:  # shifted: nothing in it can be trusted
        return [np.nan] * len(columns)
    return [_number(cells[i]) if i < len(cells) else np.nan for i in columns]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def channel(name: str, kind: str = "eeg", unit: str = "µV") -> Channel:
    """A channel, with its place on the head where the name is one of the 10-05 system."""
    return Channel(name, kind, unit, position(name) if kind == "eeg" else None)


def unique(names: Iterable[str]) -> list[str]:
    """The same names, each once: the second `Other` is `Other 2`."""
    seen: dict[str, int] = {}
    out: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        fresh = name if seen[name] == 1 else f"{name} {seen[name]}"
        while fresh in out:
            seen[name] += 1
            fresh = f"{name} {seen[name]}"
        out.append(fresh)
    return out


def runs(
    stream: Stream, data: np.ndarray, index: np.ndarray, events: Iterable[Event] = (), info: Mapping[str, Any] | None = None
) -> Recording:
    """A recording of rows with these indices: one chunk for each run without a gap; time 0 is index 0. An event goes
    with the run that it stands in or before; one behind the end with the last."""
    with np.errstate(invalid="ignore", over="ignore"):  # what is too large is Inf
        data = np.ascontiguousarray(data, np.float32)
    borders = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
    left = sorted(events, key=lambda e: e.index)
    chunks = []
    for a, b in pairwise(borders):
        if b <= a:
            continue
        end = int(index[b - 1]) + 1
        mine = [e for e in left if e.index < end] if b < len(index) else left
        left = left[len(mine) :]
        chunks.append(Chunk(data[a:b], int(index[a]), (end - 1) / stream.rate, tuple(mine)))
    return Recording(stream, tuple(chunks), dict(info or {}))
