"""A recorder's file: XDF that is only ever appended to.

Four streams, so that plain tools see a signal and plain markers, and we read back everything:

    1 the samples, stamped at the first and the last one of each chunk
    2 markers `name` or `name:value`, where they belong
    3 the log: one JSON text where a chunk is more than the continuation of the one before, with its index, and its events
      as they became known
    4 how the board and the recorder were: `stale`, `gap 0.520 s`, `dropped 3`

Header fields are named as in LSL's metadata pages (https://github.com/sccn/xdf/wiki/Meta-Data).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..core.errors import BciError, FileTrouble, WrongUse
from ..core.stream import Chunk, Event, Stream
from ..ethics import keys
from ..ethics.manifest import use
from ._xdf import BORDER, BOUNDARY, FILE, FOOTER, HEADER, MAGIC, OFFSET, SAMPLES, chunk, packed, packed_texts, xml
from .sealed import Plain, Sealed

DATA, MARKS, LOG, BOARD = 1, 2, 3, 4
ROOM_S = 60.0  # a recording begins only where a minute of it fits
BORDER_EVERY = 1_000_000  # bytes; after damage, readers go on behind the next one
TYPES = {"eeg": "EEG", "emg": "EMG", "eog": "EOG", "ecg": "ECG", "ecog": "ECoG"}
UNITS = {"µV": "microvolts", "mV": "millivolts", "V": "volts"}


def _plain(value: Any) -> Any:
    """What JSON does not know, as something it does."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else str(value)


def described(s: Stream) -> dict[str, Any]:
    """A stream as plain values; `xdf.stream_of` is the inverse."""
    return {
        "name": s.name,
        "rate": s.rate,
        "channels": [[c.name, c.kind, c.unit, c.position] for c in s.channels],
        "shape": s.shape,
        "delay": s.delay,
        "scale": s.scale,
        "alphabet": s.alphabet,
        "label": s.label.as_dict(),
        "info": s.info,
    }


def _channel(s: Stream, i: int) -> dict[str, Any]:
    c = s.channels[i]
    unit = UNITS.get(c.unit, c.unit)
    about: dict[str, Any] = {"label": c.name, "type": TYPES.get(c.kind, c.kind)}
    if s.scale is None:
        about["unit"] = unit
    else:
        about |= {
            "unit": "counts",
            "scaling_factor": float(np.broadcast_to(s.scale, len(s.channels))[i]),
            "scaled_unit": unit,
        }
    if c.position:  # millimetres, as LSL's EEG metadata have it
        about["location"] = {axis: p * 1000 for axis, p in zip("XYZ", c.position, strict=True)}
    return about


