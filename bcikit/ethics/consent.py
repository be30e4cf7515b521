"""Who allowed what, for how long: one grant a purpose, never bundled, signed so that an edited file allows nothing.

A grant of the person's own (or of a minor's guardian) is signed with the key in their passphrase. One that the operator
types is signed by the device, is called *attested by operator* wherever it is shown, and reaches local sinks only. Each
is kept, and may be printed, as a receipt with the field names of ISO/IEC TS 27560:2023 and the purposes of W3C DPV.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ..core.errors import FileTrouble, NotConsented, WrongUse, nearest
from ..core.label import Label, Level
from . import audit, keys, receipts, store
from .home import home as default_home
from .manifest import LEAVING, LOCAL, PURPOSES, SINKS
from .policy import SUBJECT, Policy, parsed
from .redlines import Grant
from .store import Epoch, Kept, Store, turnstile

DAYS = 365.0  # how long a grant lasts where nothing else is said
ME = "me"  # whoever is at this terminal


@dataclass(frozen=True)
class Facts:
    """What the Gate decides from, read at one moment and verified. revoked: those of the subjects asked for."""

    now: float
    grants: tuple[Grant, ...] = ()
    revoked: frozenset[str] = frozenset()
    policy: Policy = field(default_factory=Policy)


running: WeakSet[Any] = WeakSet()  # the permits of the Gate that are open in this process
changing = threading.Lock()  # held while this process changes consents: whoever sends waits for it


def command(subject: str, purpose: str, sinks: Iterable[str]) -> str:
    """The command line that grants it."""
    return f"bcikit consent grant {subject} --purpose {purpose}" + "".join(f" --sink {s}" for s in sinks)


class Consent:
    """The consents kept under `home` ($BCIKIT_HOME by default). wall: what tells the time of day."""

    def __init__(self, home: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self.home = home or default_home()
        self._store = Store(self.home)
        self._wall, self._began = wall, wall() - time.monotonic()

    def facts(self, subjects: Iterable[str] = ()) -> Facts:
        """What stands at this moment, for these people. Raises NotConsented where the store was edited, cut or rolled back,
        or a policy cannot be read."""
        return self._facts(self._read(), subjects)

    def grants(self) -> tuple[Grant, ...]:
        return self.facts().grants

    def label(self, subject: str) -> Label:
        """The label of a live stream of this person: for what purposes it may be used."""
        checked_subject(subject)
        its = (g.purpose for g in self.grants() if g.subject == subject)
        return Label(subjects=frozenset({subject}), purposes=frozenset(its))

    def receipts(self, subject: str) -> dict[str, str]:
        """Every receipt that this subject ever got, by the grant's id: JSON text, with its signature."""
        return self._store.receipts(keys.tag(subject, self.home))

    def due(self) -> dict[str, float]:
        """{tag of a subject who revoked: when their recordings are to be destroyed at the latest}."""
        kept = self._read()
        days = self._policy(kept).delete_days
        return {tag: when + days * 86400 for tag, when in kept.revoked.items()}

    def now(self) -> float:
        """The time of day, never earlier than it was seen before, here or in another process, and never slower than the
        machine's monotonic clock: a clock put back makes no grant live longer."""
        with closing(Epoch(self.home)) as epoch:
            return epoch.latest(max(self._wall(), self._began + time.monotonic()))

    def enrolled(self, subject: str) -> bool:
        return keys.tag(subject, self.home) in self._read().people

    def signer(self, subject: str, passphrase: str, kept: Kept | None = None) -> keys.Own:
        """The key of a person, or of their guardian. Raises NotConsented where the passphrase is not theirs."""
        person = (kept or self._read()).people.get(keys.tag(subject, self.home))
        if person is None:
            raise NotConsented(f"{subject} has no passphrase yet.", do=f"bcikit consent enrol {subject}")
        if len(passphrase) >= 8 and (own := keys.Own(passphrase, person["salt"])).public == person["key"]:
            return own
        whose = f"{subject}'s guardian" if person["guardian"] else subject
        raise NotConsented(f"That is not the passphrase of {whose}.")

    def policy_text(self, subject: str = "") -> str:
        """What holds, as it was written; '' where none does."""
        return self._read().policies.get(keys.tag(subject, self.home) if subject else "", "")

    def enrol(self, subject: str, passphrase: str, guardian: str = "", old: str = "") -> None:
        """Make the person's own key, out of a passphrase; of a minor, the guardian's. From then on the operator cannot grant
        for a minor. old: the passphrase until now, where there is one: nobody else may replace a key."""
        checked_subject(subject)
        checked_subject(guardian or subject)
        own, tag = keys.Own(passphrase), keys.tag(subject, self.home)
        with self._changing(forgive=True) as kept:
            if tag in kept.people:
                self.signer(subject, old, kept)
            kept.people[tag] = {"salt": own.salt, "key": own.public, "guardian": "yes" if guardian else ""}
            kept.grants = [g for g in kept.grants if g.subject != subject or not g.signed]
            audit.note(self.home, kept.seen, "enrol", subject=subject, guardian=guardian)

    def grant(
        self, subject: str, purpose: str, sinks: Iterable[str], days: float = DAYS,
        by: str = "operator", passphrase: str = "", level: str = "RAW",
    ) -> tuple[Grant, ...]:  # fmt: skip
        """Allow it. Each leaving sink becomes a grant of its own, never bundled with others, and needs the person's
        passphrase. level: the most raw that may go. Raises WrongUse, NotConsented."""
        checked_subject(subject)
        sinks = tuple(dict.fromkeys(sinks))
        words = ("purpose", purpose, PURPOSES), ("level", level, tuple(Level.__members__))
        for what, given, known in (*(("sink", s, SINKS) for s in sinks), *words):
            if given not in known:
                near = nearest(given, list(known))
                raise WrongUse(f"There is no {what} {given!r}.", f"There are {', '.join(known)}.", near)
        if not sinks or not 0 < days <= 3660:
            what = f"A grant cannot last {days:g} days." if sinks else "This grant names no sink."
            raise WrongUse(what, "It lasts at most 3660 days.", command(subject, purpose, sinks or ["view"]))
        local, away = tuple(s for s in sinks if s in LOCAL), [s for s in sinks if s in LEAVING]
        if away and not passphrase:
            what = f"Only {subject} can allow the sink {away[0]!r}: it takes the data off this machine."
            do = f"{command(subject, purpose, away)}    ({subject} types a passphrase)"
            raise NotConsented(what, "What the operator attests reaches local sinks alone.", do)
        own = self.signer(subject, passphrase) if passphrase else None
        tag, new = keys.tag(subject, self.home), []
        with self._changing(forgive=True) as kept:
            person = kept.people.get(tag, {"key": "", "guardian": ""})
            if person["guardian"] and not own:
                raise NotConsented(f"{subject} is a minor: only the guardian can allow it, with a passphrase.")
            if own and own.public != person["key"]:
                raise NotConsented(f"The passphrase of {subject} was changed meanwhile.")
            by = by if own is None else "guardian" if person["guardian"] else "person"
            policy = self._policy(kept, [tag])
            until = kept.seen + min(days, policy.grant_days) * 86400
            for bundle in ([local] if local else []) + [(s,) for s in away]:
                g = Grant(subject, purpose, bundle, kept.seen, until, by, level, secrets.token_hex(16))
                kept.counter += 1
                entry = audit.note(self.home, kept.seen, "grant", **asdict(g))
                body, signature = receipts.signed(g, kept.counter, policy, own, self.home, entry)
                kept.new.append((g.id, tag, keys.seal(tag, body, self.home), signature))
                new.append(g)
            kept.grants += new
        return tuple(new)

    def revoke(self, subject: str, purpose: str | None = None, sinks: Iterable[str] = ()) -> tuple[Grant, ...]:
        """Take back all grants of a subject, or those for a purpose or with one of the sinks. When it has returned,
        nothing leaves through them any more, in this process or another. Returns what was taken back."""
        checked_subject(subject)
        sinks = set(sinks)
        gone, left = [], []
        with self._changing() as kept:
            for g in kept.grants:
                its = g.subject == subject and purpose in (None, g.purpose)
                taken = tuple(s for s in g.sinks if its and (not sinks or s in sinks))
                rest = tuple(s for s in g.sinks if s not in taken)
                gone += [replace(g, sinks=taken)] if taken else []
                left += [replace(g, sinks=rest)] if rest else []
            kept.grants = left
            if not sinks or sinks & set(LOCAL):
                kept.revoked[keys.tag(subject, self.home)] = kept.seen
            audit.note(self.home, kept.seen, "revoke", subject=subject, purpose=purpose, sinks=sinks, grants=len(gone))
        return tuple(gone)

    def forget(self, subject: str) -> None:
        """Remove every receipt of a subject, and their key. That they revoked stays, as a tag that names nobody."""
        tag = keys.tag(subject, self.home)
        with self._changing() as kept:
            kept.grants = [g for g in kept.grants if g.subject != subject]
            kept.forget = tag
            kept.people.pop(tag, None)
            kept.policies.pop(tag, None)

    def use_policy(self, text: str, subject: str = "") -> Policy:
        """Let this policy hold from now on; subject: whose own it is. Raises WrongUse where it is not one, or not newer than
        the one that holds."""
        policy, own = parsed(text, own=bool(subject)), bool(subject)
        tag = keys.tag(subject, self.home) if own else ""
        with self._changing() as kept:
            holds = parsed(kept.policies[tag], own=own).version if tag in kept.policies else 0
            if policy.version <= holds:
                raise WrongUse(f"This policy is version {policy.version}; version {holds} holds.", "Versions only grow.")
            kept.policies[tag] = text
            audit.note(self.home, kept.seen, "policy", subject=subject, version=policy.version)
        return policy

    def _read(self) -> Kept:
        """What is kept; its `seen` is the time at this moment."""
        with closing(Epoch(self.home)) as epoch:
            kept = self._store.read(epoch)
            if kept.epoch > epoch.count():
                with turnstile(self.home):  # whoever changed it is done, or was cut short
                    epoch.set_count(max(kept.epoch, epoch.count()))
        kept.seen = max(self.now(), kept.seen)
        return kept

    @contextmanager
    def _changing(self, forgive: bool = False) -> Iterator[Kept]:
        """What is kept, to change; written at the end. The permits of this process stand still until it is, and then go on
        by what is new, or are closed. forgive: begin anew where it can no longer be read."""
        with changing, ExitStack() as stack:
            ours, until = [p for p in tuple(running) if p.home == self.home], time.monotonic() + store.DRAIN_S
            for permit in ours:  # all before the first is waited for: senders without pause leave others no time
                permit.seen = -1
            still = [p for p in ours if p.lock.acquire(timeout=max(0.0, until - time.monotonic()))]
            for permit in still:
                stack.callback(permit.lock.release)
            stack.enter_context(turnstile(self.home))
            epoch = stack.enter_context(closing(Epoch(self.home)))
            try:
                kept = self._store.read(epoch, anew=forgive)
                kept.seen = max(self.now(), kept.seen)
                yield kept
                self._store.write(kept, epoch)
            except (OSError, FileTrouble, NotConsented) as error:
                if forgive:
                    raise
                epoch.advance(epoch.count() + 1)  # what is taken back and cannot be written so takes all else with it
                what, why = "This cannot be written, so nothing is allowed any more.", str(error).partition("\n")[0]
                raise NotConsented(what, why, store.MEND) from error
            for permit in still:
                with suppress(Exception):  # of a sink that cannot be closed: the others are
                    permit.renew(self._facts(kept, permit.subjects))

    def _facts(self, kept: Kept, subjects: Iterable[str]) -> Facts:
        tags = {keys.tag(s, self.home): s for s in subjects} if kept.revoked or kept.policies else {}
        try:
            policy = self._policy(kept, tags)
        except WrongUse as error:  # of another version, with other words
            raise NotConsented("No policy can be read, so nothing is allowed.", error.what, "bcikit policy check") from error
        grants = tuple(g for g in kept.grants if g.when <= kept.seen < g.expires)
        return Facts(kept.seen, grants, frozenset(s for tag, s in tags.items() if tag in kept.revoked), policy)

    def _policy(self, kept: Kept, tags: Iterable[str] = ()) -> Policy:
        """That of the installation, narrowed by those of these people."""
        policy = parsed(kept.policies[""]) if "" in kept.policies else Policy()
        for tag in kept.policies.keys() & set(tags):
            policy = policy.narrowed(parsed(kept.policies[tag], own=True))
        return policy


def best(grants: Iterable[Grant], subject: str, purpose: str, sink: str, level: Level = Level.AGGREGATE) -> Grant | None:
    """The grant that allows data of this level there the longest, signed ones first."""
    found = (g for g in grants if (g.subject, g.purpose) == (subject, purpose) and sink in g.sinks)
    return max((g for g in found if Level[g.level] <= level), key=lambda g: (g.signed, g.expires), default=None)


def checked_subject(subject: str) -> None:
    """Raises WrongUse where a subject's name is not one: plain letters, so that no two look alike."""
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        why = "It is 1 to 100 plain letters, digits, '.', '_', '-' and '/', best a pseudonym."
        raise WrongUse(f"{subject!r} cannot name a subject.", why, "For example S1.")
