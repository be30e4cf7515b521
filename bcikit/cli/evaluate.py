"""bcikit evaluate: How well decoders do on a data set, offline as papers score and live as a person gets it."""

from __future__ import annotations

from typing import Any

import click

GROUP = "Decode"


@click.command()
@click.option(
    "--data", required=True, metavar="CARD", help="The data set; `bcikit datasets` lists them, or a card of yours."
)
@click.option("--root", metavar="FOLDER", help="Where its files lie, if not where `bcikit datasets get` puts them.")
@click.option(
    "--decoder",
    "decoders",
    required=True,
    metavar="NAME[,NAME...]",
    help="default, a decoder, an estimator or a model folder.",
)
@click.option(
    "--protocol", default="within", show_default=True, help="within, next-run, cross-session, cross-subject, transfer."
)
@click.option("--subjects", metavar="A,B", help="These people alone.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="Before the trials are cut, instead of the decoder's own.",
)
@click.option("--eight", is_flag=True, help="Score the causal form with eight channels, too.")
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
    stages: tuple[str, ...],
    eight: bool,
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
    import sys

    from ..evaluate.evaluate import evaluate

    names = split(decoders)
    who = [s.strip() for s in subjects.split(",")] if subjects else []

    def told(done: int, of: int, what: str) -> None:
        if as_json:
            click.echo(json.dumps({"done": done, "of": of, "unit": what}))
        elif sys.stderr.isatty():
            click.echo(f"\r{done}/{of} {what}".ljust(70)[:70] + ("\n" if done == of else ""), err=True, nl=False)

    result = evaluate(data, root, names, protocol, who, stages, jobs, eight or bool(report), not no_cache, told)
    if report:
        from ..evaluate.report import write

        click.echo(f"Report: {write(result, report)}", err=True)
    if as_json:
        first = result["decoders"][names[0]]
        click.echo(json.dumps({**result, "decoder": names[0], **first}, ensure_ascii=False))
    else:
        click.echo(table(result))


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
    for name, forms in result["decoders"].items():
        lines.append(f"\n{name}")
        for form, s in forms.items():
            low, high = s["ci"]
            worst, its = next(iter(s["worst"].items()))
            alarm = "   NOT ABOVE CHANCE" if s["p"] > 0.05 else ""
            lines.append(
                f"  {form:8} {s['mean']:.3f}  ({low:.3f} to {high:.3f})   chance {s['chance']['mean']:.3f}, p {s['p']:.2g}"
                f"   worst {worst} {its:.3f}, {s['trials']} trials{alarm}"
            )
            lines.append("           " + "  ".join(f"{who} {v:.3f}" for who, v in s["per_subject"].items()))
        for p in result["published"]:
            lines.append(f"  published {p['score']:g} ({p['what']}; {p['source']})")
    for pair, c in result["compared"].items():
        over = "people" if c["over"] == "per_subject" else "splits, which are not independent"
        lines.append(
            f"\n{pair}: {c['difference']:+.3f}, effect {c['effect']:+.2f}, Wilcoxon p {c['p']:.2g} over {c['n']} {over}"
        )
    return "\n".join(lines)
