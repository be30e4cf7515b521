"""Data-set cards: one TOML a public data set, with its source, licence, consent, and what a reader must be told.

A file is known by its name and its SHA-256, wherever it lies; a file that only bears the name of a known one is not.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from ..core.label import Label

PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Card:
    """What is known of a data set. files: {name: {sha256 or git, subject}}; git is the SHA-1 of a file as a blob of git.
    read: options for the reader, each list entry for the files of a glob pattern. consent: the basis on which the data may
    be used, and the purposes. rate_hz: one, or one for each kind of file.

    For evaluation: paradigm (mi, ssvep, p300, keys, ...). trials: `events` (patterns of `epoch`), `after` and `length` (s)
    of the window, `scored` classes where not all are, and what else decoders of the paradigm want to know (`hz` of each
    class, channels to use or to `drop`). runs: entries of `files`, a pattern such as sub-{subject}_run-{run}_raw.fif.gz,
    with fixed subject, session or run where the name does not say it (a list where a file holds several, in this order),
    and options for the reader. download: `moabb` (its name there), or `url` with {file}; or `page`, where a person must ask.
    published: scores with their source; `ours` is what comes nearest here, for `bcikit bench published`.
    The rest is for people."""

    name: str
    title: str
    source: str
    licence: str
    consent: Mapping[str, Any]
    subjects: int
    channels: str
    rate_hz: float | tuple[float, ...]
    unit: str
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    read: tuple[Mapping[str, Any], ...] = ()
    cite: str = ""
    doi: str = ""
    sessions: int = 1
    pitfalls: tuple[str, ...] = ()
    paradigm: str = ""
    trials: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()
    download: Mapping[str, str] = field(default_factory=dict)
    published: tuple[Mapping[str, Any], ...] = ()

    def options(self, file: str) -> dict[str, Any]:
        """What the reader of this file must be told."""
        told: dict[str, Any] = {}
        for entry in self.read:
            if fnmatch(file, entry["files"]):
                told |= {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items() if k != "files"}
        return told

    def label(self, file: str) -> Label:
        """Whose this file is, and for what it was given."""
        return self.label_of(self.files[file].get("subject", "unnamed"))

    def label_of(self, subject: str) -> Label:
        """The label of what is read of this subject."""
        who = frozenset({f"{self.name}/{subject}"})
        return Label(subjects=who, purposes=frozenset(self.consent["purposes"]), recorded=True)


@cache
def cards() -> dict[str, Card]:
    """{name: card} of every data set, from `datasets/` of the checkout or of the installed package."""
    folder = next((p for p in (PACKAGE / "datasets", PACKAGE.parent / "datasets") if any(p.glob("*.toml"))), None)
    return {p.stem: load(p) for p in sorted(folder.glob("*.toml"))} if folder else {}


def load(path: Path) -> Card:
    """One card. Raises FileTrouble where it is not TOML, or lacks what every card must say."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        raw = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        card = Card(name=path.stem, **raw)
        if not (card.consent.get("basis") and isinstance(card.consent.get("purposes"), list)):
            raise TypeError("[consent] needs basis and purposes")
        return card
    except (tomllib.TOMLDecodeError, TypeError, OSError, UnicodeDecodeError) as error:
        raise FileTrouble(
            f"The data-set card {path.name} cannot be used.", str(error).removeprefix("Card.__init__() ")
        ) from None


def card_of(path: Path) -> Card | None:
    """The card of the data set that this very file belongs to, or None."""
    known = [c for c in cards().values() if path.name in c.files]
    if not known or not path.is_file():
        return None
    return next((c for c in known if right(path, c.files[path.name])), None)


def right(path: Path, facts: Mapping[str, str]) -> bool:
    """Whether a file is the one that the card knows."""
    with open(path, "rb") as file:
        if "sha256" in facts:
            return hashlib.file_digest(file, "sha256").hexdigest() == facts["sha256"]
        sha = hashlib.sha1(b"blob %d\0" % path.stat().st_size)  # as git names a file
        while piece := file.read(1 << 20):
            sha.update(piece)
        return sha.hexdigest() == facts["git"]
