"""bcikit attack: Every known attack on consent and privacy, run against this installation."""

from __future__ import annotations

import click

GROUP = "Check"


@click.command()
@click.option("--only", default="", metavar="TEXT", help="Cases whose name or group holds TEXT.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON: cases, through, and each case by name.")
def command(only: str, as_json: bool) -> int:
    """Run every known attack on consent and privacy against this installation; exits 1 where one gets through.

    Nothing of yours is touched: each case has a home of its own. What tier 1 cannot stop stands in docs/consent.md."""
    import json

    from ..custody.attack import run

    group_said = ""

    def told(group: str, name: str, far: str) -> None:
        nonlocal group_said
        if group != group_said:
            group_said = group
            click.echo(click.style(f"\n{group}", bold=True))
        click.echo(f"  {'THROUGH' if far else 'stopped'}  {name}{f': {far}' if far else ''}")

    score = run(only, None if as_json else told)
    if as_json:
        click.echo(json.dumps(score))
    else:
        click.echo(f"\n{score['cases']} cases, {score['through']} through.")
    return 1 if score["through"] or not score["cases"] else 0
