"""The one folder in which everything that a person owns lives: consents, keys, the audit."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import FileTrouble


def home() -> Path:
    """$BCIKIT_HOME, else `.bcikit` in the user's own folder. It need not exist yet."""
    given = os.environ.get("BCIKIT_HOME")
    if given:
        return Path(os.path.expanduser(given))
    try:
        return Path.home() / ".bcikit"
    except RuntimeError as error:
        raise FileTrouble("This user has no home folder.", do="Set BCIKIT_HOME to a folder of your own.") from error


def made(folder: Path) -> Path:
    """`folder`, made where it is missing, for this user's eyes only. Raises FileTrouble where it cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileTrouble(
            f"{folder} cannot be made.", f"{error.strerror}.", "Set BCIKIT_HOME to a folder that you can write to."
        ) from error
    return folder


BINARY = getattr(os, "O_BINARY", 0)  # for os.open: Windows else changes the ends of lines


def read_at(fd: int, n: int, at: int) -> bytes:
    """`n` bytes from a place of a file."""
    if hasattr(os, "pread"):
        return os.pread(fd, n, at)
    os.lseek(fd, at, os.SEEK_SET)  # Windows
    return os.read(fd, n)


def write_at(fd: int, data: bytes, at: int) -> None:
    """`data` at a place of a file."""
    if hasattr(os, "pwrite"):
        os.pwrite(fd, data, at)
    else:
        os.lseek(fd, at, os.SEEK_SET)
        os.write(fd, data)


def room(fd: int, size: int) -> None:
    """Let the file have `size` bytes that are there: what is written, through a map, to where a full disk has none kills the
    program. Raises OSError where there is no space."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file at once: a reader, or a crash, sees the old bytes or the new, never a part."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.replace(new, path)


def settle(folder: Path) -> None:
    """Wait until what was put into `folder` would outlive a power cut."""
    if hasattr(os, "O_DIRECTORY"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
