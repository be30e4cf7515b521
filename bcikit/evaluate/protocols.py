"""Protocols: which trials train and which test; in the form of the papers (offline) and as it would be live (causal)."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.pipeline import Pipeline, build
from ..core.stream import Chunk, Event, Recording
from ..decode._decoder import Decoder
from ..preprocess.epoch import number
from ._line import cut_causal, cut_offline
from .data import Cut, Run

PROTOCOLS = ("within", "next-run", "cross-session", "cross-subject", "transfer", "asynchronous")
FOLDS = 5
FIRST = 0.7  # the share of a single run that trains

Trials = dict[int, np.ndarray]  # {number of the run: its trials}


@dataclass(frozen=True)
class Split:
    """Trials of runs that train, and those that test."""

    name: str
    train: Trials
    test: Trials


@dataclass
class Scored:
    """What a decoder said of the scored test trials of one split: y (trials,) classes, p (trials, classes)."""

    subject: str
    split: str
    classes: list[str]
    y: list[str]
    p: list[list[float]]
    last: list[bool] = field(default_factory=list)  # of the last part, where the card asks for its score too
    trained: int = 0  # how many trials trained


def splits(protocol: str, form: str, runs: Sequence[Run], subject: str, sizes: Sequence[np.ndarray]) -> list[Split]:
    """The splits of one person. sizes: for each run, the classes of its trials. Raises WrongUse where the data set has too
    few runs, sessions or people for the protocol."""
    told = runs[0].card.trials
    own = [i for i, r in enumerate(runs) if r.subject == subject]
    everything = {i: np.arange(len(sizes[i])) for i in range(len(runs))}
    if protocol == "cross-subject":
        others = {i: everything[i] for i, r in enumerate(runs) if r.subject != subject}
        if not others:
            raise WrongUse("cross-subject needs at least two people.", f"Here is {subject} alone.")
        return [Split(runs[i].name, others, {i: everything[i]}) for i in own]
    if protocol == "transfer":
        return [Split(runs[i].name, {}, {i: everything[i]}) for i in own]
    if protocol == "next-run":
        if len(own) < 2:
            raise WrongUse(f"next-run needs two runs of a person; {subject} has one.", do="Use --protocol within.")
        return [Split(runs[i].name, {j: everything[j] for j in own[:k]}, {i: everything[i]}) for k, i in enumerate(own) if k]
    sessions = list(dict.fromkeys(runs[i].session for i in own))
    if protocol == "cross-session":
        if len(sessions) < 2:
            raise WrongUse(f"cross-session needs two sessions of a person; {subject} has one.", do="Use next-run or within.")
        return [
            Split(runs[i].name, {j: everything[j] for j in own if runs[j].session != runs[i].session}, {i: everything[i]})
            for i in own
        ]
    found: list[Split] = []
    for session in sessions:
        here = [i for i in own if runs[i].session == session and runs[i].run not in told.get("holdout", ())]
        if form == "offline" or told.get("independent"):
            found += _folds(f"{subject} fold", here, sizes, shuffled=told.get("target") is None)
        elif len(here) > 1:
            found += [Split(runs[i].name, {j: everything[j] for j in here if j != i}, {i: everything[i]}) for i in here]
        else:
            for i in here:
                border = round(FIRST * len(sizes[i]))
                found.append(Split(runs[i].name, {i: everything[i][:border]}, {i: everything[i][border:]}))
    return found


def _folds(name: str, runs: Sequence[int], sizes: Sequence[np.ndarray], shuffled: bool, seed: int = 0) -> list[Split]:
    """Five folds over all trials of the runs: shuffled and stratified, or stretches of time where trials overlap."""
    where = [(i, k) for i in runs for k in range(len(sizes[i]))]
    y = np.array([sizes[i][k] for i, k in where])
    fold = np.empty(len(y), int)
    if shuffled:
        rng = np.random.default_rng(seed)
        for label in np.unique(y):
            mine = rng.permutation(np.flatnonzero(y == label))
            fold[mine] = (np.arange(len(mine)) + rng.integers(FOLDS)) % FOLDS
    else:
        fold[:] = np.arange(len(y)) * FOLDS // len(y)

    def some(chosen: np.ndarray) -> Trials:
        picked = [w for w, c in zip(where, chosen, strict=True) if c]
        return {i: np.array([k for j, k in picked if j == i], int) for i in dict.fromkeys(i for i, _ in picked)}

    return [Split(f"{name} {f + 1}", some(fold != f), some(fold == f)) for f in range(FOLDS) if (fold == f).any()]


class Cuts:
    """Trials of runs, cut once for each line and form, and kept, up to `most` bytes of them."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.kept: dict[str, Cut] = {}
        self.most = most

    def of(self, line: Pipeline, run: Run, form: str) -> Cut:
        recipe = line.recipe()["stages"][:-1]
        key = json.dumps([recipe, str(run.path), run.options, form], default=str)
        if key in self.kept:
            self.kept[key] = self.kept.pop(key)  # the one used last is the last to go
        else:
            how = cut_offline if form == "offline" else cut_causal
            self.kept[key] = how(line, run.recording)
            while len(self.kept) > 1 and sum(c.X.nbytes for c in self.kept.values()) > self.most:
                del self.kept[next(iter(self.kept))]
        return self.kept[key]


