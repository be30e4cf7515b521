"""What files of spike times share: counts in bins of one width, and beside them what was measured meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Channel, Event, Recording, Stream
from ._contents import runs, unique

SAME = 0.01  # of a bin: steps that differ by less are alike
EXACT_S = 1e-6  # times are written no more exactly
KINDS = {"vel": "velocity", "pos": "position", "emg": "emg", "force": "force", "mask": "digital", "target": "position"}


@dataclass(frozen=True)
class Series:
    """Something measured: times (n) in s, rising; values (n, columns); a channel for each column."""

    times: np.ndarray
    values: np.ndarray
    channels: tuple[Channel, ...]

    @property
    def step(self) -> float:
        """Seconds from one value to the next, as a rule."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else np.inf


def kind_of(name: str) -> str:
    """The kind of a channel by its name: velocity, position, emg, force, digital; else aux."""
    return next((kind for part, kind in KINDS.items() if part in name.lower()), "aux")


def binned(
    name: str,
    units: Mapping[str, np.ndarray],
    series: Sequence[Series],
    bin_s: float,
    marks: Iterable[tuple[float, str, Any]] = (),
    observed: np.ndarray | None = None,
    begins: bool = False,
    info: Mapping[str, Any] | None = None,
) -> Recording:
    """A row each `bin_s` s: of every unit the spikes in the bin, of every series the value that was newest at its end (NaN
    where it is older than a bin and than its own step).

    Where a series comes once a bin, its times are the ends of the bins (with `begins`: their beginnings); else bins follow
    each other from the first time on. units: {name: spike times in s}. marks: (s, name, value), which become events.
    observed (n, 2): stretches in s outside which nothing was recorded: no rows. Raises WrongUse."""
    if not 0.001 <= bin_s <= 10:
        raise WrongUse(f"bin={bin_s:g} s is out of bounds.", "A bin can be 0.001 to 10 s.")
    clock = next((s.times for s in series if abs(s.step - bin_s) < SAME * bin_s), None)
    if clock is not None:
        ends = clock + bin_s if begins else clock
        ends = ends[np.concatenate([[True], np.diff(ends) > bin_s / 2])]
    else:
        known = [s.times for s in series if len(s.times)] or [t for t in units.values() if len(t)]
        if not known:
            raise WrongUse(f"{name} holds neither spikes nor anything measured.")
        begin, end = min(t[0] for t in known), max(t[-1] for t in known)
        ends = begin + bin_s * np.arange(1, max(int((end - begin) / bin_s + SAME), 0) + 1)
    if observed is not None and len(ends):
        which = np.clip(np.searchsorted(observed[:, 0], ends - bin_s + EXACT_S, "right") - 1, 0, None)
        inside = (observed[which, 0] <= ends - bin_s + EXACT_S) & (ends <= observed[which, 1] + EXACT_S)
        ends = ends[inside]
    if not len(ends):
        raise WrongUse(f"{name} is shorter than a bin of {bin_s:g} s.")
    index = np.rint((ends - ends[0]) / bin_s).astype(int)
    starts = ends - bin_s
    follows = np.flatnonzero(np.diff(index) == 1) + 1
    starts[follows] = ends[follows - 1]  # so that no spike falls between two bins, or into both
    counts = [np.searchsorted(t, ends) - np.searchsorted(t, starts) for t in map(np.sort, units.values())]
    columns = [np.asarray(c, np.float32)[:, None] for c in counts] + [_newest(s, ends, bin_s, begins) for s in series]
    channels = [Channel(u, "spikes", "count") for u in units] + [c for s in series for c in s.channels]
    named = [Channel(n, c.kind, c.unit) for n, c in zip(unique(c.name for c in channels), channels, strict=True)]
    events = [Event((t - ends[0]) / bin_s, what, value) for t, what, value in marks if np.isfinite(t)]
    stream = Stream(name, 1 / bin_s, tuple(named), info={"bin_s": bin_s, "first_bin_ends_s": float(ends[0])})
    return runs(stream, np.hstack(columns), index, events, info)


def _newest(s: Series, ends: np.ndarray, bin_s: float, begins: bool) -> np.ndarray:
    """(bins, columns) what was newest at each end."""
    times = s.times + bin_s if begins and abs(s.step - bin_s) < SAME * bin_s else s.times
    at = np.searchsorted(times, ends + EXACT_S, "right") - 1
    out = np.array(s.values[np.maximum(at, 0)], np.float32).reshape(len(ends), -1)
    old = ends - times[np.maximum(at, 0)] > max(bin_s, s.step) * (1 + SAME)
    out[(at < 0) | old] = np.nan
    return out
