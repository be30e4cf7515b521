"""Any recording, by what is in it: OpenBCI text, XDF, NumPy, MATLAB, tables, spikes of NWB and of Indy, whatever MNE reads.

from bcikit.files.read import read
recording = read("session.xdf")
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WrongUse, nearest
from ..core.label import UNLABELLED
from ..core.stream import Recording
from . import _tables
from ._contents import channel, contents
from .cards import card_of
from .indy import is_indy

SNIFF = 4096  # bytes
FOLDERS = (".ds", ".mff")  # formats of MNE that are folders
BESIDE = ("accel", "gyro", "aux", "digital", "counter", "marker")  # kinds that no electrode gives
STEP_UV = (1e-2, 1e3)  # median step from sample to sample of any real EEG lies well between these


def read(path: str | Path, channels: Sequence[str] = (), kind: str = "", scale: float = 1.0, **options: Any) -> Recording:
    """The recording in a file; its EEG in µV, missing samples as gaps, marks as events, what was odd in info["notes"].

    channels: names of the electrodes' columns, in order, where the file has none or wrong ones. kind: what they were on
    (eeg, emg, ...). scale: times what the file says. options: what a format cannot say itself (rate, stream, ...). What
    is not given is taken from the data set's card, where the file is one of a known data set; so is the label.
    Raises FileTrouble where the file cannot be read, WrongUse for an option that its reader has no use for.
    """
    path = Path(os.path.expanduser(path))  # an unknown ~user stays as it is written
    name = format_of(path)
    reader = import_module(f"bcikit.files.{name}").read
    given = {"channels": tuple(channels), "kind": kind, "scale": scale if scale != 1.0 else None, **options}
    given = {k: v for k, v in given.items() if v not in (None, "", ())}
    found = card_of(path)
    told = {**found.options(path.name), **given} if found else given
    takes = list(inspect.signature(reader).parameters)[1:]
    own = {k: v for k, v in told.items() if k in takes}
    for option in given:
        if option not in takes and option not in ("channels", "kind", "scale"):
            known = ["channels", "kind", "scale", *takes]
            raise WrongUse(
                f"{path.name} ({name}) has no use for {option!r}.",
                f"It can be told {', '.join(known)}.",
                nearest(option, known),
            )
    recording = _tables.told(path, reader(path, **own))
    rest = {k: v for k, v in told.items() if k in ("channels", "kind", "scale") and k not in own}
    recording = _told(recording, **rest)
    notes = [*recording.info.get("notes", ()), *_implausible(recording)]
    label = recording.stream.label
    if found:
        label = found.label(path.name) if label == UNLABELLED else label
        notes += [
            f"by the card {found.name!r}: {k} is {v}"
            for k, v in told.items()
            if k not in given and k not in ("channels", "columns")
        ]
    if not label.simulated:
        label = replace(label, recorded=True)
    info = {**recording.info, "notes": tuple(notes), "file": path.name, "card": found.name if found else ""}
    return replace(recording, stream=recording.stream.but(label=label), info=info)


def format_of(path: Path) -> str:
    """The name of the module that reads this file, by its first bytes, then by its name. Raises FileTrouble."""
    if path.is_dir() and path.suffix.lower() in FOLDERS:
        return "mne_file"
    head = contents(path, SNIFF)
    suffix = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    text = head.lstrip(b"\xef\xbb\xbf\r\n ")
    if head.startswith(b"XDF:"):
        return "xdf"
    if suffix == ".mat":
        return "indy" if is_indy(path) else "mat_file"
    if head.startswith(b"\x89HDF") and suffix == ".nwb":
        return "nwb"
    if head.startswith(b"\x93NUMPY") or suffix in (".npz", ".npy"):
        return "numpy_file"
    if text.startswith((b"%STOP", b"%START")):
        return "openbci_sd"
    table = suffix in (".csv", ".tsv", ".txt")
    if text.startswith((b"%OpenBCI", b"%OBCI")) or (table and text.startswith(b"%")):
        return "openbci_text"
    if table:
        return "csv_table"
    return "mne_file"


def _told(r: Recording, channels: Sequence[str] = (), kind: str = "", scale: float = 1.0) -> Recording:
    """The recording with what its reader could not know about the electrodes."""
    electrodes = [i for i, c in enumerate(r.stream.channels) if c.kind not in BESIDE]
    if channels and len(channels) != len(electrodes):
        raise WrongUse(
            f"{len(channels)} names were given for {len(electrodes)} channels.",
            f"The file has {', '.join(r.stream.names[i] for i in electrodes[:20])}.",
            "channels=NAME+NAME+... names each once, in order.",
        )
    if len(set(channels)) < len(channels):
        raise WrongUse("A channel's name is given twice.", do="channels=NAME+NAME+... names each once, in order.")
    new = list(r.stream.channels)
    for place, i in enumerate(electrodes):
        old = new[i]
        if channels:
            new[i] = channel(channels[place], kind or old.kind, old.unit)
        elif kind:
            new[i] = replace(old, kind=kind)
    chunks = r.chunks
    if scale != 1.0 and electrodes:
        factor = np.ones(len(new), np.float32)
        factor[electrodes] = scale
        chunks = tuple(c.but(data=c.data * factor) for c in chunks)
    return replace(r, stream=r.stream.but(channels=tuple(new)), chunks=chunks)


def _implausible(r: Recording) -> list[str]:
    """A note where the EEG cannot be in µV: units that are off by powers of ten are the commonest fault of files."""
    columns = [i for i, c in enumerate(r.stream.channels) if c.kind == "eeg" and c.unit == "µV"]
    if not columns or not r.chunks:
        return []
    with np.errstate(invalid="ignore", over="ignore"):  # Inf less Inf; what is near the largest number
        x = max(r.chunks, key=len).data[:2_000, columns].astype(float)
        steps = np.abs(np.diff(x, axis=0))
    steps = steps[(steps > 0) & np.isfinite(steps)]
    if not steps.size or STEP_UV[0] <= np.median(steps) <= STEP_UV[1]:
        return []
    size = f"{np.median(steps):.3g} µV"
    return [f"the EEG steps by {size} from sample to sample, which no EEG does: its unit is wrong (scale= mends it)"]
