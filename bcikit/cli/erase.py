"""bcikit erase: Destroy the keys of a person, so that every recording of theirs is noise; with a certificate."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Consent"


@click.command()
@click.argument("subject", required=False)
@click.option("--also", multiple=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Look here too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE", help="Where to write the certificate.")
@click.option("--due", is_flag=True, help="Who revoked, and until when their recordings must be destroyed.")
def command(subject: str | None, also: tuple[Path, ...], yes: bool, certificate: Path | None, due: bool) -> None:
    """Take back all that SUBJECT allowed, destroy their keys and their recordings, and say what is left elsewhere.

    It cannot be undone. What was sent to others is not reached: the certificate lists through what it left."""
    import json
    import sys
    from time import localtime, strftime

    from ..core.errors import WrongUse
    from ..custody.erase import erase
    from ..ethics.consent import Consent

    if due:
        for tag, when in (left := sorted(Consent().due().items(), key=lambda x: x[1])):
            click.echo(f"{strftime('%Y-%m-%d', localtime(when))}  {tag}")
        if not left:
            click.echo("Nobody has revoked here, so no recording is due.", err=True)
        return
    if not subject:
        raise WrongUse("Whom?", do="bcikit erase SUBJECT, or bcikit erase --due")
    if certificate and certificate.exists():
        raise WrongUse(f"{certificate} exists already.", "A certificate is never written over.")
    if not yes and not sys.stdin.isatty():
        raise WrongUse("It cannot be undone, and there is no terminal to ask at.", do=f"bcikit erase {subject} --yes")
    if not yes and not click.confirm(f"Destroy everything that is kept of {subject} here, for good?", err=True):
        click.echo("Nothing was destroyed.", err=True)
        return
    said = erase(subject, also)
    body = said["body"]
    if certificate:
        certificate.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{subject} is erased here: {'the key is destroyed' if body['key_destroyed'] else 'there was no key'}.")
    click.echo(
        f"  {body['encrypted_recordings']} encrypted recordings, {len(body['plain_recordings'])} plain ones destroyed"
    )
    for folder in body["models_shaped"]:
        click.echo(f"  shaped by {subject}, and still there: {folder}")
    if body["left_through"]:
        click.echo(f"  left this device through: {', '.join(body['left_through'])}; ask whoever received it")
    for limit in body["limits"]:
        click.echo(f"  {limit}")
    click.echo(f"certificate {body['certificate']}{f': {certificate}' if certificate else ' (--certificate FILE keeps it)'}")
