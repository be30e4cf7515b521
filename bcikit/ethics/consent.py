"""Who allowed what, for how long: one grant a purpose, never bundled with another, signed so that an edited file allows
nothing.

A grant of the person's own (or of a minor's guardian) is signed with the key in their passphrase. One that the operator
types is signed by the device, is called *attested by operator* wherever it is shown, and reaches local sinks only. Each
is kept, and may be printed, as a receipt with the field names of ISO/IEC TS 27560:2023 and the purposes of W3C DPV.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from ..core.errors import NotConsented, WrongUse, nearest
from ..core.label import Label, Level
from . import audit, keys, receipts
from .home import home as default_home
from .manifest import LEAVING, LOCAL, PURPOSES, SINKS
from .policy import SUBJECT, Policy, parsed
from .redlines import Grant
from .store import DRAIN_S, SEND_S, Epoch, Kept, Store, turnstile

__all__ = ["DRAIN_S", "LEAVING", "LOCAL", "ME", "PURPOSES", "SEND_S", "SINKS", "Consent", "Epoch", "Grant", "turnstile"]

DAYS = 365.0  # how long a grant lasts where nothing else is said
ME = "me"
SAID = {"view": "show them", "record": "record them", "effector": "move what they control", "train": "learn from them"}


class Running(Protocol):
    """An open permit: told of a revocation in its own process, so that its sink closes before `revoke` returns."""

    def look(self) -> None: ...


running: WeakSet[Running] = WeakSet()
_changed: dict[
    Path, tuple[bytes, Kept]
] = {}  # what the latest change in this process wrote, for the permits that wait for it


@dataclass(frozen=True)
class Facts:
    """What the Gate decides from, read at one moment and verified. revoked: those of the subjects asked for."""

    now: float
    grants: tuple[Grant, ...] = ()
    revoked: frozenset[str] = frozenset()
    policy: Policy = field(default_factory=Policy)


def command(subject: str, purpose: str, sinks: Iterable[str]) -> str:
    """The command line that grants it."""
    return f"bcikit consent grant {subject} --purpose {purpose}" + "".join(f" --sink {s}" for s in sinks)


class Consent:
    """The consents kept under `home` ($BCIKIT_HOME by default). wall: what tells the time of day."""

    def __init__(self, home: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self.home = home or default_home()
        self._store = Store(self.home)
        self._wall, self._began = wall, wall() - time.monotonic()

    # -- asking

    def facts(self, subjects: Iterable[str] = ()) -> Facts:
        """What stands at this moment, for these people. Raises NotConsented where the store was edited, cut or rolled back,
        or a policy cannot be read."""
        return self._facts(*self._read(), subjects)

    def just_changed(self, bell: bytes, subjects: Iterable[str]) -> Facts | None:
        """What stands since a change in this process, where nothing changed since: read by nobody again."""
        kept = _changed.get(self.home)
        return self._facts(kept[1], self.now(), subjects) if kept and kept[0] == bell else None

    def _facts(self, kept: Kept, now: float, subjects: Iterable[str]) -> Facts:
        subjects = frozenset(subjects)
        tags = {keys.tag(s, self.home): s for s in subjects} if kept.revoked or kept.policies else {}
        try:
            policy = self._policy(kept, tags)
        except WrongUse as error:  # of another version, with other words
            raise NotConsented(
                "The policy cannot be read, so nothing is allowed.", error.what, "bcikit policy check"
            ) from error
        grants = tuple(g for g in kept.grants if g.when <= now < g.expires)
        return Facts(now, grants, frozenset(s for tag, s in tags.items() if tag in kept.revoked), policy)

    def grants(self) -> tuple[Grant, ...]:
        """What is allowed at this moment. Raises NotConsented where the store was edited, cut or rolled back."""
        kept, now = self._read()
        return tuple(g for g in kept.grants if g.when <= now < g.expires)

    def covering(self, subject: str, purpose: str, sink: str) -> Grant | None:
        """The grant that allows it the longest, or None."""
        return best(self.grants(), subject, purpose, sink)

    def label(self, subject: str) -> Label:
        """The label of a live stream of this person: for what purposes it may be used."""
        checked_subject(subject)
        return Label(
            subjects=frozenset({subject}), purposes=frozenset(g.purpose for g in self.grants() if g.subject == subject)
        )

    def receipt(self, one: str) -> str | None:
        """The receipt of a grant, as JSON text, with its signature."""
        return self._store.receipt(one)

    def due(self) -> dict[str, float]:
        """{tag of a subject who revoked: when their recordings are to be destroyed at the latest}."""
        kept, _ = self._read()
        days = self._policy(kept).delete_days
        return {tag: when + days * 86400 for tag, when in kept.revoked.items()}

    def now(self) -> float:
        """The time of day, never earlier than it was seen before, here or in another process, and never slower than the
        machine's monotonic clock: a clock put back makes no grant live longer."""
        epoch = Epoch(self.home)
        try:
            now = max(self._wall(), epoch.seen(), self._began + time.monotonic())
            epoch.see(now)
        finally:
            epoch.close()
        return now

    # -- changing

    def enrol(self, subject: str, passphrase: str, guardian: str = "", old: str = "") -> None:
        """Make the person's own key, out of a passphrase; of a minor, the guardian's. From then on the operator cannot grant
        for a minor. old: the passphrase until now, where there is one: nobody else may replace a key."""
        checked_subject(subject)
        if guardian:
            checked_subject(guardian)
        own, tag = keys.Own(passphrase), keys.tag(subject, self.home)
        with self._store.changing(self.now(), forgive=True) as (kept, _):
            if tag in kept.people:
                self._signer(kept, subject, old)
            kept.people[tag] = {"salt": own.salt, "key": own.public, "guardian": "yes" if guardian else ""}
            kept.grants = [g for g in kept.grants if g.subject != subject or not g.signed]
            audit.note(self.home, kept.seen, "enrol", subject=subject, guardian=guardian)

    def enrolled(self, subject: str) -> bool:
        return keys.tag(subject, self.home) in self._read()[0].people

    def knows(self, subject: str, passphrase: str) -> bool:
        """Whether this is the subject's (or their guardian's) passphrase."""
        try:
            self._signer(self._read()[0], subject, passphrase)
        except NotConsented:
            return False
        return True

    def grant(
        self,
        subject: str,
        purpose: str,
        sinks: Iterable[str],
        days: float = DAYS,
        by: str = "operator",
        passphrase: str = "",
        level: str = "RAW",
    ) -> tuple[Grant, ...]:
        """Allow it. Each leaving sink becomes a grant of its own, never bundled with others, and needs the person's
        passphrase. level: the most raw that may go. Raises WrongUse, NotConsented."""
        checked_subject(subject)
        sinks = tuple(dict.fromkeys(sinks))
        levels = [name.name for name in Level]
        for given, known, what in ((sinks, SINKS, "sink"), ((purpose,), PURPOSES, "purpose"), ((level,), levels, "level")):
            for name in given:
                if name not in known:
                    raise WrongUse(
                        f"There is no {what} {name!r}.", f"There are {', '.join(known)}.", nearest(name, list(known))
                    )
        if not sinks:
            raise WrongUse("This grant names no sink.", do=command(subject, purpose, ["view"]))
        if not 0 < days <= 3660:
            raise WrongUse(f"A grant cannot last {days:g} days.", "It can last more than 0 and at most 3660.")
        away = [s for s in sinks if s in LEAVING]
        if away and not passphrase:
            raise NotConsented(
                f"Only {subject} can allow the sink {away[0]!r}: it takes the data off this machine.",
                "What the operator attests reaches local sinks alone.",
                f"{command(subject, purpose, away)}    ({subject} types a passphrase)",
            )
        with self._store.changing(self.now(), forgive=True) as (kept, _):
            now = kept.seen
            tag = keys.tag(subject, self.home)
            person = kept.people.get(tag)
            if person and person["guardian"] and not passphrase:
                raise NotConsented(f"{subject} is a minor: only the guardian can allow it, with a passphrase.")
            own = self._signer(kept, subject, passphrase) if passphrase else None
            if own:
                by = "guardian" if person and person["guardian"] else "person"
            days = min(days, self._policy(kept, [tag]).grant_days)
            local = tuple(s for s in sinks if s in LOCAL)
            bundles = ([local] if local else []) + [(s,) for s in away]
            new = []
            for bundle in bundles:
                kept.counter += 1
                g = Grant(subject, purpose, bundle, now, now + days * 86400, by, level, secrets.token_hex(16))
                entry = audit.note(self.home, now, "grant", **asdict(g))
                key = own.public if own else keys.public(self.home)
                receipt = receipts.written(g, kept.counter, self._policy(kept, [tag]), key, keys.public(self.home), entry)
                body = json.dumps(receipt, sort_keys=True)
                signature = own.sign(body.encode(), "receipt") if own else keys.sign(body.encode(), "receipt", self.home)
                kept.enter(g, body, signature, self.home)
                new.append(g)
        return tuple(new)

    def revoke(self, subject: str, purpose: str | None = None, sinks: Iterable[str] = ()) -> tuple[Grant, ...]:
        """Take back all grants of a subject, or those for a purpose or with one of the sinks. When it has returned,
        nothing leaves through them any more, in this process or another. Returns what was taken back."""
        checked_subject(subject)
        sinks = set(sinks)
        with self._store.changing(self.now(), forgive=False, after=self._share) as (kept, epoch):
            gone, left = [], []
            for g in kept.grants:
                taken = g.sinks if g.subject == subject and purpose in (None, g.purpose) else ()
                taken = tuple(s for s in taken if not sinks or s in sinks)
                rest = tuple(s for s in g.sinks if s not in taken)
                gone += [replace(g, sinks=taken)] if taken else []
                left += [replace(g, sinks=rest)] if rest else []
            kept.grants = left
            if not sinks or sinks & set(LOCAL):
                kept.revoked[keys.tag(subject, self.home)] = kept.seen
            kept.epoch = epoch.count() + 1
            audit.note(self.home, kept.seen, "revoke", subject=subject, purpose=purpose, sinks=sinks, grants=len(gone))
        self._tell()
        return tuple(gone)

    def receipts_of(self, subject: str) -> list[str]:
        """Every receipt that this subject ever got, as JSON text."""
        ids = self._store.receipts_of(keys.tag(subject, self.home))
        return [text for one in ids if (text := self.receipt(one))]

    def forget(self, subject: str) -> None:
        """Remove every receipt of a subject, and their key. That they revoked stays, as a tag that names nobody."""
        tag = keys.tag(subject, self.home)
        with self._store.changing(self.now(), forgive=False) as (kept, _):
            kept.grants = [g for g in kept.grants if g.subject != subject]
            kept.forget = tag
            kept.people.pop(tag, None)
            kept.policies.pop(tag, None)

    def use_policy(self, text: str, subject: str = "") -> Policy:
        """Let this policy hold from now on; subject: whose own it is. Raises WrongUse where it is not one, or not newer than
        the one that holds."""
        policy = parsed(text, own=bool(subject))
        tag = keys.tag(subject, self.home) if subject else ""
        with self._store.changing(self.now(), forgive=False) as (kept, _):
            if tag in kept.policies and policy.version <= (holds := parsed(kept.policies[tag], own=bool(tag)).version):
                raise WrongUse(f"This policy is version {policy.version}; version {holds} holds.", "Versions only grow.")
            kept.policies[tag] = text
            audit.note(self.home, kept.seen, "policy", subject=subject, version=policy.version)
        self._tell()
        return policy

    def policy_text(self, subject: str = "") -> str:
        """What holds, as it was written; '' where none does."""
        return self._read()[0].policies.get(keys.tag(subject, self.home) if subject else "", "")

    # -- inside

    def _share(self, kept: Kept, bell: bytes) -> None:
        _changed[self.home] = bell, kept

    def _tell(self) -> None:
        """Every permit of this process looks now whether it still stands."""
        for permit in tuple(running):
            permit.look()
        _changed.pop(self.home, None)

    def _read(self) -> tuple[Kept, float]:
        now = self.now()
        epoch = Epoch(self.home)
        try:
            kept = self._store.read(epoch)
            return kept, max(now, kept.seen)
        finally:
            epoch.close()

    def _policy(self, kept: Kept, tags: Iterable[str] = ()) -> Policy:
        """That of the installation, narrowed by those of these people."""
        policy = parsed(kept.policies[""]) if "" in kept.policies else Policy()
        for tag in kept.policies.keys() & set(tags):
            policy = policy.narrowed(parsed(kept.policies[tag], own=True))
        return policy

    def _signer(self, kept: Kept, subject: str, passphrase: str) -> keys.Own:
        """The person's own key. Raises NotConsented where the passphrase is not theirs."""
        person = kept.people.get(keys.tag(subject, self.home))
        if person is None:
            raise NotConsented(f"{subject} has no passphrase yet.", do=f"bcikit consent enrol {subject}")
        own = keys.Own(passphrase, person["salt"]) if len(passphrase) >= 8 else None
        if own is None or own.public != person["key"]:
            whose = f"{subject}'s guardian" if person["guardian"] else subject
            raise NotConsented(f"That is not the passphrase of {whose}.")
        return own


