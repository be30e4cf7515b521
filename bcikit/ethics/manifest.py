"""The words that policies, grants and labels are made of, and what an installation says of its own use: the manifest.

A manifest maps to one class with obligations; an obligation that is not met refuses to start. What it says is signed
with the policy that holds it, and believed: a false declaration is not detected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..core.errors import WrongUse, nearest
from ..core.label import Label

LOCAL = ("view", "record", "effector", "train")
LEAVING = ("lsl", "network", "export", "model")  # a model file carries what was learnt of a person, and is made to travel
SINKS = LOCAL + LEAVING
PURPOSES = ("research", "personal", "education", "clinical", "identification")
MENTAL = ("emotion", "attention", "fatigue", "stress", "preference")  # states of mind
INFERENCES = (*MENTAL, "movement", "speech", "identity", "linking", "recognition-memory", "health")

INVASIVENESS = ("non-invasive", "semi-invasive", "invasive", "interventional")
DIRECTIONS = ("read", "write", "closed-loop")
SETTINGS = ("home", "laboratory", "clinic", "public", "work", "school", "detention", "military", "police")
POPULATIONS = ("adults", "patients", "minors", "employees", "students", "detainees")
AUTONOMY = ("none", "assisted", "shared", "full")
EFFECTORS = (
    "none",
    "screen",
    "software",
    "prosthesis",
    "wheelchair",
    "exoskeleton",
    "robot",
    "drone",
    "stimulator",
    "weapon",
)
TECHNIQUES = ("none", "marketing", "subliminal", "sleep-marketing")
DEPENDENT = ("employees", "students", "detainees")  # who cannot say no as freely as others
MOVING = ("prosthesis", "wheelchair", "exoskeleton", "robot", "drone")


@dataclass(frozen=True)
class Manifest:
    """What this installation is for. safety: the inference of a mental state serves medicine or safety. approval: of an
    ethics committee. approver: who, independent of employer, school or jail, agreed to consents given under them. stop: the
    control that stops what acts. limits: what a write stays within, by name and unit, as {"mA": 2.0}."""

    invasiveness: str = "non-invasive"
    direction: str = "read"
    purpose: str = "research"
    setting: str = "laboratory"
    population: str = "adults"
    autonomy: str = "none"
    effector: str = "screen"
    technique: str = "none"
    safety: bool = False
    approval: str = ""
    approver: str = ""
    stop: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Manifest:
        """Raises WrongUse, whose `what` begins with the key, where a key or a word is not known."""
        known = {f.name: f for f in fields(cls)}
        for name, value in said.items():
            if name not in known:
                raise WrongUse(f"{name}: a manifest has no such key.", nearest(name, list(known)))
            words = WORDS.get(name)
            if words and value not in words:
                raise WrongUse(f"{name}: {value!r} is not known.", f"It can be {', '.join(words)}.")
            if name == "limits":
                good = isinstance(value, Mapping) and all(
                    isinstance(k, str) and type(v) in (int, float) and 0 < v < float("inf") for k, v in value.items()
                )
            else:
                good = type(value) is (bool if name == "safety" else str)
            if not good:
                raise WrongUse(f"{name}: {value!r} cannot be.")
        return cls(**said)


WORDS: dict[str, tuple[str, ...]] = {
    "invasiveness": INVASIVENESS,
    "direction": DIRECTIONS,
    "purpose": PURPOSES,
    "setting": SETTINGS,
    "population": POPULATIONS,
    "autonomy": AUTONOMY,
    "effector": EFFECTORS,
    "technique": TECHNIQUES,
}


NOT_MEDICAL = "not for medical purposes"


def use(label: Label) -> str:
    """For what data with this label may be used, in words: it stands on every decision that goes out, model and report."""
    may = "a simulation" if label.simulated else f"for {', '.join(sorted(label.purposes))}" if label.purposes else ""
    medical = "" if "clinical" in label.purposes else NOT_MEDICAL
    return "; ".join(said for said in (may, medical) if said)


OBLIGATIONS = {
    "consent": "every person's consent for each purpose and sink",
    "own-signature": "grants signed by the person, or by the guardian of a minor, not attested by the operator",
    "approval": "an ethics approval, named in the manifest (approval)",
    "approver": "an independent approver, named in the manifest (approver)",
    "stop": "a stop control, named in the manifest (stop) and exercised at the start",
    "limits": "limits of what is written into the body, in the manifest (limits)",
    "sealed": "recordings encrypted: plain = false in the policy",
    "tier-2": "untrusted parts in the sandboxed worker: tier = 2 in the policy",
}


def classify(m: Manifest) -> tuple[str, tuple[str, ...]]:
    """(class, obligations). The class is the gravest that fits: observing, moving, protected, acting, implanted."""
    implanted = m.invasiveness != "non-invasive"
    acting = m.direction != "read"
    protected = m.population != "adults" or m.purpose == "clinical"
    moving = m.effector in MOVING or m.autonomy in ("shared", "full")
    owed = {
        "consent": True,
        "own-signature": implanted or acting or protected,
        "approval": implanted or protected,
        "approver": m.population in DEPENDENT,
        "stop": acting or moving,
        "limits": acting,
        "sealed": implanted or protected,
        "tier-2": implanted,
    }
    grave = {"implanted": implanted, "acting": acting, "protected": protected, "moving": moving, "observing": True}
    return next(name for name, fits in grave.items() if fits), tuple(name for name in OBLIGATIONS if owed[name])
