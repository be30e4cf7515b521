"""A hand exoskeleton driven by imagined movement: recorded people replayed causally, and a simulated one who rests for long.

Every run is decoded by a default decoder that learnt from the person's runs before it. The simulated orthosis stands under
its supervisor, in lock-step; it closes while right is chosen, opens while left is, and comes back to its middle otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.label import SIMULATED, Label
from ..core.pipeline import Pipeline
from ..core.stream import Channel, Event, Recording, Stream, recording
from ..decode._decoder import Decoder
from ..decode.map.select import Select
from ..effectors.hand import Hand
from ..ethics.gate import Gate
from ..evaluate._line import cut_causal, line, parted
from ..evaluate.continuous import timed
from ..evaluate.data import trials
from ..evaluate.protocols import fit, splits, stepped
from ..preprocess.window import Window
from ..simulate.eeg import Person

HOP_S, DWELL_S, PAUSE_S = 0.2, 0.6, 1.0
SURE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
WAYS = {"right hand": 1, "left hand": -1, "idle": 0}  # closes, opens, rests
ACTS = {"right hand": "right", "left hand": "left", "idle": "rest"}
SPEED, MIDDLE, MOVED, PULL = 0.6, 0.5, 0.15, 2.0  # rad/s, rad, rad, 1/s
TRIAL_S, EVERY_S = 3.3, 5.3  # how long a trial counts from its cue, as it is cut; in simulation, from cue to cue
QUIET_S = 3.0  # so long before and behind a choice is driven; else the hand is at rest
SETTLE_S = 10.0
PEOPLE = [(seed, hands) for hands in (1.0, 4.0) for seed in (1, 2, 3)]  # of what it takes: seed, times the rhythms
PEOPLE_MIN, HALF, STRICT = 10.0, 0.5, (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # of rest; sensitivity; thresholds


@dataclass
class Seen:
    """One run: probabilities as they come (their time in s), and its trials (begin, end, class), all on the same clock."""

    out: Recording
    trials: list[tuple[float, float, str]]


def hand(root: str, rest_min: float = 30.0) -> Iterator[dict[str, Any]]:
    """A dict a figure. Raises FileTrouble where openbci-mi is not in `root`."""
    runs = trials("openbci-mi", Path(root).expanduser() / "openbci-mi")
    its, classes = line("default", runs), runs[0].card.trials["scored"]
    seen: dict[str, list[Seen]] = {r.subject: [] for r in runs}
    truth, best, moved = [], [], []
    for who in seen:
        own = [r for r in runs if r.subject == who]
        cuts = [cut_causal(its, r.recording) for r in own]
        for split in splits("next-run", "causal", own, who, [c.y for c in cuts]):
            decoder = fit(its, own, cuts, split.train, classes)
            for i, which in split.test.items():
                scored = np.isin(cuts[i].y, classes)
                said = decoder.classes_[np.argmax(stepped(decoder, cuts[i], which)[scored], axis=1)]
                truth += cuts[i].y[scored].tolist()
                best += said.tolist()
                moved += [_one(own[i].recording.stream.label, WAYS[str(s)]) for s in said]
                epoch, rate = own[i].epoch(), own[i].recording.stream.rate
                epoch.start(own[i].recording.stream)
                cues = [(e.index / rate, m) for e in own[i].recording.events if (m := epoch.meaning(e))]
                seen[who].append(_continuous(its, decoder, own[i].recording, cues))
    wanted = np.array([WAYS[y] for y in truth])
    right = np.array(truth) == np.array(best)
    done = np.array(moved) == wanted
    yield {"row": "recorded, a trial: decoder right", **_share(right)}
    yield {"row": "recorded, a trial: hand right", **_share(done), "trials that differ": int((right != done).sum())}
    yield from _curve("recorded", [run for ran in seen.values() for run in ran])
    yield from _curve("simulated", _simulated(its, classes, rest_min))
    for who, ran in seen.items():
        yield _takes(f"recorded, {who}", ran)
    for person, times in PEOPLE:
        yield _takes(f"simulated, {person}, rhythms x {times:g}", _simulated(its, classes, PEOPLE_MIN, person, times))


def _continuous(its: Pipeline, decoder: Decoder, r: Recording, cues: Sequence[tuple[float, str]]) -> Seen:
    """A run through the line with a moving window in place of trials."""
    front, epoch, behind, _ = parted(its)
    window = Window(length=epoch.settings()["length"], hop=HOP_S)
    out = Pipeline([*front, window, *behind, decoder]).run(timed(r))
    late = out.stream.delay  # a decision tells of the middle of its window
    return Seen(out, [(cue + late, cue + late + TRIAL_S, m) for cue, m in cues])


def _simulated(its: Pipeline, classes: Sequence[str], rest_min: float, seed: int = 0, hands: float = 1.0) -> list[Seen]:
    """A simulated person who learnt in one run, does a second, and rests. hands: times the usual rhythms of their areas."""
    names = its.stages[0].settings()["channels"]
    rng = np.random.default_rng(seed)
    person = Person(names, 125.0, seed, hands=hands)
    stream = Stream("simulated EEG", 125.0, tuple(Channel(n, "eeg", "µV") for n in names), label=SIMULATED)
    made = []
    for turns in (rng.permutation(np.repeat(classes, 20)), rng.permutation(np.repeat(classes, 20)), np.array([], str)):
        cues = [(SETTLE_S + EVERY_S * k, str(m)) for k, m in enumerate(turns)]
        for cue, m in cues:
            person.plan(person.at + round(cue * 125), ACTS[m])
            person.plan(person.at + round((cue + 3.0) * 125), "rest")
        lasts = SETTLE_S + EVERY_S * len(turns) if cues else 60 * rest_min + SETTLE_S
        x, _ = person.samples(round(lasts * 125))
        code = dict(zip(classes, ("1", "2", "3"), strict=True))
        events = [Event(round(cue * 125), "marker", code[m]) for cue, m in cues]
        made.append((recording(stream, x, events), cues or [(SETTLE_S, "idle")]))
    cut = cut_causal(its, made[0][0])
    decoder = fit(its, [], [cut], {0: np.arange(len(cut.y))}, classes)
    seen = [_continuous(its, decoder, r, cues) for r, cues in made[1:]]
    begin = seen[1].trials[0][0]
    seen[1].trials = [(begin, begin + 60 * rest_min, "idle")]
    return seen


# -- the hand


class Driven:
    """A hand under its supervisor that is told, every `HOP_S`, which way to go; it comes back to its middle else."""

    def __init__(self, label: Label) -> None:
        self.stream = Stream("way", 1 / HOP_S, (Channel("close", "velocity", "rad/s"),), label=label)
        self.hand = Hand(lockstep=True)
        self.permit = Gate().open(self.hand, self.stream)

    def to(self, index: int, way: int) -> float:
        """One command; where the hand is after it, rad from its middle."""
        here = self.hand.look().more["angle"] - MIDDLE
        speed = SPEED * way if way else float(np.clip(-PULL * here, -SPEED, SPEED))
        chunk = recording(self.stream, np.array([[speed]])).chunks[0]
        self.permit.send(chunk.but(first=index, time=index * HOP_S))
        return self.hand.look().more["angle"] - MIDDLE


def _one(label: Label, way: int) -> int:
    """Which way a hand at rest goes within a second when this is decided."""
    driven = Driven(label)
    try:
        for k in range(round((QUIET_S + 1.0) / HOP_S)):
            off = driven.to(k, way if k * HOP_S >= QUIET_S else 0)
    finally:
        driven.permit.close()
    return _way(off)


def _way(off: float) -> int:
    return int(np.sign(off)) if abs(off) > MOVED else 0


def _movements(s: Seen, sure: float) -> tuple[list[tuple[float, int]], int]:
    """(when, which way) of each movement of the hand, and how often something was chosen."""
    chooser = Select(on=sure, off=sure - 0.1, dwell=DWELL_S, pause=PAUSE_S, ignore=("idle",))
    chosen = Pipeline([chooser]).run(s.out)
    words = chosen.stream.alphabet
    ways = np.array([WAYS.get(words[int(k)], 0) for k in chosen.data[:, 0]])
    at, around = np.flatnonzero(ways), round(QUIET_S / HOP_S)
    driven, found, before = Driven(s.out.stream.label), [], 0
    try:
        for k in range(len(ways)):
            near = np.searchsorted(at, k - around) < np.searchsorted(at, k + around + 1)
            if near:
                now = _way(driven.to(k, int(ways[k])))
                if now and now != before:
                    found.append((float(chosen.time[k]), now))
                before = now
    finally:
        driven.permit.close()
    return found, int((np.diff(ways, prepend=0) != 0)[ways != 0].sum())


# -- figures


def _curve(who: str, seen: Sequence[Seen], thresholds: Sequence[float] = SURE) -> Iterator[dict[str, Any]]:
    """Of each threshold: the share of trials whose first movement was right, and movements a minute of rest."""
    from scipy.stats import chi2

    for sure in thresholds:
        hits, false, rest_s, chosen = [], 0, 0.0, 0
        for s in seen:
            moves, n = _movements(s, sure)
            chosen += n
            for begin, end, meaning in s.trials:
                its = [way for t, way in moves if begin <= t < end]
                if meaning not in WAYS:
                    continue
                if WAYS[meaning]:
                    hits.append(bool(its) and its[0] == WAYS[meaning])
                else:
                    false, rest_s = false + len(its), rest_s + end - begin
        minutes = rest_s / 60
        low = chi2.ppf(0.025, 2 * false) / 2 / minutes if false else 0.0
        high = chi2.ppf(0.975, 2 * false + 2) / 2 / minutes
        yield {
            "row": f"{who}, continuous, sure {sure:g}: sensitivity",
            "sure": sure,
            **_share(np.array(hits)),
            "false a minute of rest": {"mean": false / minutes, "ci": [low, high]},
            "minutes of rest": minutes,
            "movements": false,
            "choices": chosen,
        }


def _takes(who: str, seen: Sequence[Seen]) -> dict[str, Any]:
    """What it takes: how well a person's windows of imagery are told from those of rest (auc), how many of them tell the
    right side, and the movements at the strictest threshold that leaves half of the trials; else what is left at most."""
    auc, side = _told(seen)
    head = {"row": f"what it takes: {who}", "auc": auc, "side": side}
    curve = list(_curve("", seen, STRICT))
    kept = [row for row in curve if row["mean"] >= HALF]
    return {**(kept[-1] if kept else max(curve, key=lambda row: row["mean"])), **head}


def _told(seen: Sequence[Seen]) -> tuple[float, float]:
    """(AUC of the probability of rest, windows of rest against those of imagery; share of the latter in which the side that
    is imagined is the likelier one)."""
    from scipy.stats import mannwhitneyu

    rest: dict[bool, list[float]] = {True: [], False: []}
    sides: list[bool] = []
    for s in seen:
        names = [c.name for c in s.out.stream.channels]
        idle, left, right = (s.out.data[:, names.index(n)] for n in ("idle", "left hand", "right hand"))
        for begin, end, meaning in s.trials:
            inside = (s.out.time >= begin) & (s.out.time < end)
            if meaning in WAYS:
                rest[WAYS[meaning] == 0] += idle[inside].tolist()
            if WAYS.get(meaning):
                sides += ((right - left)[inside] * WAYS[meaning] > 0).tolist()
    auc = mannwhitneyu(rest[True], rest[False]).statistic / (len(rest[True]) * len(rest[False]))
    return float(auc), float(np.mean(sides))


def _share(right: np.ndarray) -> dict[str, Any]:
    from scipy.stats import binomtest

    low, high = binomtest(int(right.sum()), len(right)).proportion_ci(method="exact")
    return {"mean": float(right.mean()), "ci": [float(low), float(high)], "trials": len(right)}
