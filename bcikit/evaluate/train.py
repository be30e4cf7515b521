"""From a data set to a model that runs live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..decode._model import note, save
from ..ethics.gate import Gate
from ._line import cut_causal, line
from .continuous import Rested
from .data import trials
from .protocols import fit, some

METRICS = ("mean", "ci", "per_subject", "chance", "p", "trials")  # of a summary, kept with a model


def train(
    data: str,
    root: str | Path | None,
    decoder: str,
    out: str | Path,
    subjects: Sequence[str] = (),
    only: Sequence[str] = (),
    stages: Sequence[str] = (),
    pauses: bool = False,
) -> tuple[Path, dict[str, Any]]:
    """Train on all trials of these people and runs, cut as they come live, and write the model: (folder, what it says of
    itself). pauses: learn the pauses before trials as rest, for a model that decodes continuously.
    Raises WrongUse, FileTrouble, NotConsented."""
    here = trials(data, root, subjects)
    runs = [r for r in here if not only or r.run in only]
    if not runs:
        has = ", ".join(dict.fromkeys(r.run for r in here))
        raise WrongUse(f"{data} has no run {', '.join(only)} here.", f"It has {has}.")
    gate = Gate()
    for run in runs:
        gate.check("train", run.recording.stream.label)
    whole = line(decoder, runs, stages)
    cuts = [cut_causal(whole, run.recording) for run in runs]
    some(runs, cuts)
    told = runs[0].card.trials
    everything = {i: np.arange(len(c.y)) for i, c in enumerate(cuts)}
    if pauses:
        rested = Rested(whole, runs, cuts)
        if not rested.pauses:
            raise WrongUse(f"{runs[0].card.name} has trials of rest.", "Rest is learnt from these.", "Leave --pauses out.")
        learnt = rested.fit(everything)
    else:
        learnt = fit(whole, runs, cuts, everything, told.get("scored"))
    whole.stages[-1] = learnt
    entered = runs[0].recording.stream
    channels = whole.stages[0].settings()["channels"]
    entered = entered.but(channels=tuple(c for c in entered.channels if c.name in channels))
    about = {
        "decoder": learnt.part_name(),
        "data": runs[0].card.name,
        "paradigm": runs[0].card.paradigm,
        "labels": [str(c) for c in learnt.classes_],
        "subjects": sorted({s for r in runs for s in r.recording.stream.label.subjects}),
        "runs": [r.name for r in runs],
        "trials": int(sum(np.isin(c.y, learnt.classes_).sum() for c in cuts)),
        "metrics": {},
    }
    return save(out, whole, entered, about), about


def scored(model: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    """How good a model's decoder is, causally, by what `evaluate` said of it: kept in its folder."""
    (forms,) = result["decoders"].values()
    metrics = {"protocol": result["protocol"], "metric": result["metric"], **{k: forms["causal"][k] for k in METRICS}}
    note(model, metrics)
    return metrics
