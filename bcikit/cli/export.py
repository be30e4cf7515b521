"""bcikit export: Give a person everything that is kept of them, in open formats."""

from __future__ import annotations

from pathlib import Path

import click

from .consent import PASSPHRASE

GROUP = "Consent"


@click.command()
@click.argument("subject")
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder.")
@PASSPHRASE
def command(subject: str, to: Path, passphrase_file: Path | None) -> None:
    """Give SUBJECT everything that is kept of them: recordings as plain XDF, receipts, their lines of the audit."""
    from ..custody.export import export
    from ..ethics.consent import Consent
    from .consent import asked

    words = asked(subject, passphrase_file) if Consent().enrolled(subject) else ""
    done = export(subject, to, words)
    click.echo(f"{done['folder']}: {len(done['recordings'])} recordings, receipts, {done['audit_lines']} lines of the audit")
    if done["with_others"]:
        click.echo(f"{done['with_others']} recordings also hold other people, and were left out.")
    click.echo("They are plain: whoever has them can read them.")
