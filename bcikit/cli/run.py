"""bcikit run: A whole line, from board to effector, out of a session file."""

from __future__ import annotations

from pathlib import Path

import click

from ._seconds import Seconds

GROUP = "Stream"


@click.command()
@click.argument("path", metavar="SESSION.toml", type=click.Path(readable=False, path_type=Path))
@click.option("--subject", metavar="NAME", help="Whose signals these are, in place of what the file says.")
@click.option("--seconds", type=Seconds(), metavar="N", help="End after so many seconds of samples.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a second in place of the file's view.")
@click.option(
    "--trail", type=click.Path(readable=False, path_type=Path), metavar="FOLDER", help="Record what explains each command."
)
@click.option(
    "--keep",
    type=click.Path(readable=False, path_type=Path),
    metavar="FOLDER",
    help="Write what the file's model learnt, when it ends, as a new model.",
)
@click.option("--no-view", is_flag=True, help="Without the file's view.")
def command(
    path: Path,
    subject: str | None,
    seconds: float | None,
    as_json: bool,
    trail: Path | None,
    keep: Path | None,
    no_view: bool,
) -> None:
    """Run a session file; `bcikit new session` writes one."""
    from ..core.errors import FileTrouble, WrongUse
    from ..core.session import session
    from ..ethics.tier import tier
    from ..files.toml import Toml
    from ..view._view import View
    from ..view.jsonl import Jsonl
    from ._go import go

    try:
        file = Toml(path)
    except FileTrouble as error:
        raise FileTrouble(
            error.what, error.why, "" if path.exists() else f"bcikit new session {path} writes one."
        ) from error
    with file.line("subject"):
        of_file = file.doc.pop("subject", None)
        if of_file is not None and (not isinstance(of_file, str) or not of_file):
            raise WrongUse(f"subject = {of_file!r} is not a name.", do='For example subject = "S1".')
    with file.line("seconds"):
        at_most = file.doc.pop("seconds", None)
        if at_most is not None and (
            isinstance(at_most, bool) or not isinstance(at_most, (int, float)) or not 0 < at_most < float("inf")
        ):
            raise WrongUse(f"seconds = {at_most!r} is not a number of seconds.", do="Leave it out to run until Ctrl-C.")
    if tier() == 2:
        from ..decode.sandbox import shut_in

        shut_in(file.doc)
    made = session(file.doc, file.line)
    made.subject, made.seconds = subject or of_file, seconds or at_most
    views = [at for sink, at in made.sinks if isinstance(sink, View)]
    if as_json or no_view:
        made.sinks = [(sink, at) for sink, at in made.sinks if not isinstance(sink, View)]
    if as_json:
        made.sinks.insert(0, (Jsonl(), views[0] if views else "out"))
    go(made, trail, keep)
