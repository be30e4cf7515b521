"""bcikit certify: the timing certificate of this machine, signed, to be kept with a study."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Check"


@click.command()
@click.option("--seconds", default=20.0, metavar="S", help="How long each chain is measured.  [20]")
@click.option("--out", type=click.Path(path_type=Path), help="File for the signed certificate (JSON).")
@click.option("--check", type=click.Path(path_type=Path, exists=True), help="Say whether this certificate is genuine.")
@click.pass_context
def command(ctx: click.Context, seconds: float, out: Path | None, check: Path | None) -> None:
    """Measure the whole chain on this machine, expected against observed. Exit 1 where an application may not be run."""
    from datetime import datetime

    from ..bench import certify
    from ..core.errors import WrongUse
    from ..ethics.gate import Gate

    if check is not None:
        doc = certify.genuine(check.read_bytes())
        click.echo(
            f"genuine, of {doc['when']}: " + ", ".join(f"{a} {'pass' if p else 'FAIL'}" for a, p in doc["pass"].items())
        )
        return
    if not 1 <= seconds <= 3600:
        raise WrongUse("--seconds can be 1 to 3600.")
    if out is not None and out.exists():
        raise WrongUse(f"{out} exists; a certificate is not written over another.")
    lines = []
    click.echo(f"{'application':16}{'event':24}{'expected':>10}{'p50':>9}{'p99':>9} ms")
    for x in certify.certify(seconds, Gate()):
        lines.append(x)
        times = "".join(f"{'-' if v != v else format(v, '.3g'):>{w}}" for v, w in zip(
            (x.expected_ms, x.p50_ms, x.p99_ms), (10, 9, 9), strict=True))  # fmt: skip
        verdict = {True: "pass", False: "FAIL", None: ""}[x.passed]
        click.echo(f"{x.application:16}{x.event[:23]:24}{times}  {verdict:5} {x.note}")
    if out is not None:
        out.write_bytes(certify.report(lines, seconds, datetime.now().astimezone().isoformat(timespec="seconds")))
        click.echo(f"signed: {out}")
    ctx.exit(1 if any(x.passed is False for x in lines) else 0)
