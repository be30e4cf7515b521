"""bcikit impedance: how well each electrode touches, live."""

from __future__ import annotations

import click

from ._seconds import Seconds

GROUP = "Devices"


@click.command()
@click.option("--board", "name", default="openbci", show_default=True, help="The board; of those, openbci can measure.")
@click.option("--opt", "options", multiple=True, metavar="KEY=VALUE", help="A setting of the board; may be repeated.")
@click.option("--seconds", type=Seconds(), metavar="N", help="Measure round after round for so long; else one round.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a measurement.")
@click.pass_context
def command(ctx: click.Context, name: str, options: tuple[str, ...], seconds: float | None, as_json: bool) -> None:
    """Measure the impedance of each electrode: below 10 kOhm is good, up to 50 usable. Exit 1 where one is worse."""
    import json

    from ..acquire._impedance import impedances
    from ..core.errors import WrongUse
    from ..core.find import part

    settings = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals:
            raise WrongUse(f"--opt {option!r} is not KEY=VALUE.")
        settings[key.strip()] = value.strip()
    board = part("board", name).make(settings)
    colours = {"good": "green", "usable": "yellow", "poor": "red", "open": "red"}
    newest = {}
    for reading in impedances(board, seconds):
        newest[reading.channel] = reading.grade
        if as_json:
            said = {"channel": reading.channel, "ohm": round(reading.ohm), "error_ohm": round(reading.error_ohm)}
            click.echo(json.dumps({**said, "grade": reading.grade}))
            continue
        grade = click.style(f"{reading.grade:6}", fg=colours[reading.grade])
        size = f"{reading.ohm / 1000:8.1f} ± {reading.error_ohm / 1000:.1f} kOhm"
        click.echo(f"{reading.channel:>6}  {size}  {grade}  {reading.advice}".rstrip())
    ctx.exit(0 if all(grade in ("good", "usable") for grade in newest.values()) else 1)
