"""What the consent layer costs: a send, a hop to the sandboxed worker, a loop, an encrypted recording, a revocation.

Everything is simulated, called a person's for the time of the bench, and kept in a home of its own that is removed after it.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.label import Label, Level
from ..core.parts import Sink
from ..core.stream import Channel, Chunk, Stream
from ..decode.sandbox import Sandbox
from ..ethics import sandbox
from ..ethics.consent import Consent
from ..ethics.gate import Gate, Permit
from ..files.xdf import Writer
from ._measure import Row, told

S1 = frozenset({"S1"})
LABEL = Label(subjects=S1, purposes=frozenset({"research"}))
CHUNK_S = 0.01
LOOP_HZ, LOOP_CHANNELS = 1000.0, 64
ARRAY_HZ, ARRAY_CHANNELS, ARRAY_CHUNK = 30_000.0, 1024, 30
SENDERS = 3
MOST_BITS = 1e6  # a second: more than a send of a decision after the other tells


class _Null(Sink):
    kind = "view"

    def send(self, c: Chunk) -> None:
        pass


class _Out(_Null):
    kind = "network"


def costs(seconds: float) -> Iterator[Row | dict[str, Any] | str]:
    """Rows, then the summary; each part runs for so long."""
    summary: dict[str, Any] = {"bench": "gate", "data": "simulated"}
    with _home():
        Consent().use_policy(f"version = 1\n[limits]\nbits_per_s = {MOST_BITS}\n")  # else most decisions would be held back
        Consent().grant("S1", "research", ["view", "record"])
        Consent().enrol("S1", "simulated words")
        Consent().grant("S1", "research", ["network"], passphrase="simulated words", level="DECISION")
        send = _timed("a send through the Gate", _sender(_Null(), _signal()), seconds, "signal of 64 channels, 10 rows")
        word = _timed(
            "a send of a decision",
            _sender(_Out(), _decision()),
            seconds,
            "that leaves, held to its words and to bits a second",
        )
        yield send
        yield word
        summary |= {"send_us_p50": send.us_p50, "send_us_p99": send.us_p99, "decision_us_p99": word.us_p99}
        yield from _hop(seconds, summary)
        share = summary["cpu_share"] = _share(seconds)
        loop = f"  a loop of {LOOP_CHANNELS} channels at {LOOP_HZ:g} Hz, two sinks"
        yield f"{loop}: the layer takes {100 * share:.2f} % of a core"
        for sealed in (False, True):
            row = _recorded(seconds, sealed)
            yield row
            summary["sealed_real_time" if sealed else "plain_real_time"] = row.real_time_factor
        revoked = told(Row("revoke", note=f"{SENDERS} threads send without pause; until it has returned"), _revoked(seconds))
        yield revoked
        disk = told(Row("a wait for the disk alone", note="4 kB, once; a revocation waits for it once too"), _disk())
        yield disk
        summary |= {"disk_ms_p50": _ms(disk.us_p50), "disk_ms_p99": _ms(disk.us_p99)}
        summary |= {"revoke_ms_p50": _ms(revoked.us_p50), "revoke_ms_p99": _ms(revoked.us_p99)}
        summary["revoke_ms_worst"] = _ms(revoked.us_worst)
    yield summary


def _ms(us: float | None) -> float:
    return float("nan") if us is None else us / 1000


@contextmanager
def _home() -> Iterator[Path]:
    """A home for the time of the bench."""
    before = os.environ.get("BCIKIT_HOME")
    with tempfile.TemporaryDirectory(prefix="bcikit-bench-", ignore_cleanup_errors=True) as place:
        os.environ["BCIKIT_HOME"] = place
        try:
            yield Path(place)
        finally:
            if before is None:
                del os.environ["BCIKIT_HOME"]
            else:
                os.environ["BCIKIT_HOME"] = before


def _signal(channels: int = LOOP_CHANNELS) -> Stream:
    return Stream("simulated", LOOP_HZ, tuple(Channel(f"c{i}") for i in range(channels)), label=LABEL)


def _decision() -> Stream:
    label = Label(Level.DECISION, subjects=S1, purposes=LABEL.purposes)
    return Stream("simulated", 10.0, (Channel("d", "decision", ""),), alphabet=("rest", "go"), label=label)


def _sender(sink: Sink, s: Stream) -> Callable[[int], None]:
    permit = Gate().open(sink, s)
    x = np.zeros((10 if s.rate > 100 else 1, len(s.channels)), np.float32)
    return lambda i: permit.send(Chunk(x, i * len(x), i * len(x) / s.rate))


def _timed(name: str, act: Callable[[int], Any], seconds: float, note: str) -> Row:
    took, until, i = [], time.perf_counter() + seconds, 0
    while (now := time.perf_counter()) < until:
        act(i)
        took.append(time.perf_counter() - now)
        i += 1
    return told(Row(name, note=note), np.array(took[len(took) // 20 :]))


def _hop(seconds: float, summary: dict[str, Any]) -> Iterator[Row | str]:
    if why := sandbox.available():
        yield f"  the hop to the sandboxed worker is left out: {why}"
        return
    worker = Sandbox(["pick"])
    try:
        worker.start(_signal(8))
        x = np.zeros((10, 8), np.float32)
        row = _timed("a hop to the sandboxed worker and back", lambda i: worker.step(Chunk(x, 10 * i, i / 100)), seconds, "")
        row.note = "8 channels, 10 rows, through a stage that passes them on; two processes"
        yield row
        summary |= {"hop_us_p50": row.us_p50, "hop_us_p99": row.us_p99}
    finally:
        worker.end()


def _share(seconds: float) -> float:
    """CPU of a paced loop of sends through the Gate to two sinks, less that of the same loop without it, of the time."""

    def spent(sends: Sequence[Callable[[Chunk], None]]) -> float:
        x, began, cpu, i = (
            np.zeros((round(CHUNK_S * LOOP_HZ), LOOP_CHANNELS), np.float32),
            time.monotonic(),
            time.process_time(),
            0,
        )
        while (due := began + i * CHUNK_S) < began + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            for send in sends:
                send(Chunk(x, i * len(x), due))
            i += 1
        return (time.process_time() - cpu) / (time.monotonic() - began)

    bare = [_Null().send, _Null().send]
    permits: list[Permit] = [Gate().open(_Null(), _signal()) for _ in bare]
    with_gate = spent([p.send for p in permits])
    for p in permits:
        p.close()
    return max(0.0, with_gate - spent(bare))


def _recorded(seconds: float, sealed: bool) -> Row:
    """Chunks of 1 ms of an array, as counts, appended as fast as it goes, with a wait for the disk each second of signal."""
    names = tuple(Channel(f"c{i}", "spikes") for i in range(ARRAY_CHANNELS))
    s = Stream("simulated", ARRAY_HZ, names, scale=0.25, label=LABEL)
    x = np.random.default_rng(0).integers(-200, 200, (ARRAY_CHUNK, ARRAY_CHANNELS)).astype(np.int16)
    path = Path(os.environ["BCIKIT_HOME"]) / ("a.sealed" if sealed else "a.xdf")
    writer, took, i = Writer(path, s, sealed=sealed), [], 0
    until = time.perf_counter() + min(seconds, 10.0)
    while (now := time.perf_counter()) < until:
        writer.write(Chunk(x, i * ARRAY_CHUNK, i * ARRAY_CHUNK / ARRAY_HZ))
        i += 1
        if i % 1000 == 0:
            writer.sync()
        took.append(time.perf_counter() - now)
    writer.close()
    path.unlink()
    name = f"recording {ARRAY_CHANNELS} channels at {ARRAY_HZ / 1000:g} kHz, {'encrypted' if sealed else 'plain'}"
    row = told(Row(name, note="one core; 1 ms a chunk, 61 MB/s; the disk waited for each second of signal"), np.array(took))
    row.real_time_factor = ARRAY_CHUNK / ARRAY_HZ / float(np.mean(took))
    return row


def _revoked(seconds: float) -> np.ndarray:
    """Seconds that revoke takes to return, at random moments, while threads send as fast as they can."""
    rng, took, until = np.random.default_rng(0), [], time.monotonic() + max(seconds, 1.0)
    c = Chunk(np.zeros((1, LOOP_CHANNELS), np.float32), 0, 0.0)

    def pump(permit: Permit) -> None:
        with suppress(BciError):
            while True:
                permit.send(c)

    while time.monotonic() < until:
        Consent().grant("S1", "research", ["view"])
        threads = [threading.Thread(target=pump, args=(Gate().open(_Null(), _signal()),)) for _ in range(SENDERS)]
        for t in threads:
            t.start()
        time.sleep(float(rng.uniform(0, 0.02)))
        began = time.perf_counter()
        Consent().revoke("S1")
        took.append(time.perf_counter() - began)
        for t in threads:
            t.join()
    return np.array(took)


def _disk(turns: int = 60) -> np.ndarray:
    """Seconds that 4 kB more in a file take to be on the disk, at random moments."""
    rng, took = np.random.default_rng(0), []
    with (Path(os.environ["BCIKIT_HOME"]) / "disk").open("wb", buffering=0) as f:
        for _ in range(turns):
            time.sleep(float(rng.uniform(0, 0.01)))
            began = time.perf_counter()
            f.write(bytes(4096))
            os.fsync(f.fileno())
            took.append(time.perf_counter() - began)
    return np.array(took)
