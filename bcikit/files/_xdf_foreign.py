"""XDF of LabRecorder and others: what pyxdf makes of the chunks that are whole, as a recording that is honest about
clocks that jumped, rates that are not as declared, and samples that were lost."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble, WrongUse, nearest
from ..core.stream import Chunk, Event, Recording, Stream
from ._contents import VOLTAGE, channel, unique
from ._xdf import FILE, MAGIC, SAMPLES, Place, chunk, header, number

SIZES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}
VOLTS = ("eeg", "emg", "eog", "ecg", "ecog", "seeg")
KINDS = {k: k for k in (*VOLTS, *"spikes accel gyro mag aux digital counter gaze pupil audio misc".split())} | {
    "accelerometer": "accel",
    "gyroscope": "gyro",
    "exg": "eeg",
    "trigger": "digital",
    "stim": "digital",
}
UNITS = {"microvolts": "µV", "microvolt": "µV", "uv": "µV", "μv": "µV", "µv": "µV", "millivolts": "mV", "volts": "V"}
MARKERS = ("markers", "marker", "events", "event", "trigger", "triggers", "stim")
RATE_OFF = 0.005  # a measured rate that differs more from the declared one is said
TIME_OFF_S = 0.01  # how far the times within a chunk may be off, reckoned by the stream's rate
NO_TIME_S = 1e9  # so far apart, decades, are no two samples of a recording
RAW_ROWS = 1000  # of an irregular stream, in a chunk


def foreign(
    path: Path,
    raw: bytes,
    found: list[Place],
    headers: Mapping[int, dict[str, Any]],
    notes: list[str],
    wanted: str | None,
    names: Sequence[str],
) -> Recording:
    """The recording in the chunks `found` of a file; see `xdf.read`."""
    streams, steps = _loaded(path, raw, found, headers, notes)
    picked = _picked(path, streams, wanted, notes)
    facts = picked["info"]
    s, data = _described(picked, headers[facts["stream_id"]], names, notes)
    time = np.asarray(picked["time_stamps"], float)
    starts = sorted({a for a, _ in (*facts["segments"], *facts["clock_segments"])} | {0})
    runs = list(pairwise([*starts, len(time)]))
    measured = _measured(time, runs)
    s = s.but(rate=_rate(s.rate, measured, steps[facts["stream_id"]], notes))
    first = np.arange(len(time))
    for (_, end), (begin, _) in pairwise(runs) if s.rate else ():
        seconds = time[begin] - time[end - 1]
        if not abs(seconds) < NO_TIME_S:
            notes.append(f"the time of sample {begin} is none: what is missing before it is not known")
            continue
        first[begin:] += max(round(seconds * s.rate) - 1, 0)
        notes.append(f"{seconds:.3f} s are missing after sample {end}: the stream broke off, or its clock was set anew")
    events = [e for other in streams if other is not picked for e in _marks(other, time, first, s.rate)]
    rows = min(TIME_OFF_S / max(abs(1 / measured - 1 / s.rate), 1e-9), s.rate) if s.rate and measured else RAW_ROWS
    chunks = _chunks(s, data, first, time, runs, max(int(rows), 1), sorted(events, key=lambda e: e.index))
    kept = {"notes": tuple(dict.fromkeys(notes)), "streams": tuple(h.get("name", "") for h in headers.values())}
    return Recording(s, tuple(chunks), kept | {"measured_hz": measured})


def _measured(time: np.ndarray, runs: list[tuple[int, int]]) -> float:
    """Samples a second, gaps apart; 0 where that cannot be said."""
    span = sum(time[b - 1] - time[a] for a, b in runs)
    return float(sum(b - a - 1 for a, b in runs) / span) if span > 0 else 0.0


def _rate(declared: float, measured: float, step: float, notes: list[str]) -> float:
    """The rate of the device. Where fewer samples came than declared, the step between neighbours tells which is wrong:
    as declared, samples were lost on the way; as measured, the declaration is. step: its median, in seconds."""
    if not declared or not measured or abs(measured / declared - 1) <= RATE_OFF:
        return declared
    if step > 0 and abs(step * measured - 1) < abs(step * declared - 1):
        notes.append(f"{declared:g} Hz is declared; the samples come at {measured:.2f} Hz, which is taken")
        return measured
    off = (
        f"{1 - measured / declared:.1%} were lost" if measured < declared else f"{measured / declared - 1:.1%} are too many"
    )
    notes.append(
        f"{declared:g} Hz is declared; {measured:.2f} samples a second came: {off}, at places that are not known;"
        " times and marks hold, a count of samples is no measure of time"
    )
    return declared


def _marks(other: dict[str, Any], time: np.ndarray, first: np.ndarray, rate: float) -> list[Event]:
    """The samples of a text stream, or of whole-number markers, as events where their time lies on the samples' axis."""
    info = other["info"]
    form, kind = info["channel_format"][0], str(info["type"][0]).lower()
    if form != "string" and not (
        kind in MARKERS and info["channel_count"][0] == "1" and float(info["nominal_srate"][0]) == 0
    ):
        return []
    axis = np.maximum.accumulate(time)
    out = []
    for at, values in zip(np.asarray(other["time_stamps"], float), other["time_series"], strict=True):
        texts = [str(v) for v in values if str(v)]
        if not texts or not np.isfinite(at):
            continue
        index = float(np.interp(at, axis, first))
        index += (min(at - axis[0], 0.0) + max(at - axis[-1], 0.0)) * rate
        out.append(Event(float(index), texts[0], " ".join(texts[1:]) or None))
    return out


