"""Whatever MNE-Python reads: FIF, EDF, BDF, GDF, BrainVision, EEGLAB, Neuroscan, ANT, Nihon Kohden, Persyst, ..."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.stream import Channel, Event, Recording, Stream
from ._contents import runs, unique
from ._matlab import sound
from .montage import position

MICRO = 1e6  # MNE gives volts
VOLT, NONE = 107, -1  # FIFF's numbers of units
UNITS = {101: "Hz", 112: "T", 114: "°C", 201: "T/m"}
KINDS = {"stim": "marker", "misc": "aux", "bio": "aux", "resp": "aux", "syst": "aux", "exci": "aux", "gsr": "aux"}
HEADERS = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set", ".evt": ".cnt", ".dat": ".vhdr"}
SKIP = "BAD_ACQ_SKIP"  # where MNE filled in what was not recorded
ANALOGUE_SHARE = 0.2  # a stimulus channel that changes more often than this carries a signal
STATUS_BITS = 0xFFFF  # of BioSemi's Status, the rest says how the amplifier is


def read(path: str | Path, bits: int | None = None) -> Recording:
    """Voltages in µV, other channels in the unit of the file. Annotations are events with their duration (s) as value;
    a stimulus channel stays a channel (kind marker), and each change to a value other than 0 is an event too; so is
    what an `-eve.fif` beside the file says. Stretches that were not recorded are gaps.

    bits: 16 or 32, of a Neuroscan .cnt, which MNE cannot always tell. Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    if bits not in (None, 16, 32):
        raise WrongUse(f"bits={bits} is not known.", "It can be 16 or 32.")
    notes: list[str] = []
    raw = _opened(path, bits, notes)
    with _quiet(notes):
        try:
            data, kinds = raw.get_data().T, raw.get_channel_types()
        except Exception as error:
            raise _trouble(path, error) from None
    rate = float(raw.info["sfreq"])
    original = getattr(raw, "_orig_units", None) or {}
    channels = []
    for i, (name, ch, kind) in enumerate(zip(unique(raw.ch_names), raw.info["chs"], kinds, strict=True)):
        unit = UNITS.get(int(ch["unit"]), "")
        if int(ch["unit"]) == VOLT and kind != "stim":
            unit = "µV"
            if original.get(raw.ch_names[i]) == "n/a":
                if not any("no unit" in n for n in notes):
                    notes.append("the file says no unit; its numbers are taken as µV")
            else:
                data[:, i] *= MICRO
        channels.append(Channel(name, KINDS.get(kind, kind), unit, _place(name, ch, kind)))
    extras = raw._raw_extras[0] if raw._raw_extras and isinstance(raw._raw_extras[0], dict) else {}
    slow = {int(n) for n in np.asarray(extras["n_samps"])[extras["sel"]]} if {"n_samps", "sel"} <= extras.keys() else set()
    if len(slow) > 1:
        notes.append(f"channels of lower rate were resampled to {rate:g} Hz by MNE")
    events = [*_annotations(raw, rate), *_stimuli(data, channels, path, notes), *_beside(path, raw)]
    index, data = _without_skips(raw, data, rate, notes)
    start = raw.info["meas_date"].isoformat() if raw.info["meas_date"] else None
    stream = Stream(
        path.name.split(".")[0], rate, tuple(channels), info={"model": type(raw).__name__.removeprefix("Raw") or "FIF"}
    )
    return runs(stream, data, index, events, {"format": f"MNE {stream.info['model']}", "start": start, "notes": notes})


@contextlib.contextmanager
def _quiet(notes: list[str]) -> Any:
    """MNE's warnings become notes; what it prints goes nowhere."""
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            yield
        finally:
            own = [
                w
                for w in said
                if not issubclass(w.category, (DeprecationWarning, PendingDeprecationWarning, ResourceWarning))
            ]
            notes += dict.fromkeys(" ".join(str(w.message).split()) for w in own)


def _opened(path: Path, bits: int | None, notes: list[str]) -> Any:
    header = path.with_suffix(HEADERS.get(path.suffix.lower(), path.suffix))
    if header != path and header.exists():
        raise FileTrouble(
            f"{path} is not the file to read.", f"{header.name} beside it says what it holds.", f"Read {header}"
        )
    if path.suffix.lower() == ".set":
        sound(path)  # MNE reads it by SciPy (decision 004)
    with _quiet(notes):
        import mne

        try:
            if bits:
                raw = mne.io.read_raw_cnt(path, data_format=f"int{bits}", preload=False, verbose="warning")
            else:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
        except Exception as error:  # its readers raise whatever comes
            raise _trouble(path, error) from None
    if not raw.ch_names or not raw.n_times:
        raise FileTrouble(f"{path} holds no signals.", "It has annotations alone, or nothing.")
    return raw


