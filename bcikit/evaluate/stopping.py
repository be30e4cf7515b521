"""How long a window must be: bits a minute against its length, and where each trial stops as soon as it is sure enough.

For each length the decoder is trained and stepped anew on windows that begin alike, causally. Beside them stands the stage
`stopping` around it, as it would run live. How sure is enough for a person is what gave the other people the most bits a
minute: nothing of the person who is scored chooses it. One who is alone has what the stage learns on the training trials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.pipeline import Pipeline
from ..decode.stopping import SURE, Stopping, bits
from ..ethics.gate import Gate
from ._line import line
from .data import Run, trials
from .evaluate import only
from .protocols import Cuts, fit, score_subject, splits, stepping
from .statistics import arrays


def windows(
    data: str,
    root: str | Path | None,
    decoder: str,
    protocol: str = "within",
    lengths: Sequence[float] = (),
    classes: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """{windows: [{length_s, accuracy, bits_per_minute, from_cue}, ...], stopping: {the same, per_subject}, ratio and
    ratio_from_cue: its bits a minute beside those of the longest window}. A choice takes as long as its window; from the
    cue, what lies before that, too. lengths: s; without, eighths of the card's. Raises WrongUse, FileTrouble,
    NotConsented."""
    runs = trials(data, root)
    runs = only(runs, classes) if classes else runs
    gate = Gate()
    for run in runs:
        gate.check("train", run.recording.stream.label)
    people = list(dict.fromkeys(r.subject for r in runs))
    whole, begin = runs[0].epoch().length, max(runs[0].epoch().after, 0.0)
    lengths = sorted(lengths) or [whole * k / 8 for k in range(2, 9)]
    told: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {who: [] for who in people}  # of each length: right, how sure
    table, number = [], 0
    for done, length in enumerate(lengths):
        these = [_of_length(r, length) for r in runs]
        for who in people:
            own = these if protocol == "cross-subject" else [r for r in these if r.subject == who]
            pairs = [(s, *arrays(s)) for s in score_subject(line(decoder, own), own, who, protocol, "causal", Cuts())]
            number = len(pairs[0][0].classes)
            y, p = (np.concatenate(part) for part in zip(*((y, p) for _, y, p in pairs), strict=True))
            told[who].append((p.argmax(axis=1) == y, p.max(axis=1)))
        shares = [its[-1][0].mean() for its in told.values()]
        rates, late = ([_rate(share, length + wait, number) for share in shares] for wait in (0.0, begin))
        row = {"length_s": length, "accuracy": float(np.mean(shares)), "bits_per_minute": float(np.mean(rates))}
        table.append({**row, "from_cue": float(np.mean(late))})
        if progress:
            progress(done + 1, len(lengths) + 1, f"{length:g} s")
    per = {}
    for who in people:
        own = runs if protocol == "cross-subject" else [r for r in runs if r.subject == who]
        own = [_of_length(r, lengths[-1]) for r in own]
        others = [np.array([_rate(*_stopped(told[o], lengths, s), number) for s in SURE]) for o in people if o != who]
        sure = float(SURE[np.mean(others, axis=0).argmax()]) if others else 0.0
        shares = [length / lengths[-1] for length in lengths]
        its = line(Stopping(around=decoder, shares=tuple(shares), sure=round(sure, 4)), own)
        right, took = stopped(its, own, who, protocol)
        share, seconds = float(np.mean(right)), float(np.mean(took))
        from_gaze, from_cue = (_rate(share, seconds + wait, number) for wait in (0.0, begin))
        per[who] = {"sure": sure, "accuracy": share, "length_s": seconds, "bits_per_minute": from_gaze, "from_cue": from_cue}
    mean = {k: float(np.mean([one[k] for one in per.values()])) for k in table[0]}
    return {
        "data": runs[0].card.name,
        "protocol": protocol,
        "decoder": decoder,
        "windows": table,
        "stopping": {**mean, "per_subject": per},
        "ratio": mean["bits_per_minute"] / max(table[-1]["bits_per_minute"], 1e-9),
        "ratio_from_cue": mean["from_cue"] / max(table[-1]["from_cue"], 1e-9),
    }


def stopped(its: Pipeline, runs: Sequence[Run], subject: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each test trial whether a line that ends with `stopping` told it right, and how long it looked (s)."""
    cuts = Cuts()
    cut = [cuts.of(its, run, "causal") for run in runs]
    right, took = [], []
    for split in splits(protocol, "causal", runs, subject, [c.y for c in cut]):
        decoder = fit(its, runs, cut, split.train, runs[0].card.trials.get("scored"))
        for i, wanted in split.test.items():
            out = stepping(decoder, cut[i], wanted)
            seconds = {e.index: float(e.value) for e in out.events if e.name == "stopped"}
            for k, p in enumerate(out.data):
                if cut[i].y[wanted[k]] in decoder.classes_ and k in seconds:
                    right.append(decoder.classes_[np.argmax(p)] == cut[i].y[wanted[k]])
                    took.append(seconds[k])
    return np.array(right), np.array(took)


def _stopped(told: Sequence[tuple[np.ndarray, np.ndarray]], lengths: Sequence[float], sure: float) -> tuple[float, float]:
    """Accuracy and mean length of trials that stop with the first window that is sure, or with the last; told: of each
    length (trials,) whether it was right, and its highest probability."""
    enough = np.array([top for _, top in told]) >= sure
    enough[-1] = True
    stop = enough.argmax(axis=0)
    right = np.array([hits for hits, _ in told])[stop, np.arange(len(stop))]
    return float(right.mean()), float(np.array(lengths)[stop].mean())


def _of_length(run: Run, length: float) -> Run:
    return replace(run, card=replace(run.card, trials={**run.card.trials, "length": length}))


def _rate(share: float, seconds: float, classes: int) -> float:
    return float(bits(share, classes)) * 60 / seconds
