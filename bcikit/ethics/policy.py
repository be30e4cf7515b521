"""The policy of an installation: TOML with a closed vocabulary. It can only forbid: it permits what a consent must
cover too.

    version = 1                       # only grows
    plain = false                     # recordings as plain files are refused
    tier = 2                          # untrusted parts in the sandboxed worker
    signed = true                     # what moves needs a signed limits file of its own
    peers = ["source-id"]             # LSL streams that may be read; without it any
    [limits]
    bits_per_s = 100.0                # of decisions that leave
    grant_days = 365
    delete_days = 10                  # after a revocation recordings are destroyed
    [[permit]]                        # without any: everything. By sinks, purposes, levels, subjects, inferences
    sinks = ["view", "record"]
    [[forbid]]                        # wins over any permit
    sinks = ["lsl"]
    [manifest]                        # what the installation is for (manifest.py)
    setting = "clinic"

A person's own policy has `version`, `plain`, `limits` and `forbid` alone: it narrows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.errors import WrongUse, nearest
from ..core.label import Label, Level
from .manifest import INFERENCES, PURPOSES, SINKS, Manifest

MOST, MOST_RULES = 64_000, 200
SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")  # DATASET/PERSON too
LIMITS = {"bits_per_s": (0.1, 1e6), "grant_days": (0.001, 3660.0), "delete_days": (0.0, 3660.0)}
RULE = {"sinks": SINKS, "purposes": PURPOSES, "levels": tuple(Level.__members__), "inferences": INFERENCES, "subjects": ()}
KEYS = ("version", "plain", "tier", "signed", "peers", "limits", "permit", "forbid", "manifest")
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
        sets = ((self.subjects, label.subjects), (self.inferences, label.inferences))
        of_all = all if every else any
        fits = all(not words or word in words for words, word in plain)
        return fits and all(not words or of_all(word in words for word in its) for words, its in sets)


@dataclass(frozen=True)
class Policy:
    """The default, of no file, permits whatever a consent covers."""

    version: int = 0
    plain: bool = True
    tier: int = 1
    signed: bool = False
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
        least = {name: min(getattr(self, name), getattr(other, name)) for name in LIMITS}
        return replace(self, plain=self.plain and other.plain, forbid=self.forbid + other.forbid, **least)


def parsed(text: str, name: str = "policy", own: bool = False) -> Policy:
    """The policy that a text says; own: a person's, which narrows. Raises WrongUse with the line of what is wrong."""
    if len(text) > MOST:
        raise WrongUse(f"{name} is over {MOST // 1000} kB.", "What is written by hand is a page or two.")
    try:
        doc = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{name}: {error}.", "In TOML texts stand in quotes and tables in [] (toml.io).") from error
    top = _Table(doc, name, text.split("\n"))
    top.knows(NARROWING if own else KEYS, "A person's own policy can only narrow." if own else "")
    made: dict[str, Any] = {"version": top.number("version", 1, 2**31 - 1, (int,))}
    good: dict[str, tuple] = {"plain": (True, False), "tier": (1, 2), "signed": (True, False)}
    made |= {key: top.one_of(key, *good[key]) for key in good if key in doc}
    made |= {"peers": top.texts("peers")} if "peers" in doc else {}
    for limits in top.tables("limits", 1):
        limits.knows(LIMITS)
        made |= {key: float(limits.number(key, *LIMITS[key])) for key in limits.said}
    for key in ("permit", "forbid"):
        made[key] = tuple(_rule(table) for table in top.tables(key, MOST_RULES))
    for table in top.tables("manifest", 1):
        try:
            made["manifest"] = Manifest.of(table.said)
        except WrongUse as error:
            raise table.wrong(error.what.partition(":")[0], error.what, error.why) from error
    return Policy(**made)


def _rule(table: _Table) -> Rule:
    if not table.said:
        raise table.wrong("", "an empty rule says nothing.")
    table.knows(RULE)
    return Rule(**{key: table.texts(key, RULE[key]) for key in table.said}, line=table.line(""))


@dataclass(frozen=True)
class _Table:
    """A table of a policy's text: what it says, and where. begin: number of the line of its header."""

    said: Mapping[str, Any]
    name: str
    lines: list[str]
    begin: int = 0

    def line(self, key: str) -> int:
        entry = re.compile(rf"[\s\[\"']*{re.escape(key)}[\"']?\s*[=.\]]")
        found = (n for n, line in enumerate(self.lines) if n >= self.begin and entry.match(line))
        return 1 + (next(found, self.begin) if key else self.begin)

    def wrong(self, key: str, what: str, why: str = "") -> WrongUse:
        return WrongUse(f"{self.name}, line {self.line(key)}: {what}", why)

    def knows(self, keys: Collection[str], why: str = "") -> None:
        for key in self.said:
            if key not in keys:
                raise self.wrong(key, f"{key}: there is no such key here.", why or nearest(key, list(keys)))

    def one_of(self, key: str, *good: Any) -> Any:
        value = self.said[key]
        if type(value) is not type(good[0]) or value not in good:
            raise self.wrong(key, f"{key}: {value!r} cannot be.", f"It can be {good[0]} or {good[1]}.".lower())
        return value

    def number(self, key: str, low: float, high: float, types: tuple[type, ...] = (int, float)) -> Any:
        value: Any = self.said.get(key)
        if type(value) not in types or not low <= value <= high:
            why = f"It can be {low:g} to {high:g}." if float in types else "It is a whole number that grows by 1."
            raise self.wrong(key, f"{key}: {value!r} cannot be.", why)
        return value

    def texts(self, key: str, words: tuple[str, ...] = ()) -> tuple[str, ...]:
        """One or more of these words; without any, plain names."""
        value = self.said[key]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, f"{key}: this is a list of texts.")
        for v in value:
            if v not in words if words else not SUBJECT.fullmatch(v):
                why = f"It can be {', '.join(words)}." if words else "It is plain letters, digits, '.', '_', '-' and '/'."
                raise self.wrong(key, f"{key}: {v!r} is not known.", why)
        return tuple(value)

    def tables(self, key: str, most: int) -> list[_Table]:
        """Those under a key: [key], or [[key]] where there may be more than one."""
        value = self.said.get(key, [])
        value = [value] if most == 1 and key in self.said else value
        if not isinstance(value, list) or len(value) > most or not all(isinstance(v, dict) for v in value):
            form = f"a table, [{key}]" if most == 1 else f"at most {most} tables [[{key}]]"
            raise self.wrong(key, f"{key}: this is {form}.")
        head = re.compile(rf"\s*\[+\s*{key}\s*\]")
        heads = [n for n, line in enumerate(self.lines) if head.match(line)] or [0]
        return [_Table(v, self.name, self.lines, heads[min(i, len(heads) - 1)]) for i, v in enumerate(value)]
