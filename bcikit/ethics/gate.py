"""The Gate: the only way to a sink. It denies unless something allows, and whatever goes wrong denies.

    simulated data         anywhere
    a recording            local sinks, but of nobody who ever revoked; leaving ones with a grant of all in it
    a live person          every sink with that person's own grant for it
    a live stream of       nowhere
      nobody named

Within one process this stops mistakes, not hostile code: that takes a process of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..core.errors import BciError, NotConsented, WrongUse
from ..core.label import Label
from ..core.parts import Sink
from ..core.stream import Chunk, Stream
from . import audit
from .consent import LEAVING, LOCAL, ME, SINKS, Consent, Epoch, command, running, turnstile

LOOK_S = 0.1  # how often a permit looks whether the consents are still there at all


class Gate:
    """Opens sinks under the consents kept in `home` ($BCIKIT_HOME by default), for one purpose."""

    def __init__(self, home: Path | None = None, purpose: str = "research", wall: Callable[[], float] = time.time) -> None:
        self.consent = Consent(home, wall)
        self.purpose = purpose

    def open(self, sink: Sink, stream: Stream) -> Permit:
        """The permit through which alone `sink` is sent to; the sink is open. Raises NotConsented."""
        kind = sink.kind
        permit = Permit(self, sink, kind, stream.label)
        try:
            sink.open(stream, permit)
        except BaseException:
            with suppress(Exception):  # what went wrong first is what is told
                permit.close()
            raise
        running.add(permit)
        return permit

    def check(self, kind: str, label: Label) -> str:
        """Why data with this label may go to a sink of this kind, in one line for the person. Raises NotConsented,
        whose `do` is the command that would grant it."""
        return self.decide(kind, label)[0]

    def decide(self, kind: str, label: Label) -> tuple[str, float]:
        """What `check` says, and the seconds for which it holds."""
        try:
            allowed = self._decide(kind, label)
            if not label.simulated:
                self._note("open", kind, label, allowed[0])
            return allowed
        except Exception as error:
            refusal = error if isinstance(error, BciError) else _failed(error)
            with suppress(Exception):  # a refusal stands, written down or not
                self._note("refuse", kind, label, refusal.what)
            raise refusal from error

    def _note(self, what: str, kind: str, label: Label, why: str) -> None:
        audit.note(self.consent.home, self.consent.now(), what, sink=str(kind), subjects=label.subjects, why=why)

    def _decide(self, kind: str, label: Label) -> tuple[str, float]:
        if kind not in SINKS:
            raise NotConsented(f"{kind!r} is no kind of sink.", f"The kinds are {', '.join(SINKS)}.")
        if not isinstance(label, Label):
            raise NotConsented("These data bear no label.", "Nobody knows whose they are.")
        if label.simulated:
            if label.subjects or label.purposes:
                raise NotConsented("These data call themselves simulated, yet name a person.")
            return "simulated", float("inf")
        consent = self.consent
        now = consent.now()
        until = float("inf") if label.expires is None else label.expires
        if until <= now:
            raise NotConsented("The consent under which these data were taken has expired.")
        if kind in LOCAL and label.recorded and not label.subjects & consent.revoked():
            return "a recording, used here", until - now
        if not label.subjects:
            raise self._nobody(kind, label)
        grants = {s: consent.covering(s, self.purpose, kind) for s in sorted(label.subjects)}
        missing = [s for s, g in grants.items() if g is None]
        if missing:
            raise NotConsented(
                f"{', '.join(missing)} did not allow the sink {kind!r} for {self.purpose}.",
                "It would take the data off this machine, which needs a grant of its own." if kind in LEAVING else "",
                "\n".join(command(s, self.purpose, [kind]) for s in missing),
            )
        if self.purpose not in label.purposes:  # as in data joined from several sources, one of them without a purpose
            may = ", ".join(sorted(label.purposes)) or "nothing that all who are in them agreed on"
            raise NotConsented(f"These data may not be used for {self.purpose}.", f"They may be used for {may}.")
        given = [g for g in grants.values() if g is not None]
        by = ", ".join(f"{g.subject} (attested by operator)" if g.by == "operator" else g.subject for g in given)
        return f"allowed by {by}", min(until, *(g.expires for g in given)) - now

    def _nobody(self, kind: str, label: Label) -> NotConsented:
        if label.recorded:
            return NotConsented(
                f"The sink {kind!r} would take a recording off this machine, and nobody knows whose it is.",
                "The file bears no label, and no data-set card says under what consent it was taken.",
                "Write a card for it (see datasets/), or replay what bears its subject's name.",
            )
        return NotConsented(
            "Nobody has said that these signals may be used: they name no person.",
            "A live board needs the consent of the person at it.",
            f"{command(ME, self.purpose, [kind])}    (then name the person: --subject {ME})",
        )


class Permit:
    """The way to one open sink. basis: why it is allowed. count: chunks sent so far."""

    def __init__(self, gate: Gate, sink: Sink, kind: str, label: Label) -> None:
        self.sink, self.count = sink, 0
        self._gate, self._kind, self._label = gate, kind, label
        self._lock = threading.Lock()
        self._closed = False
        self._refusal: BciError | None = None
        self._epoch: Epoch | None = None
        if label.simulated:
            self.basis, self._until = gate.decide(kind, label)[0], float("inf")
        else:
            self._epoch = Epoch(gate.consent.home)
            try:
                self._decide()
            except BaseException:
                self._epoch.close()
                raise

    def _decide(self) -> None:
        assert self._epoch is not None
        self._seen = self._epoch.count()  # before deciding: what is revoked meanwhile is seen by the next send
        self.basis, seconds = self._gate.decide(self._kind, self._label)
        self._until = time.monotonic() + seconds
        self._due = min(self._until, time.monotonic() + LOOK_S)

    def send(self, c: Chunk) -> None:
        """Hand a chunk to the sink, if that is still allowed. Raises NotConsented once it is not: the sink is then in
        its safe state and closed."""
        with self._lock:
            if self._closed:
                raise self._refusal or WrongUse(f"The permit of {self.sink.part_name()} is closed.")
            epoch = self._epoch
            if epoch is None:
                self.sink.send(c)
                self.count += 1
                return
            epoch.enter()
            try:
                if epoch.count() == self._seen and time.monotonic() < self._due:
                    self.sink.send(c)
                    self.count += 1
                    return
            finally:
                epoch.leave()
            self._again()
        self.send(c)

    def _again(self) -> None:
        """Something was revoked or has expired: decide anew, once whoever is revoking is done."""
        assert self._epoch is not None
        try:
            now = time.monotonic()
            if self._epoch.count() == self._seen and self._epoch.there() and now < self._until:
                self._due = min(self._until, now + LOOK_S)
                return
            if not self._epoch.there():
                raise NotConsented("The consents were removed while a sink was open.", do="Start again.")
            os.close(turnstile(self._gate.consent.home))
            self._decide()
        except BaseException as error:
            self._refusal = error if isinstance(error, BciError) else _failed(error)
            self._shut(safe=True)
            raise self._refusal from error

    def _shut(self, safe: bool) -> None:
        self._closed = True
        try:
            if safe:
                self.sink.safe()
        finally:
            try:
                self.sink.close()
            finally:
                if self._epoch is not None:
                    self._epoch.close()

    def close(self) -> None:
        """Close the sink; final and idempotent."""
        with self._lock:
            if not self._closed:
                self._shut(safe=False)

    def look(self) -> None:
        """Close now, if what was revoked just now ends this permit."""
        with self._lock, suppress(BciError):
            if not self._closed and self._epoch is not None and self._epoch.count() != self._seen:
                self._again()


def _failed(error: BaseException) -> NotConsented:
    return NotConsented("The Gate could not decide, so it refuses.", f"{type(error).__name__}: {error}.")