def _chunks(
    s: Stream,
    data: np.ndarray,
    first: np.ndarray,
    time: np.ndarray,
    runs: list[tuple[int, int]],
    rows: int,
    events: list[Event],
) -> list[Chunk]:
    """Pieces of at most so many rows; an event goes with the piece that it stands in or before, the rest with the last."""
    cuts = [(a, min(a + rows, end)) for begin, end in runs for a in range(begin, end, rows)]
    out, done = [], 0
    for a, b in cuts:
        till = done
        while till < len(events) and (events[till].index <= first[b - 1] or b == len(data)):
            till += 1
        when = float(time[b - 1]) if s.rate else time[a:b].copy()
        out.append(Chunk(data[a:b], int(first[a]), when, tuple(events[done:till])))
        done = till
    return out


def _loaded(
    path: Path, raw: bytes, found: list[Place], headers: Mapping[int, dict[str, Any]], notes: list[str]
) -> tuple[list[dict[str, Any]], dict[int, float]]:
    """What pyxdf makes of the chunks that are whole, its warnings as notes; and for each stream the median step between
    its stamps as they were before they were smoothed."""
    import pyxdf

    parts = [MAGIC]
    for tag, sid, begin, end in found:
        if tag == FILE:
            header(path, raw, begin, end)
            parts.append(chunk(tag, raw[begin:end]))
        elif sid in headers:
            content = raw[begin:end]
            if tag == SAMPLES and not _possible(content, headers[sid]):
                notes.append(f"a damaged chunk at {begin} is left out")
            else:
                parts.append(chunk(tag, content, sid))
    stamps: dict[int, list[np.ndarray]] = {sid: [] for sid in headers}

    def seen(values: Any, times: np.ndarray, info: Any, sid: int) -> tuple[Any, np.ndarray, Any]:
        stamps[sid].append(times.copy())
        return values, times, info

    said: list[str] = []
    ear = logging.Handler(logging.WARNING)
    ear.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("pyxdf.pyxdf")
    passed, logger.propagate = logger.propagate, False
    logger.addHandler(ear)
    try:
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            streams, _ = pyxdf.load_xdf(io.BytesIO(b"".join(parts)), on_chunk=seen)
    except Exception as error:  # a library's view of a strange file is no traceback for a person
        raise FileTrouble(f"{path} cannot be read as XDF.", f"{type(error).__name__}: {error}.") from error
    finally:
        logger.removeHandler(ear)
        logger.propagate = passed
    notes += [f"pyxdf: {text}" for text in (*said, *(str(w.message) for w in caught))]
    joined = {sid: np.concatenate([[], *its]) for sid, its in stamps.items()}
    return streams, {sid: float(np.median(np.diff(t))) if len(t) > 1 else 0.0 for sid, t in joined.items()}


def _possible(content: bytes, info: Mapping[str, Any]) -> bool:
    """Whether the chunk is as long as the samples it claims need: a claim alone makes no reader take memory."""
    try:
        n, at = number(content, 0)
        form, columns = info["channel_format"], int(info["channel_count"])
        least = 1 + (2 * columns if form == "string" else SIZES[form] * columns)
    except (ValueError, KeyError):
        return False
    return columns > 0 and n * least <= len(content) - at and (form == "string" or len(content) - at <= n * (least + 8))


