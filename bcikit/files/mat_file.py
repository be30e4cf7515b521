"""Recordings in MATLAB files. Each laboratory lays out its own, so the layout is told, most often by a data set's card.

The signal may be a matrix of a whole recording, with onsets and labels beside it, or trials that were cut:

    read("A01T.mat", signal="data.X", onsets="data.trial", labels="data.y", rate="data.fs", part=1)
    read("s1.mat", signal="eeg", axes="class channel sample block", rate=256, onset=38)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.stream import Chunk, Event, Recording, Stream
from ._contents import VOLTAGE, channel, runs, unique
from ._matlab import Fields, opened

AXES = ("sample", "channel", "class", "block")
APART_S = 1.0  # between trials that were cut, so that nothing runs from one into the next


def read(
    path: str | Path,
    signal: str | Sequence[str] = "",
    axes: str = "sample channel",
    rate: float | str = 0.0,
    names: str = "",
    onsets: str = "",
    labels: str = "",
    later: float = 0.0,
    onset: int = 0,
    lead: float = 0.0,
    part: int = 0,
    unit: str = "µV",
) -> Recording:
    """The signal as the layout says; an event `label` with the number of its class where a trial begins.

    signal: the variable that holds it, as `eeg` or `data.X` (X of a struct); or one for each class, of which each is a row
    of trials of the same length. axes: of its array, in order: sample and channel; and, of trials that were cut, class (its
    number counts from 1) and block. rate: Hz, or the variable that says it. names: the variable with the channels' names.

    onsets: the variable with the numbers of the samples (from 1) at which trials begin, labels: with their classes. Without
    onsets, labels has one number a sample, and a trial begins where it changes to another than 0. later: s from there to
    the event. Of trials that were cut: onset, the sample (from 0) of each at which the event is; lead: s put before each,
    in which its first sample is held, for filters that must fill.

    part: which one (from 1) of a cell of recordings, counting those alone that have trials; or which block; 0 is all.
    unit: of the numbers (V, mV, µV, nV). Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    if unit not in VOLTAGE:
        raise WrongUse(f"unit={unit} is not known.", f"It can be {', '.join(VOLTAGE)}.")
    order = axes.replace("+", " ").split()
    if sorted(set(order)) != sorted(order) or not {"sample", "channel"} <= set(order) <= set(AXES):
        raise WrongUse(f"axes={axes!r} is not known.", f"It names sample and channel, and may name {', '.join(AXES[2:])}.")
    signals = [signal] if isinstance(signal, str) else list(signal)
    roots = [p.partition(".")[0] for p in (*signals, names, onsets, labels, rate) if isinstance(p, str) and p]
    with opened(path, roots, keep=part > 0) as file:
        if not signals[0]:
            raise WrongUse(
                f"A MATLAB file does not say where its signal lies; {path.name} has {_said(file)}.",
                "Each laboratory lays out its own.",
                "Say it: signal=NAME,rate=HZ; or by a card's [[read]], as datasets/Nakanishi2015.toml does.",
            )
        found = _Found(path, file, onsets or labels, part)
        hz = float(found.numbers(rate)[0]) if isinstance(rate, str) else float(rate)
        if not 0 < hz < np.inf:
            raise WrongUse(f"{path.name}: the rate is not told.", do="rate=HZ, or the variable that says it: rate=data.fs.")
        arrays = [found.array(s, len(order)) * VOLTAGE[unit] for s in signals]
        titles = found.texts(names) if names else []
        marks = found.numbers(labels) if labels else np.empty(0)
        begins = found.numbers(onsets) if onsets else None
    n = arrays[0].shape[order.index("channel")]
    notes: list[str] = []
    if titles and len(titles) != n:
        notes.append(f"{len(titles)} names do not fit {n} channels; they are left out")
        titles = []
    channels = tuple(channel(c) for c in unique(titles or [f"ch{i + 1}" for i in range(n)]))
    stream = Stream(path.stem, hz, channels, info={"model": "MATLAB file"})
    info = {"format": "MATLAB", "notes": notes}
    if len(arrays) > 1:
        arrays, onset = _rows_of_trials(path, arrays, order, marks)
        order = ["class", *order, "block"]
    if "class" in order or "block" in order:
        return _trials(path, stream, _ordered(arrays[0], order), part, onset, lead, info)
    x = arrays[0] if order[0] == "sample" else arrays[0].T
    at, values = _marked(path, begins, marks)
    if len(at) and (at.min() < 0 or at.max() >= len(x)):
        raise FileTrouble(f"{path}: a trial begins outside of the {len(x)} samples.", "The layout, or the file, is wrong.")
    events = [Event(float(i + later * hz), "label", float(v)) for i, v in zip(at, values, strict=True)]
    return runs(stream, x, np.arange(len(x)), events, info)