def best(grants: Iterable[Grant], subject: str, purpose: str, sink: str, level: Level = Level.AGGREGATE) -> Grant | None:
    """The grant that allows data of this level there the longest, signed ones first."""
    found = [
        g for g in grants if g.subject == subject and g.purpose == purpose and sink in g.sinks and Level[g.level] <= level
    ]
    return max(found, key=lambda g: (g.signed, g.expires), default=None)


def checked_subject(subject: str) -> None:
    """Raises WrongUse where a subject's name is not one: plain letters, so that no two look alike."""
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise WrongUse(
            f"{subject!r} cannot name a subject.",
            "It is 1 to 100 plain letters, digits, '.', '_', '-' and '/', best a pseudonym.",
            "For example S1.",
        )


def ask_first_use(kinds: Iterable[str], home: Path | None = None, purpose: str = "research") -> str:
    """The person at the terminal, who is asked once, in one short page, for all local sinks; then known as `me`.

    kinds: of the sinks wanted; leaving ones are never asked for here. Raises NotConsented, with the command that grants
    it, where there is no terminal or the answer is not yes."""
    kinds = tuple(dict.fromkeys(kinds))
    consent = Consent(home)
    wanted = [k for k in kinds if k in LOCAL and not consent.covering(ME, purpose, k)]
    if not wanted:
        return ME
    do = command(ME, purpose, wanted)
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotConsented(
            "Nobody has said that these signals may be used.",
            "A live board needs the consent of the person at it, and there is no terminal to ask at. For somebody else:"
            " the same with a name in the place of 'me', and --subject NAME.",
            do,
        )
    print(
        "These signals come from your body and can tell things about you.\n"
        f"May this computer {', '.join(SAID[k] for k in wanted)}, for {purpose}, for a year?\n"
        "Nothing leaves this computer. Take it back at any time: bcikit consent revoke me",
        file=sys.stderr,
    )
    print("Type yes to allow it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConsented("You did not allow it, so nothing was opened.", do=do)
    consent.grant(ME, purpose, wanted, by="self")
    return ME