def _picked(path: Path, streams: list[dict[str, Any]], wanted: str | None, notes: list[str]) -> dict[str, Any]:
    """The stream of the recording: regular before irregular, then the largest."""

    def size(s: dict[str, Any]) -> tuple[bool, int]:
        return float(s["info"]["nominal_srate"][0]) > 0, len(s["time_stamps"]) * int(s["info"]["channel_count"][0])

    def called(s: dict[str, Any]) -> tuple[str, ...]:
        return str(s["info"]["name"][0]), str(s["info"]["type"][0]), str(s["info"]["stream_id"])

    signals = [s for s in streams if s["info"]["channel_format"][0] != "string"]
    there = ", ".join(f"{called(s)[0]!r} ({called(s)[1]}, {len(s['time_stamps'])} samples)" for s in streams) or "none"
    if wanted is not None:
        named = [s for s in signals if wanted in called(s)]
        if not named:
            known = [name for s in signals for name in called(s)]
            raise WrongUse(f"{path} has no signal called {wanted!r}.", f"Its streams: {there}.", nearest(wanted, known))
        signals = named
    full = [s for s in signals if len(s["time_stamps"])]
    if not full:
        raise FileTrouble(f"{path} holds no samples of a signal.", f"Its streams: {there}.")
    best = max(full, key=size)
    if len(full) > 1:
        notes.append(f"the largest of {len(full)} signals is taken, {called(best)[0]!r}; stream= names another: {there}")
    return best


def _described(
    picked: dict[str, Any], info: Mapping[str, Any], names: Sequence[str], notes: list[str]
) -> tuple[Stream, np.ndarray]:
    """The stream as its header has it, and its samples in µV (float32)."""
    data = np.asarray(picked["time_series"])
    n = data.shape[1]
    kind = KINDS.get(str(info.get("type", "")).lower(), "aux")
    listed = _listed(info, n, notes)
    if names and len(names) != n:
        raise WrongUse(
            f"{len(names)} names were given for {n} channels.", do="channels=NAME+NAME+... names each once, in order."
        )
    labels = unique([*names] or [str(c.get("label") or f"ch{i + 1}") for i, c in enumerate(listed)])
    out, factors, silent = [], np.ones(n), 0
    for i, (label, about) in enumerate(zip(labels, listed, strict=True)):
        its = KINDS.get(str(about.get("type", "")).lower(), kind)
        unit = str(about.get("unit") or "")
        unit = UNITS.get(unit.lower(), unit)
        if its in VOLTS:
            silent += not unit
            factors[i] = VOLTAGE.get(unit, 1.0)
            unit = "µV" if not unit or unit in VOLTAGE else unit
        placed = channel(label, its, unit)
        out.append(replace(placed, position=_position(about) or placed.position))
    if silent:
        notes.append(f"the file gives no unit for {silent} channels; they are taken as µV")
    if data.dtype.itemsize > 4 or data.dtype == np.int32:
        notes.append(f"{info['channel_format']} samples are kept as float32")
    data = np.ascontiguousarray(data * factors if (factors != 1).any() else data, np.float32)
    rate = float(info["nominal_srate"])
    return Stream(str(info.get("name") or "XDF"), rate, tuple(out), info={"type": info.get("type", "")}), data


def _listed(info: Mapping[str, Any], n: int, notes: list[str]) -> list[Mapping[str, Any]]:
    """What the header says of each of the n channels, or nothing of any."""
    desc = info.get("desc")
    listed = desc.get("channels") if isinstance(desc, Mapping) else None
    listed = listed.get("channel", []) if isinstance(listed, Mapping) else []
    listed = [c if isinstance(c, Mapping) else {} for c in (listed if isinstance(listed, list) else [listed])]
    if len(listed) != n:
        said = f"it names {len(listed)} of {n} channels: not used" if listed else "the file does not name its channels"
        notes.append(said)
        return [{}] * n
    return listed


def _position(about: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Head coordinates in metres, from millimetres (as LSL's EEG metadata have it)."""
    at = about.get("location")
    try:
        x, y, z = (float(at[axis]) / 1000 for axis in "XYZ") if isinstance(at, Mapping) else (np.nan,) * 3
    except (KeyError, TypeError, ValueError):
        return None
    return (x, y, z) if np.isfinite([x, y, z]).all() and 0 < abs(x) + abs(y) + abs(z) < 1 else None
