"""bcikit datasets: Public data sets: what there is, fetch it, check it."""

from __future__ import annotations

import click

GROUP = "Decode"


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a data set.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List data sets; `get` one; `check` what lies here."""
    if ctx.invoked_subcommand:
        return
    import dataclasses
    import json

    from ..files.cards import cards

    for name, card in cards().items():
        if as_json:
            click.echo(json.dumps(dataclasses.asdict(card), ensure_ascii=False, default=str))
        else:
            people = f"{card.subjects} {'person' if card.subjects == 1 else 'people'}"
            ready = ("bench" if card.paradigm == "kinematics" else "evaluate") if card.trials and card.runs else ""
            click.echo(f"{name:18} {card.paradigm or '-':10} {people:11} {ready:9} {card.title} ({card.licence})")


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """All that the card of NAME says."""
    import dataclasses

    from ..evaluate.data import card

    for key, value in dataclasses.asdict(card(name)).items():
        if value not in ("", (), {}) and key != "files":
            click.echo(f"{key:10} {value}")


@command.command()
@click.argument("name")
@click.option("--root", metavar="FOLDER", help="Where to; without it, where evaluate looks.")
@click.option("--subjects", metavar="A,B", help="These people alone.")
def get(name: str, root: str | None, subjects: str | None) -> None:
    """Fetch the files of NAME; what was cut off goes on where it was."""
    import sys

    from ..evaluate.data import card
    from ..evaluate.fetch import get as fetched

    def told(file: str, n: int, of: int) -> None:
        if sys.stderr.isatty():
            share = f"{n / of:4.0%}" if of > 0 else f"{n / 1e6:.1f} MB"
            click.echo(f"\r{file} {share}".ljust(60), err=True, nl=n >= of > 0)

    click.echo(fetched(card(name), root, [s.strip() for s in subjects.split(",")] if subjects else (), told))


@command.command()
@click.argument("name")
@click.option("--root", metavar="FOLDER", help="Where its files lie.")
@click.pass_context
def check(ctx: click.Context, name: str, root: str | None) -> None:
    """Whether the files of NAME are here and are the right ones; exit code 1 where not."""
    from ..evaluate.data import card
    from ..evaluate.fetch import check as checked

    its = card(name)
    found = checked(its, root)
    for file, state in found.items():
        click.echo(f"{state:8} {file}")
    if not found:
        click.echo(f"The card of {its.name} knows no checksums.")
    if any(state != "right" for state in found.values()):
        ctx.exit(1)
