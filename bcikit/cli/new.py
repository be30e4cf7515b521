"""bcikit new: An annotated session file to begin from."""

from __future__ import annotations

from pathlib import Path

import click

GROUP = "Stream"


@click.group()
def command() -> None:
    """Write a file to begin from."""


@command.command()
@click.argument("path", default="session.toml", type=click.Path(readable=False, path_type=Path))
def session(path: Path) -> None:
    """Write an annotated session file. It runs as it is, with no hardware. PATH is session.toml where it is left out."""
    from ..core.errors import FileTrouble
    from ._session import template

    try:
        with path.open("x", encoding="utf-8") as f:
            f.write(template(path))
    except FileExistsError as error:
        raise FileTrouble(
            f"{path} is there already.", do="Name another, or move it away: nothing is overwritten."
        ) from error
    except OSError as error:
        raise FileTrouble(f"{path} cannot be written.", f"{error.strerror}.") from error
    click.echo(f"{path} written. Run it: bcikit run {path}")
