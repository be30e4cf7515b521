"""Policies: having one that permits what the last one did not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from ..core.errors import NotConsented, WrongUse
from ..ethics.judge import judge
from ..ethics.policy import parsed
from ._attack_consent import opens, sql
from .attack import S1, Field, case

_POLICY = 'version = 2\n[[permit]]\nsinks = ["view"]\n[[forbid]]\nsinks = ["record"]\n'
for _name, _text in {
    "no TOML": "version = ",
    "an unknown key": _POLICY + '[[allow]]\nsinks = ["lsl"]\n',
    "an unknown key in a rule": 'version = 3\n[[permit]]\nsink = ["lsl"]\n',
    "a sink with a letter of another script": 'version = 3\n[[forbid]]\nsinks = ["recоrd"]\n',
    "a subject with a letter of another script": 'version = 3\n[[forbid]]\nsubjects = ["Ѕ1"]\n',
    "huge": "version = 3\n" + "#" * 10**6,
    "ten thousand rules": "version = 3\n" + '[[forbid]]\nsinks = ["lsl"]\n' * 10_000,
    "deeply nested": "version = 3\nx = " + "[" * 5000 + "]" * 5000,
    "a number that is true": "version = true\n",
    "an empty permit": "version = 3\n[[permit]]\n",
    "no version": "plain = true\n",
    "a limit that is not a number": "version = 3\n[limits]\nbits_per_s = nan\n",
    "a version put back": "version = 1\n",
    "the same version with other words": "version = 2\n",
}.items():

    @case("policy", f"a policy file: {_name}")
    def _(f: Field, text: str = _text) -> str:
        f.allow("view", "record")
        f.consent.use_policy(_POLICY)
        with suppress(WrongUse):
            f.consent.use_policy(text)
            return "it was taken"
        return opens(f, "record")


@case("policy", "a person's own policy that permits more")
def _(f: Field) -> str:
    f.allow("view", "record")
    f.consent.use_policy(_POLICY)
    with suppress(WrongUse):
        f.consent.use_policy('version = 1\n[[permit]]\nsinks = ["record"]\n', "S1")
    return opens(f, "record")


@case("policy", "rules in every order")
def _(f: Field) -> str:
    rules = ['[[permit]]\nsinks = ["record"]\n', '[[permit]]\npurposes = ["research"]\n', '[[forbid]]\nsinks = ["record"]\n']
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2)):
        policy = parsed("version = 1\n" + "".join(rules[i] for i in order))
        if not policy.refuses("record", S1, "research"):
            return f"the order {order}"
    return ""


@case("policy", "a rule that raises")
def _(f: Field) -> str:
    class Boom(tuple):
        def __contains__(self, x: object) -> bool:
            raise ZeroDivisionError

    f.allow("record")
    facts = f.consent.facts(["S1"])
    policy = parsed('version = 1\n[[forbid]]\nsinks = ["lsl"]\n')
    facts = replace(facts, policy=replace(policy, forbid=(replace(policy.forbid[0], sinks=Boom(("x",))),)))
    try:
        judge("record", S1, "research", facts)
    except (NotConsented, ZeroDivisionError):
        return ""
    return "it opened"


@case("policy", "edited in the store")
def _(f: Field) -> str:
    f.allow("record")
    f.consent.use_policy('version = 1\n[[forbid]]\nsinks = ["record"]\n')
    sql(f, "UPDATE state SET body = replace(body, 'forbid', 'permit')")
    return opens(f, "record")


@case("policy", "a red line, with every consent there is")
def _(f: Field) -> str:
    f.allow("view", "record", "effector", "train", "lsl", "network", "export", "model")
    f.consent.use_policy('version = 1\n[manifest]\nsetting = "military"\n')
    return opens(f) or opens(f, "network")


@case("policy", "recognition of what a person has seen")
def _(f: Field) -> str:
    f.allow("view")
    return opens(f, "view", replace(S1, inferences=frozenset({"recognition-memory"})))


@case("policy", "an inference that has no name")
def _(f: Field) -> str:
    f.allow("view")
    return opens(f, "view", replace(S1, inferences=frozenset({"em0tion"})))
