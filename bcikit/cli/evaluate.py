"""bcikit evaluate: How well decoders do on a data set, offline as papers score and live as a person gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

GROUP = "Decode"


@click.command()
@click.option("--data", required=True, metavar="CARD", help="A data set (`bcikit datasets`), a card of yours, or a folder.")
@click.option("--root", metavar="FOLDER|URL", help="Where its files lie, if not where `bcikit datasets get` puts them.")
@click.option(
    "--decoder",
    "decoders",
    default="default",
    show_default=True,
    metavar="NAME[,NAME...]",
    help="A decoder, an estimator or a model folder.",
)
@click.option(
    "--protocol",
    default="within",
    show_default=True,
    help="within, next-run, cross-session, cross-subject, transfer, asynchronous.",
)
@click.option("--subjects", metavar="A,B", help="These people alone.")
@click.option("--classes", metavar="A,B", help="These classes alone; trials of others are only passed by.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="Before the trials are cut, instead of the decoder's own.",
)
@click.option("--eight", is_flag=True, help="Score the causal form with eight channels, too.")
@click.option("--leaky", is_flag=True, help="Allow what looks ahead; its scores are marked.")
@click.option("--curve", is_flag=True, help="Score the causal form with parts of the training trials, too.")
@click.option("--feedback", is_flag=True, help="Tell each test trial's class behind it, to what learns from labels.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="A Dask cluster that does the work.")
@click.option("--jobs", default=1, show_default=True, help="Processes.")
@click.option("--no-cache", is_flag=True, help="Work out again what was scored before.")
@click.option("--json", "as_json", is_flag=True, help="Lines of JSON; the last one holds the scores.")
@click.option("--report", metavar="FOLDER", help="Write an HTML report with pictures there.")
def command(
    data: str,
    root: str | None,
    decoders: str,
    protocol: str,
    subjects: str | None,
    classes: str | None,
    stages: tuple[str, ...],
    eight: bool,
    leaky: bool,
    curve: bool,
    feedback: bool,
    scheduler: str | None,
    jobs: int,
    no_cache: bool,
    as_json: bool,
    report: str | None,
) -> None:
    """Score decoders on a data set, in two forms: offline, with filters that look both ways and trials shuffled where papers
    shuffle them; and causal, stepped trial by trial as it would be live. What `causal` says is what a person gets.

    \b
    bcikit evaluate --data ssvep-exo --root data/ssvep-exo --decoder default
    bcikit evaluate --data openbci-mi --decoder pyriemann:MDM,default --protocol next-run --json
    """
    import json

    from ..evaluate.evaluate import evaluate

    names = split(decoders)
    who = [s.strip() for s in subjects.split(",")] if subjects else []

    with _progress(as_json) as told:
        result = evaluate(
            data,
            root,
            names,
            protocol,
            who,
            stages,
            jobs,
            eight or bool(report),
            not no_cache,
            told,
            leaky,
            curve or bool(report),
            scheduler,
            [c.strip() for c in classes.split(",")] if classes else (),
            feedback,
        )
    if report:
        from ..evaluate.report import write

        click.echo(f"Report: {write(result, report, data, root)}", err=True)
    if as_json:
        first = result["decoders"][names[0]]
        click.echo(json.dumps({**result, "decoder": names[0], **first}, ensure_ascii=False))
    else:
        click.echo(table(result))


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[int, int, str], None]]:
    """What is told of the work under way: lines of JSON, or a bar on a terminal."""
    if as_json:
        import json

        yield lambda done, of, what: click.echo(json.dumps({"done": done, "of": of, "unit": what}))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, of, what: bar.update(task, completed=done, total=of, description=what)


def split(text: str) -> list[str]:
    """Names at commas that stand in no brackets and begin a name: `a:x=1,y=2,b` is a:x=1,y=2 and b."""
    names: list[str] = []
    depth = 0
    for item in text.split(","):
        if names and (depth or ("=" in item and ":" not in item.partition("=")[0])):
            names[-1] += f",{item}"
        else:
            names.append(item.strip())
        depth += item.count("(") - item.count(")")
    return [n for n in names if n]


def table(result: dict[str, Any]) -> str:
    """The scores for a person to read."""
    lines = [f"{result['data']}, {result['protocol']}: {result['metric']} (95 % interval), chance with shuffled labels"]
    if result["leaky"]:
        lines.append(f"LEAKY: {', '.join(result['leaky'])} looks ahead; no person can get these scores")
    if result["feedback"]:
        lines.append("WITH FEEDBACK: each trial's class was told behind it")
    for name, forms in result["decoders"].items():
        lines.append(f"\n{name}")
        for form in ("offline", "causal", "eight"):
            if form in forms:
                lines += _form(form, forms[form])
        if curve := forms.get("curve"):
            lines.append("  learning " + "  ".join(f"{c['trials']} trials {c['mean']:.3f}" for c in curve))
        for p in result["published"]:
            lines.append(f"  published {p['score']:g} ({p['what']}; {p['source']})")
    for pair, c in result["compared"].items():
        over = "people" if c["over"] == "per_subject" else "splits, which are not independent"
        lines.append(
            f"\n{pair}: {c['difference']:+.3f}, effect {c['effect']:+.2f}, Wilcoxon p {c['p']:.2g} over {c['n']} {over}"
        )
    return "\n".join(lines)


def _form(form: str, s: dict[str, Any]) -> Iterator[str]:
    low, high = s["ci"]
    worst, its = next(iter(s["worst"].items()))
    alarm = "   NOT ABOVE CHANCE" if s["p"] > 0.05 else ""
    yield (
        f"  {form:8} {s['mean']:.3f}  ({low:.3f} to {high:.3f})   chance {s['chance']['mean']:.3f}, p {s['p']:.2g}"
        f"   worst {worst} {its:.3f}, spread {s['spread']:.3f}, {s['trials']} trials{alarm}"
    )
    yield "           " + "  ".join(f"{who} {v:.3f}" for who, v in s["per_subject"].items())
    if "minutes" in s:
        latency = "-" if s["latency_s"] is None else f"{s['latency_s']:.1f} s"
        yield (
            f"           right in {s['hits']:.0%} of trials, latency {latency}, wrong in {s['wrong']:.0%};"
            f" {s['false_positives_per_minute']:.2f} false positives a minute of {s['idle_minutes']:.1f} idle ones"
        )
