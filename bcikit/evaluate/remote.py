"""Recordings that lie elsewhere: in an object store, or whatever else fsspec opens (s3://, gs://, http://, memory://)."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import FileTrouble, WrongUse
from ..ethics.home import home, made


def is_remote(root: Any) -> bool:
    return "://" in str(root)


def place(root: str) -> Path:
    """Where what is fetched from there lies here."""
    return home() / "cache" / "files" / hashlib.sha256(root.encode()).hexdigest()[:16]


def names(root: str) -> list[str]:
    """Files under a URL, relative to it. Raises WrongUse without fsspec, FileTrouble where nothing can be listed."""
    fs, top = _opened(root)
    try:
        found = fs.find(top)
    except Exception as error:  # each store has its own
        raise FileTrouble(f"{root} cannot be listed.", f"{type(error).__name__}: {str(error)[:200]}") from None
    return sorted(str(PurePosixPath(p).relative_to(PurePosixPath(top))) for p in found)


def fetch(root: str, path: Path) -> None:
    """Bring a recording, and the files beside it that share its name, to its place. Raises FileTrouble."""
    fs, top = _opened(root)
    relative = path.relative_to(place(root)).as_posix()
    stem = PurePosixPath(relative).name.split(".")[0].removesuffix("_raw")
    parent = str(PurePosixPath(top) / PurePosixPath(relative).parent)
    try:
        made(path.parent)
        for other in fs.ls(parent, detail=False):
            name = PurePosixPath(other).name
            if name.startswith(stem) and not (path.parent / name).is_file():
                part = path.parent / f"{name}.part"
                fs.get_file(other, str(part))
                part.replace(path.parent / name)
    except Exception as error:
        raise FileTrouble(
            f"{relative} cannot be fetched from {root}.", f"{type(error).__name__}: {str(error)[:200]}"
        ) from None


def _opened(root: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise WrongUse(f"{root} needs fsspec.", do="pip install 'bcikit[scale]'") from None
    try:
        fs, top = url_to_fs(root)
    except (ImportError, ValueError) as error:
        raise WrongUse(f"{root} cannot be opened.", f"{error}.") from None
    return fs, top.rstrip("/") or "/"
