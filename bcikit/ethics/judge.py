"""The decision of the Gate, as a pure function: allow only if a standing grant covers it, a permit of the policy matches, no
forbid matches, no red line is crossed, every obligation is met, and nothing about what is asked is malformed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, isfinite

from ..core.errors import NotConsented
from ..core.label import Label, Level
from .consent import ME, Facts, Grant, best, command
from .manifest import INFERENCES, LEAVING, LOCAL, OBLIGATIONS, PURPOSES, SINKS, classify
from .policy import SUBJECT, Policy
from .redlines import Ask, crossed


class Refused(NotConsented):
    """rule: which one refused, in a word for the audit, which holds no names."""

    def __init__(self, rule: str, what: str, why: str = "", do: str = "") -> None:
        self.rule = rule
        super().__init__(what, why, do)


@dataclass(frozen=True)
class Allowed:
    """basis: why, in a line for the person. rule: the same in a word, for the audit. seconds: for which it holds."""

    basis: str
    rule: str
    seconds: float = inf
    policy: Policy = field(default_factory=Policy)


def judge(
    kind: str, label: Label, purpose: str, facts: Facts | None = None, stopped: bool = False, sealed: bool = True
) -> Allowed:
    """Whether data with this label may go to a sink of this kind. facts: None serves for what is simulated alone. Raises
    Refused, whose `do` is the command that would grant it."""
    _well_formed(kind, label, purpose)
    if label.simulated:
        if label.subjects or label.purposes:
            raise Refused("malformed", "These data call themselves simulated, yet name a person.")
        return Allowed("simulated", "simulated")
    if type(facts) is not Facts or type(facts.now) is not float or type(facts.policy) is not Policy:
        raise Refused("malformed", "Nobody knows what is allowed at this moment.")
    grants, now, policy = tuple(g for g in facts.grants if _stands(g, facts.now)), facts.now, facts.policy
    until = inf if label.expires is None else label.expires
    if until <= now:
        raise Refused("expired", "The consent under which these data were taken has expired.")
    found = {s: best(grants, s, purpose, kind, label.level) for s in sorted(label.subjects)}
    given = [g for g in found.values() if g is not None]
    signed = frozenset(s for s in label.subjects if (g := best(grants, s, "identification", kind)) and g.signed)
    here = kind in LOCAL and label.recorded and not label.subjects & facts.revoked
    if not here:
        _granted(kind, label, purpose, found)
    ask = Ask(kind, label, purpose, policy.manifest, tuple(given), signed, stopped is True)
    if line := crossed(ask):
        raise Refused(f"red line: {line.name}", line.text, "No consent and no policy can allow it.")
    if why := policy.refuses(kind, label, purpose):
        raise Refused("policy", f"The sink {kind!r} is not allowed: {why}.", do="bcikit policy show")
    if sealed is not True and not policy.plain:
        raise Refused("sealed", "The policy allows encrypted recordings alone.", do="--record without a file name")
    if not here:
        _obliged(ask, policy)
        by = ", ".join(f"{g.subject}{SAID.get(g.by, '')}" for g in given)
        return Allowed(f"allowed by {by}", "granted", min(until, *(g.expires for g in given)) - now, policy)
    return Allowed("a recording, used here", "recording", until - now, policy)


SAID = {"operator": " (attested by operator)", "guardian": " (by the guardian)"}


def _well_formed(kind: str, label: Label, purpose: str) -> None:
    if type(kind) is not str or kind not in SINKS:
        raise Refused("malformed", f"{kind!r} is no kind of sink.", f"The kinds are {', '.join(SINKS)}.")
    if type(label) is not Label:
        raise Refused("malformed", "These data bear no label.", "Nobody knows whose they are.")
    if type(purpose) is not str or purpose not in PURPOSES:
        raise Refused("malformed", f"There is no purpose {purpose!r}.", f"There are {', '.join(PURPOSES)}.")
    good = (
        type(label.level) is Level
        and type(label.simulated) is bool
        and type(label.recorded) is bool
        and (label.expires is None or (type(label.expires) in (int, float) and isfinite(label.expires)))
        and _texts(label.inferences, INFERENCES)
        and _texts(label.purposes, PURPOSES)
        and type(label.subjects) is frozenset
        and all(type(s) is str and SUBJECT.fullmatch(s) for s in label.subjects)
    )
    if not good:
        raise Refused("malformed", "The label of these data is malformed.", "Whose they are and how raw cannot be trusted.")


def _texts(given: Iterable[str], known: Iterable[str]) -> bool:
    return type(given) is frozenset and all(type(x) is str and x in known for x in given)


def _stands(g: Grant, now: float) -> bool:
    return (
        type(g) is Grant
        and all(type(x) is str for x in (g.subject, g.purpose, g.by, g.level))
        and g.by in ("self", "operator", "person", "guardian")
        and g.purpose in PURPOSES
        and g.level in Level.__members__
        and type(g.sinks) is tuple
        and all(type(s) is str for s in g.sinks)
        and (g.signed or not set(g.sinks) & set(LEAVING))
        and type(g.when) is float
        and type(g.expires) is float
        and isfinite(g.expires)
        and g.when <= now < g.expires
    )


def _granted(kind: str, label: Label, purpose: str, found: dict[str, Grant | None]) -> None:
    if not label.subjects and label.recorded:
        raise Refused(
            "nobody",
            f"The sink {kind!r} would take a recording off this machine, and nobody knows whose it is.",
            "The file bears no label, and no data-set card says under what consent it was taken.",
            "Write a card for it (see datasets/), or replay what bears its subject's name.",
        )
    if not label.subjects:
        raise Refused(
            "nobody",
            "Nobody has said that these signals may be used: they name no person.",
            "A live board needs the consent of the person at it.",
            f"{command(ME, purpose, [kind])}    (then name the person: --subject {ME})",
        )
    missing = [s for s, g in found.items() if g is None]
    if missing:
        raise Refused(
            "no grant",
            f"{', '.join(missing)} did not allow the sink {kind!r} for {purpose}.",
            "It would take the data off this machine, which needs a signed grant of its own." if kind in LEAVING else "",
            "\n".join(command(s, purpose, [kind]) for s in missing),
        )
    if purpose not in label.purposes:  # as in data joined from several sources, one of them without a purpose
        may = ", ".join(sorted(label.purposes)) or "nothing that all who are in them agreed on"
        raise Refused("purpose", f"These data may not be used for {purpose}.", f"They may be used for {may}.")


def _obliged(ask: Ask, policy: Policy) -> None:
    """Raises where the class of the manifest has an obligation that is not met."""
    m = ask.manifest
    met = {
        "consent": True,
        "own-signature": all(g.signed for g in ask.grants),
        "approval": bool(m.approval),
        "approver": bool(m.approver),
        "stop": ask.kind != "effector" or (bool(m.stop) and ask.stopped),
        "limits": bool(m.limits),
        "sealed": not policy.plain,
        "tier-2": policy.tier == 2,
    }
    name, owed = classify(m)
    for one in owed:
        if met[one] is not True:
            raise Refused(f"obligation: {one}", f"This use is of the class {name!r}, which needs {OBLIGATIONS[one]}.")
