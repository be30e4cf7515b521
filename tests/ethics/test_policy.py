"""Policies, red lines, classes: what no consent can outweigh; and the decision as a pure function, fed with nonsense."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from itertools import product

import pytest

from bcikit import Label, Level, NotConsented, WrongUse
from bcikit.cli import main as cli
from bcikit.effectors.console import Console
from bcikit.effectors.drones import Drones
from bcikit.ethics.consent import Consent, Facts
from bcikit.ethics.gate import Gate
from bcikit.ethics.judge import judge
from bcikit.ethics.manifest import LEAVING, LOCAL, OBLIGATIONS, SINKS, WORDS, Manifest, classify, use
from bcikit.ethics.policy import Policy, parsed
from bcikit.ethics.redlines import RED_LINES, Ask, Grant, crossed

NOW = 1_800_000_000.0
S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))


def grant(**changes):
    sinks = changes.pop("sinks", ("view",))
    return replace(Grant("S1", "research", sinks, NOW - 10, NOW + 1000, "person", id="x"), **changes)


def decided(kind="view", label=S1, purpose="research", policy=None, stopped=False, sealed=True, **of_grant):
    facts = Facts(NOW, (grant(sinks=(kind,), purpose=purpose, **of_grant),), frozenset(), policy or Policy())
    return judge(kind, label, purpose, facts, stopped, sealed)


def rule(*args, **kw):
    with pytest.raises(NotConsented) as caught:
        decided(*args, **kw)
    return caught.value.rule


# -- policies

FULL = """\
version = 2
plain = false
tier = 2
peers = ["amp-1"]

[limits]
bits_per_s = 12.5
grant_days = 30
delete_days = 10

[[permit]]
sinks = ["view", "record"]
purposes = ["research"]

[[forbid]]
levels = ["RAW"]
subjects = ["S9"]

