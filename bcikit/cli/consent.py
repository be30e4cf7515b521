"""bcikit consent: who allowed what."""

from __future__ import annotations

from typing import Any

import click

GROUP = "Consent"


@click.group()
def command() -> None:
    """Say what signals may be used for, see it, take it back."""


@command.command()
@click.argument("subject")
@click.option(
    "--purpose", default="research", show_default=True, help="For what: research, personal, education or clinical."
)
@click.option(
    "--sink", "sinks", multiple=True, required=True, help="view, record, effector, train; lsl, network, export, model."
)
@click.option("--days", default=365.0, show_default=True, help="How long it lasts.")
def grant(subject: str, purpose: str, sinks: tuple[str, ...], days: float) -> None:
    """Record that SUBJECT allows sinks for a purpose (attested by you, the operator)."""
    from ..ethics.consent import LEAVING, Consent

    for g in Consent().grant(subject, purpose, sinks, days):
        click.echo(_line(g))
        if set(g.sinks) & set(LEAVING):
            click.echo(f"  Note: {', '.join(g.sinks)} takes the data off this machine; others may keep what they get.")
    click.echo(f"You attest that {subject} agreed. To take it back: bcikit consent revoke {subject}")


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
@click.option("--purpose", default=None, help="Only the grants for this purpose.")
@click.option("--sink", "sinks", multiple=True, help="Only the grants with this sink.")
def revoke(subject: str, purpose: str | None, sinks: tuple[str, ...]) -> None:
    """Take back what SUBJECT allowed; running programs stop at once."""
    from ..ethics.consent import Consent

    gone = Consent().revoke(subject, purpose, sinks)
    for g in gone:
        click.echo(f"taken back: {_line(g)}")
    click.echo(f"{subject}: {len(gone)} grants taken back; nothing leaves through them any more.")


def _line(g: Any) -> str:
    from time import localtime, strftime

    by = "attested by operator" if g.by == "operator" else "given by the person"
    return f"{g.subject}  {g.purpose}  {', '.join(g.sinks)}  until {strftime('%Y-%m-%d', localtime(g.expires))}  ({by})"
