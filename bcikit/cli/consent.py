"""bcikit consent: who allowed what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

GROUP = "Consent"
PASSPHRASE = click.option(
    "--passphrase-file",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Where the person's passphrase stands, in place of asking for it here.",
)


@click.group()
def command() -> None:
    """Say what signals may be used for, see it, take it back."""


@command.command()
@click.argument("subject")
@click.option(
    "--purpose",
    default="research",
    show_default=True,
    help="For what: research, personal, education, clinical or identification.",
)
@click.option(
    "--sink", "sinks", multiple=True, required=True, help="view, record, effector, train; lsl, network, export, model."
)
@click.option("--days", default=365.0, show_default=True, help="How long it lasts.")
@click.option("--level", default="RAW", show_default=True, help="The most raw: RAW, SIGNAL, FEATURE, DECISION or AGGREGATE.")
@click.option(
    "--own", is_flag=True, help="SUBJECT signs it, with a passphrase; sinks that leave the device always need that."
)
@PASSPHRASE
def grant(
    subject: str,
    purpose: str,
    sinks: tuple[str, ...],
    days: float,
    level: str,
    own: bool,
    passphrase_file: Path | None,
) -> None:
    """Record that SUBJECT allows sinks for a purpose. You, the operator, attest it, or SUBJECT signs."""
    from ..ethics.consent import LEAVING, Consent

    consent = Consent()
    signs = own or passphrase_file is not None or any(s in LEAVING for s in sinks)
    words = _words(consent, subject, passphrase_file, new=True) if signs else ""
    for g in consent.grant(subject, purpose, sinks, days, passphrase=words, level=level):
        click.echo(_line(g))
        if set(g.sinks) & set(LEAVING):
            click.echo(f"  Note: {', '.join(g.sinks)} takes the data off this machine; others may keep what they get.")
    who = f"{subject} signed this." if signs else f"You attest that {subject} agreed."
    click.echo(f"{who} To take it back: bcikit consent revoke {subject}")


@command.command()
@click.argument("subject")
@click.option("--guardian", default="", metavar="NAME", help="SUBJECT is a minor, and NAME signs for them.")
@PASSPHRASE
def enrol(subject: str, guardian: str, passphrase_file: Path | None) -> None:
    """Give SUBJECT a passphrase of their own. With it alone can be allowed what leaves the device."""
    from ..core.errors import NotConsented
    from ..ethics.consent import Consent

    consent = Consent()
    if consent.enrolled(subject):
        raise NotConsented(f"{subject} has a passphrase already.", "Only who knows it could change it.")
    consent.enrol(subject, asked(guardian or subject, passphrase_file, twice=True), guardian)
    click.echo(f"{guardian or subject} now signs for {subject}. The passphrase is kept nowhere: nobody can restore it.")


@command.command()
@click.argument("subject", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON line a grant.")
def show(subject: str | None, as_json: bool) -> None:
    """What is allowed at this moment, by SUBJECT or by everyone."""
    import json
    from dataclasses import asdict

    from ..ethics.consent import Consent

    consent = Consent()
    grants = [g for g in consent.grants() if subject in (None, g.subject)]
    for g in grants:
        click.echo(json.dumps(asdict(g)) if as_json else _line(g))
    if not grants and not as_json:
        click.echo(f"{subject or 'Nobody'} allows nothing here." if subject else "Nobody has allowed anything here.")


@command.command()
@click.argument("subject")
def receipt(subject: str) -> None:
    """Print SUBJECT's receipts, to keep elsewhere. One JSON text each, with the field names of ISO/IEC TS 27560."""
    from ..ethics.consent import Consent

    consent = Consent()
    standing = {g.id for g in consent.grants()}
    kept = [text for one, text in consent.receipts(subject).items() if one in standing]
    click.echo("\n".join(kept) or f"{subject} allows nothing here.", err=not kept)


@command.command()
@click.argument("subject")
@click.option("--purpose", default=None, help="Only the grants for this purpose.")
@click.option("--sink", "sinks", multiple=True, help="Only the grants with this sink.")
def revoke(subject: str, purpose: str | None, sinks: tuple[str, ...]) -> None:
    """Take back what SUBJECT allowed; running programs stop at once."""
    from time import localtime, strftime

    from ..ethics import keys
    from ..ethics.consent import Consent

    consent = Consent()
    gone = consent.revoke(subject, purpose, sinks)
    for g in gone:
        click.echo(f"taken back: {_line(g)}")
    if gone:
        many = "" if len(gone) == 1 else "s"
        click.echo(f"{subject}: {len(gone)} grant{many} taken back; nothing leaves through them any more.")
    else:
        click.echo(f"There is nothing to take back: {subject} allows no such thing here. See bcikit consent show.")
    if due := consent.due().get(keys.tag(subject)):
        until = strftime("%Y-%m-%d", localtime(due))
        click.echo(f"What is recorded of {subject} here, if anything, is to be destroyed by {until}: bcikit erase {subject}")


def _words(consent: Any, subject: str, file: Path | None, new: bool) -> str:
    """The person's passphrase; one is chosen where there is none yet."""
    if consent.enrolled(subject):
        return asked(subject, file)
    words = asked(subject, file, twice=True)
    if new:
        consent.enrol(subject, words)
    return words


def asked(who: str, file: Path | None, twice: bool = False) -> str:
    """Raises NotConsented where there is nobody to ask."""
    import sys

    from ..core.errors import FileTrouble, NotConsented

    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise FileTrouble(f"The passphrase file {file} cannot be read.", str(error)) from error
    if not sys.stdin.isatty():
        raise NotConsented(
            f"Only {who} can allow what leaves this machine, with a passphrase, and there is no terminal to ask at.",
            "What the operator attests reaches local sinks alone.",
            "Type the command at a terminal, or give --passphrase-file FILE.",
        )
    if twice:
        click.echo(
            f"{who}: choose a passphrase of 8 characters or more. It signs what you allow, and is kept nowhere.", err=True
        )
    return click.prompt(f"Passphrase of {who}", hide_input=True, confirmation_prompt=twice, err=True)


def _line(g: Any) -> str:
    from time import localtime, strftime

    by = {
        "operator": "attested by operator",
        "self": "given by the person at this terminal",
        "person": "signed by the person",
        "guardian": "signed by the guardian",
    }[g.by]
    level = "" if g.level == "RAW" else f"  no more raw than {g.level}"
    until = strftime("%Y-%m-%d", localtime(g.expires))
    return f"{g.subject}  {g.purpose}  {', '.join(g.sinks)}{level}  until {until}  ({by})"
