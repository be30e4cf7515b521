"""bcikit calibrate: From a person to a decoder: show a task, record it, train, report."""

from __future__ import annotations

import click

GROUP = "Decode"


@click.command()
@click.option("--task", "name", required=True, metavar="mi|ssvep|p300|rest", help="What the person is asked to do.")
@click.option("--board", required=True, metavar="NAME", help="Where samples come from; `bcikit boards` lists them.")
@click.option("--opt", "opts", multiple=True, metavar="KEY=VALUE", help="A setting of the board; may be repeated.")
@click.option("--subject", metavar="S", help="Whose signals these are, as in `bcikit consent grant S`.")
@click.option("--out", metavar="FOLDER", help="Recording, model and report.  [calibration-SUBJECT-TASK]")
@click.option("--trials", default=20, show_default=True, metavar="N", help="Trials of each class (p300: letters).")
@click.option("--classes", metavar="A,B", help="mi: of left, right, feet, rest; ssvep: frequencies in Hz.")
@click.option("--decoder", default="", metavar="NAME", help="Instead of the task's default.")
@click.option("--seed", default=0, show_default=True, help="Of the order of the trials.")
@click.option(
    "--trigger",
    default="",
    metavar="NAME[=VALUE]",
    help="Event of a photodiode or digital pin, which then says when a cue was seen.",
)
@click.option(
    "--seen", default=0.03, show_default=True, metavar="S", help="How unsure it is when a cue is seen without one."
)
@click.option("--anyway", is_flag=True, help="Go on though the signal is poor.")
@click.option("--jump", is_flag=True, help="As fast as the machine can: simulated and replayed boards alone.")
@click.option("--json", "as_json", is_flag=True, help="Lines of JSON; the last one holds the scores.")
def command(
    name: str,
    board: str,
    opts: tuple[str, ...],
    subject: str | None,
    out: str | None,
    trials: int,
    classes: str | None,
    decoder: str,
    seed: int,
    trigger: str,
    seen: float,
    anyway: bool,
    jump: bool,
    as_json: bool,
) -> None:
    """Show a task on this terminal, record it, train a decoder on it, and say how good it is.

    \b
    bcikit calibrate --task mi --board openbci --subject S1
    bcikit calibrate --task rest --board synthetic --trials 5 --jump
    bcikit stream --board openbci --subject S1 --decode calibration-S1-mi/model
    """
    import json
    from typing import Any

    from ..core.clock import WALL, JumpClock
    from ..core.errors import WrongUse
    from ..core.find import part
    from ..ethics.gate import Gate
    from ..evaluate.calibrate import Calibration, calibrate
    from ..tasks.cued._task import task
    from ._go import allowed
    from .evaluate import table

    wanted: dict[str, Any] = {"n": trials, "seed": seed}
    if classes:
        names = tuple(c.strip() for c in classes.split(","))
        key = {"mi": "wanted", "ssvep": "hz"}.get(name)
        if key is None:
            raise WrongUse(f"The task {name} has no classes to choose from.")
        try:
            wanted[key] = tuple(map(float, names)) if key == "hz" else names
        except ValueError:
            raise WrongUse(f"--classes {classes} are no frequencies.", do="--classes 9,12,15") from None
    shown = task(name, **wanted)
    settings = {}
    for opt in opts:
        key, equals, value = opt.partition("=")
        if not equals:
            raise WrongUse(f"--opt {opt} is not KEY=VALUE.", do=f"`bcikit boards {board}` shows the settings of {board}.")
        settings[key.strip()] = value
    made = part("board", board)
    if hasattr(made, "intend") and shown.electrodes:  # a simulated person wears what the task asks for
        settings.setdefault("channels", "+".join(shown.electrodes))
    source, gate = made.make(settings), Gate()
    if jump and source.live:
        raise WrongUse(f"{board} has a real person at it, who cannot be hurried.", do="Leave --jump out.")
    if source.live:
        source.label = allowed(gate, subject, ["view", "record", "train"])
    who = subject or "me"

    def say(text: str) -> None:
        click.echo(json.dumps({"said": text}, ensure_ascii=False) if as_json else text, err=not as_json)

    wish = Calibration(
        source,
        shown,
        who,
        out or f"calibration-{who}-{name}",
        JumpClock() if jump else WALL,
        gate,
        (lambda text: None) if as_json or jump else big,
        say,
        decoder,
        trigger,
        seen,
        anyway,
    )
    result = calibrate(wish)
    chosen = next(iter(result["decoders"]))
    if as_json:
        click.echo(json.dumps({**result, "decoder": chosen, **result["decoders"][chosen]}, ensure_ascii=False))
    else:
        click.echo(table(result))
        click.echo(f"\nReport: {result['report']}\nTry it: bcikit stream --board {board} --decode {result['model']}")


def big(text: str) -> None:
    """In the middle of an empty terminal; a line of its own where there is none."""
    import shutil
    import sys

    if not sys.stdout.isatty():
        click.echo(text)
        return
    width, height = shutil.get_terminal_size()
    click.echo(
        f"\x1b[2J\x1b[{height // 2};{max((width - len(text)) // 2, 1)}H{click.style(text, bold=True)}\x1b[?25l", nl=False
    )
    if not text:
        click.echo("\x1b[?25h\x1b[H", nl=False)
    sys.stdout.flush()
