"""Scores of decoders on a data set: cached by what they were made from, so that a run cut short goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ..core.errors import WrongUse
from ..core.find import ROOT
from ..core.pipeline import Pipeline
from ..decode._model import SAID, Model, load
from ..ethics.gate import Gate
from ..ethics.home import home, made, replace_file
from ._line import line
from .data import Run, trials
from .protocols import PROTOCOLS, Cuts, Scored, score_subject
from .statistics import compared, metric, summary

FORMS = ("offline", "causal")
SHAPING = ("core", "kernels", "files", "preprocess", "decode", "evaluate")  # rooms whose code can change a score


def evaluate(
    data: str,
    root: str | Path | None,
    decoders: Sequence[str],
    protocol: str,
    subjects: Sequence[str] = (),
    stages: Sequence[str] = (),
    jobs: int = 1,
    eight: bool = False,
    use_cache: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Every decoder by name, or model folder, on a data set: {decoder: {offline, causal, ...}} and comparisons.

    progress is called with (done, of, what) after each person. Raises WrongUse, FileTrouble, NotConsented.
    """
    if protocol not in PROTOCOLS:
        raise WrongUse(f"There is no protocol {protocol!r}.", f"There are {', '.join(PROTOCOLS)}.")
    runs = trials(data, root, () if protocol == "cross-subject" else subjects)
    models = {d: load(d) for d in decoders if (Path(d).expanduser() / SAID).is_file()}
    if protocol == "transfer" and len(models) < len(decoders):
        raise WrongUse("transfer scores a trained model.", do="--decoder FOLDER, as `bcikit train` wrote it.")
    people = list(dict.fromkeys(r.subject for r in runs))
    for model in models.values():
        known = {f"{runs[0].card.name}/{who}" for who in people} & set(model.about["subjects"])
        if known:
            raise WrongUse(
                f"This model was trained on {', '.join(sorted(known))}.",
                "Its score on them would say nothing.",
                "Choose others: --subjects A,B",
            )
    gate = Gate()
    for run in runs:
        gate.check("train", run.recording.stream.label)
    wanted = [p for p in people if not subjects or p in subjects]
    forms = [(form, False) for form in FORMS] + ([("causal", True)] if eight else [])
    units = [(d, form, e, who) for d in decoders for form, e in forms for who in wanted]
    plan = [(u, runs, protocol, tuple(stages), models.get(u[0]), use_cache) for u in units]
    scored: dict[Any, list[Scored]] = {}
    for unit, result in _done(plan, jobs):
        scored[unit] = result
        if progress:
            progress(len(scored), len(units), f"{unit[0]} {unit[1]} {unit[3]}")
    told = runs[0].card.trials
    results = {}
    for d in decoders:
        results[d] = {
            form: summary([s for who in wanted for s in scored[d, form, False, who]], told) for form, _ in forms[:2]
        }
        if told.get("last"):
            every = [s for who in wanted for s in scored[d, "causal", False, who]]
            if any(not all(s.last) for s in every):
                results[d]["causal"]["last_part"] = summary(every, told, last=True)["per_subject"]
        if eight:
            results[d]["eight"] = summary([s for who in wanted for s in scored[d, "causal", True, who]], told)
    pairs = {f"{a} - {b}": compared(results[a]["causal"], results[b]["causal"]) for a, b in _pairs(decoders)}
    return {
        "data": runs[0].card.name,
        "protocol": protocol,
        "metric": metric(told)[0],
        "subjects": wanted,
        "published": [dict(p) for p in runs[0].card.published],
        "decoders": results,
        "compared": pairs,
    }


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]


def _done(plan: list, jobs: int) -> Iterator[tuple[Any, list[Scored]]]:
    if jobs == 1:
        cuts = Cuts()
        for unit in plan:
            yield _unit(*unit, cuts=cuts)
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(
            delayed(_unit)(*unit, cuts=Cuts()) for unit in plan
        )


def _unit(
    unit: tuple[str, str, bool, str],
    runs: Sequence[Run],
    protocol: str,
    stages: tuple[str, ...],
    model: Model | None,
    use_cache: bool,
    *,
    cuts: Cuts,
) -> tuple[Any, list[Scored]]:
    """One decoder in one form on one person: from the cache, or worked out and kept there."""
    name, form, eight, who = unit
    own = list(runs) if protocol == "cross-subject" else [r for r in runs if r.subject == who]
    its: Pipeline = model.line if model else line(name, own, stages, eight)
    made_from = [its.recipe(), protocol, form, who, [(r.name, content(r.path), r.options) for r in own], code()]
    if model:
        made_from.append(model.about["arrays_sha256"])
    place = home() / "cache" / "evaluate" / f"{digest(made_from)}.json"
    if use_cache and place.is_file():
        try:
            return unit, [Scored(**s) for s in json.loads(place.read_text())]
        except (ValueError, TypeError, OSError):
            pass  # damaged: worked out again
    scored = score_subject(its, own, who, protocol, form, cuts, model.decoder if model else None)
    if use_cache:
        made(place.parent)
        replace_file(place, json.dumps([asdict(s) for s in scored]).encode())
    return unit, scored


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


@cache
def content(path: Path) -> str:
    """SHA-256 of a recording's file and of those beside it that share its name."""
    stem = path.name.split(".")[0].removesuffix("_raw")
    files = sorted(p for p in path.parent.glob(f"{stem}*") if p.is_file())
    return digest([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])


@cache
def code() -> str:
    """SHA-256 of the code that could change a score."""
    files = sorted(p for room in SHAPING for end in ("py", "c", "h") for p in (ROOT / room).rglob(f"*.{end}"))
    return digest([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])
