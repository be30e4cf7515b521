"""bcikit doctor: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import click

GROUP = "Check"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON line a finding.")
@click.option("--port", "ports", multiple=True, metavar="PATH", help="Look at this serial port (else at all there are).")
@click.option("--set-latency-timer", is_flag=True, help="Set the latency timer of FTDI serial ports to 1 ms.")
@click.pass_context
def command(ctx: click.Context, as_json: bool, ports: tuple[str, ...], set_latency_timer: bool) -> None:
    """Look at this machine: libraries, LSL, serial ports, display, GPU, clock. Exit 1 where something does not work."""
    import json
    from dataclasses import asdict

    from ..bench.doctor import examine, quicken

    signs = {"good": ("ok  ", "green"), "note": ("note", "yellow"), "bad": ("BAD ", "red")}
    bad = 0
    for finding in quicken(ports) if set_latency_timer else examine(ports):
        bad += finding.state == "bad"
        if as_json:
            click.echo(json.dumps(asdict(finding)))
            continue
        sign, colour = signs[finding.state]
        click.echo(f"{click.style(sign, fg=colour)}  {finding.name:18}  {finding.found}")
        for line in finding.do.splitlines():
            click.echo(f"      {'':18}  -> {line}")
    ctx.exit(1 if bad else 0)
