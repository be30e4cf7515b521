"""bcikit audit: What the Gate did, and whether the record of it is whole."""

from __future__ import annotations

from pathlib import Path

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
        told = {k: v for k in rest if (v := line.get(k)) not in (None, "", [])}
        said = "  ".join(f"{k} {', '.join(v) if isinstance(v, list) else v}" for k, v in told.items())
        click.echo(f"{strftime('%Y-%m-%d %H:%M:%S', localtime(line['when']))}  {line['what']:<8} {names}  {said}")


@command.command()
@click.argument("number", metavar="COMMAND-ID", type=int, required=False)
@click.option("--trail", type=click.Path(readable=False, path_type=Path), metavar="FOLDER", help="What run --trail left.")
@click.option("--faults", type=click.IntRange(1, 100_000), metavar="N", help="Try it on N faults of the published list.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the faults.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def explain(number: int | None, trail: Path | None, faults: int | None, seed: int, as_json: bool) -> None:
    """Say what was responsible for a command. The run in which an effector was sent COMMAND-ID (its index) is replayed."""
    import json
    from dataclasses import asdict

    from ..core.errors import WrongUse

    if faults:
        _faults(faults, seed, as_json)
        return
    if number is None or trail is None:
        raise WrongUse("Which command, of which run?", do="bcikit audit explain COMMAND-ID --trail FOLDER")
    from ..custody.explain import Run
    from ..custody.explain import explain as explained

    v = explained(Run.read(trail), number)
    if as_json:
        click.echo(json.dumps(asdict(v)))
        return
    click.echo(f"command {v.command}: {', '.join(f'{x:.6g}' for x in v.value)}")
    click.echo("It replays to the bit." if v.exact else "It does not replay: what is written is not what comes out again.")
    click.echo(f"Responsible: {v.who}{f' ({v.which})' if v.which else ''}: {v.why}.")


def _faults(count: int, seed: int, as_json: bool) -> None:
    import json

    from ..custody.faults import drawn

    right = commands = replayed = 0
    for found in drawn(count, seed):
        right += found.named == found.who
        commands, replayed = commands + found.commands, replayed + found.replayed
        if found.named != found.who and not as_json:
            click.echo(f"{found.fault}: {found.who}, but {found.named} was named: {found.why}")
    said = {"faults": count, "right": right, "commands": commands, "replayed": replayed, "seed": seed, "simulated": True}
    if as_json:
        click.echo(json.dumps(said))
    else:
        click.echo(
            f"{right} of {count} faults named right; {replayed} of {commands} commands replay to the bit (simulated)."
        )
