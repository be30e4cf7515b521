"""bcikit datasets: Public data sets: what there is, fetch it, check it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

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

    its = dataclasses.asdict(card(name))
    its["files"] = f"{len(its['files'])} whose checksums are known" if its["files"] else ""
    for key, value in its.items():
        if value in ("", (), {}):
            continue
        lines = value if isinstance(value, tuple) else value.items() if isinstance(value, dict) else [value]
        for k, line in enumerate(lines):
            text = f"{line[0]}: {line[1]}" if isinstance(value, dict) else line
            text = ", ".join(f"{a}: {b}" for a, b in line.items()) if isinstance(line, dict) else text
            click.echo(f"{'' if k else key:10} {text}")


@command.command()
@click.argument("name")
@click.option("--root", metavar="FOLDER", help="Where to; without it, where evaluate looks.")
@click.option("--subjects", metavar="A,B", help="These people alone.")
def get(name: str, root: str | None, subjects: str | None) -> None:
    """Fetch the files of NAME; what was cut off goes on where it was."""
    from ..evaluate.data import card
    from ..evaluate.fetch import get as fetched

    its = card(name)
    with _progress() as told:
        folder = fetched(its, root, [s.strip() for s in subjects.split(",")] if subjects else (), told)
    click.echo(folder)
    if its.trials and its.runs:
        click.echo(f"bcikit evaluate --data {name} --root {folder} --decoder default", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each file on a terminal; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bars:
        known: dict[str, TaskID] = {}

        def told(file: str, n: int, of: int) -> None:
            if file not in known:
                known[file] = bars.add_task(file, total=None)
            bars.update(known[file], completed=n, total=of if of >= 0 else None)

        yield told


@command.command()
@click.argument("name", required=False)
@click.option("--root", metavar="FOLDER", help="Where its files lie; without NAME, the folders of data sets.")
@click.pass_context
def check(ctx: click.Context, name: str | None, root: str | None) -> None:
    """Whether the files of NAME, or of every data set that is here, are the right ones; exit code 1 where not."""
    from pathlib import Path

    from ..ethics.home import home
    from ..evaluate.data import card
    from ..evaluate.fetch import check as checked
    from ..files.cards import cards

    above = Path(root).expanduser() if root else home() / "data"
    names = [name] if name else [n for n in cards() if (above / n).is_dir()]
    if not names:
        click.echo(f"No data set lies in {above}. Fetch one:  bcikit datasets get NAME", err=True)
    wrong = False
    for each in names:
        its = card(each)
        found = checked(its, root if name else above / each)
        for file, state in found.items():
            click.echo(f"{state:8} {file if name else f'{each}/{file}'}")
        if not found:
            click.echo(f"The card of {its.name} knows no checksums, so nothing was checked.", err=True)
        wrong = wrong or any(state != "right" for state in found.values())
    if wrong:
        ctx.exit(1)
