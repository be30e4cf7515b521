"""The Gate: the only way to a sink. It denies unless something allows (docs/consent.md: what data, to what sink), and
whatever goes wrong denies. Decisions leave only as words of their alphabet and no faster than the policy's rate of
information. Within one process this stops mistakes, not hostile code: that takes the sandboxed worker.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from ..core.errors import BciError, NotConsented, WrongUse
from ..core.label import Label, Level
from ..core.parts import Sink
from ..core.stream import Chunk, Stream
from . import audit
from .consent import Consent, Facts, changing, running
from .judge import Allowed, judge
from .manifest import LEAVING
from .meter import Meter
from .policy import Policy
from .store import Epoch

LOOK_S = 0.1  # how often a permit looks whether the consents are still there at all


class Gate:
    """Opens sinks under the consents kept in `home` ($BCIKIT_HOME by default), for one purpose."""

    def __init__(self, home: Path | None = None, purpose: str = "research", wall: Callable[[], float] = time.time) -> None:
        self.consent = Consent(home, wall)
        self.purpose = purpose
        self._stopped = False

    def open(self, sink: Sink, stream: Stream) -> Permit:
        """The permit through which alone `sink` is sent to; the sink is open. Raises NotConsented."""
        permit = Permit(self, sink, stream)
        try:
            sink.open(stream, permit)
        except BaseException:
            with suppress(Exception):  # what went wrong first is what is told
                permit.close()
            raise
        running.add(permit)
        return permit

    def check(self, kind: str, label: Label) -> str:
        """Why data with this label may go to a sink of this kind, in one line. Raises NotConsented: `do` would grant it."""
        return self.decide(kind, label).basis

    def stop_exercised(self) -> None:
        """The stop control was tried, and stopped what acts: what a closed loop needs before its effector opens."""
        self._stopped = True

    def decide(
        self, kind: str, label: Label, sink: Sink | None = None, permit: str = "", facts: Facts | None = None
    ) -> Allowed:
        """What `check` says, and for how long. facts: what stands, where it was read just now."""
        real = sink is not None and sink.real is not False
        sealed = sink is None or sink.kind != "record" or sink.plain is False
        signed = getattr(sink, "limits", None) != ""
        its = label.subjects if type(label) is Label and type(label.subjects) is frozenset else frozenset()
        subjects = sorted(s for s in its if type(s) is str)

        def note(what: str, rule: str) -> None:
            said = {"subjects": subjects, "level": int(label.level), "rule": rule, "permit": permit}
            said |= {"sink": str(kind)[:40], "purpose": str(self.purpose)[:40]}
            audit.note(self.consent.home, self.consent.now(), what, **said)

        try:
            if type(label) is Label and label.simulated is True:
                return judge(kind, label, self.purpose)
            facts = facts or self.consent.facts(subjects)
            allowed = judge(kind, label, self.purpose, facts, self._stopped, sealed, real, signed)
            note("open", allowed.rule)
            return allowed
        except Exception as error:
            refusal = refused(error)
            with suppress(Exception):  # a refusal stands, written down or not
                note("refuse", getattr(refusal, "rule", type(error).__name__))
            raise refusal from error


class Permit:
    """The way to one open sink. basis: why it is allowed. count: chunks sent so far. capped: chunks of decisions that
    were not sent, because they were no words of the alphabet or would have told more than the rate allows. lock: whoever
    has it keeps others from sending. seen: the count of changes that it was decided by; -1 has it decided anew."""

    def __init__(self, gate: Gate, sink: Sink, stream: Stream) -> None:
        self.sink, self.home, self.count, self.capped = sink, gate.consent.home, 0, 0
        self._gate, self._label, self._name = gate, stream.label, secrets.token_hex(8)
        self.lock, self._closed = threading.RLock(), False  # again: a sink may close another permit when it is closed
        self._refusal: BciError | None = None
        self._epoch: Epoch | None = None
        self._sends: audit.Sends | None = None
        self._meter: Meter | None = None
        if type(stream.label) is Label and stream.label.simulated is True:
            self.basis = gate.decide(sink.kind, stream.label, sink).basis
            return
        self._epoch = Epoch(self.home)
        try:
            policy, self.subjects = self._decide(), stream.label.subjects
            if stream.label.level >= Level.DECISION and sink.kind in LEAVING:
                self._meter = Meter(stream, policy.bits_per_s)
            self._sends = audit.Sends(self.home, self._name, gate.consent.now)
        except BaseException:
            self._epoch.close()
            raise

    def _decide(self, facts: Facts | None = None) -> Policy:
        assert self._epoch is not None
        self.seen = self._epoch.count()  # before deciding: what is changed meanwhile is seen by the next send
        allowed = self._gate.decide(self.sink.kind, self._label, self.sink, self._name, facts)
        self.basis, now = allowed.basis, time.monotonic()
        self._until = now + allowed.seconds
        self._due = min(self._until, now + LOOK_S)
        return allowed.policy

    def send(self, c: Chunk) -> None:
        """Hand a chunk to the sink, if that is still allowed. Raises NotConsented once it is not: the sink is then in
        its safe state and closed."""
        while True:
            with self.lock:
                if self._closed:
                    raise self._refusal or WrongUse(f"The permit of {self.sink.part_name()} is closed.")
                epoch = self._epoch
                if epoch is None:
                    return self._pass(c)
                epoch.enter()
                try:
                    if epoch.count() == self.seen and time.monotonic() < self._due:
                        return self._pass(c)
                finally:
                    epoch.leave()
            with changing:
                pass  # whoever is changing something in this process is done
            with self.lock:
                self.renew()

    def _pass(self, c: Chunk) -> None:
        bits = float("nan")
        if self._meter is not None:
            if (passed := self._meter.passed(c)) is None:
                self.capped += 1
                return
            c, bits = passed
        if self._sends is not None:
            self._sends.put(c.first, len(c.data), bits)
        self.sink.send(c)
        self.count += 1

    def renew(self, facts: Facts | None = None) -> None:
        """Look whether it still stands; the lock is held. Where it does not, the sink goes to its safe state and closes."""
        if self._closed or self._epoch is None:
            return
        try:
            if not self._epoch.there():
                raise NotConsented("The consents were removed while a sink was open.", do="Start again.")
            if self._epoch.count() == self.seen and (now := time.monotonic()) < self._until:
                self._due = min(self._until, now + LOOK_S)
                return
            policy = self._decide(facts)
            if self._meter is not None:
                self._meter.cap = policy.bits_per_s
        except BaseException as error:
            self._refusal = refused(error)
            self._shut(safe=True)

    def _shut(self, safe: bool) -> None:
        self._closed = True
        running.discard(self)
        with ExitStack() as then:  # each of them, whatever the others say; the last first
            if self._epoch is not None:
                then.callback(self._epoch.close)
            if self._sends is not None:
                then.callback(self._sends.retire if safe else self._sends.close)
            then.callback(self.sink.close)
            if safe:
                then.callback(self.sink.safe)

    def close(self) -> None:
        """Close the sink; final and idempotent."""
        with self.lock:
            if not self._closed:
                self._shut(safe=False)


def refused(error: BaseException) -> BciError:
    """Whatever went wrong, as a refusal."""
    if isinstance(error, BciError):
        return error
    return NotConsented("The Gate could not decide, so it refuses.", f"{type(error).__name__}: {error}.")
