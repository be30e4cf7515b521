"""Where samples belong, from a board's own wrapping counter, host time deciding about losses longer than its period."""

from __future__ import annotations

import numpy as np

WINDOW_S = 2.0  # the earliest arrivals of this long tell the delay of the link before and after a break
UNSTEADY_SHARE = 0.2  # a counter that breaks more often than this does not count samples


def unwrapped(
    counter: np.ndarray, seconds: np.ndarray | None, rate: float, data: np.ndarray, ganglion: bool = False
) -> tuple[np.ndarray, list[str]]:
    """counter (rows,): the packet number as written, NaN where unreadable. seconds (rows,): host time, or None.
    Returns the running index of each row, from 0, and notes.

    Steps of 2 (Daisy), a wrap at 201 (Ganglion) and two samples to a number (Ganglion, compressed) are recognised. A
    number says the loss modulo its period; how many whole periods were lost as well follows from the host's clock:
    from the earliest arrivals around the break, since late ones tell of the host and not of the board. A row whose
    number goes back is a repeat where its values are the same as there, else a sample of its own.
    """
    steps, period = _steps(counter, ganglion)
    n = len(counter)
    if n < 2:
        return np.arange(n), []
    odd = (steps != 1) | (steps != np.floor(steps))
    if odd.mean() > UNSTEADY_SHARE:
        return np.arange(n), ["the index column does not count samples; losses cannot be seen"]
    notes: list[str] = []
    stop = np.zeros(n - 1, bool)
    offset = None
    if seconds is not None:
        stop = np.diff(seconds) > period / rate / 2
        offset = seconds - np.concatenate([[0.0], np.cumsum(steps)]) / rate
    breaks = np.flatnonzero(odd | stop) + 1
    window = round(WINDOW_S * rate)
    repeated = own = 0
    for i, row in enumerate(breaks):
        step = float(steps[row - 1])
        if offset is not None:
            behind = int(breaks[i + 1]) if i + 1 < len(breaks) else n
            before = offset[max(row - window, 0) : row].min()
            after = offset[row : min(row + window, max(behind, row + 1))].min()
            step += period * round((after - before) * rate / period)
        step = round(step)
        if step < 1:
            old = row - 1 + step
            if old >= 0 and np.array_equal(data[old], data[row], equal_nan=True):
                repeated += 1
            else:
                step = 1
                own += 1
        if offset is not None:
            offset[row:] -= (step - steps[row - 1]) / rate
        steps[row - 1] = step
    index = np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)
    if repeated:
        notes.append(f"{repeated} times rows are repeated: number and values are those of earlier rows")
    if own:
        notes.append(f"{own} rows repeat a number with other values; they are kept as samples of their own")
    lost = int(index[-1]) + 1 - n
    if lost > 0:
        notes.append(f"{lost} samples were lost in the recording")
    if lost > 0 and seconds is None:
        notes.append(f"there are no times in the file: losses of {period:g} samples and multiples of it cannot be seen")
    return index, notes


def _steps(counter: np.ndarray, ganglion: bool) -> tuple[np.ndarray, float]:
    """By how many samples each row is after the one before, modulo the period; and the period in samples."""
    c = counter.astype(float).copy()
    bad = ~np.isfinite(c)
    if bad.all():
        return np.ones(max(len(c) - 1, 0)), 256.0
    if bad.any():  # as if nothing was lost there; the next good row shows what was
        c[bad] = np.interp(np.flatnonzero(bad), np.flatnonzero(~bad), c[~bad]).round()
    d = np.diff(c)
    top = c.max()
    if top <= 200 and len(d) and (d == 0).mean() > 0.3:  # two samples to a packet: 0, 101, 101, 102, 102, ... 200, 200
        second = np.concatenate([[False], d == 0])
        c = np.where(c == 0, 0, 2 * (np.where(c > 100, c - 100, c) - 1) + 1 + second)
        return np.diff(c) % 201, 201.0
    wrap = 201.0 if top <= 200 and (ganglion or top == 200) else 256.0 if top < 256 else np.inf
    positive = d[d > 0]
    stride = 1.0
    if len(positive):
        values, times = np.unique(positive, return_counts=True)
        stride = float(values[times.argmax()])
    period = wrap / stride
    return (d % wrap if np.isfinite(wrap) else d) / stride, period if np.isfinite(period) else 2.0**31
