"""bcikit audit: What the Gate did, and whether the record of it is whole."""

from __future__ import annotations

import click

GROUP = "Consent"


@click.group()
def command() -> None:
    """What the Gate did, and whether the record of it is whole."""


@command.command()
@click.option("--receipt", "receipts", multiple=True, metavar="FILE", help="A receipt kept elsewhere; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def verify(receipts: tuple[str, ...], as_json: bool) -> int:
    """Check every line, hash, signature and record of sends. A receipt kept elsewhere also finds a rolled back chain."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    from ..core.errors import FileTrouble
    from ..ethics import keys
    from ..ethics.home import home
    from ..ethics.verify import anchor
    from ..ethics.verify import verify as checked

    if not (home() / "audit.jsonl").exists() and not (home() / "audit.head").exists():
        click.echo(json.dumps({"lines": 0}) if as_json else "Nothing was ever asked of the Gate here.")
        return 0
    try:
        anchors = tuple(anchor(Path(r)) for r in receipts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileTrouble("A receipt cannot be read.", str(error), "bcikit consent receipt SUBJECT prints them.") from error
    v = checked(home(), keys.public(), anchors)
    if as_json:
        click.echo(json.dumps(asdict(v)))
    else:
        for line in v.problems:
            click.echo(f"BROKEN: {line}")
        for line in v.notes:
            click.echo(f"note: {line}")
        whole = "broken" if v.problems else "whole"
        click.echo(f"{v.lines} lines, {v.heads} signed heads, {v.sends} sends: the audit is {whole}.")
    return 1 if v.problems else 0


@command.command()
@click.option("--subject", help="What concerns SUBJECT alone.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
def show(subject: str | None, as_json: bool) -> None:
    """What happened, oldest first. Names stand only in what this shows, not in the audit itself."""
    import json
    from time import localtime, strftime

    from ..ethics import keys
    from ..ethics.audit import lines
    from ..ethics.consent import Consent
    from ..ethics.home import home

    known = {keys.pseudonym(s): s for s in {g.subject for g in Consent().grants()} | ({subject} if subject else set())}
    for line in lines(home()):
        who = [line["subject"]] if line.get("subject") else line.get("subjects") or []
        if line["what"] == "head" or (subject and subject not in [known.get(p) for p in who]):
            continue
        if as_json:
            click.echo(json.dumps(line))
            continue
        names = ", ".join(known.get(p, p) for p in who)
        rest = ("purpose", "sink", "sinks", "rule", "by", "grants", "version", "count", "case")
        said = "  ".join(f"{k} {v}" for k in rest if (v := line.get(k)) not in (None, "", []))
        click.echo(f"{strftime('%Y-%m-%d %H:%M:%S', localtime(line['when']))}  {line['what']:<8} {names}  {said}")
