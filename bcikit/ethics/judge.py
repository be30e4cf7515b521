"""The decision of the Gate, as a pure function: allow only if a standing grant covers it, a permit of the policy matches, no
forbid matches, no red line is crossed, every obligation is met, and nothing about what is asked is malformed."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any

from ..core.errors import NotConsented
from ..core.label import SETS, Label, Level
from .consent import ME, Facts, Grant, best, command
from .manifest import INFERENCES, LEAVING, LOCAL, OBLIGATIONS, PURPOSES, SINKS, classify
from .policy import SUBJECT, Policy
from .redlines import Ask, crossed

SAID = {"operator": " (attested by operator)", "guardian": " (by the guardian)"}
LABEL = {"level": Level, "simulated": bool, "recorded": bool} | dict.fromkeys(SETS, frozenset)
GRANT = {"subject": str, "purpose": str, "by": str, "level": str, "sinks": tuple, "when": float, "expires": float}


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
    kind: str, label: Label, purpose: str, facts: Facts | None = None,
    stopped: bool = False, sealed: bool = True, real: bool = False, signed: bool = True,
) -> Allowed:  # fmt: skip
    """Whether data with this label may go to a sink of this kind; facts: None serves for what is simulated alone. stopped:
    its stop was tried. sealed: it encrypts. real: it moves something in the world. signed: within signed limits."""
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
    named = frozenset(s for s in label.subjects if (g := best(grants, s, "identification", kind)) and g.signed)
    here = kind in LOCAL and label.recorded and not label.subjects & facts.revoked
    if not here:
        _granted(kind, label, purpose, found)
    ask = Ask(kind, label, purpose, policy.manifest, tuple(given), named, stopped is True, real is not False)
    if line := crossed(ask):
        raise Refused(f"red line: {line.name}", line.text, "No consent and no policy can allow it.", line.do)
    if why := policy.refuses(kind, label, purpose):
        raise Refused("policy", f"The sink {kind!r} is not allowed: {why}.", do="bcikit policy show")
    if sealed is not True and not policy.plain:
        raise Refused("sealed", "The policy allows encrypted recordings alone.", do="--record without a file name")
    if signed is not True and policy.signed:
        raise Refused("unsigned", "What moves is allowed signed limits alone.", do="bcikit limits sign FILE, limits=FILE")
    if here:
        return Allowed("a recording, used here", "recording", until - now, policy)
    _obliged(ask, policy)
    by = ", ".join(f"{g.subject}{SAID.get(g.by, '')}" for g in given)
    return Allowed(f"allowed by {by}", "granted", min(until, *(g.expires for g in given)) - now, policy)


def _typed(one: Any, types: dict[str, type]) -> bool:
    return all(type(getattr(one, name)) is its for name, its in types.items())


def _well_formed(kind: str, label: Label, purpose: str) -> None:
    for what, given, known in (("kind of sink", kind, SINKS), ("purpose", purpose, PURPOSES)):
        if type(given) is not str or given not in known:
            raise Refused("malformed", f"There is no {what} {given!r}.", f"There are {', '.join(known)}.")
    if type(label) is not Label:
        raise Refused("malformed", "These data bear no label.", "Nobody knows whose they are.")
    good = (
        _typed(label, LABEL)
        and (label.expires is None or (type(label.expires) in (int, float) and isfinite(label.expires)))
        and all(type(x) is str and x in INFERENCES for x in label.inferences)
        and all(type(x) is str and x in PURPOSES for x in label.purposes)
        and all(type(s) is str and SUBJECT.fullmatch(s) for s in label.subjects)
    )
    if not good:
        raise Refused("malformed", "The label of these data is malformed.", "Whose they are and how raw cannot be trusted.")


def _stands(g: Grant, now: float) -> bool:
    return (
        type(g) is Grant
        and _typed(g, GRANT)
        and g.by in ("self", "operator", "person", "guardian")
        and g.purpose in PURPOSES
        and g.level in Level.__members__
        and all(type(s) is str for s in g.sinks)
        and (g.signed or not set(g.sinks) & set(LEAVING))
        and g.when <= now < g.expires < inf
    )


def _granted(kind: str, label: Label, purpose: str, found: dict[str, Grant | None]) -> None:
    """Raises where somebody in these data did not allow it."""
    if not label.subjects and label.recorded:
        what = f"The sink {kind!r} would take a recording off this machine, and nobody knows whose it is."
        why = "The file bears no label, and no data-set card says under what consent it was taken."
        raise Refused("nobody", what, why, "Write a card for it (see datasets/), or replay what bears its subject's name.")
    if not label.subjects:
        what = "Nobody has said that these signals may be used: they name no person."
        do = f"{command(ME, purpose, [kind])}    (then name the person: --subject {ME})"
        raise Refused("nobody", what, "A live board needs the consent of the person at it.", do)
    if missing := [s for s, g in found.items() if g is None]:
        what = f"{', '.join(missing)} did not allow the sink {kind!r} for {purpose}, for {label.level.name} data."
        why = "It would take the data off this machine, which needs a signed grant of its own." if kind in LEAVING else ""
        raise Refused("no grant", what, why, "\n".join(command(s, purpose, [kind]) for s in missing))
    if purpose not in label.purposes:  # as in data joined from several sources, one of them without a purpose
        may = ", ".join(sorted(label.purposes)) or "nothing that all who are in them agreed on"
        raise Refused("purpose", f"These data may not be used for {purpose}.", f"They may be used for {may}.")


def _obliged(ask: Ask, policy: Policy) -> None:
    """Raises where the class of the manifest has an obligation that is not met."""
    m = ask.manifest
    met = {"consent": True, "own-signature": all(g.signed for g in ask.grants)}
    met |= {name: bool(getattr(m, name)) for name in ("approval", "approver", "limits")}
    met |= {"stop": ask.kind != "effector" or (bool(m.stop) and ask.stopped)}
    met |= {"sealed": not policy.plain, "tier-2": policy.tier == 2}
    name, owed = classify(m)
    for one in owed:
        if met[one] is not True:
            raise Refused(f"obligation: {one}", f"This use is of the class {name!r}, which needs {OBLIGATIONS[one]}.")
