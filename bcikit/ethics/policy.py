"""The policy of an installation: TOML with a closed vocabulary. It can only forbid: it permits what a consent must
cover too.

    version = 1                       # only grows
    plain = false                     # recordings as plain files are refused
    tier = 2                          # untrusted parts in the sandboxed worker
    peers = ["source-id"]             # LSL streams that may be read; without it any

    [limits]
    bits_per_s = 100.0                # of decisions
    grant_days = 365
    delete_days = 10                  # after a revocation recordings are destroyed

    [[permit]]                        # without any: everything
    sinks = ["view", "record"]
    purposes = ["research"]
    levels = ["DECISION"]
    subjects = ["S1"]
    inferences = ["movement"]

    [[forbid]]                        # wins over any permit
    sinks = ["lsl"]

    [manifest]
    setting = "clinic"

A person's own policy has `version`, `plain`, `limits` and `forbid` alone: it narrows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.errors import BciError, WrongUse, nearest
from ..core.label import Label, Level
from .manifest import INFERENCES, PURPOSES, SINKS, Manifest

MOST, MOST_RULES = 64_000, 200
SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")  # DATASET/PERSON too
LIMITS = {"bits_per_s": (0.1, 1e6), "grant_days": (0.001, 3660.0), "delete_days": (0.0, 3660.0)}
RULE = {
    "sinks": SINKS,
    "purposes": PURPOSES,
    "levels": tuple(level.name for level in Level),
    "inferences": INFERENCES,
    "subjects": (),
}
KEYS = ("version", "plain", "tier", "peers", "limits", "permit", "forbid", "manifest")
NARROWING = ("version", "plain", "limits", "forbid")


@dataclass(frozen=True)
class Rule:
    """Matches where every list that it gives holds what is asked; an empty one holds all. Of inferences and subjects, a
    permit needs all of the data's to be in the list, a forbid one."""

    sinks: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    inferences: tuple[str, ...] = ()
    line: int = 0

    def matches(self, kind: str, label: Label, purpose: str, every: bool) -> bool:
        plain = ((self.sinks, kind), (self.purposes, purpose), (self.levels, label.level.name))
        if any(words and word not in words for words, word in plain):
            return False
        of_all = all if every else any
        sets = ((self.subjects, label.subjects), (self.inferences, label.inferences))
        return all(not words or of_all(word in words for word in its) for words, its in sets)


@dataclass(frozen=True)
class Policy:
    """The default, of no file, permits whatever a consent covers."""

    version: int = 0
    plain: bool = True
    tier: int = 1
    peers: tuple[str, ...] = ()
    bits_per_s: float = 100.0
    grant_days: float = 365.0
    delete_days: float = 30.0
    permit: tuple[Rule, ...] = ()
    forbid: tuple[Rule, ...] = ()
    manifest: Manifest = field(default_factory=Manifest)

    def refuses(self, kind: str, label: Label, purpose: str) -> str:
        """Why not, in a few words; '' where it does not."""
        for rule in self.forbid:
            if rule.matches(kind, label, purpose, every=False):
                return f"the policy forbids it (line {rule.line})"
        if self.permit and not any(rule.matches(kind, label, purpose, every=True) for rule in self.permit):
            return "no permit of the policy covers it"
        return ""

    def narrowed(self, other: Policy) -> Policy:
        """Under a person's own policy too."""
        return replace(
            self,
            plain=self.plain and other.plain,
            bits_per_s=min(self.bits_per_s, other.bits_per_s),
            grant_days=min(self.grant_days, other.grant_days),
            delete_days=min(self.delete_days, other.delete_days),
            forbid=self.forbid + other.forbid,
        )


