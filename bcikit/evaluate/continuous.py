"""Continuous decoding: what is commanded while nobody says when a trial begins (`--protocol asynchronous`).

The decoder is trained on trials and, where none of their classes is rest, on the pause before each as rest (a window about
its middle); then it looks at a window that moves on by `HOP_S`. A command is given when one class has been sure enough for
long enough; how sure and how long (the `Rule`) is chosen on training data alone, where it gives most bits a minute. In the
time of a trial (from its cue, for as long as the card says that it `lasts`, else until the window that training would cut is
over) its class is wanted; at all other times, and in trials of rest, every command is a false positive. A command belongs to
the moment that it tells of: when it is given, less the stated delay (half a window). Its latency is counted from the cue to
when it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.pipeline import Pipeline
from ..core.stream import Event, Recording
from ..decode._decoder import Decoder
from ..decode.stopping import bits
from ..preprocess.epoch import Epoch
from ..preprocess.window import Window
from ._line import cut_causal, cut_offline, looked_both_ways, parted
from .data import Cut, Run
from .protocols import FIRST, Cuts, Split, Trials, fit, splits
from .statistics import DRAWS

HOP_S = 0.1
REST = ("rest", "idle", "nothing")  # classes that ask for no command, where the card does not say
SURE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
DWELL_S = (0.1, 0.3, 0.6, 1.0)
METRIC = "bits per minute"


@dataclass(frozen=True)
class Rule:
    """A class commands when its probability was at least `sure` for `dwell` s; then nothing commands for `pause` s, in
    which the window leaves behind what it has told of."""

    sure: float
    dwell: float
    pause: float


@dataclass
class Watched:
    """What was commanded in the test part of one split. classes: those that command. Of each stretch of time: `wanted`, the
    number of the class or -1 for none; `given`, the numbers of the classes commanded; its `seconds`; and `latency` of the
    first command behind the cue (s)."""

    subject: str
    split: str
    classes: list[str]
    rule: dict[str, float]
    wanted: list[int]
    given: list[list[int]]
    seconds: list[float]
    latency: list[float | None]


def watch_subject(line: Pipeline, runs: Sequence[Run], subject: str, form: str, cuts: Cuts) -> list[Watched]:
    """All splits of one person (runs left out in turn, or the end of a single one), continuously."""
    told = runs[0].card.trials
    if told.get("target") or told.get("independent"):
        raise WrongUse(
            f"{runs[0].card.name} cannot be decoded continuously.",
            "Its trials are flashes that are compared, or were cut out before.",
            "Use --protocol within.",
        )
    own = [r for r in runs if r.subject == subject]
    cut = [cuts.of(line, run, form) for run in own]
    rested = Rested(line, own, cut, form)
    found = []
    for split in splits("within", "causal", own, subject, [c.y for c in cut]):
        inner = _inner(split.train)
        first = rested.fit(inner.train)
        seen = [_seen(line, first, own[i], form, k, inner.train.get(i)) for i, k in inner.test.items()]
        last = rested.fit(split.train)
        commands = _commands(last, told)
        rules = [Rule(*r, pause=own[0].epoch().length) for r in product(SURE, DWELL_S)]
        scores = [_rate([w for s in seen for w in [_watched(s, commands, r, subject, "")]]) for r in rules]
        rule = rules[int(np.argmax(scores))]
        for i, k in split.test.items():
            one = _seen(line, last, own[i], form, k, split.train.get(i))
            found.append(_watched(one, commands, rule, subject, split.name))
    return found


class Rested:
    """Trials of runs and the pauses before them, which a decoder of `line` learns as rest where no class is."""

    def __init__(self, line: Pipeline, runs: Sequence[Run], cut: Sequence[Cut], form: str = "causal") -> None:
        told = runs[0].card.trials
        self.line, self.runs, self.sizes = line, runs, [len(c.y) for c in cut]
        known = told.get("scored") or sorted({str(y) for c in cut for y in c.y})
        self.classes, self.cut = list(known), list(cut)
        self.pauses = told.get("rest") not in known and not set(REST) & set(known)
        if not self.pauses:
            return
        self.rest = told.get("rest", REST[0])
        self.classes.append(self.rest)
        for i, run in enumerate(runs):
            c, p, n = cut[i], self._pauses(run, form), self.sizes[i]
            self.cut[i] = Cut(np.concatenate([c.X, p.X[:n]]), np.concatenate([c.y, p.y[:n]]), c.stream)

    def fit(self, train: Trials) -> Decoder:
        with_pauses = {i: np.concatenate([k, k + self.sizes[i]]) for i, k in train.items()}
        with_pauses = {i: k[k < len(self.cut[i].y)] for i, k in with_pauses.items()}
        return fit(self.line, self.runs, self.cut, with_pauses, self.classes)

    def _pauses(self, run: Run, form: str) -> Cut:
        """A window about the middle of the pause before each trial; before the first, one that ends with its cue."""
        front, _, behind, decoder = parted(self.line)
        length, recording, its = run.epoch().length, run.recording, timeline(run)
        ends = [its[0][0] - length, *(end for _, end, _ in its)] if its else []
        middles = [(end + begin) / 2 for end, (begin, _, _) in zip(ends, its, strict=False)]
        span = decoder.span(-length / 2, length) if hasattr(decoder, "span") else (-length / 2, length)
        epoch = Epoch(events=(f"pause:{self.rest}",), after=span[0], length=span[1])
        events = tuple(Event(m * recording.stream.rate, "pause") for m in middles)
        chunks = tuple(c.but(events=events if i == 0 else ()) for i, c in enumerate(recording.chunks))
        how = cut_offline if form == "offline" else cut_causal
        return how(Pipeline([*front, epoch, *behind, decoder]), Recording(recording.stream, chunks, recording.info))


def timeline(run: Run) -> list[tuple[float, float, str]]:
    """(begin, end, class) of each trial of a run: seconds on its own index."""
    trial, told, rate = run.epoch(), run.card.trials, run.recording.stream.rate
    trial.start(run.recording.stream)
    begins = sorted((e.index / rate, m) for e in run.recording.events if (m := trial.meaning(e)))
    lasts = told.get("lasts", trial.after + trial.length)
    after = [*(b for b, _ in begins[1:]), float("inf")]
    return [(b, min(b + lasts, a), m) for (b, m), a in zip(begins, after, strict=True)]


def _inner(train: Trials) -> Split:
    """Training data parted again, to choose the rule: the last run, or the end of the only one."""
    *before, last = train
    if before:
        return Split("", {i: train[i] for i in before}, {last: train[last]})
    border = round(FIRST * len(train[last]))
    return Split("", {last: train[last][:border]}, {last: train[last][border:]})


def _commands(decoder: Decoder, told: Any) -> list[str]:
    rest = {told["rest"]} if "rest" in told else set(REST)
    return [str(c) for c in decoder.classes_ if str(c) not in rest]


@dataclass
class _Seen:
    """Of one run: probabilities p (windows, classes) at times t (s), and its trials (begin, end, class) among `span`."""

    t: np.ndarray
    p: np.ndarray
    classes: list[str]
    trials: list[tuple[float, float, str]]
    span: tuple[float, float]
    delay: float


def _seen(line: Pipeline, decoder: Decoder, run: Run, form: str, test: np.ndarray, train: Any) -> _Seen:
    """The whole run through the line with a moving window in place of trials."""
    recording = timed(run.recording)
    front, epoch, behind, _ = parted(line)
    if form == "offline":
        front, recording = [], timed(looked_both_ways(front, recording))
    out = Pipeline([*front, Window(length=epoch.settings()["length"], hop=HOP_S), *behind, decoder]).run(recording)
    trials = timeline(run)
    delay, classes = out.stream.delay, [str(c) for c in decoder.classes_]
    span = (float(out.time[0]) - delay, float(out.time[-1]) - delay) if len(out.data) else (0.0, 0.0)
    if train is not None:
        trials = [trials[k] for k in test if k < len(trials)]
        span = (trials[0][0], trials[-1][1])
    return _Seen(out.time, out.data, classes, trials, span, delay)


def timed(r: Recording) -> Recording:
    """The recording with its own index as its clock: sample i at i / rate seconds."""
    return Recording(r.stream, tuple(c.but(time=(c.end - 1) / r.stream.rate) for c in r.chunks), r.info)


def commanded(t: np.ndarray, p: np.ndarray, rule: Rule, commands: Sequence[int]) -> list[tuple[float, int]]:
    """(time, class) of each command. p (windows, classes); commands: which classes can command. NaN commands nothing."""
    best = np.where(np.isfinite(p).all(axis=1), np.argmax(np.nan_to_num(p), axis=1), -1)
    sure = np.isin(best, commands) & (np.nan_to_num(p).max(axis=1) >= rule.sure)
    need = max(round(rule.dwell / HOP_S), 1)
    given, held, before, free = [], 0, -1, -np.inf
    for time, which, yes in zip(t, best, sure, strict=True):
        held = (held + 1 if which == before else 1) if yes and time >= free else 0
        before = which
        if held == need:
            given.append((float(time), int(which)))
            held, free = 0, time + rule.pause
    return given


def _watched(s: _Seen, commands: list[str], rule: Rule, subject: str, split: str) -> Watched:
    numbers = [s.classes.index(c) for c in commands if c in s.classes]
    given = [(time - s.delay, commands.index(s.classes[k])) for time, k in commanded(s.t, s.p, rule, numbers)]
    w = Watched(subject, split, commands, vars(rule).copy(), [], [], [], [])
    at = s.span[0]
    for begin, end, meaning in [*s.trials, (s.span[1], s.span[1], "")]:
        begin, end = np.clip((begin, end), *s.span)
        if begin > at:
            _stretch(w, at, begin, -1, given, s.delay)
        if end > begin and meaning in s.classes:
            _stretch(w, begin, end, commands.index(meaning) if meaning in commands else -1, given, s.delay)
        at = max(at, end)  # what is neither scored nor rest is left out
    return w


def _stretch(w: Watched, begin: float, end: float, wanted: int, given: list[tuple[float, int]], delay: float) -> None:
    its = [(time, k) for time, k in given if begin <= time < end]
    w.wanted.append(wanted)
    w.given.append([k for _, k in its])
    w.seconds.append(float(end - begin))
    w.latency.append(float(its[0][0] + delay - begin) if its else None)


def _counts(watched: Sequence[Watched], labels: np.ndarray | None = None) -> np.ndarray:
    """(stretches, 4): right, wrong and false commands, and seconds. The first command of a trial answers it; a later one
    of the same class repeats it."""
    wanted = np.array([k for w in watched for k in w.wanted]) if labels is None else labels
    given = [g for w in watched for g in w.given]
    seconds = [s for w in watched for s in w.seconds]
    table = np.zeros((len(wanted), 4))
    for row, k, g, s in zip(table, wanted, given, seconds, strict=True):
        right = int(k >= 0 and bool(g) and g[0] == k)
        row[:] = right, sum(x != k for x in g) if k >= 0 else 0, len(g) if k < 0 else 0, s
    return table


def _bits(totals: np.ndarray, classes: int) -> np.ndarray:
    """totals (..., 4) as of `_counts`, added up -> bits a minute of what was commanded."""
    given = totals[..., :3].sum(axis=-1)
    share = totals[..., 0] / np.maximum(given, 1)
    return given * bits(share, max(classes, 2)) / np.maximum(totals[..., 3] / 60, 1e-9)


def _rate(watched: Sequence[Watched]) -> float:
    """Bits a minute; where no rule gives any, the one that commands least is taken."""
    totals = _counts(watched).sum(axis=0)
    return float(_bits(totals, len(watched[0].classes))) - 1e-6 * float(totals[1:3].sum())


def summary(watched: Sequence[Watched], seed: int = 0) -> dict[str, Any]:
    """As `statistics.summary`, the score being bits a minute over all of a person's time (intervals: stretches drawn anew,
    and people where there are five or more; chance: the wanted classes shuffled among trials), and beside it
    false_positives_per_minute (of the time in which nothing was wanted), latency_s (median, of the right ones), hits and
    wrong (commands for each trial), minutes and the rules."""
    rng = np.random.default_rng(seed)
    n = len(watched[0].classes)
    people: dict[str, list[Watched]] = {}
    for w in watched:
        people.setdefault(w.subject, []).append(w)
    tables = {who: _counts(its) for who, its in people.items()}
    per = {who: float(_bits(t.sum(axis=0), n)) for who, t in tables.items()}
    drawn = [rng.multinomial(len(t), np.full(len(t), 1 / len(t)), DRAWS) for t in tables.values()]
    boot = np.array([_bits(times @ t, n) for times, t in zip(drawn, tables.values(), strict=True)])
    if len(people) >= 5:
        boot = np.take_along_axis(boot, rng.integers(len(people), size=boot.shape), axis=0)
    shuffled = np.mean([_by_chance(its, n, rng) for its in people.values()], axis=0)
    mean = float(np.mean(list(per.values())))
    table = np.concatenate(list(tables.values()))
    trials = np.array([k >= 0 for its in people.values() for w in its for k in w.wanted])
    minutes, idle = table[:, 3].sum() / 60, table[~trials, 3].sum() / 60
    of = [x for w in watched for x in zip(w.latency, w.wanted, w.given, strict=True)]
    right = [latency for latency, k, g in of if latency is not None and g[0] == k]
    confusion = np.zeros((n + 1, n + 1), int)
    for w in watched:
        for k, g in zip(w.wanted, w.given, strict=True):
            confusion[k, g[0] if g else -1] += 1
    worst = min(per, key=lambda who: per[who])
    return {
        "mean": mean,
        "per_subject": per,
        "ci": [float(q) for q in np.percentile(boot.mean(axis=0), [2.5, 97.5])],
        "worst": {worst: per[worst]},
        "spread": float(np.std(list(per.values()))),
        "chance": {"mean": float(shuffled.mean()), "p95": float(np.percentile(shuffled, 95))},
        "p": float((1 + (shuffled >= mean).sum()) / (1 + len(shuffled))),
        "per_split": {w.split: float(_bits(_counts([w]).sum(axis=0), n)) for w in watched},
        "classes": [*watched[0].classes, "nothing"],
        "confusion": confusion.tolist(),
        "trials": int(trials.sum()),
        "minutes": float(minutes),
        "idle_minutes": float(idle),
        "false_positives_per_minute": float(table[:, 2].sum() / max(idle, 1e-9)),
        "wrong": float(table[:, 1].sum() / max(trials.sum(), 1)),
        "hits": float(table[:, 0].sum() / max(trials.sum(), 1)),
        "latency_s": float(np.median(right)) if right else None,
        "rules": {w.split: w.rule for w in watched},
    }


def _by_chance(watched: Sequence[Watched], n: int, rng: np.random.Generator) -> np.ndarray:
    """(draws,) bits a minute with the wanted classes shuffled among the trials."""
    wanted = np.array([k for w in watched for k in w.wanted])
    trials = np.flatnonzero(wanted >= 0)
    drawn = np.empty(DRAWS // 5)
    for i in range(len(drawn)):
        wanted[trials] = rng.permutation(wanted[trials])
        drawn[i] = _bits(_counts(watched, wanted).sum(axis=0), n)
    return drawn
