"""bcikit stop: stop a device at once, from any terminal; it stays stopped until a person resets it."""

from __future__ import annotations

import click

GROUP = "Devices"
TOLD = ("done", "cause", "latched", "session_s", "day_s", "real-time")


@click.command()
@click.argument("device")
@click.option("--reset", metavar="NAME", help="You, NAME, have looked: it may move again. Asked for on a terminal alone.")
@click.option("--status", is_flag=True, help="Only say how it is.")
def command(device: str, reset: str | None, status: bool) -> None:
    """Stop a device that runs (arm, drones, ...), or is shown on the page: latched, whatever program leads it."""
    import sys

    from ..core.errors import WrongUse
    from ..effectors._door import tell

    if reset is not None:
        if not sys.stdin.isatty():
            raise WrongUse("An emergency stop is reset by a person at a terminal.", "No program may do it for them.")
        click.confirm(f"{reset}: nobody is in the way, and the cause of the stop is known?", abort=True)
        answer = tell(device, reset=reset)
    else:
        answer = tell(device) if status else tell(device, stop=True)
    click.echo("\n".join(f"{k}: {v}" for k, v in answer.items() if k in TOLD))