def parsed(text: str, name: str = "policy", own: bool = False) -> Policy:
    """The policy that a text says; own: a person's, which narrows. Raises WrongUse with the line of what is wrong."""
    if len(text) > MOST:
        raise WrongUse(f"{name} is over {MOST // 1000} kB.", "What is written by hand is a page or two.")
    try:
        doc = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{name}: {error}.", "In TOML texts stand in quotes and tables in [] (toml.io).") from error
    place = _Lines(text, name)
    for key in doc:
        if key not in (NARROWING if own else KEYS):
            narrow = "A person's own policy can only narrow." if own and key in KEYS else ""
            raise place.wrong(f"{key}: a policy has no such key here.", (), key, narrow or nearest(key, list(KEYS)))
    version = doc.get("version")
    if type(version) is not int or not 1 <= version < 2**31:
        raise place.wrong(f"version: {version!r} is no version.", (), "version", "It is a whole number that grows by 1.")
    made: dict[str, Any] = {"version": version}
    for key, good in (("plain", (True, False)), ("tier", (1, 2))):
        if key in doc:
            if type(doc[key]) is not type(good[0]) or doc[key] not in good:
                raise place.wrong(f"{key}: {doc[key]!r} cannot be.", (), key, f"It can be {good[0]} or {good[1]}.".lower())
            made[key] = doc[key]
    if "peers" in doc:
        made["peers"] = place.texts("peers", doc["peers"], (), ())
    for key, value in place.table("limits", doc.get("limits", {})).items():
        low, high = LIMITS.get(key, (0.0, 0.0))
        if key not in LIMITS or type(value) not in (int, float) or not low <= value <= high:
            why = f"It can be {low:g} to {high:g}." if key in LIMITS else nearest(key, list(LIMITS))
            raise place.wrong(f"{key}: {value!r} cannot be.", ("limits",), key, why)
        made[key] = float(value)
    for key in ("permit", "forbid"):
        tables = doc.get(key, [])
        if not isinstance(tables, list) or len(tables) > MOST_RULES or not all(isinstance(t, dict) for t in tables):
            raise place.wrong(f"{key}: at most {MOST_RULES} tables [[{key}]].", (), key)
        made[key] = tuple(_rule(place, key, i, table) for i, table in enumerate(tables))
    if "manifest" in doc:
        try:
            made["manifest"] = Manifest.of(place.table("manifest", doc["manifest"]))
        except WrongUse as error:
            raise place.wrong(error.what, ("manifest",), error.what.partition(":")[0], error.why) from error
    return Policy(**made)


def _rule(place: _Lines, key: str, i: int, table: Mapping[str, Any]) -> Rule:
    if not table:
        raise place.wrong(f"{key}: an empty rule says nothing.", (key, i), "")
    for name in table:
        if name not in RULE:
            raise place.wrong(f"{name}: a rule has no such key.", (key, i), name, nearest(name, list(RULE)))
    lists = {name: place.texts(name, table[name], RULE[name], (key, i)) for name in table}
    return Rule(**lists, line=place.of((key, i), ""))


class _Lines:
    """Where in a policy's text a key stands."""

    def __init__(self, text: str, name: str) -> None:
        self.lines, self.name = text.split("\n"), name

    def of(self, table: tuple, key: str) -> int:
        """The line of `key` behind the header of its table (of the i-th of its name)."""
        begin = 0
        if table:
            head = re.compile(rf"\s*\[+\s*{re.escape(str(table[0]))}\s*\]")
            found = [n for n, line in enumerate(self.lines) if head.match(line)]
            begin = found[min(table[1], len(found) - 1) if len(table) > 1 else 0] if found else 0
        entry = re.compile(rf"[\s\[\"']*{re.escape(key)}[\"']?\s*[=.\]]")
        at = begin if not key else next((n for n, s in enumerate(self.lines) if n >= begin and entry.match(s)), begin)
        return at + 1

    def wrong(self, what: str, table: tuple, key: str, why: str = "") -> WrongUse:
        return WrongUse(f"{self.name}, line {self.of(table, key)}: {what}", why)

    def table(self, key: str, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(f"{key}: this is a table, [{key}].", (), key)
        return value

    def texts(self, key: str, value: Any, words: tuple[str, ...], table: tuple) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise self.wrong(f"{key}: this is a list of texts.", table, key)
        for v in value:
            if (words and v not in words) or (not words and not SUBJECT.fullmatch(v)):
                why = f"It can be {', '.join(words)}." if words else "It is plain letters, digits, '.', '_', '-' and '/'."
                raise self.wrong(f"{key}: {v!r} is not known.", table, key, why)
        return tuple(value)


def failed(error: BaseException) -> BciError:
    """Whatever went wrong, as a refusal."""
    from ..core.errors import NotConsented

    return NotConsented("The Gate could not decide, so it refuses.", f"{type(error).__name__}: {error}.")