class Writer:
    """Appends chunks of one stream to a new file, each in one write: what was written stays readable, whenever it ends.

    about: facts for the record (the line's recipe, the board's settings). when: date and time of the start, as text.
    sealed: encrypted for those in the label.
    At `close` the file is signed with this device's key. Raises FileTrouble: the file exists, its folder does not, the
    disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        stream: Stream,
        about: Mapping[str, Any] | None = None,
        when: str = "",
        home: Path | None = None,
        sealed: bool = False,
    ) -> None:
        self.path, self.stream = Path(path), stream
        self._home = home
        self._lock = threading.Lock()
        self._hash = hashlib.sha256()
        self._good = self._counted = 0
        self._next: int | None = None
        self._bare = False  # a boundary stands just behind: who begins there needs the index said
        self._stamps: dict[int, list[float]] = {}  # first, last, how many, by stream
        self._last = 0.0  # stamp of the newest sample
        self._early: list[str] = []  # said before there was a sample to place it by
        columns = int(np.prod(stream.shape))
        self._columns = columns
        self._row = 1 + columns * stream.dtype.itemsize
        self._room()
        try:
            self._file: Plain | None = Sealed(self.path, stream.label.subjects, home) if sealed else Plain(self.path)
        except FileExistsError:
            raise FileTrouble(
                f"{path} exists already.",
                "A recording is never written over.",
                f"Name another file, for example {_free(self.path)}",
            ) from None
        except OSError as error:
            raise FileTrouble(
                f"{path} cannot be written.", f"{error.strerror}.", "Name a file in a folder of yours."
            ) from error
        facts = {"version": "1.0", **({"datetime": when} if when else {}), "writer": f"bcikit {__version__}"}
        own = {"bcikit": __version__, "stream": described(stream), "about": about or {}, "use": use(stream.label)}
        kind = next((TYPES[c.kind] for c in stream.channels if c.kind in TYPES), "Signal" if stream.rate else "Decisions")
        desc: dict[str, Any] = {
            "synchronization": {"can_drop_samples": "true"}
        }  # the stamps are right: no one is to smooth them
        if columns == len(stream.channels):
            desc["channels"] = {"channel": [_channel(stream, i) for i in range(columns)]}
        desc["bcikit"] = json.dumps(own, default=_plain)
        form = "float32" if stream.dtype.kind == "f" else "int16"
        self._append(
            MAGIC
            + chunk(FILE, ("<?xml version='1.0'?>" + xml("info", facts)).encode())
            + self._header(DATA, stream.name, kind, columns, stream.rate, form, desc)
            + self._header(MARKS, f"{stream.name} events", "Markers", 1, 0, "string", {})
            + self._header(LOG, f"{stream.name} log", "Log", 1, 0, "string", {})
            + self._header(BOARD, f"{stream.name} status", "Status", 1, 0, "string", {})
        )

    def _room(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise FileTrouble(f"There is no folder {folder}.", "A recorder makes files, not folders.", f"mkdir -p {folder}")
        need = int(ROOM_S * self.stream.rate * self._row) + 100_000
        free = shutil.disk_usage(folder).free
        if free < need:
            raise FileTrouble(
                f"{folder} has {free / 1e6:.1f} MB left; a minute of this stream takes {need / 1e6:.1f} MB.",
                do="Free some space, or name a file on another disk.",
            )

    @staticmethod
    def _header(sid: int, name: str, kind: str, columns: int, rate: float, form: str, desc: Mapping[str, Any]) -> bytes:
        about = {"name": name, "type": kind, "channel_count": columns, "nominal_srate": rate, "channel_format": form}
        return chunk(HEADER, ("<?xml version='1.0'?>" + xml("info", {**about, "desc": desc})).encode(), sid)

    def _append(self, data: bytes) -> None:
        """In one write; where only a part of it fits, the part is taken off again."""
        if self._file is None:
            raise FileTrouble(f"{self.path} is closed.")
        try:
            self._file.append(data)
        except OSError as error:
            file, self._file = self._file, None
            file.close(whole=False)
            raise FileTrouble(
                f"Recording to {self.path} has ended: {error.strerror}.",
                f"What was recorded until then ({self._good / 1e6:.1f} MB) is good.",
                "Free some space, or name a file on another disk.",
            ) from error
        self._good += len(data)
        self._hash.update(data)

    def _stamped(self, sid: int, times: Any, n: int) -> bytes:
        """Keeps what the footer will say; before a stream's first sample its clock offset, which is 0: one clock."""
        first, last = float(times[0]), float(times[-1])
        if sid in self._stamps:
            self._stamps[sid][1:] = [last, self._stamps[sid][2] + n]
            return b""
        self._stamps[sid] = [first, last, n]
        return chunk(OFFSET, struct.pack("<dd", first, 0.0), sid)

    def _text(self, sid: int, items: list[tuple[float, str]]) -> bytes:
        return self._stamped(sid, [t for t, _ in items], len(items)) + chunk(SAMPLES, packed_texts(items), sid)

    # -- what happens

    def write(self, c: Chunk) -> None:
        """Append a chunk: exactly its bytes, its index, its events."""
        s = self.stream
        if c.data.dtype != s.dtype or c.data.shape[1:] != s.shape:
            raise WrongUse(f"{s.name} is {s.dtype} {s.shape}; this chunk is {c.data.dtype} {c.data.shape[1:]}.")
        with self._lock:
            if len(c) or c.events:
                self._append(self._encoded(c))

    def _encoded(self, c: Chunk) -> bytes:
        n, rate = len(c), self.stream.rate
        missing = 0 if self._next is None else c.first - self._next
        times = self._times(c)
        log: dict[str, Any] = {"first": c.first, "n": n}
        if n == 0 or not np.isfinite(c.time).all():
            log["time"] = c.time
        elif not rate and np.ndim(c.time) == 0:
            log["one"] = True  # one time for all its samples, not one for each
        if c.events:
            log["events"] = [[e.index, e.name, e.value, e.uncertainty] for e in c.events]
        parts = []
        start, end = float(times[0]), float(times[-1])
        said = [(start, text) for text in self._early] if n else []
        if n:
            self._early = []
        if missing > 0 and n:
            said.append((start, f"gap {missing / rate:.3f} s" if rate else f"gap of {missing}"))
        if said:
            parts.append(self._text(BOARD, said))
        if len(log) > 2 or missing or self._next is None or self._bare:
            parts.append(self._text(LOG, [(end, json.dumps(log, default=_plain))]))
        if n:
            flat = np.ascontiguousarray(c.data).reshape(n, self._columns)
            parts.append(self._stamped(DATA, times, n) + chunk(SAMPLES, packed(flat, times), DATA))
            self._next, self._last = c.end, end
        if c.events:
            parts.append(self._text(MARKS, [(self._placed(e, c, times), marker(e)) for e in c.events]))
        self._counted += sum(map(len, parts))
        self._bare = self._counted > BORDER_EVERY
        if self._bare:
            self._counted = 0
            parts.append(chunk(BOUNDARY, BORDER))
        return b"".join(parts)

    def _times(self, c: Chunk) -> np.ndarray:
        """Stamps for plain tools: of each sample where the stream is irregular, else of the first and the last."""
        n, rate = len(c), self.stream.rate
        if n and np.isfinite(c.time).all():
            if not rate:
                return np.broadcast_to(np.asarray(c.time, float), n)
            return np.array([c.time_at(0, rate), c.time][-n:], float)
        if not rate or not n:
            return np.full(max(n, 1), self._last)
        ahead = np.array([c.first, c.end - 1][-n:]) - (c.first - 1 if self._next is None else self._next - 1)
        return self._last + ahead / rate

    def _placed(self, e: Event, c: Chunk, times: np.ndarray) -> float:
        rate = self.stream.rate
        if rate:
            newest = (c.first if self._next is None else self._next) - 1
            return float(times[-1] + (e.index - newest) / rate)
        return float(np.interp(e.index, np.arange(c.first, c.first + len(times)), times))

    def say(self, text: str, late_s: float = 0.0) -> None:
        """A line of the status stream, `late_s` seconds after the newest sample."""
        with self._lock:
            if self._next is None:
                self._early.append(text)
            else:
                self._append(self._text(BOARD, [(self._last + (late_s if late_s > 0 else 0.0), text)]))

    def sync(self) -> None:
        """Wait until what was written would outlive a power cut."""
        with self._lock:
            if self._file is not None:
                self._file.sync()

    def close(self, signed: bool = True) -> None:
        """Footers, hash and, unless whoever reads it is not to learn of this device, signature; final and idempotent."""
        with self._lock:
            if self._file is None:
                return
            try:
                if self._early:
                    self._append(self._text(BOARD, [(self._last, text) for text in self._early]))
                self._append(b"".join(self._footer(sid, {}) for sid in (MARKS, LOG, BOARD)))
                sha = self._hash.digest()
                own = {"sha256": sha.hex()}
                try:
                    if signed:
                        own["signature"] = keys.sign(sha, "recording", self._home)
                except (BciError, OSError) as error:  # the samples are worth more than the signature
                    own["unsigned"] = str(error)
                self._append(self._footer(DATA, own))
            finally:
                file, self._file = self._file, None
                if file is not None:
                    file.close()

    def _footer(self, sid: int, more: Mapping[str, Any]) -> bytes:
        first, last, n = self._stamps.get(sid, (0.0, 0.0, 0))
        about = {"first_timestamp": first, "last_timestamp": last, "sample_count": n, **more}
        return chunk(FOOTER, ("<?xml version='1.0'?>" + xml("info", about)).encode(), sid)


def marker(e: Event) -> str:
    """An event as a plain marker."""
    return e.name if e.value is None else f"{e.name}:{e.value}"


def _free(path: Path) -> Path:
    n = 2
    while (other := path.with_name(f"{path.stem}-{n}{path.suffix}")).exists():
        n += 1
    return other
