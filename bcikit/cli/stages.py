"""bcikit stages: What a line can be made of, with settings, units and bounds."""

from __future__ import annotations

import click

GROUP = "Stream"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a stage.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List the stages (filters, decoders, mappers), or show some of them: what each does, its settings, their units,
    bounds and defaults."""
    from ._parts import show

    show("stage", names, as_json)
