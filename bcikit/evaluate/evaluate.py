"""Scores of decoders on a data set: cached by what they were made from, so that a run cut short goes on where it was."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..core import find
from ..core.errors import WrongUse
from ..core.pipeline import Pipeline
from ..decode._model import SAID, Model, load
from ..ethics.gate import Gate
from ..ethics.home import home, made, replace_file
from ..ethics.tier import may_load
from ..files.cards import Card
from ._line import line
from .continuous import METRIC, Watched, watch_subject
from .continuous import summary as watched_summary
from .data import Run, trials
from .protocols import PROTOCOLS, Cuts, Scored, score_subject
from .statistics import compared, metric, summary

FORMS = ("offline", "causal")
SHAPING = ("core", "kernels", "files", "preprocess", "decode", "evaluate")  # rooms whose code can change a score
PIECE = 1 << 18  # bytes; a piece of a file that fits a processor's cache
SHARES = (0.2, 0.4, 0.6, 0.8)  # of the training trials, for the curve of learning


@dataclass(frozen=True)
class Unit:
    """What is scored, and kept, at a time. eight: with eight channels alone. share: of the training trials."""

    decoder: str
    form: str
    subject: str
    eight: bool = False
    share: float = 1.0

    def __str__(self) -> str:
        what = ", 8 channels" if self.eight else f", {self.share:.0%} of the trials" if self.share < 1 else ""
        return f"{self.decoder} {self.form} {self.subject}{what}"


@dataclass(frozen=True)
class Job:
    """All units of one decoder and person, which share its trials."""

    units: tuple[Unit, ...]
    runs: tuple[Run, ...]
    protocol: str
    stages: tuple[str, ...]
    model: Model | None
    use_cache: bool
    leaky: bool
    feedback: bool = False


Answers = list[Scored] | list[Watched]


def evaluate(
    data: str | Card,
    root: str | Path | None,
    decoders: Sequence[str],
    protocol: str,
    subjects: Sequence[str] = (),
    stages: Sequence[str] = (),
    jobs: int = 1,
    eight: bool = False,
    use_cache: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
    leaky: bool = False,
    curve: bool = False,
    scheduler: str | None = None,
    classes: Sequence[str] = (),
    feedback: bool = False,
) -> dict[str, Any]:
    """Every decoder by name, or model folder, on a data set: {decoder: {offline, causal, ...}} and comparisons.

    leaky: allow what looks ahead, and mark it. curve: score the causal form with parts of the training trials, too.
    scheduler: address of a Dask cluster that does the work. progress is called with (done, of, what) after each unit.
    classes: these alone are learnt and scored, instead of those of the card; a decoder still sees the others pass.
    feedback: each test trial's class is told behind it, to decoders that learn from labels as they run.
    Raises WrongUse, FileTrouble, NotConsented.
    """
    if protocol not in PROTOCOLS:
        raise WrongUse(f"There is no protocol {protocol!r}.", f"There are {', '.join(PROTOCOLS)}.")
    if feedback and protocol == "asynchronous":
        raise WrongUse("There is no feedback in asynchronous.", "Nobody tells when a trial begins, nor what it was.")
    runs = trials(data, root, () if protocol == "cross-subject" else subjects)
    runs = only(runs, classes) if classes else runs
    models = {d: load(d) for d in decoders if (Path(d).expanduser() / SAID).is_file()}
    if protocol == "transfer" and len(models) < len(decoders):
        raise WrongUse("transfer scores a trained model.", do="--decoder FOLDER, as `bcikit train` wrote it.")
    if protocol == "asynchronous" and models:
        raise WrongUse("asynchronous trains on the person's own trials.", "A model is trained already.", "--decoder default")
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
    scoring = protocol != "asynchronous"
    variants = [Unit("", form, "") for form in FORMS]
    variants += [Unit("", "causal", "", eight=True)] * (eight and scoring)
    variants += [Unit("", "causal", "", share=s) for s in SHARES if curve and protocol not in ("asynchronous", "transfer")]
    plan = [
        Job(
            tuple(replace(v, decoder=d, subject=who) for v in variants),
            tuple(runs if protocol == "cross-subject" else [r for r in runs if r.subject == who]),
            protocol,
            tuple(stages),
            models.get(d),
            use_cache,
            leaky,
            feedback,
        )
        for d in decoders
        for who in wanted
    ]
    scored: dict[Unit, Any] = {}
    for unit, result in _done(plan, jobs, scheduler, gate):
        scored[unit] = result
        if progress:
            progress(len(scored), len(plan) * len(variants), str(unit))
    told = runs[0].card.trials
    summed: Any = (lambda answers: summary(answers, told)) if scoring else watched_summary
    results: dict[str, Any] = {}
    for d in decoders:

        def of(variant: Unit, d: str = d) -> list[Any]:
            return [s for who in wanted for s in scored[replace(variant, decoder=d, subject=who)]]

        results[d] = {v.form: summed(of(v)) for v in variants[:2]}
        if told.get("last") and scoring and any(not all(s.last) for s in of(variants[1])):
            results[d]["causal"]["last_part"] = summary(of(variants[1]), told, last=True)["per_subject"]
        for v in variants[2:]:
            if v.eight:
                results[d]["eight"] = summed(of(v))
            elif answers := of(v):
                part = summed(answers)
                said = {"share": v.share, "trials": _trained(answers), "mean": part["mean"], "ci": part["ci"]}
                results[d].setdefault("curve", []).append(said)
        if "curve" in results[d]:
            whole = {k: results[d]["causal"][k] for k in ("mean", "ci")}
            results[d]["curve"].append({"share": 1.0, "trials": _trained(of(variants[1])), **whole})
    pairs = {f"{a} - {b}": compared(results[a]["causal"], results[b]["causal"]) for a, b in _pairs(decoders)}
    return {
        "data": runs[0].card.name,
        "protocol": protocol,
        "metric": metric(told)[0] if scoring else METRIC,
        "subjects": wanted,
        "leaky": _leaky(plan) if leaky else [],
        "feedback": feedback,
        "published": [dict(p) for p in runs[0].card.published],
        "decoders": results,
        "compared": pairs,
    }


def only(runs: Sequence[Run], classes: Sequence[str]) -> list[Run]:
    """The same runs, in which these classes alone are scored."""
    its = runs[0].card
    known = [e.partition(":")[2] or e for e in its.trials.get("events", ())]
    for missing in sorted(set(classes) - set(known)):
        raise WrongUse(f"{its.name} has no class {missing!r}.", f"It has {', '.join(known)}.")
    return [replace(r, card=replace(r.card, trials={**r.card.trials, "scored": list(classes)})) for r in runs]


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]


def _trained(answers: Sequence[Scored]) -> int:
    """Trials that a split trained on, on average."""
    return round(sum(s.trained for s in answers) / len(answers))


def _leaky(plan: Sequence[Job]) -> list[str]:
    """Names of the stages that look ahead."""
    lines = [job.model.line if job.model else line(job.units[0].decoder, job.runs, job.stages) for job in plan]
    return sorted({stage.part_name() for its in lines for stage in its.stages if stage.leaky})


def _done(plan: Sequence[Job], jobs: int, scheduler: str | None, gate: Gate) -> Iterator[tuple[Unit, Answers]]:
    if scheduler:
        from .cluster import over

        labels = [run.recording.stream.label for job in plan for run in job.runs]
        for results in over(scheduler, work, plan, gate, labels):
            yield from results
    elif jobs == 1:
        cuts = Cuts()
        for job in plan:
            for unit in job.units:
                yield unit, _unit(unit, job, cuts)
    else:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config("loky", inner_max_num_threads=1):
            for results in Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(work)(job) for job in plan):
                yield from results


def work(job: Job) -> list[tuple[Unit, Answers]]:
    """All units of a job, wherever it is done, under the policy that holds there."""
    find.GUARDS[:] = [may_load]
    cuts = Cuts()
    return [(unit, _unit(unit, job, cuts)) for unit in job.units]


def _unit(unit: Unit, job: Job, cuts: Cuts) -> Answers:
    """One decoder in one form on one person: from the cache, or worked out and kept there."""
    its: Pipeline = job.model.line if job.model else line(unit.decoder, job.runs, job.stages, unit.eight)
    if its.leaky and not job.leaky:
        names = ", ".join(s.part_name() for s in its.stages if s.leaky)
        raise WrongUse(
            f"{names} looks ahead, so its causal score would be nobody's.",
            "A person's signal to come is not known when it decides.",
            "--leaky scores it nevertheless, and marks it.",
        )
    kind: Any = Watched if job.protocol == "asynchronous" else Scored
    files = [(r.name, content(r.here()), r.options) for r in job.runs]
    made_from = [its.recipe(), job.protocol, unit.form, unit.share, unit.subject, files, code()]
    made_from.append([job.runs[0].card.trials, job.model.about["sha256"] if job.model else "", job.feedback])
    place = home() / "cache" / "evaluate" / f"{digest(made_from)}.json"
    if job.use_cache and place.is_file():
        try:
            return [kind(**s) for s in json.loads(place.read_text())]
        except (ValueError, TypeError, OSError):
            pass  # damaged: worked out again
    answers: Answers
    if kind is Watched:
        answers = watch_subject(its, job.runs, unit.subject, unit.form, cuts)
    else:
        trained = job.model.decoder if job.model else None
        answers = score_subject(
            its, job.runs, unit.subject, job.protocol, unit.form, cuts, trained, unit.share, job.feedback
        )
    if job.use_cache:
        made(place.parent)
        replace_file(place, json.dumps([asdict(s) for s in answers]).encode())
    return answers


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


@cache
def content(path: Path) -> str:
    """What tells a recording's file, and those beside it that share its name, from others: name, size and CRC-32, which
    costs a third of BLAKE2 or less; of an archive (.npz) those of its parts, as it says them. Every recording is read before
    a score is shown, and reading looks if they are right. It tells apart what changed, not what somebody forged."""
    stem = path.name.split(".")[0].removesuffix("_raw")
    files = sorted(p for p in path.parent.glob(f"{stem}*") if p.is_file())
    return digest([(p.name, p.stat().st_size, _crc(p)) for p in files])


def _crc(path: Path) -> int | list[int]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [part.CRC for part in archive.infolist()]
    piece, crc = memoryview(bytearray(PIECE)), 0
    with open(path, "rb", buffering=0) as file:
        while n := file.readinto(piece):
            crc = zlib.crc32(piece[:n], crc)
    return crc


@cache
def code() -> str:
    """SHA-256 of the code that could change a score."""
    files = sorted(p for room in SHAPING for end in ("py", "c", "h") for p in (find.ROOT / room).rglob(f"*.{end}"))
    return digest([(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files])
