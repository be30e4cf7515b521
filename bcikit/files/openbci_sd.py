"""Recordings from the SD card of a Cyton: hexadecimal text, as the board wrote it.

A row is a sample number (8 bit), EXG (24 bit two's complement) and, on some rows, three accelerometer values (16 bit).
Source: OpenBCI documentation, "Cyton SD card"; ADS1299: 4.5 V / gain / (2**23 - 1) a count; LIS3DH: 0.002 / 16 g a count.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import FileTrouble
from ..core.stream import Channel, Recording, Stream
from ._contents import channel, lines_of, runs
from ._counter import unwrapped

G_PER_COUNT = 0.002 / 16


def read(path: str | Path, rate: float = 250.0, gain: float = 24.0) -> Recording:
    """EXG in µV; accelerometer in g, NaN on the rows that have none. The file says neither rate (Hz) nor gain: the
    board's defaults are taken, and said. Raises FileTrouble."""
    path = Path(path)
    lines, complete = lines_of(path)
    rows = [line.strip().split(",") for line in lines if "," in line and not line.startswith("%")]
    notes = [f"the file says neither rate nor gain: {rate:g} Hz and {gain:g} are taken"]
    if not rows:
        raise FileTrouble(f"{path} holds no samples.", "Nothing was recorded.")
    lengths = np.array([len(r) for r in rows])
    n = 16 if np.median(lengths) >= 17 else 8
    whole = lengths >= n + 1
    if not complete and [len(c) for c in rows[-1]] not in _widths(n):
        whole[-1] = False
        notes.append("the last line is cut; it is left out")
    if (~whole[:-1]).any():
        notes.append(f"{(~whole[:-1]).sum()} rows are too short to hold a sample; they are left out and count as lost")
    rows = [r for r, good in zip(rows, whole, strict=True) if good]
    if not rows:
        raise FileTrouble(f"{path} holds no samples.", "No row has all its channels.")
    try:
        counter = np.array([int(r[0], 16) for r in rows], float)
        exg = _integers("".join("".join(r[1 : n + 1]) for r in rows), 3).reshape(-1, n)
        moved = [i for i, r in enumerate(rows) if len(r) == n + 4]
        accel = np.full((len(rows), 3), np.nan)
        accel[moved] = _integers("".join("".join(rows[i][n + 1 :]) for i in moved), 2).reshape(-1, 3) * G_PER_COUNT
    except ValueError as error:
        raise FileTrouble(
            f"{path} is not an SD-card recording of a Cyton.", f"A field is not hexadecimal: {error}."
        ) from None
    data = np.hstack([exg * (4.5e6 / gain / (2**23 - 1)), accel]).astype(np.float32)
    index, more = unwrapped(counter, None, rate, data)
    chans = [channel(f"ch{i + 1}") for i in range(n)] + [Channel(f"accel {a}", "accel", "g") for a in "xyz"]
    stream = Stream(path.stem, float(rate), tuple(chans), info={"model": "Cyton, SD card"})
    return runs(stream, data, index, (), {"format": "OpenBCI SD card", "notes": notes + more})


def _widths(n: int) -> list[list[int]]:
    """Characters of each field of a complete row, without and with accelerometer."""
    return [[2, *[6] * n], [2, *[6] * n, 4, 4, 4]]


def _integers(text: str, width: int) -> np.ndarray:
    """Big-endian two's complement integers of `width` bytes from hexadecimal text."""
    raw = np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, width).astype(np.int64)
    value = raw @ (256 ** np.arange(width - 1, -1, -1))
    return np.where(value >= 2 ** (8 * width - 1), value - 2 ** (8 * width), value)
