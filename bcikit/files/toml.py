"""A TOML file that knows the lines of its keys, so that what is wrong with it is said with the place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble, WrongUse

MOST = 100_000  # bytes: what is written by hand is a page or two


class Toml:
    """`doc` is what the file says. Raises FileTrouble where there is no text, WrongUse where it is not TOML."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.is_fifo():
                raise FileTrouble(f"{path} cannot be read.", "It is a pipe, which might never end.")
            with path.open("rb") as f:
                raw = f.read(MOST + 1)
            self.text = raw.decode().replace("\r\n", "\n")
        except (OSError, ValueError) as error:
            why = "It is no text." if isinstance(error, UnicodeError) else f"{getattr(error, 'strerror', error)}."
            raise FileTrouble(f"{path} cannot be read.", why) from error
        if len(raw) > MOST:
            raise FileTrouble(f"{path} is over {MOST // 1000} kB.", "What is written by hand is a page or two.")
        try:
            self.doc = tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:
            what, _, where = str(error).partition(" (at ")
            found = re.match(r"line (\d+)", where)
            line = int(found[1]) if found else self.text.count("\n") + 1
            why = "In TOML texts stand in quotes and tables in [] (toml.io)."
            raise WrongUse(f"{path}, line {line}: {what}.", why) from error

    @contextmanager
    def line(self, *keys: str | int) -> Iterator[None]:
        """Puts the line of a key before what is said to be wrong with it. A number names one of several tables (0 also a
        table that stands alone)."""
        try:
            yield
        except WrongUse as error:
            raise WrongUse(f"{self.path}, line {self._number(keys)}: {error.what}", error.why, error.do) from error

    def _number(self, keys: tuple[str | int, ...]) -> int:
        """The first line up to which the file holds the key. The file is read again up to each line in question, so every
        way of writing TOML counts."""
        lines = self.text.split("\n")
        name = next(str(key) for key in reversed(keys) if isinstance(key, str))
        named = [n for n, line in enumerate(lines, 1) if name in line]
        for n in (end for begin in named[:200] for end in range(begin, min(begin + 50, len(lines)) + 1)):
            try:
                doc: Any = tomllib.loads("\n".join(lines[:n]))
                for key in keys:
                    doc = {0: doc}[key] if isinstance(key, int) and isinstance(doc, dict) else doc[key]
                return n
            except (ValueError, LookupError, TypeError):
                continue
        return named[0] if named else 1
