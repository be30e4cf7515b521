"""bcikit stream: A board, live: on the screen, into a file, onto the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._seconds import Seconds

if TYPE_CHECKING:
    from ..core.parts import Board

GROUP = "Stream"
OWN = "-"  # --record alone: encrypted, in the folder of the person


@click.command()
@click.option("--board", required=True, metavar="NAME", help="Where samples come from; `bcikit boards` lists them.")
@click.option("--opt", "opts", multiple=True, metavar="KEY=VALUE", help="A setting of the board; may be repeated.")
@click.option(
    "--stage", "stages", multiple=True, metavar="NAME[:KEY=VALUE,...]", help="A stage, in order; `bcikit stages` lists them."
)
@click.option("--decode", metavar="FOLDER", help="A model that `bcikit train` wrote: show the probabilities of its classes.")
@click.option(
    "--decode-every",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Decode continuously, not after each named event.",
)
@click.option(
    "--keep",
    type=click.Path(readable=False, path_type=Path),
    metavar="FOLDER",
    help="Write what the model learnt, when it ends, as a new model to begin with next time.",
)
@click.option("--subject", metavar="NAME", help="Whose signals these are, as in `bcikit consent grant NAME`.")
@click.option("--seconds", type=Seconds(), metavar="N", help="End after so many seconds of samples.")
@click.option(
    "--record",
    is_flag=False,
    flag_value=OWN,
    metavar="[FILE.xdf]",
    help="Record: encrypted, or as a plain XDF file of this name.",
)
@click.option(
    "--record-at",
    default="out",
    metavar="PLACE",
    help="What is recorded: out (behind the last stage, the default), board, or a stage.",
)
@click.option("--lsl", metavar="NAME", help="Offer what leaves the last stage as an LSL stream (needs its own grant).")
@click.option("--lsl-local", is_flag=True, help="That stream on a network of its own, for readers begun there (Linux).")
@click.option("--markers", metavar="SOURCE", help="Events from another board: lsl:NAME or keyboard.")
@click.option(
    "--sandbox",
    is_flag=True,
    help="Run stages and model in a process that can only compute (always so at tier 2 of a policy).",
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a second instead of the view.")
@click.option("--no-view", is_flag=True, help="Neither view nor JSON.")
def command(
    board: str,
    opts: tuple[str, ...],
    stages: tuple[str, ...],
    decode: str | None,
    decode_every: float | None,
    keep: Path | None,
    subject: str | None,
    seconds: float | None,
    record: str | None,
    record_at: str,
    lsl: str | None,
    lsl_local: bool,
    markers: str | None,
    sandbox: bool,
    as_json: bool,
    no_view: bool,
) -> None:
    """Stream a board: to the screen, and where you say.

    \b
    bcikit stream --board synthetic --stage bandpass:low=1,high=40 --stage notch
    bcikit stream --board openbci --record today.xdf
    bcikit stream --board replay --opt file=today.xdf --json
    bcikit stream --board openbci --decode model --decode-every 0.5
    bcikit stream --board openbci --decode monday --keep tuesday
    """
    from ..core.errors import WrongUse
    from ..core.find import parse, part
    from ..core.parts import Sink, Stage
    from ..core.session import Session
    from ..ethics.tier import tier
    from ._go import go

    if lsl_local:
        from ..ethics.loopback import enter

        if lsl is None:
            raise WrongUse("--lsl-local is about a stream that nobody asked for.", do="--lsl NAME --lsl-local")
        click.echo(f"{lsl} is offered to readers that are begun with: {enter()}", err=True)
    settings = {}
    for opt in opts:
        key, equals, value = opt.partition("=")
        if not equals or not key.strip():
            raise WrongUse(f"--opt {opt} is not KEY=VALUE.", do=f"`bcikit boards {board}` shows the settings of {board}.")
        settings[key.strip()] = value
    source = part("board", board).make(settings)
    line: list[Stage] = []
    if (stages or decode) and (sandbox or tier() == 2):
        model = [{"stage": "model", "folder": decode, "every": decode_every}] if decode else []
        line = [part("stage", "sandbox").make({"line": [*stages, *model]})]
    else:
        line += [parse("stage", text) for text in stages]
        if decode:
            from ..decode._model import load

            line += load(decode).live(decode_every)
    if markers is not None:
        source = _with_markers(source, markers)
    sinks: list[tuple[Sink, str]] = []
    if not no_view:
        sinks.append((part("sink", "jsonl" if as_json else "terminal").make({}), "out"))
    if record is not None:
        recorder = part("sink", "store").make({}) if record == OWN else part("sink", "xdf").make({"path": record})
        sinks.append((recorder, record_at))
    if lsl is not None:
        sinks.append((part("sink", "lsl").make({"name": lsl}), "out"))
    go(Session(source, line, sinks, subject, seconds), keep=keep)


def _with_markers(first: Board, text: str) -> Board:
    """The board merged with another that gives events: NAME, NAME:VALUE (of its first setting) or NAME:KEY=VALUE,..."""
    from ..acquire.merge import Merge
    from ..core.find import parse, part
    from ..core.parts import settings_of

    name, colon, value = text.partition(":")
    if colon and "=" not in value:
        cls = part("board", name)
        return Merge.of(first, cls.make({next(iter(settings_of(cls))): value}))
    return Merge.of(first, parse("board", text))
