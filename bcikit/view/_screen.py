"""The terminal view as a function: what is known, and a size, to lines of text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core.label import Label
from ..core.parts import Report
from ..core.stream import Stream
from ..ethics.manifest import NOT_MEDICAL
from ..preprocess._signals import SIGNALS
from ._braille import bar, trace
from ._signal import BANDS, Signal
from ._text import Piece, between, cells, fit, paint, short, shown
from ._view import SILENT

STATE_STYLE = {
    "streaming": "green",
    "ended": "dim",
    "connecting": "yellow",
    "stale": "red bold",
    "reconnecting": "yellow bold",
}
QUALITY_STYLE = {"good": "green", "mains": "yellow", "noisy": "yellow", "flat": "red", "railed": "red", "nan": "red"}
UNMARKED = ("truth:", "quality", "bridged", "gap")  # events that are told elsewhere, or would be too many
RATE_OFF = 0.005  # from the stated rate: said in yellow
SCALES = [m * 10.0**p for p in range(-9, 10) for m in (1, 2, 3, 5, 7)]


@dataclass
class Look:
    """What the person chose. seconds: width of the traces. half: of their height in the channels' unit, by unit; chosen by
    itself where it is None."""

    table: bool = False
    seconds: float = 5.0
    page: int = 0
    paused: bool = False
    zoom: int = 0
    half: dict[str, float] = field(default_factory=dict)


@dataclass
class Facts:
    """What is to be shown."""

    stream: Stream
    report: Report
    silent_s: float  # since the loop last said something
    line: str
    recordings: list[tuple[str, str]]  # path, size
    signal: Signal
    quality: list[str]
    bands: np.ndarray | None
    said: str = ""
    keys: bool = True
    nominal_hz: float | None = None  # of the board, where that is another stream


def frame(f: Facts, look: Look, width: int, height: int, colour: bool = True) -> list[str]:
    """`height` lines of at most `width` columns."""
    head = _head(f, width)
    room = height - len(head) - 2
    traces = not look.table and f.stream.rate and room >= 2 and width >= 40
    chances = all(c.kind == "probability" for c in f.stream.channels)
    body, axis, paging = (_chances if chances else _traces if traces else _table)(f, look, width, max(room, 1))
    said: list[Piece] = [(f" {paging}", "dim"), (f"  {shown(f.said)}", "bold")]
    foot = between(said, _keys(f, look, width - sum(cells(text) for text, _ in said)), width)
    lines = [*head, *body, *[[]] * (room - len(body)), axis, foot]
    return [paint(line, width, colour) for line in lines[:height]]


# -- the head


def _head(f: Facts, width: int) -> list[list[Piece]]:
    r, s, stream = f.report, f.report.status, f.stream
    state = s.state
    clock = f"{int(r.time_s) // 3600:d}:{int(r.time_s) // 60 % 60:02d}:{int(r.time_s) % 60:02d}"
    left: list[Piece] = [
        (" ● ", STATE_STYLE.get(state, "red bold")),
        (state, STATE_STYLE.get(state, "red bold")),
        (f"  {shown(stream.name)}", "bold"),
        (f"  {shown(f.line)}" if f.line else "", "dim"),
    ]
    whose = _whose(stream.label, width - sum(cells(text) for text, _ in left) - cells(clock) - 4)
    first = between(left, [(f"{whose}  ", "yellow" if stream.label.simulated else "cyan"), (f"{clock} ", "")], width)
    age = s.age_s + f.silent_s
    measured = s.rate_hz == s.rate_hz
    nominal = stream.rate if f.nominal_hz is None else f.nominal_hz
    off = measured and nominal and abs(s.rate_hz / nominal - 1) > RATE_OFF
    p50, p99 = r.latency_ms
    second: list[Piece] = [
        (f" {s.rate_hz:.1f}" if measured else " –", "yellow bold" if off else "bold"),
        (f" of {nominal:g} Hz" if nominal else " Hz, irregular", "dim"),
        ("   lost ", "dim"),
        (str(s.lost), "red bold" if s.lost else "bold"),
        ("   age ", "dim"),
        (_time(age), "red bold" if state in SILENT or age > 1 else "bold"),
        ("   latency ", "dim"),
        (f"{p50:.3g} / {p99:.3g} ms" if p50 == p50 else "–", "bold"),
        (" (p50 / p99)", "dim"),
    ]
    if r.gaps or r.bridged:
        second += [("   gaps ", "dim"), (f"{r.gaps}", "bold"), (f" + {r.bridged} bridged" if r.bridged else "", "dim")]
    if r.repeated:
        second += [(f"   repeated {r.repeated}", "red")]
    for sink, n in r.dropped.items():
        second += [(f"   {sink} missed {n}", "red")]
    lines = [first, second]
    for path, size in f.recordings:
        waits = state in SILENT
        lines.append(
            [
                (" ○ " if waits else " ● ", "yellow" if waits else "red"),
                ("waiting for data: " if waits else "recording ", "dim"),
                (shown(path), ""),
                (f"  {size}", "bold"),
            ]
        )
    if f.silent_s > 1:
        lines.append([(f" The loop has said nothing for {_time(f.silent_s)}.", "red bold")])
    elif s.note and s.note != "simulated":
        lines.append([(f" {shown(s.note)}", "yellow")])
    return [*lines, [("─" * width, "dim")]]


def _whose(label: Label, room: int) -> str:
    """Whose data these are, and for what they may be used: as much of it as there is room for."""
    who = "SIMULATED" if label.simulated else shown(", ".join(sorted(label.subjects)))
    purposes = "" if label.simulated or not label.purposes else f"for {', '.join(sorted(label.purposes))}"
    medical = "" if "clinical" in label.purposes else NOT_MEDICAL
    said = [" ".join(w for w in words if w) for words in ((who, purposes, f"({medical})" * bool(medical)), (who, purposes))]
    return next((text for text in said if cells(text) <= room), who)


def _keys(f: Facts, look: Look, room: int) -> list[Piece]:
    """As many of the keys as there is room for, the most wanted first."""
    words = [("q", "stop"), ("space", "go on" if look.paused else "pause"), ("t", "traces" if look.table else "table")]
    words += [("m", "mark"), ("n p", "page"), ("+ -", "scale"), ("[ ]", "time")]
    pieces: list[Piece] = []
    for key, word in words if f.keys else [("Ctrl-C", "stop")]:
        room -= cells(f"{key} {word}  ")
        if room > 0:
            pieces += [(f"{key} ", "bold"), (f"{word}  ", "dim")]
    return pieces


def _time(seconds: float) -> str:
    if seconds != seconds:
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


# -- the body


def _page(f: Facts, look: Look, per_page: int) -> tuple[range, str]:
    n = len(f.stream.channels)
    pages = max(1, -(-n // per_page))
    look.page %= pages
    begin = look.page * per_page
    shown_now = range(begin, min(begin + per_page, n))
    return shown_now, f"{begin + 1}–{shown_now.stop} of {n} channels" if pages > 1 else ""


def _names(f: Facts, which: range) -> int:
    return min(14, max(4, *(cells(shown(f.stream.channels[i].name)) for i in which)))


def _value(f: Facts, i: int, rms: np.ndarray) -> str:
    v = rms[i]
    return "–" if v != v else f"{v:.3g}" if v < 1e3 else f"{v:.0f}" if v < 1e6 else f"{v:.1e}"


def _bands(f: Facts, i: int) -> str:
    judged = f.stream.channels[i].kind in SIGNALS
    return "".join(map(bar, f.bands[i])) if judged and f.bands is not None else ""


def _traces(f: Facts, look: Look, width: int, room: int) -> tuple[list[list[Piece]], list[Piece], str]:
    n = len(f.stream.channels)
    rows = max(1, min(room // n, 6))
    which, paging = _page(f, look, room // rows)
    label = _names(f, which)
    side = label + 2
    wide = width - side - 24
    signal, live = f.signal, f.report.status.state not in SILENT
    age = f.report.status.age_s + f.silent_s
    ahead = 0 if live or age != age else round(age * f.stream.rate)
    low, high, first, span = signal.traces(look.seconds, 2 * wide, ahead)
    rms = signal.rms() if live else np.full(n, np.nan)
    low, high = _centred(low[:, which], high[:, which])
    units = [f.stream.channels[i].unit for i in which]
    half = {
        unit: _half(look, unit, low[:, [u == unit for u in units]], high[:, [u == unit for u in units]])
        for unit in dict.fromkeys(units)
    }
    body: list[list[Piece]] = []
    for k, i in enumerate(which):
        c, word = f.stream.channels[i], f.quality[i] if live else ""
        texts = trace(low[:, k] / half[c.unit], high[:, k] / half[c.unit], rows, wide)
        middle = (rows - 1) // 2
        for row, text in enumerate(texts):
            here = row == middle
            style = "cyan" if i % 2 else ""
            body.append(
                [
                    (fit(f" {short(c.name, label)}" if here else "", side), "bold"),
                    (text, QUALITY_STYLE.get(word, style) if word in ("flat", "railed", "nan") else style),
                    (fit(_value(f, i, rms), 8, right=True) if here else " " * 8, "bold"),
                    (fit(f" {shown(c.unit)}" if here else "", 4), "dim"),
                    (fit(f" {word}" if here else "", 7), QUALITY_STYLE.get(word, "dim")),
                    (_bands(f, i) if here and live else "", "cyan"),
                ]
            )
    return body, _axis(f, side, wide, first, span, len(low), half), paging


def _centred(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(low)
    middle = np.where(known, (low + high) / 2, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return low - middle, high - middle


def _half(look: Look, unit: str, low: np.ndarray, high: np.ndarray) -> float:
    """Half the height of a trace: chosen so that most of most channels fits, kept until that is clearly no longer so."""
    size = np.fmax(np.abs(low), np.abs(high))
    known = np.isfinite(size).any(axis=0)
    if known.any():
        wanted = float(np.median(np.nanpercentile(size[:, known], 98, axis=0)))
        now = look.half.get(unit, 0.0)
        if wanted > now or wanted < now / 1.6:
            look.half[unit] = next((s for s in SCALES if s >= wanted), SCALES[-1])
    at = int(np.argmin(np.abs(np.log(np.array(SCALES) / look.half.get(unit, 1.0)))))
    return SCALES[min(max(at - look.zoom, 0), len(SCALES) - 1)]


def _axis(f: Facts, side: int, wide: int, first: int, span: float, columns: int, half: dict[str, float]) -> list[Piece]:
    """The line below the traces: time, marks, scale."""
    line = list("┄" * wide)
    shift = wide - columns / 2
    for index, name in list(f.signal.events):
        at = int((index - first) / span / 2 + shift)
        if max(shift, 0) <= at < wide and not name.startswith(UNMARKED):
            for k, c in enumerate(f"▲{shown(name)}"[: max(1, wide - at)]):
                line[at + k] = c
    scale = "  ".join(f"±{h:g} {shown(unit)}".strip() for unit, h in half.items())
    seconds = columns * span / (f.stream.rate or 1)
    return [
        (fit(f" {seconds:.2g} s", side), "dim"),
        ("".join(line), "dim"),
        (fit(f"  {scale}", 19), "dim"),
        ("δθαβγ" if f.bands is not None else "", "dim"),
    ]


def _table(f: Facts, look: Look, width: int, room: int) -> tuple[list[list[Piece]], list[Piece], str]:
    which, paging = _page(f, look, max(1, room - 1))
    label = _names(f, which)
    live = f.report.status.state not in SILENT
    rms = f.signal.rms()
    head = f" {fit('name', label)}  {'rms' if f.stream.rate else 'value':>9}       quality"
    bands = f.bands is not None and width >= label + 74
    if bands:
        head += "   " + "".join(fit(name, 9) for name in BANDS)
    body: list[list[Piece]] = [[(head, "dim")]]
    for i in which:
        c, word = f.stream.channels[i], f.quality[i] if live else ""
        value = _value(f, i, rms) if f.stream.rate else f"{f.signal.last[i]:.4g}"
        if f.stream.alphabet and f.signal.last[i] == f.signal.last[i]:
            value = f.stream.alphabet[min(max(int(f.signal.last[i]), 0), len(f.stream.alphabet) - 1)]
        line: list[Piece] = [
            (f" {fit(short(c.name, label), label)}  ", "bold"),
            (fit(shown(value) if live else "–", 9, right=True), "bold"),
            (f" {fit(shown(c.unit), 5)} ", "dim"),
            (fit(word, 10), QUALITY_STYLE.get(word, "dim")),
        ]
        if bands and live and f.bands is not None and c.kind in SIGNALS:
            for part in f.bands[i]:
                line += [(bar(part) * 2, "cyan"), (f" {part * 100:3.0f} %  " if part == part else "         ", "dim")]
        body.append(line)
    return body, [], paging


def _chances(f: Facts, look: Look, width: int, room: int) -> tuple[list[list[Piece]], list[Piece], str]:
    """What a decoder says: the newest probability of each class, the likeliest marked."""
    which, paging = _page(f, look, room)
    label = _names(f, which)
    p = f.signal.last if f.report.status.state not in SILENT else np.full(len(f.stream.channels), np.nan)
    most = max(width - label - 11, 1)
    body: list[list[Piece]] = []
    for i in which:
        known, first = p[i] == p[i], p[i] == np.nanmax(p) if np.isfinite(p).any() else False
        style = "green bold" if first else "dim"
        body.append(
            [
                (f" {fit(short(f.stream.channels[i].name, label), label)}  ", "bold"),
                (f"{p[i]:6.1%}  " if known else "     –  ", style),
                ("█" * round(float(p[i]) * most) if known else "", style),
            ]
        )
    return body, [], paging
