"""XDF: our own recordings, back to the same bytes; and those of LabRecorder and others, through pyxdf.

Whatever is read, a cut tail or damaged bytes cost no complete chunk, and are said in info["notes"].
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble
from ..core.label import Label
from ..core.stream import Channel, Chunk, Event, Recording, Stream
from ..ethics import keys
from ._contents import contents
from ._xdf import DAMAGE, FOOTER, HEADER, MAGIC, SAMPLES, Place, chunk, header, samples, texts, walk
from ._xdf_foreign import foreign
from ._xdf_writer import BOARD, DATA, LOG, Writer

__all__ = ["Writer", "read", "stream_of"]

UNPACKED_MAX = 8_000_000_000  # bytes: a compressed file that unpacks to more is a bomb or not for memory


def read(path: str | Path, stream: str | None = None, channels: Sequence[str] = ()) -> Recording:
    """The largest regular numeric stream of the file, or the one of this name, type or id; every text stream's samples
    as events on it, at fractional indices by their times.

    channels: names, in order, where the file has none. EEG in µV. Where samples are known to be missing `first` jumps.
    What was odd is told in info["notes"]. Raises FileTrouble, WrongUse.
    """
    path = Path(path)
    raw = _unpacked(path, contents(path))
    if not raw.startswith(MAGIC):
        raise FileTrouble(f"{path} is not an XDF file.", "It does not begin with 'XDF:'.")
    found, notes = walk(raw)
    headers = {sid: header(path, raw, begin, end) for tag, sid, begin, end in found if tag == HEADER}
    own = headers.get(DATA, {}).get("desc") if DATA in headers else None
    own = own.get("bcikit") if isinstance(own, Mapping) else None
    if isinstance(own, str) and stream in (None, headers[DATA].get("name")):
        try:
            return _own(raw, found, json.loads(own), notes)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise FileTrouble(f"{path} says bcikit wrote it, but its description is damaged.", repr(error)) from error
    return foreign(path, raw, found, headers, notes, stream, channels)


def _unpacked(path: Path, raw: bytes) -> bytes:
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        with gzip.open(io.BytesIO(raw)) as file:
            raw = file.read(UNPACKED_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileTrouble(f"{path} cannot be unpacked.", str(error)) from None
    if len(raw) > UNPACKED_MAX:
        raise FileTrouble(f"{path} unpacks to more than {UNPACKED_MAX / 1e9:g} GB.")
    return raw


# -- ours


def stream_of(d: Mapping[str, Any]) -> Stream:
    """The stream that a header of ours describes; without the word `simulated`."""
    return Stream(
        d["name"],
        float(d["rate"]),
        tuple(Channel(name, kind, unit, tuple(at) if at else None) for name, kind, unit, at in d["channels"]),
        tuple(d["shape"]),
        d["delay"],
        tuple(d["scale"]) if isinstance(d["scale"], list) else d["scale"],
        tuple(d["alphabet"]),
        Label.from_dict(d["label"]),
        d["info"],
    )


def _own(raw: bytes, found: list[Place], said: dict[str, Any], notes: list[str]) -> Recording:
    s = stream_of(said["stream"])
    columns = int(np.prod(s.shape))
    dtype = s.dtype.newbyteorder("<")
    chunks: list[Chunk] = []
    status: list[tuple[float, str]] = []
    log: dict[str, Any] | None = None
    following, sure = 0, True  # the index of the sample to come, and whether it is known
    stamp = 0.0

    def events() -> tuple[Event, ...]:
        return tuple(Event(*e) for e in log.get("events", ())) if log else ()

    def flush() -> None:
        """Events that came without samples, or whose samples were cut off."""
        nonlocal log
        if log and "events" in log:
            time = log["time"] if log["n"] == 0 else chunks[-1].time if chunks else float("nan")
            chunks.append(Chunk(np.empty((0, *s.shape), s.dtype), log["first"], time, events()))
        log = None

    for tag, sid, begin, end in found:
        sure &= tag != DAMAGE
        if tag != SAMPLES or sid not in (DATA, LOG, BOARD):
            continue
        try:
            if sid == LOG:
                flush()
                log = json.loads(texts(raw[begin:end])[0][1])
                following, sure = log["first"], True
                if log["n"] == 0:
                    flush()
            elif sid == BOARD:
                status += texts(raw[begin:end])
            else:
                data, stamps = samples(raw[begin:end], dtype, columns)
                if not sure:
                    following += max(round((stamps[0] - stamp) * s.rate) - 1, 0)
                    notes.append(f"the index {following} is reckoned from its time")
                stamp, sure = stamps[-1], True
                time = _time(s, log or {}, stamps)
                chunks.append(Chunk(data.reshape(-1, *s.shape).astype(s.dtype, copy=False), following, time, events()))
                following, log = following + len(data), None
        except (ValueError, KeyError, IndexError, TypeError) as error:
            notes.append(f"a damaged chunk at {begin} is left out: {error}")
            log, sure = None, False
    flush()
    label, seal = _seal(raw, found, said["stream"]["label"], s.label)
    notes += seal
    info = {"notes": tuple(notes), "bcikit": said["bcikit"], "about": said["about"], "status": tuple(status)}
    return Recording(s.but(label=label), tuple(chunks), info)


def _time(s: Stream, log: Mapping[str, Any], stamps: np.ndarray) -> Any:
    if "time" in log:
        return np.array(log["time"]) if isinstance(log["time"], list) else log["time"]
    return float(stamps[-1]) if s.rate or "one" in log else stamps


def _seal(raw: bytes, found: list[Place], said: dict[str, Any], label: Label) -> tuple[Label, list[str]]:
    """The label, with the word `simulated` where this device's signature over all bytes says so; and notes."""
    plain = "; what calls itself simulated is taken as a person's" if said.get("simulated") else ""
    tag, sid, begin, end = found[-1]
    if (tag, sid) != (FOOTER, DATA):
        return label, [f"it was not closed: the program or the machine stopped{plain}"]
    content = raw[begin:end]
    try:
        footer = header(Path("it"), raw, begin, end)
    except FileTrouble:
        footer = {}
    start = begin - (len(chunk(FOOTER, content, DATA)) - len(content))
    sha = hashlib.sha256(raw[:start]).digest()
    if end != len(raw) or footer.get("sha256") != sha.hex():
        return label, [f"it was changed after it was recorded{plain}"]
    if not keys.verify(sha, "recording", str(footer.get("signature", ""))):
        return label, [f"this device did not sign it{plain}"] if plain else []
    return (replace(label, simulated=True) if said.get("simulated") is True else label), []
