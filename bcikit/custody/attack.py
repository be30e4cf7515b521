"""The attack suite: every hostile case that is known, run against the layer as it is installed here. Published so that
others may run it against theirs, and add to it.

A case is a function that tries, and says how far it got: '' where it was stopped. What is raised is a refusal where it
is one of the layer's own words, and else a failure of the case, which counts as through.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..core.label import Label, Level
from ..core.parts import Sink
from ..core.stream import Channel, Chunk, Event, Stream
from ..ethics import audit
from ..ethics.consent import Consent
from ..ethics.gate import Gate, Permit

WORDS = "an orange horse"
S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
Case = Callable[["Field"], str]
CASES: dict[str, tuple[str, Case]] = {}


def case(group: str, name: str) -> Callable[[Case], Case]:
    def add(f: Case) -> Case:
        CASES[name] = (group, f)
        return f

    return add


@dataclass
class Field:
    """Where one case is fought: an own home, an own folder."""

    home: Path
    folder: Path
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    permits: list[Permit] = field(default_factory=list)

    @property
    def consent(self) -> Consent:
        return Consent(self.home)

    def gate(self, purpose: str = "research") -> Gate:
        return Gate(self.home, purpose)

    def open(self, sink: Sink, stream: Stream, purpose: str = "research") -> Permit:
        """Through the Gate; closed when the case is over."""
        self.permits.append(self.gate(purpose).open(sink, stream))
        return self.permits[-1]

    def close(self) -> None:
        for permit in self.permits:
            with suppress(Exception):  # its home may be gone: that was the attack
                permit.close()

    def allow(self, *sinks: str, subject: str = "S1", **more: Any) -> None:
        """A grant: signed where it leaves the device, else attested."""
        if set(sinks) & {"lsl", "network", "export", "model"}:
            if not self.consent.enrolled(subject):
                self.consent.enrol(subject, WORDS)
            more["passphrase"] = WORDS
        self.consent.grant(subject, "research", sinks, **more)

    def raw(self, seconds: float = 1.0) -> Chunk:
        """A second of somebody's signal."""
        return Chunk(self.rng.normal(size=(round(250 * seconds), 4)).astype(np.float32), 0, 0.0)


class Out(Sink):
    """Hears what gets through."""

    def __init__(self, kind: str = "lsl") -> None:
        self.kind = kind  # type: ignore[misc]
        self.got: list[Chunk] = []
        self.safe_said = False

    def send(self, c: Chunk) -> None:
        self.got.append(c)

    def safe(self) -> None:
        self.safe_said = True

    @property
    def told(self) -> int:
        """Numbers that got through."""
        return sum(c.data.size for c in self.got)


def raw_stream(label: Label = S1, **changes: Any) -> Stream:
    return Stream("eeg", 250.0, tuple(Channel(f"E{i}") for i in range(4)), label=label, **changes)


def decisions(alphabet: tuple[str, ...] = ("rest", "go"), rate: float = 10.0, columns: int = 1) -> Stream:
    channels = tuple(Channel(f"d{i}", "decision", "") for i in range(columns))
    return Stream("d", rate, channels, alphabet=alphabet, label=replace(S1, level=Level.DECISION))


def sent(f: Field, stream: Stream, chunks: Iterator[Chunk] | list[Chunk], kind: str = "lsl") -> tuple[Out, Permit]:
    """All chunks through the Gate, whatever it says to each."""
    out = Out(kind)
    permit = f.open(out, stream)
    for c in chunks:
        permit.send(c)
    return out, permit


def run(only: str = "", report: Callable[[str, str, str], None] | None = None) -> dict[str, Any]:
    """Every case whose name or group holds `only`: {cases, through, results: {name: '' or how far it got}}. report is told
    (group, name, how far) of each."""
    from . import _attack_audit, _attack_consent, _attack_egress, _attack_files, _attack_policy  # noqa: F401

    results: dict[str, str] = {}
    groups: dict[str, list[int]] = {}
    for name, (group, attempt) in sorted(CASES.items(), key=lambda x: (x[1][0], x[0])):
        if only not in name and only not in group:
            continue
        with tempfile.TemporaryDirectory(prefix="bcikit-attack-", ignore_cleanup_errors=True) as place:
            root = Path(place)
            (home := root / "home").mkdir(mode=0o700)
            (folder := root / "folder").mkdir()
            before, there = os.environ.get("BCIKIT_HOME"), os.getcwd()
            os.environ["BCIKIT_HOME"] = str(home)
            fought = Field(home, folder)
            try:
                far = attempt(fought)
            except BciError:
                far = ""
            except Exception as error:
                far = f"the case itself failed: {type(error).__name__}: {str(error)[:120]}"
            finally:
                fought.close()
                audit.settle()
                os.chdir(there)
                if before is None:
                    del os.environ["BCIKIT_HOME"]
                else:
                    os.environ["BCIKIT_HOME"] = before
                shutil.rmtree(home, ignore_errors=True)
        results[name] = far
        groups.setdefault(group, []).append(bool(far))
        if report:
            report(group, name, far)
    through = [name for name, far in results.items() if far]
    totals = {group: {"cases": len(them), "through": sum(them)} for group, them in groups.items()}
    return {"cases": len(results), "through": len(through), "groups": totals, "results": results, "got": through}


__all__ = ["CASES", "Chunk", "Event", "Field", "Out", "case", "decisions", "raw_stream", "run", "sent"]
