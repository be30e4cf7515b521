"""The Gate: the only way to a sink. It denies unless something allows, and whatever goes wrong denies.

    simulated data         anywhere
    a recording            local sinks, but of nobody who ever revoked; leaving ones with a signed grant of all in it
    a live person          every sink with that person's own grant for it
    a live stream of       nowhere
      nobody named

and nothing that the policy forbids, that a red line forbids, or whose class has an obligation that is not met.
Decisions pass only as words of their alphabet and no faster than the policy's rate of information. Within one process
this stops mistakes, not hostile code: that takes the sandboxed worker.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..core.errors import BciError, NotConsented, WrongUse
from ..core.label import Label, Level
from ..core.parts import Sink
from ..core.stream import Chunk, Stream
from . import audit
from .consent import Consent, Epoch, Facts, running, turnstile
from .judge import Allowed, judge
from .meter import Meter
from .policy import Policy, failed

LOOK_S = 0.1  # how often a permit looks whether the consents are still there at all


class Gate:
    """Opens sinks under the consents kept in `home` ($BCIKIT_HOME by default), for one purpose."""

    def __init__(self, home: Path | None = None, purpose: str = "research", wall: Callable[[], float] = time.time) -> None:
        self.consent = Consent(home, wall)
        self.purpose = purpose
        self._stopped = False

    def open(self, sink: Sink, stream: Stream) -> Permit:
        """The permit through which alone `sink` is sent to; the sink is open. Raises NotConsented."""
        permit = Permit(self, sink, sink.kind, stream)
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
        return self.decide(kind, label).basis

    def stop_exercised(self) -> None:
        """The stop control was tried, and stopped what acts: what a closed loop needs before its effector opens."""
        self._stopped = True

    def decide(self, kind: str, label: Label, sealed: bool = True, permit: str = "", facts: Facts | None = None) -> Allowed:
        """What `check` says, and the seconds for which it holds. sealed: what the sink keeps is encrypted. facts: what
        stands, where it was read just now."""
        try:
            if type(label) is Label and label.simulated is True:
                return judge(kind, label, self.purpose)
            subjects = label.subjects if type(label) is Label and isinstance(label.subjects, frozenset) else ()
            facts = facts or self.consent.facts(s for s in subjects if isinstance(s, str))
            allowed = judge(kind, label, self.purpose, facts, self._stopped, sealed)
            self._note("open", kind, label, allowed.rule, permit)
            return allowed
        except Exception as error:
            refusal = error if isinstance(error, BciError) else failed(error)
            with suppress(Exception):  # a refusal stands, written down or not
                self._note("refuse", kind, label, getattr(refusal, "rule", type(error).__name__), permit)
            raise refusal from error

    def _note(self, what: str, kind: str, label: Label, rule: str, permit: str) -> None:
        good = type(label) is Label and type(label.subjects) is frozenset
        subjects = sorted(s for s in label.subjects if type(s) is str) if good else []
        facts = {"subjects": subjects, "level": int(label.level) if good else None, "rule": rule, "permit": permit}
        audit.note(self.consent.home, self.consent.now(), what, sink=str(kind)[:40], purpose=str(self.purpose)[:40], **facts)


class Permit:
    """The way to one open sink. basis: why it is allowed. count: chunks sent so far. capped: chunks of decisions that
    were not sent, because they were no words of the alphabet or would have told more than the rate allows."""

    def __init__(self, gate: Gate, sink: Sink, kind: str, stream: Stream) -> None:
        self.sink, self.count, self.capped = sink, 0, 0
        self._gate, self._kind, self._label = gate, kind, stream.label
        self._lock = threading.Lock()
        self._closed = False
        self._refusal: BciError | None = None
        self._epoch: Epoch | None = None
        self._sends: audit.Sends | None = None
        self._meter: Meter | None = None
        self._name = secrets.token_hex(8)
        if type(stream.label) is Label and stream.label.simulated is True:
            self.basis, self._until = gate.decide(kind, stream.label).basis, float("inf")
            return
        self._epoch = Epoch(gate.consent.home)
        try:
            policy = self._decide()
            if stream.label.level >= Level.DECISION:
                self._meter = Meter(stream, policy.bits_per_s)
            self._sends = audit.Sends(gate.consent.home, self._name, gate.consent.now)
        except BaseException:
            self._epoch.close()
            raise

    def _decide(self, facts: Facts | None = None) -> Policy:
        assert self._epoch is not None
        self._seen = self._epoch.bell()  # before deciding: what is revoked meanwhile is seen by the next send
        sealed = not getattr(self.sink, "plain", False)
        allowed = self._gate.decide(self._kind, self._label, sealed, self._name, facts)
        self.basis, now = allowed.basis, time.monotonic()
        self._until = now + allowed.seconds
        self._due = min(self._until, now + LOOK_S)
        return allowed.policy

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
                if epoch.bell() == self._seen and time.monotonic() < self._due:
                    self._pass(c)
                    return
            finally:
                epoch.leave()
            self._again()
        self.send(c)

    def _pass(self, c: Chunk) -> None:
        bits, meter, sends = float("nan"), self._meter, self._sends
        if meter is not None:
            passed = meter.passed(c)
            if passed is None:
                self.capped += 1
                return
            c, bits = passed
        if sends is not None:
            sends.put(c.first, len(c.data), bits)
        self.sink.send(c)
        self.count += 1

    def _again(self) -> None:
        """Something was revoked or has expired: decide anew, once whoever is revoking is done."""
        assert self._epoch is not None
        try:
            now = time.monotonic()
            if self._epoch.bell() == self._seen and self._epoch.there() and now < self._until:
                self._due = min(self._until, now + LOOK_S)
                return
            if not self._epoch.there():
                raise NotConsented("The consents were removed while a sink was open.", do="Start again.")
            os.close(turnstile(self._gate.consent.home))
            facts = self._gate.consent.just_changed(self._epoch.bell(), self._label.subjects)
            policy = self._decide(facts)
            if self._meter is not None:
                self._meter.cap = policy.bits_per_s
        except BaseException as error:
            self._refusal = error if isinstance(error, BciError) else failed(error)
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
                try:
                    if self._sends is not None:
                        self._sends.retire() if safe else self._sends.close()
                finally:
                    if self._epoch is not None:
                        self._epoch.close()

    def close(self) -> None:
        """Close the sink; final and idempotent."""
        with self._lock:
            if not self._closed:
                self._shut(safe=False)

    def look(self) -> None:
        """Close now, if what was changed just now ends this permit."""
        with self._lock, suppress(BciError):
            if not self._closed and self._epoch is not None and self._epoch.bell() != self._seen:
                self._again()
