"""The MATLAB 7.3 files of Indy and Loco (doi:10.5281/zenodo.3854034): spike times, cursor, finger and targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.stream import Channel, Recording
from ._matlab import newer
from ._spikes import Series, binned

HOLDS = ("spikes", "chan_names", "t", "cursor_pos", "finger_pos", "target_pos")
BY = ("electrode", "unit")
# in the file the finger is (z, -x, -y, ...) in cm, the cursor (x, y) in mm
FINGER = ((1, -10.0, "x"), (2, -10.0, "y"), (0, 10.0, "z"))


def read(path: str | Path, bin: float = 0.02, by: str = "electrode") -> Recording:
    """bin: width of a bin, s. by: `electrode`: all spikes that it saw are one channel (`M1 001`); `unit`: sorted units
    apart, the unsorted rest being unit 0 (`M1 001 0`), those that never fired left out.

    Behind the spikes: `cursor x` and y, `finger x`, y and z, `target x` and y, in mm. Events: `target`, where a new one
    appears. Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    if by not in BY:
        raise WrongUse(f"by={by} is not known.", f"It can be {' or '.join(BY)}.")
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise WrongUse("MATLAB 7.3 files need the library h5py.", do="pip install 'bcikit[files]'") from error
    try:
        with h5py.File(path, "r") as f:
            missing = [k for k in HOLDS if k not in f]
            if missing:
                raise FileTrouble(f"{path} is no recording of Indy or Loco.", f"It lacks {', '.join(missing)}.")
            names = ["".join(map(chr, np.ravel(f[ref][:]))) for ref in np.ravel(f["chan_names"][:])]
            cells = f["spikes"][:]  # references (units, electrodes): MATLAB's axes come the other way round
            if cells.ndim != 2 or cells.shape[1] != len(names):
                raise FileTrouble(f"{path}: spikes of shape {cells.shape} do not fit {len(names)} names of electrodes.")
            trains = {(e, u): _times(f[cells[u, e]]) for e in range(len(names)) for u in range(len(cells))}
            times, cursor, finger, target = (
                np.asarray(f[k][:], float).T for k in ("t", "cursor_pos", "finger_pos", "target_pos")
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileTrouble(f"{path} is not a MATLAB 7.3 file that can be read.", f"{error}".splitlines()[0][:200]) from error
    if by == "electrode":
        units = {n: np.concatenate([trains[e, u] for u in range(len(cells))]) for e, n in enumerate(names)}
    else:
        units = {f"{names[e]} {u}": t for (e, u), t in trains.items() if len(t)}
    times = times.ravel()
    mm = [("cursor", cursor[:, :2], "xy"), ("target", target[:, :2], "xy")]
    mm.insert(1, ("finger", np.column_stack([gain * finger[:, k] for k, gain, _ in FINGER]), "xyz"))
    series = [Series(times, v, tuple(Channel(f"{n} {a}", "position", "mm") for a in axes)) for n, v, axes in mm]
    new = np.flatnonzero(np.concatenate([[True], (np.diff(target, axis=0) != 0).any(axis=1)]))
    marks = [(float(times[k]), "target", i) for i, k in enumerate(new)]
    return binned(path.stem, units, series, bin, marks, info={"format": "MATLAB 7.3, Indy and Loco", "notes": []})


def is_indy(path: Path) -> bool:
    """Whether a MATLAB file is one of theirs, by the names of what is in it."""
    if not newer(path):
        return False
    try:
        import h5py

        with h5py.File(path, "r") as f:
            return HOLDS[0] in f and HOLDS[1] in f
    except (ModuleNotFoundError, OSError):
        return False


def _times(cell: object) -> np.ndarray:
    """Spike times of a cell; an empty one holds its own size in place of values, and says so in an attribute."""
    empty = bool(getattr(cell, "attrs", {}).get("MATLAB_empty", 0))
    return np.empty(0) if empty else np.ravel(cell[:]).astype(float)  # type: ignore[index]
