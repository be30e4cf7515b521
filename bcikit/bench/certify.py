"""The timing certificate of a machine: expected and observed time of each event in the chain, from board to device, and
whether each application may be run here. After BCI2000: J. A. Wilson et al., A procedure for measuring latencies in
brain-computer interfaces, IEEE Trans. Biomed. Eng. 57:1785-1797, 2010.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..acquire.rendered import BIN_S, Rendered
from ..acquire.synthetic import Synthetic
from ..core.errors import BciError, WrongUse
from ..core.find import part
from ..core.loop import Gate
from ..core.parts import Board, Stage
from ..effectors.drones import Drones
from ..ethics import keys
from ..preprocess.bandpass import Bandpass
from ..preprocess.bandpower import Bandpower
from ..preprocess.notch import Notch
from ..preprocess.window import Window
from . import latency
from ._measure import machine
from ._rig import measure

ABOUT = "certificate"  # what a signature is for
CHANNELS = 192
CHUNK_S, RATE = 0.004, 250.0
FLICKER_HZ = ("8", "10", "12", "15")


@dataclass(frozen=True)
class Chain:
    """What an application is made of here, and what it needs: ms at the 99th percentile, from the newest sample that a
    command is made of to the effector, and why so much. Each place in it has until the next chunk."""

    board: Callable[[], Board]
    line: Callable[[], list[Stage]]
    chunk_ms: float
    needs_ms: float
    why: str


def eeg() -> Board:
    """A simulated board of eight channels that sends each sample as it comes."""
    return Synthetic(chunk=CHUNK_S)


def ssvep() -> list[Stage]:
    """Which of four flickers is looked at, from the last second, ten times a second."""
    decoder = part("stage", "fbcca")(hz=tuple(f"{hz}:{hz}" for hz in FLICKER_HZ), rate=RATE)
    return [Notch(), Bandpass(low=5, high=45, order=2), Window(length=1.0, hop=0.1), taught(decoder, FLICKER_HZ, 1.0)]


def p300() -> list[Stage]:
    """Whether what was flashed is meant, from the 0.8 s behind it, as it would be for ten flashes a second."""
    decoder = part("stage", "toeplitz_lda")(rate=RATE)
    return [Notch(), Bandpass(low=0.5, high=12, order=2), Window(length=0.8, hop=0.1), taught(decoder, ("yes", "no"), 0.8)]


def taught(decoder: Any, classes: Sequence[str], seconds: float) -> Any:
    """A decoder that learnt from noise: what it says means nothing, and costs what it costs."""
    y = np.repeat(classes, 30)
    decoder.fit(np.random.default_rng(0).normal(0, 10, (len(y), 8, round(RATE * seconds))), y)
    return decoder


APPLICATIONS = {
    "implant cursor": Chain(lambda: Rendered(n=CHANNELS), latency.implant_line(CHANNELS), 1000 * BIN_S, 20.0,
                            "one bin of 20 ms: a command is there before the next"),
    "SSVEP": Chain(eeg, ssvep, 1000 * CHUNK_S, 50.0, "a twentieth of a decision of 1 s"),
    "P300": Chain(eeg, p300, 1000 * CHUNK_S, 10.0, "flashes are told apart at 10 ms"),
    "neurofeedback": Chain(eeg, lambda: [Notch(), Bandpower(bands=("alpha",))], 1000 * CHUNK_S, 100.0, "seen as at once"),
}  # fmt: skip
PICTURE_MS = 2000 / 60  # one picture of sixty a second may be missed, two in a row not
SHOWN_MS = 50.0  # three pictures: a cursor seen so late is still steered as one that is seen at once
REACTION_S, RENEWED_S = 0.5, 0.02  # how long a device is waited for, while its command is renewed
ARMED_S = 0.6  # at the start it waits until nothing has been wrong for a while
STEP_MS = 1.0  # of the supervisor: a tenth of its period
SUPERVISED_MS = 30.0  # a command at the device behind its supervisor: two steps of each


@dataclass(frozen=True)
class Line:
    """One event: what was expected of it and what was seen, milliseconds; passed is None where nothing could be measured."""

    application: str
    event: str
    expected_ms: float
    p50_ms: float
    p99_ms: float
    passed: bool | None
    note: str = ""


def certify(seconds: float, gate: Gate) -> Iterator[Line]:
    """A line for each application and event. The signals and the device are simulated, the time is real."""
    for application, chain in APPLICATIONS.items():
        found = measure(chain.board(), chain.line(), gate, seconds)
        for place, ms in found.parts.items():  # they bear no verdict of their own
            yield Line(application, place, chain.chunk_ms, ms, found.worse[place], None)
        yield _line(application, "board to effector", chain.needs_ms, found.ms, chain.why)
    if hasattr(os, "pidfd_open"):
        steps, device = commanded(seconds, gate)
        yield _line("effectors", "step of the supervisor", STEP_MS, steps, "as it does its work: commands in, orders out")
        yield _line("effectors", "command to device", SUPERVISED_MS, device, "through the supervisor, two processes")
    else:
        yield Line("effectors", "command to device", SUPERVISED_MS, np.nan, np.nan, None, "needs Linux")
    yield from _display(seconds)


def _display(seconds: float) -> Iterator[Line]:
    """What a browser shows, where there is one."""
    from ._page import displayed

    try:
        gaps, late = displayed(seconds)
    except BciError as error:
        yield Line("page", "display", np.nan, np.nan, np.nan, None, f"not measured: {error.what}")
        return
    yield _line("page", "between two pictures", PICTURE_MS, gaps, "60 a second; headless Chromium, no screen takes part")
    yield _line("page", "bin closed to picture", SHOWN_MS, late, "the demo's cursor, painted")


def _line(application: str, event: str, expected: float, ms: np.ndarray, note: str) -> Line:
    if not len(ms):
        return Line(application, event, expected, np.nan, np.nan, None, "nothing came")
    p50, p99 = np.percentile(ms, (50, 99))
    return Line(application, event, expected, float(p50), float(p99), bool(p99 <= expected), note)


def commanded(seconds: float, gate: Gate) -> tuple[np.ndarray, np.ndarray]:
    """(ms of the supervisor's steps, ms from a command's being written to the device's acting on it): simulated drones, told
    to go from rest, in either direction, and to rest again."""
    drones, source = Drones(), Drones.commands()
    permit = gate.open(drones, source.stream)
    client = drones._client
    took: list[float] = []
    steps: dict[int, float] = {}  # by the number of the step
    try:
        if client is None:
            return np.empty(0), np.empty(0)

        def told(speed: float, done: Callable[[Any], bool], most: float) -> tuple[float, Any]:
            """The command, renewed as a decoder does, until it is done: when it was first written, and what is felt."""
            began = due = time.monotonic()
            while (now := time.monotonic()) < began + most:
                if now >= due:
                    client.send(np.array([speed, *np.zeros(len(drones.spec.names) - 1)]), now)
                    due = now + RENEWED_S
                felt = client.panel.felt.read()[1]
                count, state = client.panel.state.read()
                steps[count] = 1000 * state[-1]
                if done(felt):
                    return began, felt
                time.sleep(0.0005)
            return began, None

        end, way = time.monotonic() + max(seconds, 2.0), 0.3
        told(0.0, lambda felt: False, ARMED_S)
        while time.monotonic() < end:
            way = -way
            began, felt = told(way, lambda felt: abs(felt[3]) > 1e-6 and not felt[1], REACTION_S)
            if felt is not None:
                took.append((felt[0] - began) * 1000)
            told(0.0, lambda felt: abs(felt[3]) < 1e-9, REACTION_S)
            told(0.0, lambda felt: False, RENEWED_S)
    finally:
        permit.close()
    return np.array(list(steps.values())[1:]), np.array(took)


def report(lines: list[Line], seconds: float, when: str) -> bytes:
    """The certificate as JSON, signed by this device over everything else in it."""
    doc = {"bcikit": "timing certificate", "when": when, "seconds": seconds, "machine": machine(), "simulated": True}
    doc |= {"lines": [{k: _plain(v) for k, v in asdict(x).items()} for x in lines]}
    found = {a: [x.passed for x in lines if x.application == a and x.passed is not None] for a in APPLICATIONS}
    doc |= {"pass": {a: bool(verdicts) and all(verdicts) for a, verdicts in found.items()}}
    return json.dumps({**doc, "signature": keys.sign(_signed(doc), ABOUT)}, indent=1).encode()


def genuine(raw: bytes) -> dict[str, Any]:
    """The certificate, if this device signed it and nothing was changed since. Raises WrongUse."""
    try:
        doc = json.loads(raw)
        signature = doc.pop("signature")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise WrongUse("This is no timing certificate.") from None
    if not keys.verify(_signed(doc), ABOUT, signature):
        raise WrongUse("This certificate is not as this device signed it.", "It was changed, or made on another machine.")
    return dict(doc)


def _signed(doc: dict[str, Any]) -> bytes:
    return json.dumps(doc, sort_keys=True).encode()


def _plain(v: Any) -> Any:
    if isinstance(v, float):
        return None if np.isnan(v) else round(v, 3)
    return v
