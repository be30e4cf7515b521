"""bcikit limits: check a limits file, and sign it so that an effector obeys it."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Devices"


@click.command()
@click.argument("act", type=click.Choice(("check", "sign")))
@click.argument("file", type=click.Path(path_type=Path))
def command(act: str, file: Path) -> None:
    """Check what a device may do near a person, or sign it as it stands: unsigned, or edited later, it is refused."""
    from ..effectors._limits import parse, read, sign

    limits = sign(file) if act == "sign" else parse(file)[0]
    click.echo(f"{limits.device}: {len(limits.channels)} commands, sha256 {limits.hash[:16]}")
    for c in limits.channels:
        bounds = "  ".join(
            f"{n} {v:g}" for n in ("velocity", "acceleration", "jerk", "rate", "jolt") if (v := getattr(c, n))
        )
        click.echo(f"  {c.name:10} {c.low:g} to {c.high:g} {c.unit:8} {bounds}  safe: {c.safe}")
    if act == "sign":
        click.echo("signed by this device")
        return
    read(file)
    click.echo("its signature is good")
