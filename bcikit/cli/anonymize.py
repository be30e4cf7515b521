"""bcikit anonymize: A recording for sharing, and how far its owner could be told by it."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Consent"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), metavar="FOLDER", help="Where they go, named by number.")
@click.option("--report", is_flag=True, help="Train attackers on what would be shared, and say how far they get.")
@click.option("--who", "who", metavar="A,B,...", help="--report: whose each file is; without it each file is somebody's.")
@click.option("--session", "sessions", metavar="1,2,...", help="--report: the session of each file.")
@click.option("--sex", "sexes", metavar="f,m,...", help="--report: of each file's owner.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(
    files: tuple[Path, ...],
    to: Path | None,
    report: bool,
    who: str | None,
    sessions: str | None,
    sexes: str | None,
    as_json: bool,
) -> None:
    """Make FILES anew as XDF without anything that names anybody: names, dates, free text, devices, head shapes.

    The samples stay the person's. --report says how well attackers tell identity, sex or session by them."""
    import json

    from ..core.errors import FileTrouble, WrongUse
    from ..custody.anonymize import anonymize, anonymous
    from ..custody.leakage import leakage
    from ..files.read import read

    if not (to or report):
        raise WrongUse("Where to?", do="--to FOLDER, --report, or both.")
    said: dict[str, object] = {}
    clean = []
    for n, file in enumerate(files, 1):
        recording = read(file)
        clean.append(anonymous(recording)[0])
        if to:
            try:
                to.mkdir(exist_ok=True)
            except OSError as error:
                raise FileTrouble(f"{to} cannot be made.", f"{error.strerror}.") from error
            said[str(file)] = done = {
                "as": str(to / f"recording-{n}.xdf"),
                **anonymize(recording, to / f"recording-{n}.xdf"),
            }
            if not as_json:
                click.echo(f"{file} -> {done['as']}")
                click.echo(
                    f"  {done['channels_renamed']} channels and {done['events_renamed']} kinds of events named anew,"
                    f" {done['channels_left_out']} channels and {len(done['fields_left_out'])} fields left out"
                )
    if report:
        known = {"identity": _each(who, len(files), "who") if who else [str(n) for n in range(len(files))]}
        for name, given in (("sex", sexes), ("session", sessions)):
            if given:
                known[name] = _each(given, len(files), name)
        said["report"] = rows = leakage(clean, known)
        for row in rows if not as_json else ():
            click.echo(_row(row))
        if not as_json:
            click.echo("An attacker that fails here is no proof that a better one would.")
    if as_json:
        click.echo(json.dumps(said))


def _each(text: str, n: int, name: str) -> list[str]:
    from ..core.errors import WrongUse

    values = [v.strip() for v in text.split(",")]
    if len(values) != n:
        raise WrongUse(f"--{name} gives {len(values)} for {n} files.", "One for each, in their order.")
    return values


def _row(row: dict) -> str:
    if "note" in row:
        return f"{row['attacker']}: {row['note']}"
    told = "tells them" if row["accuracy"] > row["chance_95"] else "does not tell them"
    return (
        f"{row['attacker']}: an attacker {told}: {100 * row['accuracy']:.0f} % right of {row['classes']} (chance"
        f" {100 * row['chance']:.0f} %, by luck up to {100 * row['chance_95']:.0f} %), {row['left_out']} left out"
    )
