"""bcikit limits: check a limits file, and sign it so that an effector obeys it."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Devices"


@click.command()
@click.argument("act", metavar="check|sign", type=click.Choice(("check", "sign")))
@click.argument("file", type=click.Path(path_type=Path))
def command(act: str, file: Path) -> None:
    """Check what a device may do near a person, or sign it as it stands: unsigned, or edited later, it is refused."""
    from ..effectors import _dose, _limits
    from ..files.toml import Toml

    doc = Toml(file).doc
    if "electrode" in doc:
        dose = _dose.parse(file) if act == "sign" else _dose.read(file)
        for e in dose.electrodes:
            click.echo(f"  {e.name:10} {e.area_mm2:g} mm²  to {e.current_ua:g} µA  k {e.shannon_k:g}")
    else:
        limits = _limits.parse(file)[0] if act == "sign" else _limits.read(file)
        for c in limits.channels:
            names = ("velocity", "acceleration", "jerk", "rate", "jolt")
            bounds = "  ".join(f"{n} {v:g}" for n in names if (v := getattr(c, n)))
            click.echo(f"  {c.name:10} {c.low:g} to {c.high:g} {c.unit:8} {bounds}  safe: {c.safe}")
    if act == "sign":
        _limits.sign(file)
    click.echo(f"{file}: {'signed by this device' if act == 'sign' else 'its signature is good'}")