class _Found:
    """Variables of a file by their names, of its chosen part."""

    def __init__(self, path: Path, file: Fields, marks: str, part: int) -> None:
        self.path, self.file, self.marks, self.part = path, file, marks, part

    def value(self, name: str) -> Any:
        root, *fields = name.split(".")
        try:
            value = self.file[root]
            if isinstance(value, list) and fields:
                value = self._chosen(root, value)
            for field in fields:
                value = value[field]
        except (KeyError, TypeError, IndexError):
            raise FileTrouble(
                f"{self.path} holds no {name}.", f"It has {_said(self.file)}.", "Its layout is not the one that was told."
            ) from None
        return value

    def _chosen(self, root: str, its: list[Any]) -> Any:
        first, _, rest = self.marks.partition(".")
        if first == root:
            its = [v for v in its if isinstance(v, Fields) and np.size(v.get(rest, ())) > 0]
        if not self.part and len(its) != 1:
            raise WrongUse(f"{self.path.name} holds {len(its)} recordings with trials.", do="Say which: part=1")
        if self.part > len(its):
            raise FileTrouble(f"{self.path} has no recording {self.part}.", f"It has {len(its)} with trials.")
        return its[max(self.part, 1) - 1]

    def array(self, name: str, axes: int) -> np.ndarray:
        """Numbers with so many axes; MATLAB drops last ones of length 1."""
        a = self.value(name)
        if not isinstance(a, np.ndarray) or a.dtype.kind not in "fiub" or not a.size or a.ndim > max(axes, 2):
            shape = f"an array of {a.ndim} axes" if isinstance(a, np.ndarray) else "no array of numbers"
            raise FileTrouble(f"{self.path}: {name} is {shape}, not of {axes}.", "Its layout is not the one that was told.")
        return a.reshape(a.shape + (1,) * (axes - a.ndim))

    def numbers(self, name: str) -> np.ndarray:
        a = np.ravel(self.value(name))
        if a.dtype.kind not in "fiub":
            raise FileTrouble(f"{self.path}: {name} holds no numbers.", "Its layout is not the one that was told.")
        return a.astype(float)

    def texts(self, name: str) -> list[str]:
        value = self.value(name)
        lines = value.splitlines() if isinstance(value, str) else value
        return [v.strip() for v in lines if isinstance(v, str)]


def _said(file: Fields) -> str:
    """What a file holds, for a person."""
    return ", ".join(" ".join(name.split())[:63] for name in list(file)[:12]) or "nothing"


def _marked(path: Path, begins: np.ndarray | None, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where trials begin (from 0), and their classes."""
    if begins is None:
        at = np.flatnonzero((marks != 0) & (marks != np.r_[0, marks[:-1]]))
        return at, marks[at]
    if len(marks) != len(begins):
        raise FileTrouble(f"{path} has {len(begins)} onsets and {len(marks)} labels.", "The layout, or the file, is wrong.")
    return begins - 1, marks


def _rows_of_trials(
    path: Path, arrays: Sequence[np.ndarray], order: Sequence[str], marks: np.ndarray
) -> tuple[list[np.ndarray], int]:
    """Signals of one class each, trial behind trial: (class, *order, trial), and where in a trial its event is."""
    axis = order.index("sample")
    at, _ = _marked(path, None, marks)
    n, odd = divmod(len(marks), max(len(at), 1))
    if not len(at) or odd or (at != at[0] + n * np.arange(len(at))).any() or {a.shape[axis] for a in arrays} != {len(marks)}:
        raise FileTrouble(f"{path} does not hold trials of one length behind each other.", "Its layout is not the one told.")
    split = [np.stack(np.split(a, len(at), axis=axis), axis=-1) for a in arrays]
    return [np.stack(split)], int(at[0])


def _ordered(x: np.ndarray, order: Sequence[str]) -> np.ndarray:
    """(blocks, classes, channels, samples)."""
    missing = [a for a in AXES if a not in order]
    x = x.reshape(x.shape + (1,) * len(missing))
    return x.transpose([[*order, *missing].index(a) for a in ("block", "class", "channel", "sample")])


def _trials(
    path: Path, stream: Stream, x: np.ndarray, part: int, onset: int, lead: float, info: dict[str, Any]
) -> Recording:
    """Trials that were cut, block by block, with a gap behind each."""
    if part > len(x):
        raise FileTrouble(f"{path} has no block {part}.", f"It has {len(x)}.")
    if not 0 <= onset < x.shape[3]:
        raise FileTrouble(f"{path}: onset={onset} lies outside of trials of {x.shape[3]} samples.")
    held, apart = round(lead * stream.rate), round(APART_S * stream.rate)
    chunks: list[Chunk] = []
    for block in x[part - 1 : part] if part else x:
        for k, trial in enumerate(block):
            rows = np.ascontiguousarray(trial.T, np.float32)
            rows = np.concatenate([np.repeat(rows[:1], held, axis=0), rows])
            first = chunks[-1].end + apart if chunks else 0
            event = Event(first + held + onset, "label", float(k + 1))
            chunks.append(Chunk(rows, first, (first + len(rows) - 1) / stream.rate, (event,)))
    info["notes"].append(f"{len(chunks)} trials that were cut, laid {APART_S:g} s apart")
    return Recording(stream, tuple(chunks), info)
