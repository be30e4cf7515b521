"""Signals in NumPy's .npy and .npz files: one array of samples, and beside it, in .npz, rate, names and triggers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.stream import Channel, Chunk, Event, Recording, Stream
from ._contents import VOLTAGE, channel, runs, unique

RATES = ("fs", "sfreq", "srate", "rate", "rate_hz", "sampling_rate")
NAMES = ("ch_names", "channels", "names", "channel_names")
APART_S = 1.0  # between epochs, so that nothing runs from one into the next


def read(path: str | Path, rate: float | None = None, unit: str = "µV", key: str = "") -> Recording:
    """Arrays of (samples, channels), the longer axis being time; or epochs of (trials, channels, samples), which lie
    behind each other with gaps of a second, their class an event `label` at the first sample.

    rate: Hz, where the file has no fs, sfreq, ... of its own. unit: of the numbers (V, mV, µV, nV). key: the array of an
    .npz that is meant, where the largest is not. Arrays of one number a sample beside it are triggers: an event at each
    value other than 0. Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    if unit not in VOLTAGE:
        raise WrongUse(f"unit={unit} is not known.", f"It can be {', '.join(VOLTAGE)}.")
    arrays = _arrays(path)
    signals = {k: a for k, a in arrays.items() if a.ndim in (1, 2, 3) and a.dtype.kind in "fiu" and a.size > 1}
    if key and key not in signals:
        raise WrongUse(f"{path.name} holds no signal called {key!r}.", f"It has {', '.join(signals) or 'none'}.")
    if not signals:
        raise FileTrouble(f"{path} holds no signal.", f"Its arrays are {_said(arrays)}.")
    key = key or max(signals, key=lambda k: (signals[k].ndim > 1, signals[k].size))
    x = signals[key] if VOLTAGE[unit] == 1 else signals[key] * VOLTAGE[unit]
    own_rate = next((float(arrays[k]) for k in RATES if k in arrays and arrays[k].size == 1), None)
    if not (rate or own_rate):
        raise WrongUse(f"{path.name} does not say its rate.", f"Its arrays are {_said(arrays)}.", "Say it: rate=250 (Hz).")
    rate = float(rate or own_rate or 0)
    names = next(([str(n) for n in arrays[k].ravel()] for k in NAMES if k in arrays and arrays[k].dtype.kind in "US"), [])
    notes: list[str] = []
    if x.ndim < 3:
        x = x.reshape(len(x), -1)
        if x.shape[1] > x.shape[0] and len(names) != x.shape[1]:
            x = x.T
            notes.append(f"the array is taken as channels by samples: {x.shape[1]} channels")
    n = x.shape[1]
    if names and len(names) != n:
        notes.append(f"{len(names)} names do not fit {n} channels; they are left out")
        names = []
    chans: tuple[Channel, ...] = tuple(channel(c) for c in unique(names or [f"ch{i + 1}" for i in range(n)]))
    stream = Stream(path.stem, rate, chans, info={"model": "NumPy file"})
    info = {"format": "NumPy", "key": key, "notes": notes}
    if x.ndim == 3:
        return _epochs(stream, x, _labels(arrays, key, len(x)), info)
    triggers = {
        k: a.ravel()
        for k, a in arrays.items()
        if k != key and a.shape in ((len(x),), (len(x), 1)) and a.dtype.kind in "iufb"
    }
    events = [Event(int(i), k, float(a[i])) for k, a in triggers.items() for i in np.flatnonzero(np.nan_to_num(a))]
    return runs(stream, x, np.arange(len(x)), events, info)


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with open(path, "rb") as file:  # NumPy would leave a damaged one open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"data": loaded}
            arrays = {}
            for name in loaded.files:
                try:
                    arrays[name] = loaded[name]
                except ValueError:  # objects, which only unpickling would read, and that could run anything
                    continue
            return arrays
    except Exception as error:  # what NumPy's and zip's readers raise depends on which byte is damaged
        objects = "pickle" in str(error)
        why = (
            "It holds Python objects, which are not read, or is of another kind." if objects else f"It is damaged: {error}."
        )
        raise FileTrouble(f"{path} is not a NumPy file of numbers.", why) from None


def _said(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(f"{k} {a.shape}" for k, a in arrays.items()) or "none"


def _labels(arrays: Mapping[str, np.ndarray], key: str, trials: int) -> np.ndarray | None:
    names = [key.replace("x", "y", 1), key.replace("X", "y", 1), "y", "labels"]
    return next((arrays[n] for n in names if n != key and n in arrays and arrays[n].shape == (trials,)), None)


def _epochs(stream: Stream, x: np.ndarray, labels: np.ndarray | None, info: dict) -> Recording:
    apart = x.shape[2] + round(APART_S * stream.rate)
    chunks = []
    for k, trial in enumerate(x):
        events = () if labels is None else (Event(k * apart, "label", labels[k].item()),)
        time = (k * apart + x.shape[2] - 1) / stream.rate
        chunks.append(Chunk(np.ascontiguousarray(trial.T, np.float32), k * apart, time, events))
    info["notes"].append(f"{len(x)} epochs, laid {APART_S:g} s apart")
    return Recording(stream, tuple(chunks), info)
