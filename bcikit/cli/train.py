"""bcikit train: Train a decoder on a data set, and keep it as a folder that runs live."""

from __future__ import annotations

import click

GROUP = "Decode"


@click.command()
@click.option("--data", required=True, metavar="CARD", help="A data set (`bcikit datasets`), a card of yours, or a folder.")
@click.option("--root", metavar="FOLDER|URL", help="Where its files lie, if not where `bcikit datasets get` puts them.")
@click.option("--decoder", default="default", show_default=True, metavar="NAME", help="A decoder or estimator.")
@click.option("--out", required=True, metavar="FOLDER", help="The model that is written.")
@click.option("--subjects", metavar="A,B", help="These people alone.")
@click.option("--runs", "only", metavar="1,2", help="These runs alone.")
@click.option("--stage", "stages", multiple=True, metavar="NAME[:KEY=VALUE,...]", help="Before the trials are cut.")
@click.option("--pauses", is_flag=True, help="Learn the pauses between trials as rest, to decode continuously.")
@click.option("--score", is_flag=True, help="Score it too, as `evaluate` does within a person, and keep that in the model.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(
    data: str,
    root: str | None,
    decoder: str,
    out: str,
    subjects: str | None,
    only: str | None,
    stages: tuple[str, ...],
    pauses: bool,
    score: bool,
    as_json: bool,
) -> None:
    """Train a decoder on all trials of a data set.

    \b
    bcikit train --data ssvep-exo --root data/ssvep-exo --subjects 04 --out model
    bcikit stream --board openbci --decode model
    """
    import json

    from ..core.errors import WrongUse
    from ..evaluate.evaluate import evaluate
    from ..evaluate.train import scored, train

    if score and (only or pauses):
        raise WrongUse("--score scores all runs, trial by trial.", do="Leave out --runs and --pauses, or --score.")
    folder, about = train(data, root, decoder, out, _some(subjects), _some(only), stages, pauses)
    if score:
        about["metrics"] = scored(folder, evaluate(data, root, [decoder], "within", _some(subjects), stages))
    if as_json:
        click.echo(json.dumps({"model": str(folder), **about}, ensure_ascii=False))
    else:
        click.echo(f"{folder}: {about['decoder']}, {about['trials']} trials of {', '.join(about['subjects'])}")
        if m := about["metrics"]:
            click.echo(f"Live, within a person: {m['metric']} {m['mean']:.3f} ({m['ci'][0]:.3f} to {m['ci'][1]:.3f}).")
        click.echo(f"It tells {', '.join(about['labels'])}. Try it: bcikit stream --board ... --decode {folder}")


def _some(text: str | None) -> list[str]:
    return [s.strip() for s in text.split(",")] if text else []
