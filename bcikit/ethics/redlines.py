"""What no policy and no consent can allow. The hash of this file stands in every receipt and every signed head of the
audit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.label import Label, Level
from .manifest import DEPENDENT, LEAVING, MENTAL, Manifest

DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
SESSION_S = 86_400.0  # a consent to stimulation lasts no longer


@dataclass(frozen=True)
class Grant:
    """subject allows sinks for a purpose. when, expires: seconds since 1970. by: `self` (asked at this terminal), `operator`
    (typed by whoever runs the program, who answers for it), `person` (signed with the person's own key) or `guardian`
    (of a minor, with theirs). level: the most raw that may go. id: of the receipt."""

    subject: str
    purpose: str
    sinks: tuple[str, ...]
    when: float
    expires: float
    by: str
    level: str = "RAW"
    id: str = ""

    @property
    def signed(self) -> bool:
        """By the person, or who stands for them."""
        return self.by in ("person", "guardian")


@dataclass(frozen=True)
class Ask:
    """What is asked of the Gate. grants: those that would cover it, one for each subject. identified: of those subjects who
    allowed to be identified. stopped: the stop control was exercised since the start. real: what acts moves something in
    the world."""

    kind: str
    label: Label
    purpose: str
    manifest: Manifest
    grants: Sequence[Grant] = ()
    identified: frozenset[str] = frozenset()
    stopped: bool = False
    real: bool = False


@dataclass(frozen=True)
class RedLine:
    """do: what would keep to this side of it, where that is for the person to do."""

    name: str
    text: str
    crossed: Callable[[Ask], bool]
    do: str = ""


def _mental(a: Ask) -> bool:
    m = a.manifest
    return m.setting in ("work", "school") and bool(a.label.inferences & set(MENTAL)) and not m.safety


def _identified(a: Ask) -> bool:
    asked = a.label.inferences & {"identity", "linking"} or a.purpose == "identification"
    return bool(asked) and not (a.label.subjects and a.label.subjects <= a.identified)


def _stimulated(a: Ask) -> bool:
    m = a.manifest
    if a.kind != "effector" or (m.direction == "read" and m.effector != "stimulator"):
        return False
    session = a.grants and all(g.signed and g.expires - g.when <= SESSION_S for g in a.grants)
    return not (session and m.limits)


def _minors(a: Ask) -> bool:
    return a.manifest.population == "minors" and "clinical" not in (a.purpose,)


def _dependent(a: Ask) -> bool:
    m = a.manifest
    return (m.population in DEPENDENT or m.setting in ("work", "school", "detention")) and not m.approver


def _armed(a: Ask) -> bool:
    return a.manifest.effector == "weapon" or a.manifest.setting in ("military", "police", "detention")


def _unstoppable(a: Ask) -> bool:
    closed = a.manifest.direction == "closed-loop"
    return a.kind == "effector" and (((closed or a.real) and not a.stopped) or (closed and not a.manifest.stop))


def _raw(a: Ask) -> bool:
    if a.kind not in LEAVING or a.label.level > Level.SIGNAL:
        return False
    return not a.grants or any(g.sinks != (a.kind,) or not g.signed or Level[g.level] > a.label.level for g in a.grants)


RED_LINES = (
    RedLine("mental-state", "Emotion, attention or another state of mind is inferred at work or at school.", _mental),
    RedLine("identification", "A person is identified or linked who did not sign for that.", _identified),
    RedLine("stimulation", "The body is stimulated without a signed consent of the day and limits.", _stimulated),
    RedLine("minors", "It is used on minors, and is no therapy.", _minors),
    RedLine(
        "manipulation",
        "Advertising below awareness or in sleep.",
        lambda a: a.manifest.technique.startswith(("sub", "sleep")),
    ),
    RedLine("dependence", "Consent under employment, detention or grading has no independent approver.", _dependent),
    RedLine("memory-probe", "It probes what a person recognises.", lambda a: "recognition-memory" in a.label.inferences),
    RedLine("force", "A weapon, or a military, police or detention setting.", _armed),
    RedLine(
        "no-stop",
        "A closed loop acts, and its stop control was not exercised at the start.",
        _unstoppable,
        "`bcikit run` tries it with you at each start; in Python: gate.stop_exercised(), once it did stop.",
    ),
    RedLine("raw-leaves", "Raw signals would leave this device without a signed grant for that alone.", _raw),
)


def crossed(a: Ask) -> RedLine | None:
    """The first red line that this crosses."""
    return next((line for line in RED_LINES if line.crossed(a)), None)
