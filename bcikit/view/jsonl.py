"""JSON lines for machines: one a second, one at once when the board's state changes, one at the end."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from typing import Any, TextIO

from ..core.parts import Report
from ..core.stream import Stream
from ..ethics.manifest import use
from ._view import SILENT, View

SAID = ("probability", "decision", "velocity", "position")  # kinds of which the newest value is told


@dataclass(eq=False)
class Jsonl(View):
    """Each line is an object:

        time_s      since the start
        state       connecting, streaming, stale, reconnecting, lost or ended
        rate_hz     samples a second, as measured; rate_nominal_hz as stated
        samples     so far; lost: samples known to be missing; gaps, bridged: how the line dealt with them
        repeated    samples that came again or with an index that went back: the line drops them
        age_s       of the newest sample
        latency_ms  {p50, p99} from the moment the newest sample of a chunk was taken to the chunk out of the last stage
        arrival_ms  {p50, p99} the part of it before the loop had the chunk
        polling_ms  {p50, p99} the part of that between a driver's (BrainFlow's) having a packet and its being asked for it
        clock_ms    uncertainty of the samples' times
        dropped     {sink: chunks it was too slow for}
        note        what the board has to say
        simulated   true where no person stands behind it
        use         for what it may be used, in words
        channels    [{name, unit, rms, quality}] of the newest second: rms about the mean; quality good, mains, noisy,
                    flat, railed or nan, judged on the board's signal. null while no data come. What decoders and
                    mappers say (probability, decision, ...) has its newest value, too
        exit        on the last line alone: the exit code

    null is what is not known (yet). Written to standard output, each line flushed.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.out: TextIO | None = None

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        self._second, self._state = -1, ""

    def pulse(self, report: Report) -> None:
        state = report.status.state
        if state == self._state and int(report.time_s) <= self._second and report.exit is None:
            return
        self._state, self._second = state, int(report.time_s)
        try:
            print(
                json.dumps(self.line(report), ensure_ascii=False, allow_nan=False), file=self.out or sys.stdout, flush=True
            )
        except BrokenPipeError:  # the reader has seen enough: end in good order, so that a recording is whole
            self.stop()

    def line(self, r: Report) -> dict[str, Any]:
        """The report as plain values."""
        s = self.told(r).status
        silent = s.state in SILENT
        line: dict[str, Any] = {
            "time_s": _number(r.time_s),
            "state": s.state,
            "rate_hz": _number(s.rate_hz),
            "rate_nominal_hz": self.nominal_hz,
            "samples": r.samples,
            "lost": s.lost,
            "gaps": r.gaps,
            "bridged": r.bridged,
            "repeated": r.repeated,
            "age_s": _number(s.age_s),
            "latency_ms": _quantiles(r.latency_ms),
            "arrival_ms": _quantiles(r.arrival_ms),
            "polling_ms": _quantiles(s.polling_ms),
            "clock_ms": _number(s.clock_s * 1000),
            "dropped": dict(r.dropped),
            "note": s.note,
            "simulated": self.stream.label.simulated,
            "use": use(self.stream.label),
            "channels": [
                {
                    "name": c.name,
                    "unit": c.unit,
                    "rms": None if silent else _number(float(rms)),
                    "quality": None if silent else word or None,
                    **({"value": _number(float(last))} if c.kind in SAID else {}),
                }
                for c, rms, word, last in zip(
                    self.stream.channels, self.signal.rms(), self.quality(), self.signal.last, strict=True
                )
            ],
        }
        if r.exit is not None:
            line["exit"] = r.exit
        return line


def _number(x: float) -> float | None:
    return float(f"{x:.6g}") if math.isfinite(x) else None


def _quantiles(ms: tuple[float, float]) -> dict[str, float | None]:
    return {"p50": _number(ms[0]), "p99": _number(ms[1])}
