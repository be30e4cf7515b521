"""NWB files of spike times (as on DANDI: NLB, FALCON): counts in bins, movement beside them, trials as events."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.stream import Channel, Recording
from ._spikes import Series, binned, kind_of

FASTEST = 5000.0  # Hz: what comes faster is a voltage, not a movement
AXES = ("x", "y", "z")


def read(path: str | Path, bin: float = 0.02, begins: bool = False) -> Recording:
    """bin: width of a bin, s. begins: where a series comes once a bin, its times are when bins begin (FALCON M2), not end.

    Channels: every unit (`unit 3`; `heldout 3` where the file holds it out), kind spikes; then every series of `acquisition`
    and `processing` that is no raw voltage, named as there (`hand_vel x`). Events: `trial` at the start of each, `trial
    end`, and one for each further column of the table of trials that ends in _time (`go_cue`), all with the trial's number.
    Bins outside the units' obs_intervals are missing. Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    try:
        from pynwb import NWBHDF5IO
    except ModuleNotFoundError as error:
        raise WrongUse("NWB files need the library pynwb.", do="pip install 'bcikit[files]'") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of namespaces that the file brings in another version
            with NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
                return _read(path, io.read(), bin, begins)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileTrouble(f"{path} is not an NWB file that can be read.", f"{error}".splitlines()[0][:200]) from error


def _read(path: Path, nwb: Any, bin_s: float, begins: bool) -> Recording:
    notes: list[str] = []
    series = [one for name, thing in _things(nwb) if (one := _series(name, thing, notes)) is not None]
    units, observed = _units(nwb.units)
    if not units:
        raise FileTrouble(f"{path} holds no units.", "It has no spike times; raw voltages of NWB are not read.")
    info = {"format": "NWB", "notes": notes, "session": nwb.identifier}
    return binned(path.stem, units, series, bin_s, _marks(nwb.trials), observed, begins, info)


def _things(nwb: Any) -> Iterator[tuple[str, Any]]:
    """(name, series) of all that was measured: those in a container bear its name before theirs."""
    modules = [m.data_interfaces for m in nwb.processing.values()]
    for name, thing in (pair for part in (nwb.acquisition, *modules) for pair in part.items()):
        if hasattr(thing, "data"):
            yield name, thing
        else:
            yield from ((f"{name} {child.name}", child) for child in thing.children if hasattr(child, "data"))


def _series(name: str, thing: Any, notes: list[str]) -> Series | None:
    """A series in its own unit, or None where it is no movement."""
    rate, n = thing.rate, len(thing.data)
    numeric = np.asarray(thing.data[:1]).dtype.kind in "fiub"
    if not n or not numeric or thing.data.ndim > 2 or (rate or 0) > FASTEST or type(thing).__name__ == "ElectricalSeries":
        notes.append(f"{name} is left out: no movement, or raw voltage")
        return None
    values = np.asarray(thing.data[:], np.float32).reshape(n, -1) * np.float32(thing.conversion)
    if thing.timestamps is not None:
        times = np.asarray(thing.timestamps[:], float)
        values += np.float32(thing.offset)
    elif rate < 1:  # FALCON H1 keeps the step where the rate belongs, and the start in the values' offset
        times = thing.offset + rate * np.arange(n)
        notes.append(f"{name}: its rate of {rate:g} Hz is taken as the step in s")
    else:
        times = float(thing.starting_time or 0.0) + np.arange(n) / rate
        values += np.float32(thing.offset)
    if (np.diff(times) < 0).any():
        notes.append(f"{name} is left out: its times go back")
        return None
    names = [name] if values.shape[1] == 1 else [f"{name} {c}" for c in _columns(thing, values.shape[1])]
    return Series(times, values, tuple(Channel(c, kind_of(name), str(thing.unit)) for c in names))


def _columns(thing: Any, n: int) -> list[str]:
    """Names of the columns: from the comments (NLB: columns=[x,y]), or a description that is a list of as many; else x, y, z
    or numbers."""
    listed = re.search(r"columns=\[([^\]]*)\]", str(thing.comments))
    for text in (listed[1] if listed else "", str(thing.description)):
        names = [part.strip() for part in text.split(",")]
        if len(names) == n and all(names):
            return names
    return list(AXES[:n]) if n <= len(AXES) else [str(k) for k in range(n)]


def _units(table: Any) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Spike times of each unit, and the stretches (n, 2) in which they were looked for, where the file says so."""
    if table is None or "spike_times" not in table.colnames:
        return {}, None
    held = np.asarray(table["heldout"][:], bool) if "heldout" in table.colnames else np.zeros(len(table), bool)
    ids = table.id[:]
    units = {
        f"{'heldout' if held[k] else 'unit'} {ids[k]}": np.asarray(table.get_unit_spike_times(k), float)
        for k in range(len(table))
    }
    if "obs_intervals" not in table.colnames:
        return units, None
    observed = np.asarray(table.get_unit_obs_intervals(0), float).reshape(-1, 2)
    return units, observed[np.argsort(observed[:, 0])] if len(observed) else None


def _marks(table: Any) -> list[tuple[float, str, Any]]:
    """(time, name, trial) of all that happened in trials."""
    if table is None:
        return []
    names = {"start_time": "trial", "stop_time": "trial end"}
    columns = [c for c in table.colnames if c.endswith("_time")]
    return [
        (float(t), names.get(c, c.removesuffix("_time")), k)
        for c in columns
        for k, t in enumerate(np.asarray(table[c][:], float))
    ]