[manifest]
setting = "clinic"
approval = "EK 2026/7"
"""


def test_a_policy_is_read_whole():
    p = parsed(FULL)
    assert (p.version, p.plain, p.tier, p.peers, p.bits_per_s, p.delete_days) == (2, False, 2, ("amp-1",), 12.5, 10.0)
    assert p.permit[0].sinks == ("view", "record") and p.forbid[0].line == 15 and p.manifest.approval == "EK 2026/7"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("plain = false", "plane = false", 2),
        ("plain = false", 'plain = "no"', 2),
        ("plain = false", "plain = 0", 2),
        ("tier = 2", "tier = 3", 3),
        ("tier = 2", "tier = true", 3),
        ("version = 2", "version = 0", 1),
        ("version = 2", 'version = "2"', 1),
        ("version = 2", "version = true", 1),
        ("bits_per_s = 12.5", "bits_per_s = -1", 7),
        ("bits_per_s = 12.5", "bits_per_s = nan", 7),
        ("bits_per_s = 12.5", "bits = 1", 7),
        ('sinks = ["view", "record"]', 'sinks = ["view", "recοrd"]', 12),
        ('sinks = ["view", "record"]', 'sinks = "view"', 12),
        ('sinks = ["view", "record"]', "sinks = []", 12),
        ('sinks = ["view", "record"]', 'sink = ["view"]', 12),
        ('purposes = ["research"]', 'purposes = ["Research"]', 13),
        ('levels = ["RAW"]', "levels = [0]", 16),
        ('subjects = ["S9"]', 'subjects = ["Ѕ9"]', 17),
        ('setting = "clinic"', 'setting = "clinique"', 20),
        ('setting = "clinic"', "safety = 1", 20),
        ('approval = "EK 2026/7"', "limits = { mA = 0 }", 21),
    ],
)
def test_what_a_policy_does_not_know_rejects_it_with_its_line(old, new, line):
    assert old in FULL
    with pytest.raises(WrongUse, match=rf"policy, line {line}: "):
        parsed(FULL.replace(old, new))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version",
        "version = 1\n[[permit]]",
        "x" * 64001,
        "version = 1\npermit = 3",
        "version = 1\nmanifest = 1",
        "[" * 9999,
        "version = 1\n" + '[[forbid]]\nsinks = ["lsl"]\n' * 201,
    ],
    ids=range(8),
)
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(WrongUse):
        parsed(text)


def test_what_moves_needs_signed_limits_of_its_own_where_the_policy_says_so():
    gate = Gate()
    gate.consent.use_policy("version = 1\nsigned = true\n")
    gate.consent.grant("S1", "research", ["effector"])
    gate.decide("effector", S1, Console())  # nothing moves
    with pytest.raises(NotConsented, match="signed limits"):
        gate.decide("effector", S1, Drones())
    gate.decide("effector", S1, Drones(limits="mine.toml"))  # which is refused when it is read, if it is not signed


def test_a_forbid_wins_whatever_the_order_of_the_rules():
    rules = ['[[permit]]\nsinks = ["view"]\n', '[[permit]]\nlevels = ["RAW"]\n', '[[forbid]]\nsubjects = ["S1"]\n']
    for order in product(rules, repeat=3):
        if rules[2] in order:
            assert rule(policy=parsed("version = 1\n" + "".join(order))) == "policy"
    decided(policy=parsed("version = 1\n" + rules[0]))
    assert rule("record", policy=parsed("version = 1\n" + rules[0])) == "policy"


def test_a_permit_holds_for_all_in_the_data_a_forbid_for_one():
    both = replace(S1, inferences=frozenset({"movement", "speech"}))
    only = parsed('version = 1\n[[permit]]\ninferences = ["movement"]\n')
    assert rule(label=both, policy=only) == "policy"
    assert rule(label=both, policy=parsed('version = 1\n[[forbid]]\ninferences = ["speech"]\n')) == "policy"


def test_versions_only_grow_and_a_person_s_policy_narrows():
    consent = Consent()
    consent.grant("S1", "research", ["view", "record"])
    consent.use_policy("version = 2\n")
    for text in ("version = 2\nplain = false\n", "version = 1\n"):
        with pytest.raises(WrongUse, match="only grow"):
            consent.use_policy(text)
    for text in ('version = 1\n[[permit]]\nsinks = ["lsl"]\n', "version = 1\ntier = 1\n"):
        with pytest.raises(WrongUse, match="narrow"):
            consent.use_policy(text, "S1")
    Gate().check("record", S1)
    consent.use_policy('version = 1\n[[forbid]]\nsinks = ["record"]\n', "S1")
    Gate().check("view", S1)
    with pytest.raises(NotConsented, match="forbids it"):
        Gate().check("record", S1)


def test_a_policy_shortens_grants_and_sealed_recordings_can_be_demanded():
    consent = Consent()
    consent.use_policy("version = 1\nplain = false\n[limits]\ngrant_days = 2\n")
    (g,) = consent.grant("S1", "research", ["record"])
    assert g.expires - g.when == pytest.approx(2 * 86400)
    assert rule("record", policy=Policy(plain=False), sealed=False) == "sealed"
    decided("record", policy=Policy(plain=False), sealed=True)


# -- grants


def test_only_who_knows_the_passphrase_signs_and_the_operator_reaches_local_sinks_alone():
    consent = Consent()
    with pytest.raises(NotConsented, match="no passphrase yet"):
        consent.grant("S1", "research", ["lsl"], passphrase="an orange horse")
    consent.enrol("S1", "an orange horse")
    with pytest.raises(NotConsented, match="not the passphrase"):
        consent.grant("S1", "research", ["lsl"], passphrase="another horse")
    with pytest.raises(NotConsented, match="not the passphrase"):
        consent.enrol("S1", "the operator's own")
    with pytest.raises(WrongUse, match="8 characters"):
        consent.enrol("S2", "short")
    with pytest.raises(NotConsented, match="Only S1"):
        consent.grant("S1", "research", ["view", "lsl"])
    assert consent.grants() == ()
    (g,) = consent.grant("S1", "research", ["lsl"], passphrase="an orange horse")
    assert g.by == "person"
    for kind in LEAVING:
        assert rule(kind, by="operator") in ("no grant", "red line: raw-leaves")
    for kind in LOCAL:
        decided(kind, by="operator")


def test_a_minor_s_guardian_signs_and_nobody_else():
    consent = Consent()
    consent.enrol("C1", "guardian's words", guardian="G1")
    with pytest.raises(NotConsented, match="minor"):
        consent.grant("C1", "clinical", ["view"])
    (g,) = consent.grant("C1", "clinical", ["view"], passphrase="guardian's words")
    assert g.by == "guardian"


def test_a_grant_of_decisions_does_not_let_the_signal_out():
    assert rule("lsl", level="DECISION") == "no grant"
    decided("lsl", replace(S1, level=Level.DECISION), level="DECISION")


# -- red lines and classes

CROSSED = {
    "mental-state": {
        "label": replace(S1, inferences=frozenset({"emotion"})),
        "policy": Policy(manifest=Manifest(setting="work", approver="X")),
    },
    "identification": {"label": replace(S1, inferences=frozenset({"identity"}))},
    "stimulation": {
        "kind": "effector",
        "policy": Policy(manifest=Manifest(direction="write", stop="button")),
        "stopped": True,
    },
    "minors": {"policy": Policy(manifest=Manifest(population="minors"))},
    "manipulation": {"policy": Policy(manifest=Manifest(technique="subliminal"))},
    "dependence": {"policy": Policy(manifest=Manifest(population="employees"))},
    "memory-probe": {"label": replace(S1, inferences=frozenset({"recognition-memory"}))},
    "force": {"policy": Policy(manifest=Manifest(effector="weapon"))},
    "no-stop": {
        "kind": "effector",
        "policy": Policy(manifest=Manifest(direction="closed-loop", stop="button", limits={"mA": 1.0})),
    },
    "raw-leaves": {"kind": "lsl", "by": "operator"},
}


@pytest.mark.parametrize("name", [line.name for line in RED_LINES])
def test_a_red_line_holds_against_consent_and_policy(name):
    if name == "raw-leaves":  # also refused before, for want of a signed grant
        g = grant(sinks=("lsl",), by="operator")
        assert crossed(Ask("lsl", S1, "research", Manifest(), (g,))).name == name
    else:
        assert rule(**CROSSED[name]) == f"red line: {name}"


def test_every_manifest_has_one_class_and_its_obligations():
    """All words of all that decides: 4 x 3 x 5 x 6 x 4 x 10."""
    grave = ("observing", "moving", "protected", "acting", "implanted")
    words = [WORDS[k] for k in ("invasiveness", "direction", "purpose", "population", "autonomy", "effector")]
    for i, d, p, who, a, e in product(*words):
        name, owed = classify(Manifest(i, d, p, population=who, autonomy=a, effector=e))
        assert name in grave and "consent" in owed and set(owed) <= set(OBLIGATIONS)
        implanted, acts = i != "non-invasive", d != "read"
        protected = who != "adults" or p == "clinical"
        moves = a in ("shared", "full") or e in ("prosthesis", "wheelchair", "exoskeleton", "robot", "drone")
        assert (name == "implanted") == implanted
        assert (name == "acting") == (acts and not implanted)
        assert (name == "protected") == (protected and not acts and not implanted)
        assert (name == "moving") == (moves and not (protected or acts or implanted))
        assert ("stop" in owed) == (acts or moves) and ("limits" in owed) == acts
        assert ("tier-2" in owed) == implanted and ("sealed" in owed) == ("approval" in owed) == (implanted or protected)
        assert ("approver" in owed) == (who in ("employees", "students", "detainees"))


@pytest.mark.parametrize("missing", ["own-signature", "approval", "limits", "sealed", "tier-2"])
def test_an_obligation_that_is_not_met_refuses(missing):
    m = Manifest("invasive", "write", purpose="clinical", approval="EK 1", limits={"mA": 1.0}, stop="button")
    made = {"kind": "view", "policy": Policy(plain=False, tier=2, manifest=m), "stopped": True, "by": "person"}
    decided(**made)
    change = {
        "own-signature": {"by": "operator"},
        "approval": {"policy": replace(made["policy"], manifest=replace(m, approval=""))},
        "limits": {"policy": replace(made["policy"], manifest=replace(m, limits={}))},
        "sealed": {"policy": replace(made["policy"], plain=True)},
        "tier-2": {"policy": replace(made["policy"], tier=1)},
    }[missing]
    assert rule(**{**made, **change}) == f"obligation: {missing}"


def test_what_acts_opens_only_after_its_stop_was_exercised():
    gate = Gate()
    gate.consent.use_policy('version = 1\n[manifest]\neffector = "wheelchair"\nstop = "red button"\n')
    gate.consent.grant("S1", "research", ["effector", "view"])
    gate.check("view", S1)
    with pytest.raises(NotConsented, match="stop control"):
        gate.check("effector", S1)
    gate.stop_exercised()
    gate.check("effector", S1)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (S1, "for research; not for medical purposes"),
        (replace(S1, purposes=frozenset({"clinical"})), "for clinical"),
        (Label(simulated=True), "a simulation; not for medical purposes"),
        (Label(), "not for medical purposes"),
    ],
)
def test_for_what_it_may_be_used_is_said(label, said):
    assert use(label) == said


# -- nonsense

JUNK = [
    None,
    0,
    1,
    -1,
    True,
    False,
    "",
    "x!",
    "VIEW",
    " view",
    "view\x00",
    "viеw",
    b"view",
    3.5,
    float("nan"),
    float("inf"),
    (),
    [],
    {},
    object(),
    lambda *a: True,
    type("S", (str,), {})("view"),
    ["view"],
    {"view"},
    10**400,
    "�",
    Exception("x"),
    ...,
]


class Yes:
    """Says yes to everything."""

    def __getattr__(self, name):
        return self

    def __call__(self, *a, **k):
        return True

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("view")

    def __contains__(self, x):
        return True

    def __bool__(self):
        return True

    def __le__(self, other):
        return True

    __lt__ = __gt__ = __ge__ = __le__


RIGHT = {"recorded": (True, False), "when": (3.5,), "expires": (None,)}  # nonsense that is none there
PARTS = (
    *(("ask", name) for name in ("kind", "label", "purpose", "facts")),
    *(("label", name) for name in ("level", "inferences", "subjects", "purposes", "expires", "recorded")),
    *(("grant", name) for name in ("subject", "purpose", "sinks", "when", "expires", "by", "level")),
    *(("facts", name) for name in ("now", "grants", "policy")),
)


def malformed(rng, junk):
    """What would be allowed, with one part or more replaced by nonsense."""
    kind = rng.choice(SINKS)
    label, its, facts, ask = {}, {}, {}, {}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        whose, name = rng.choice(PARTS)
        bad = rng.choice(junk)
        while any(bad is right for right in RIGHT.get(name, ())):
            bad = rng.choice(junk)
        if name in ("inferences", "subjects", "purposes") and rng.random() < 0.5:
            try:
                bad = frozenset({bad})
            except TypeError:
                bad = frozenset({3})
        {"ask": ask, "label": label, "grant": its, "facts": facts}[whose][name] = bad
    given = replace(Facts(NOW, (grant(sinks=(kind,), **its) if "sinks" not in its else grant(**its),)), **facts)
    return {"kind": kind, "label": replace(S1, **label), "purpose": "research", "facts": given, **ask}


def fuzz(n, seed=0):
    """Requests with a malformed part that were allowed."""
    rng, junk, through = random.Random(seed), [*JUNK, Yes()], []
    for _ in range(n):
        ask = malformed(rng, junk)
        try:
            judge(**ask)
        except Exception:
            continue
        through.append(ask)
    return through


def test_nothing_malformed_is_ever_allowed():
    decided()
    assert fuzz(10_000) == []


@pytest.mark.soak
def test_nothing_malformed_is_ever_allowed_a_million_times():
    assert fuzz(1_000_000 if os.environ.get("BCIKIT_SOAK") else 20_000, 1) == []


@pytest.mark.parametrize("board", ["lsl --opt name=EEG", "synthetic --markers lsl:Markers"])
def test_streams_of_the_network_are_read_by_pinned_ids_alone_where_the_policy_says_so(board, capsys):
    Consent().use_policy('version = 1\npeers = ["amp-1"]\n')
    Consent().grant("S1", "research", ["view"])
    assert cli.main(f"stream --board {board} --json --seconds 1 --subject S1".split()) == 3
    assert "source_id=amp-1" in capsys.readouterr().err
