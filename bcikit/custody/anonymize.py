"""A recording for sharing: made anew from what is known to tell nobody's name, not by deleting what is known to tell it.

Kept: samples, rate, channels under names of the 10-05 system or numbers, their kinds and units from closed lists, template
positions, gaps, and events by a code. Left out: everything else, so that a field that nobody thought of is left out too. The
samples are the person's: whether somebody could be told by them, the leakage report measures (`leakage.py`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..core.label import Label
from ..core.stream import Channel, Chunk, Event, Recording, Stream
from ..files.montage import position, spelled
from ..files.xdf import Writer

KINDS = (
    "eeg",
    "emg",
    "eog",
    "ecg",
    "ecog",
    "seeg",
    "spikes",
    "accel",
    "gyro",
    "probability",
    "velocity",
    "position",
    "power",
)
UNITS = ("µV", "mV", "V", "nV", "g", "m/s²", "rad/s", "°/s", "", "m", "cm", "m/s", "cm/s", "µV²")
# what events of experiments are called: words that say what was to be done, and numbers of at most three digits
WORDS = frozenset(
    "left right hand hands foot feet tongue rest go stop start end begin trial cue fixation target nontarget non flash"
    " stimulus response feedback run block open closed eyes both move movement imagery button press key on off baseline"
    " break error correct bridged gap label class up down".split()
)


def anonymous(r: Recording) -> tuple[Recording, dict[str, Any]]:
    """(the recording to share, what was done to it). The label keeps subjects out and purposes in."""
    s = r.stream
    kept = [i for i, c in enumerate(s.channels) if c.kind in KINDS]
    channels = tuple(_channel(s.channels[i], n) for n, i in enumerate(kept))
    renamed: dict[str, str] = {}
    chunks = []
    start = _start(r)
    for c in r.chunks:
        events = tuple(Event(float(e.index), _code(e.name, renamed), _value(e)) for e in c.events)
        time = c.time - start if np.isfinite(c.time).all() else c.time
        chunks.append(Chunk(np.ascontiguousarray(c.data[:, kept]), c.first, time, events))
    scale = s.scale if not isinstance(s.scale, tuple) else tuple(s.scale[i] for i in kept)
    alphabet = tuple(_code(w, renamed) for w in s.alphabet)
    label = Label(s.label.level, s.label.inferences, frozenset(), s.label.purposes)
    stream = Stream("recording", float(s.rate), channels, (len(kept), *s.shape[1:]), float(s.delay), scale, alphabet, label)
    done = {
        "channels_left_out": len(s.channels) - len(kept),
        "channels_renamed": sum(c.name != s.channels[i].name for c, i in zip(channels, kept, strict=True)),
        "events_renamed": len(renamed),
        "fields_left_out": sorted({*map(str, s.info), *map(str, r.info)}),
    }
    return Recording(stream, tuple(chunks)), done


def anonymize(r: Recording, to: Path) -> dict[str, Any]:
    """Write it as XDF, with no date, no name, and nothing of who made it. Raises FileTrouble."""
    clean, done = anonymous(r)
    writer = Writer(to, clean.stream)
    try:
        for c in clean.chunks:
            writer.write(c)
    finally:
        writer.close(signed=False)
    return done


def _channel(c: Channel, n: int) -> Channel:
    name = spelled(c.name)
    unit = c.unit if c.unit in UNITS else ""
    return Channel(name or f"ch{n + 1}", c.kind, unit, position(name) if name else None)


def _code(name: str, renamed: dict[str, str]) -> str:
    """The name, where it is made of words of experiments or short numbers alone; else a number, the same each time."""
    words = re.split(r"[\s_/.,:-]+", name.strip().lower())
    if name and all(w in WORDS or re.fullmatch(r"[a-z]\d{0,3}|\d{1,3}", w) for w in words if w):
        return name
    return renamed.setdefault(name, f"event-{len(renamed) + 1}")


def _value(e: Event) -> Any:
    """Seconds of a gap; any other value is left out: a birthday is a number too."""
    gap = e.name in ("gap", "bridged") and isinstance(e.value, (int, float))
    return float(e.value) if gap else None


def _start(r: Recording) -> float:
    times = [float(np.min(c.time)) for c in r.chunks if np.size(c.time) and np.isfinite(c.time).all()]
    return min(times, default=0.0)
