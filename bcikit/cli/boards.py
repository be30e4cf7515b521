"""bcikit boards: Where samples can come from, with settings, units and bounds."""

from __future__ import annotations

import click

GROUP = "Devices"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a board.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the boards, or show some of them: what each is, its settings, their units, bounds and defaults."""
    from ._parts import show

    show("board", names, as_json)
