"""The command line: one file beside this one is one command, found by its place and imported when it is used."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import click

from .. import __version__
from ..core import find
from ..core.errors import BciError, nearest
from ..core.settings import Part

HERE = Path(__file__).parent
GROUPS = {
    "Stream": "A line from a board to the screen, a file or an effector, and what it is made of",
    "Decode": "Data sets, training, scores",
    "Devices": "Boards, real and emulated",
    "Consent": "Who allowed what",
    "Check": "Whether it works, and how well",
}
REPORT = "This is a fault of bcikit, not yours. Run it again with --debug to see where, and report that text."


@cache
def found() -> dict[str, tuple[str, str]]:
    """{command: (group, one line of help)}, read from the files' text: `GROUP = "..."` and the first line."""
    commands = {}
    for path in sorted(HERE.glob("[!_]*.py")):
        if path.stem != "main":
            text = path.read_text(encoding="utf-8")
            group = re.search(r'^GROUP = "(\w+)"', text, re.M)
            line = re.match(r'"""(?:`?bcikit [\w-]+`?: )?(.+?)\.?(?:"""|$)', text, re.M)
            commands[path.stem] = (group[1] if group else "Check", line[1][:1].upper() + line[1][1:] if line else "")
    return commands


class Commands(click.Group):
    """The commands of the folder, in groups."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for group in GROUPS for name, (its, _) in found().items() if its == group]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return import_module(f"bcikit.cli.{name}").command if name in found() else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        if args[0] not in found() and not args[0].startswith("-"):
            hint = nearest(args[0], list(found())) or "bcikit --help lists the commands."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, found()))
        for group, about in GROUPS.items():
            rows = [(name.ljust(width), line) for name, (its, line) in found().items() if its == group]
            if rows:
                with formatter.section(f"{group}  ({about.lower()})"):
                    formatter.write_dl(rows)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Begin with:  bcikit stream --board synthetic",
)
@click.version_option(__version__, message="bcikit %(version)s")
@click.option("--debug", is_flag=True, help="Show where an error came from (the traceback).")
def commands(debug: bool) -> None:
    """Brain-computer interfaces in real time and offline with the same code."""


def main(argv: list[str] | None = None) -> int:
    """Run a command; gives the exit code: 0 done, 1 a check failed, 2 wrong use, 3 not consented, 4 device or file
    trouble, 130 interrupted. Whatever a user can cause is told in one to three lines on stderr."""
    _three_streams()
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    find.GUARDS[:] = [_may_load]
    if "_BCIKIT_COMPLETE" in os.environ:  # the shell asks what could follow
        commands.main(prog_name="bcikit")
    try:
        try:
            with commands.make_context("bcikit", [a for a in argv if a != "--debug"]) as ctx:
                code = commands.invoke(ctx)
        except click.exceptions.Exit as end:
            code = end.exit_code
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (click.Abort, KeyboardInterrupt):
        _say("\nInterrupted.")
        return 130
    except Exception as error:
        if debug:
            raise
        return _told(error)


def _may_load(kind: str, name: str) -> None:
    from ..ethics.tier import may_load

    may_load(kind, name)


def _three_streams() -> None:
    """Where a standard stream was closed, nothing else may get its number: what libraries print would go into our files."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _told(error: Exception) -> int:
    if isinstance(error, BciError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, click.ClickException):
        _say(_which(error) or error.format_message())
        if isinstance(error, click.UsageError) and error.ctx and "--help" not in error.message:
            _say(f"{error.ctx.command_path} --help shows how it is used.")
        return 2
    if isinstance(error, OSError) and error.strerror:
        _say(f"{error.filename or 'The system'}: {error.strerror}.")
        return 4
    _say(f"{type(error).__name__}: {error}\n{_theirs(error) or REPORT}")
    return 1


def _theirs(error: Exception) -> str:
    """Where it came out of a part of another package: whose it is."""
    from traceback import walk_tb

    for frame, _ in reversed(list(walk_tb(error.__traceback__))):
        its = frame.f_locals.get("self")
        package = type(its).__module__.partition(".")[0]
        if isinstance(its, Part) and package != "bcikit":
            whose = f"This is a fault of the {its.room} {its.part_name()!r}, which the package {package} brings."
            return f"{whose}\nTell its author what `bcikit --debug ...` shows, or leave it out."
    return ""


def _which(error: click.ClickException) -> str:
    """Where a command has no part of that name: which it has."""
    if not isinstance(error, click.UsageError) or error.ctx is None or not error.message.startswith("No such command"):
        return ""
    parts = list(error.ctx.command.commands) if isinstance(error.ctx.command, click.Group) else []
    name = error.message.split("'")[1]
    hint = nearest(name, parts) or f"It has {', '.join(parts)}."
    return f"{error.ctx.command_path} has no {name!r}. {hint}"


def _say(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:  # nobody is there to read it
        pass


if __name__ == "__main__":
    sys.exit(main())
