"""bcikit bench certify: the timing certificate of this machine, signed, to be kept with a study."""

from __future__ import annotations

from pathlib import Path

import click


def certified(seconds: float, out: Path | None, check: Path | None) -> int:
    """Measure the whole chain on this machine, expected against observed; or say whether a certificate is genuine. 1 where
    an application may not be run."""
    from datetime import datetime

    from ..bench import certify
    from ..core.errors import WrongUse
    from ..ethics.gate import Gate

    if check is not None:
        doc = certify.genuine(check.read_bytes())
        verdicts = ", ".join(f"{a} {'pass' if p else 'FAIL'}" for a, p in doc["pass"].items())
        click.echo(f"genuine, of {doc['when']}: {verdicts}")
        return 0
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
    return int(any(x.passed is False for x in lines))