def _trouble(path: Path, error: Exception) -> FileTrouble:
    why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if isinstance(error, ImportError) or ("module" in why and "needed" in why):
        return FileTrouble(f"{path} needs a library that is not installed.", f"{why[:200]}.")
    if "yielded no channels" in why:
        return FileTrouble(f"{path} holds no signals.", "It has annotations alone.")
    if isinstance(error, FileNotFoundError):
        return FileTrouble(
            f"{path} needs another file, which is missing.", why[:200], "Keep the files of a recording side by side."
        )
    if "Unsupported file type" in why:
        return FileTrouble(
            f"{path} is of a kind that bcikit does not know.",
            f"Neither its content nor its ending ({path.suffix or 'none'}) says what it is.",
            "It reads XDF, OpenBCI text, CSV, NumPy, MATLAB, and what MNE reads (FIF, EDF, BDF, GDF, EEGLAB, BrainVision).",
        )
    if path.suffix.lower() == ".cnt":
        with open(path, "rb") as file:
            ant = file.read(4) in (b"RIFF", b"RF64")
        return (
            FileTrouble(f"{path} is of ANT eego, which needs a library.", "MNE reads it through antio.", "pip install antio")
            if ant
            else FileTrouble(f"{path} does not say whether its numbers have 16 or 32 bits.", do="Say it: bits=32 (or 16).")
        )
    if "any of the possible readers" in why:
        return FileTrouble(
            f"{path} is of a kind that bcikit does not know.", "None of MNE's readers for this ending takes it."
        )
    return FileTrouble(f"{path} cannot be read.", f"It is cut or damaged, or of another kind: {why[:200]}.")


def _place(name: str, ch: Any, kind: str) -> tuple[float, float, float] | None:
    if kind not in ("eeg", "ecog", "seeg", "dbs"):
        return None
    xyz = np.asarray(ch["loc"][:3], float)
    if np.isfinite(xyz).all() and xyz.any():
        return (float(xyz[0]), float(xyz[1]), float(xyz[2]))
    return position(name)


def _annotations(raw: Any, rate: float) -> list[Event]:
    return [
        Event((float(a["onset"]) - raw.first_time) * rate, str(a["description"]), float(a["duration"]) or None)
        for a in raw.annotations
        if a["description"] != SKIP
    ]


def _stimuli(data: np.ndarray, channels: list[Channel], path: Path, notes: list[str]) -> list[Event]:
    found = [i for i, c in enumerate(channels) if c.kind == "marker"]
    events = []
    for i in found:
        value = np.nan_to_num(data[:, i])
        if path.suffix.lower() == ".bdf":
            value = (value.astype(np.int64) & STATUS_BITS).astype(float)
        name = "marker" if len(found) == 1 else channels[i].name
        rows = np.flatnonzero(value[1:] != value[:-1]) + 1
        if len(rows) > ANALOGUE_SHARE * len(data):
            notes.append(f"{channels[i].name} changes at every {len(data) / len(rows):.1f} samples: it is no trigger")
            continue
        events += [Event(int(r), name, float(value[r])) for r in rows if value[r]]
    return events


def _beside(path: Path, raw: Any) -> list[Event]:
    """Events of the file that MNE's tools write beside a recording: NAME_raw.fif, NAME-eve.fif."""
    stem = path.name.removesuffix(".gz").removesuffix(".fif")
    stem = stem.removesuffix("_raw").removesuffix("-raw").removesuffix("_eeg")
    eve = next((p for e in ("-eve.fif", "_eve.fif", "-eve.fif.gz") if (p := path.parent / (stem + e)).exists()), None)
    if eve is None or ".fif" not in path.suffixes:
        return []
    import mne

    return [Event(int(row[0]) - raw.first_samp, "marker", float(row[2])) for row in mne.read_events(eve, verbose="error")]


def _without_skips(raw: Any, data: np.ndarray, rate: float, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Index and rows of what was recorded."""
    keep = np.ones(len(data), bool)
    for a in raw.annotations:
        if a["description"] == SKIP:
            begin = round((float(a["onset"]) - raw.first_time) * rate)
            keep[max(begin, 0) : begin + round(float(a["duration"]) * rate)] = False
    if not keep.all():
        notes.append(f"{(~keep).sum()} samples were not recorded (the recording was interrupted)")
    index = np.flatnonzero(keep)
    return index, data[keep] if len(index) < len(data) else data
