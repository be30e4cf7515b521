"""bcikit policy: What this installation permits at most, whatever anyone consents to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..ethics.policy import Policy

GROUP = "Consent"
FILE = click.argument("path", metavar="POLICY.toml", type=click.Path(readable=False, path_type=Path))


@click.group(invoke_without_command=True)
@click.option("--profile", type=click.Choice(["clinic"]), help="Write, use and explain a policy made for this place.")
@click.pass_context
def command(ctx: click.Context, profile: str | None) -> None:
    """What this installation permits at most, whatever anyone consents to.

    \b
    bcikit policy check my.toml       # is it a policy? what is wrong stands with its line
    bcikit policy use my.toml         # from now on it holds, for what runs too
    bcikit policy --profile clinic    # encryption, sandboxed parts, signed limits; and what is still open
    """
    if profile:
        from ..ethics.consent import Consent
        from ..ethics.policy import parsed

        consent = Consent()
        holds = consent.policy_text()
        version = parsed(holds).version + 1 if holds else 1
        policy = consent.use_policy(CLINIC.format(version=version))
        click.echo(f"Version {version} of the policy holds from now on: bcikit policy show")
        _open(policy)
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command()
@FILE
@click.option("--own", is_flag=True, help="As a person's own, which can only narrow.")
def check(path: Path, own: bool) -> None:
    """Whether a file is a policy; what is wrong is said with its line."""
    policy = _read(path, own)
    click.echo(f"{path} is a policy, version {policy.version}.")


@command.command()
@FILE
@click.option("--subject", default="", help="It is this person's own, and narrows what the installation permits.")
def use(path: Path, subject: str) -> None:
    """Let a policy hold from now on. Versions only grow."""
    from ..ethics.consent import Consent

    _read(path, bool(subject))
    policy = Consent().use_policy(path.read_text(encoding="utf-8"), subject)
    click.echo(f"Version {policy.version} holds from now on{f' for {subject}' if subject else ''}.")
    if not subject:
        _open(policy)


@command.command()
@click.option("--subject", default="", help="A person's own.")
def show(subject: str) -> None:
    """Print the policy that holds."""
    from ..ethics.consent import Consent

    click.echo(Consent().policy_text(subject) or "No policy is in use: a sink opens where those in the data consented.")


@command.command()
@click.option("--subject", required=True, help="Whose data.")
@click.option("--sink", required=True, help="view, record, effector, train; lsl, network, export, model.")
@click.option("--purpose", default="research", show_default=True)
@click.option("--level", default="RAW", show_default=True, help="How raw they are.")
def explain(subject: str, sink: str, purpose: str, level: str) -> int:
    """Say whether the Gate would allow it now, and why. Asking is written into the audit."""
    from dataclasses import replace

    from ..core.errors import NotConsented, WrongUse, nearest
    from ..core.label import Level
    from ..ethics.gate import Gate
    from ..ethics.manifest import SINKS

    if sink not in SINKS:
        raise WrongUse(f"There is no sink {sink!r}.", f"There are {', '.join(SINKS)}.", nearest(sink, list(SINKS)))
    if level not in Level.__members__:
        raise WrongUse(f"There is no level {level!r}.", f"There are {', '.join(Level.__members__)}.")
    gate = Gate(purpose=purpose)
    try:
        label = replace(gate.consent.label(subject), level=Level[level])
        click.echo(f"allowed: {gate.check(sink, label)}")
        return 0
    except NotConsented as refusal:
        click.echo(f"refused: {refusal}")
        return 3


@command.command()
@FILE
def classify(path: Path) -> None:
    """Name the class of the use, and its obligations. A policy's [manifest] declares it, and is believed, not checked."""
    from ..ethics.manifest import OBLIGATIONS
    from ..ethics.manifest import classify as class_of
    from ..ethics.redlines import RED_LINES

    policy = _read(path, False)
    name, owed = class_of(policy.manifest)
    click.echo(f"This use is of the class {name!r}, which needs:")
    for one in owed:
        click.echo(f"  {OBLIGATIONS[one]}")
    click.echo("Whatever is granted, never:")
    for line in RED_LINES:
        click.echo(f"  {line.text}")


def _read(path: Path, own: bool) -> Policy:
    from ..core.errors import FileTrouble
    from ..ethics.policy import MOST, parsed

    try:
        if path.stat().st_size > 2 * MOST or not path.is_file():
            raise FileTrouble(f"{path} is no file of a page or two.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise FileTrouble(f"{path} cannot be read.", f"{getattr(error, 'strerror', error)}.") from error
    return parsed(text, str(path), own)


def _open(policy: Policy) -> None:
    """What is still to be done before the obligations are met."""
    from ..ethics.manifest import OBLIGATIONS, classify

    m = policy.manifest
    met = {"approval": m.approval, "approver": m.approver, "limits": m.limits, "sealed": not policy.plain}
    met["tier-2"] = policy.tier == 2
    name, owed = classify(m)
    left = [OBLIGATIONS[one] for one in owed if not met.get(one)]
    click.echo(f"Its class is {name!r}. Still open, before anything opens:")
    for one in left:
        click.echo(f"  {one}")


CLINIC = """\
version = {version}
plain = false                 # recordings are encrypted
tier = 2                      # untrusted parts run in the sandboxed worker
signed = true                 # what moves needs a signed limits file of its own

[limits]
bits_per_s = 100.0
grant_days = 90
delete_days = 10

[[forbid]]
sinks = ["lsl", "network"]

[manifest]
setting = "clinic"
population = "patients"
purpose = "clinical"
approval = ""                 # of the ethics committee
stop = ""                     # the control that stops what acts
"""