def score_subject(
    line: Pipeline,
    runs: Sequence[Run],
    subject: str,
    protocol: str,
    form: str,
    cuts: Cuts,
    trained: Decoder | None = None,
    share: float = 1.0,
    feedback: bool = False,
) -> list[Scored]:
    """All splits of one person: trained (unless a trained decoder is given) on the first `share` of each split's training
    trials, and stepped through the test trials; with `feedback`, each trial's class is told behind it. A split in which so
    few trials lack a class is left out."""
    told = runs[0].card.trials
    own = runs if protocol == "cross-subject" else [r for r in runs if r.subject == subject]
    cut = [cuts.of(line, run, form) for run in own]
    known = set(told.get("scored") or {str(y) for c in cut for y in c.y})
    some(own, cut)
    scored: list[Scored] = []
    for split in splits(protocol, form, own, subject, [c.y for c in cut]):
        train = beginning(split.train, share)
        if share < 1 and not known <= {str(y) for i, k in train.items() for y in cut[i].y[k]}:
            continue
        decoder = trained or fit(line, own, cut, train, told.get("scored"))
        for i, wanted in split.test.items():
            p = stepped(decoder, cut[i], wanted, feedback)
            y = cut[i].y[wanted]
            counts = np.isin(y, decoder.classes_)
            last = wanted >= round((1 - told.get("last", 1.0)) * len(cut[i].y))
            classes = [str(c) for c in decoder.classes_]
            n = sum(map(len, train.values()))
            its = Scored(subject, split.name, classes, y[counts].tolist(), p[counts].tolist(), last[counts].tolist(), n)
            if scored and scored[-1].split == split.name:  # a fold over several runs
                scored[-1] = Scored(
                    subject, split.name, classes, scored[-1].y + its.y, scored[-1].p + its.p, scored[-1].last + its.last, n
                )
            else:
                scored.append(its)
    return scored


def some(runs: Sequence[Run], cut: Sequence[Cut]) -> None:
    """Raises WrongUse where no run has a trial."""
    if any(len(c.y) for c in cut):
        return
    its = [f"{number(e.name)}={number(e.value)}" if e.value is not None else e.name for e in runs[0].recording.events]
    there = ", ".join([*dict.fromkeys(its)][:8]) or "no event"
    raise WrongUse(
        f"No trial is in the recordings of {', '.join(dict.fromkeys(r.subject for r in runs))}.",
        f"Trials begin at {', '.join(runs[0].epoch().events)}; {runs[0].name} has {there}.",
        "Write [trials] events of the card as the recording has them.",
    )


def beginning(train: Trials, share: float) -> Trials:
    """The first `share` of the trials, in the order of the runs."""
    left = round(share * sum(map(len, train.values())))
    kept = {}
    for i, k in train.items():
        if left > 0:
            kept[i], left = k[:left], left - len(k)
    return kept


def fit(line: Pipeline, runs: Sequence[Run], cut: Sequence[Cut], train: Trials, classes: Any = None) -> Decoder:
    """The line's decoder, made anew and trained on these trials, in the order of the runs."""
    decoder = build(line.stages[-1].recipe())
    assert isinstance(decoder, Decoder)
    X = np.concatenate([cut[i].X[k] for i, k in train.items()])
    y = np.concatenate([cut[i].y[k] for i, k in train.items()])
    groups = np.concatenate([np.full(len(k), i) for i, k in train.items()])
    wanted = np.isin(y, list(classes)) if classes else np.ones(len(y), bool)
    return decoder.fit(X[wanted], y[wanted], stream=cut[next(iter(train))].stream, groups=groups[wanted])


def stepped(decoder: Decoder, cut: Cut, wanted: np.ndarray, feedback: bool = False) -> np.ndarray:
    """(wanted trials, classes): probabilities as the decoder gives them when it steps through trials of a run. Folds that
    were shuffled are stepped in the order recorded."""
    order = np.sort(wanted)
    return stepping(decoder, cut, order, feedback).data[np.searchsorted(order, wanted)]


def stepping(decoder: Decoder, cut: Cut, order: np.ndarray, feedback: bool = False) -> Recording:
    """What the decoder says of these trials, its state carried from one to the next. It may learn from the trials, but from
    their labels only with `feedback`, each behind its own trial; what it learns here it forgets."""
    decoder = copy.copy(decoder)
    s = cut.stream.but(rate=0.0, shape=cut.X.shape[1:])
    events = [Event(k, "trial") for k in range(len(order))]
    if feedback:  # by its name, for decoders that take the event for a label, and as what it was
        told = [(k, str(cut.y[i])) for k, i in enumerate(order)]
        events = [e for k, name in told for e in (Event(k, name), Event(k, "was", name))]
    trials = Recording(s, (Chunk(cut.X[order], 0, np.arange(len(order), dtype=float), tuple(events)),))
    return Pipeline([decoder]).run(trials)
