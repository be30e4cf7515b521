"""Traces as text: two by four dots in each character."""

from __future__ import annotations

import numpy as np

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
BARS = " ▁▂▃▄▅▆▇█"


def trace(low: np.ndarray, high: np.ndarray, rows: int, width: int) -> list[str]:
    """low, high (columns,): extremes in -1 .. 1 (what is outside is drawn at the edge), NaN where nothing came. Gives
    `rows` texts of `width` characters, the newest column at the right."""
    columns, dots = 2 * width, 4 * rows
    pad = np.full(max(0, columns - len(low)), np.nan)
    low, high = np.concatenate([pad, low])[-columns:], np.concatenate([pad, high])[-columns:]
    before = np.roll(high, 1), np.roll(low, 1)  # reach to the column before, so that the line is whole
    before[0][0] = before[1][0] = np.nan
    low, high = (
        np.fmin(low, np.where(np.isnan(low), np.nan, before[0])),
        np.fmax(high, np.where(np.isnan(high), np.nan, before[1])),
    )
    there = np.isfinite(low) & np.isfinite(high)
    top = np.clip(np.rint((1 - np.where(there, high, 0)) / 2 * (dots - 1)), 0, dots - 1)
    bottom = np.clip(np.rint((1 - np.where(there, low, 0)) / 2 * (dots - 1)), 0, dots - 1)
    row = np.arange(dots)[:, None]
    lit = (row >= top) & (row <= bottom) & there
    cells = lit.reshape(rows, 4, width, 2) * _BITS[None, :, None, :]
    codes = (0x2800 + cells.sum(axis=(1, 3))).astype("<u4")
    return [line.tobytes().decode("utf-32-le").replace("\u2800", " ") for line in codes]


def bar(part: float) -> str:
    """A number from 0 to 1 as one character; a space where it is not known."""
    return BARS[max(1, round(min(part, 1.0) * 8))] if part == part else " "
