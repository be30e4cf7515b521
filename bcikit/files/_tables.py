"""Tables beside a recording: NAME_events.tsv and NAME_channels.tsv, as BIDS has them (bids-specification.readthedocs.io)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..core.errors import FileTrouble
from ..core.stream import Channel, Event, Recording

SUFFIXES = (
    "_eeg",
    "_ieeg",
    "_meg",
    "_emg",
    "_raw",
)  # what stands in a recording's name where `events` stands in its table's
KINDS = {
    "EEG": "eeg",
    "EOG": "eog",
    "VEOG": "eog",
    "HEOG": "eog",
    "EMG": "emg",
    "ECG": "ecg",
    "ECOG": "ecog",
    "SEEG": "ecog",
}
KINDS |= {"DBS": "ecog", "TRIG": "marker", "MISC": "aux", "OTHER": "aux", "REF": "aux", "PUPIL": "aux"}
NONE = ("", "n/a", "boundary", "new segment/", "status")


def beside(path: Path, what: str) -> Path | None:
    """The table of `what` (events, channels) that lies beside a recording, or None."""
    stem = path.name.split(".")[0]
    stems = [stem, *(stem.removesuffix(s) for s in SUFFIXES if stem.endswith(s))]
    return next((p for s in stems if (p := path.with_name(f"{s}_{what}.tsv")).is_file()), None)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table. Raises FileTrouble."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileTrouble(f"{path} cannot be read.", f"{error}.") from None


def events(path: Path) -> Iterator[tuple[float, str, float]]:
    """(onset s, name, duration s) of each row of an events table: its trial_type, else its value. Raises FileTrouble."""
    for i, row in enumerate(rows(path), 2):
        try:
            onset, length = float(row["onset"]), row.get("duration", "")
        except (KeyError, ValueError):
            raise FileTrouble(
                f"{path}, line {i}: there is no onset.", "An events table has onset, duration, trial_type."
            ) from None
        name = next((v for k in ("trial_type", "value") if (v := row.get(k, "")).lower() not in NONE), "")
        if name and math.isfinite(onset):
            yield onset, name, float(length) if length.replace(".", "", 1).isdecimal() else 0.0


def told(path: Path, r: Recording) -> Recording:
    """The recording with what the tables beside it say: its events in place of the file's own, and its channels' kinds."""
    if table := beside(path, "channels"):
        kinds = {row.get("name", ""): KINDS.get(row.get("type", "").upper(), "") for row in rows(table)}
        channels = tuple(_kind(c, kinds.get(c.name, "")) for c in r.stream.channels)
        r = replace(r, stream=r.stream.but(channels=channels))
    if (table := beside(path, "events")) and r.chunks and r.stream.rate:
        first = r.chunks[0].first
        its = [Event(first + onset * r.stream.rate, name, length) for onset, name, length in events(table)]
        r = replace(r, chunks=tuple(_placed(r, its)))
    return r


def _kind(c: Channel, kind: str) -> Channel:
    return replace(c, kind=kind) if kind else c


def _placed(r: Recording, its: list[Event]) -> Iterator:
    """The chunks with these events instead, each in the one that it lies in (the next one where it lies in a gap)."""
    left = sorted(its, key=lambda e: e.index)
    for k, c in enumerate(r.chunks):
        last = k == len(r.chunks) - 1
        mine = [e for e in left if last or e.index < c.end]
        left = left[len(mine) :]
        yield c.but(events=tuple(mine))
