"""How long a window must be: bits a minute against its length, and where each trial stops as soon as it is sure enough.

For each length the decoder is trained and stepped anew on windows that begin alike, causally. A trial that stops when it is
sure ends with the first window whose highest probability reaches a threshold, or with the longest. The threshold of a person
is the one that gave the other people the most bits a minute: nothing of the person who is scored chooses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..ethics.gate import Gate
from ._line import line
from .data import Run, trials
from .evaluate import only
from .protocols import Cuts, score_subject
from .statistics import arrays, bits

SURE = np.concatenate([np.arange(0.3, 0.95, 0.05), [0.96, 0.97, 0.98, 0.99, 0.995]])


def windows(
    data: str,
    root: str | Path | None,
    decoder: str,
    protocol: str = "within",
    lengths: Sequence[float] = (),
    classes: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """{windows: [{length_s, accuracy, bits_per_minute}, ...], stopping: {accuracy, length_s, bits_per_minute, per_subject},
    ratio: its bits a minute beside those of the longest window}. A choice takes as long as its window; waits before that are
    the task's. lengths: s; without, eighths of the card's. Raises WrongUse, FileTrouble, NotConsented."""
    runs = trials(data, root)
    runs = only(runs, classes) if classes else runs
    gate = Gate()
    for run in runs:
        gate.check("train", run.recording.stream.label)
    people = list(dict.fromkeys(r.subject for r in runs))
    if len(people) < 2:
        raise WrongUse("A threshold is chosen on other people.", f"{runs[0].card.name} holds {people[0]} alone here.")
    whole = runs[0].epoch().length
    lengths = sorted(lengths) or [whole * k / 8 for k in range(2, 9)]
    right: dict[str, list[np.ndarray]] = {who: [] for who in people}  # of each length, (trials,)
    sure: dict[str, list[np.ndarray]] = {who: [] for who in people}
    number = 0
    for done, length in enumerate(lengths):
        these = [_of_length(r, length) for r in runs]
        for who in people:
            own = these if protocol == "cross-subject" else [r for r in these if r.subject == who]
            pairs = [(s, *arrays(s)) for s in score_subject(line(decoder, own), own, who, protocol, "causal", Cuts())]
            number = len(pairs[0][0].classes)
            p = np.concatenate([p for _, _, p in pairs])
            right[who].append(np.argmax(p, axis=1) == np.concatenate([y for _, y, _ in pairs]))
            sure[who].append(p.max(axis=1))
        if progress:
            progress(done + 1, len(lengths), f"{length:g} s")
    table = []
    for k, length in enumerate(lengths):
        told = [_rate(right[who][k].mean(), length, number) for who in people]
        share = float(np.mean([right[who][k].mean() for who in people]))
        table.append({"length_s": length, "accuracy": share, "bits_per_minute": float(np.mean(told))})
    at = np.array([[_stopped(right[w], sure[w], lengths, s, number) for s in SURE] for w in people])  # (people, SURE, 3)
    chosen = [int(np.delete(at[:, :, 2], i, axis=0).mean(axis=0).argmax()) for i in range(len(people))]
    mine = at[np.arange(len(people)), chosen]
    share, took, rate = mine.mean(axis=0)
    keys = ("accuracy", "length_s", "bits_per_minute")
    per = {
        who: {"sure": float(SURE[c]), **dict(zip(keys, map(float, m), strict=True))}
        for who, c, m in zip(people, chosen, mine, strict=True)
    }
    return {
        "data": runs[0].card.name,
        "protocol": protocol,
        "decoder": decoder,
        "windows": table,
        "stopping": {"accuracy": float(share), "length_s": float(took), "bits_per_minute": float(rate), "per_subject": per},
        "ratio": float(rate / max(table[-1]["bits_per_minute"], 1e-9)),
    }


def _of_length(run: Run, length: float) -> Run:
    return replace(run, card=replace(run.card, trials={**run.card.trials, "length": length}))


def _rate(share: float, seconds: float, classes: int) -> float:
    return float(bits(share, classes)) * 60 / seconds


def _stopped(
    right: Sequence[np.ndarray], sure: Sequence[np.ndarray], lengths: Sequence[float], threshold: float, classes: int
) -> tuple[float, float, float]:
    """Accuracy, mean length and bits a minute of trials that stop when they are sure."""
    enough = np.array(sure) >= threshold  # (lengths, trials)
    enough[-1] = True
    stop = enough.argmax(axis=0)
    share, took = np.array(right)[stop, np.arange(len(stop))].mean(), np.array(lengths)[stop].mean()
    return float(share), float(took), _rate(share, took, classes)
