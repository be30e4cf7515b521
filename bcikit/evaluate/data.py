"""Data sets as runs of people: what a card says, on its own files or on others of the same kind.

for run in trials("ssvep-exo", root="data/ssvep-exo"):
    print(run.subject, run.session, run.run, run.recording.stream.rate)
    X, y, stream = cut([Bandpass(low=1, high=45), run.epoch()], run.recording)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import FileTrouble, WrongUse, nearest
from ..core.label import Label
from ..core.parts import Stage
from ..core.pipeline import Pipeline
from ..core.stream import Recording, Stream
from ..ethics.home import home
from ..files.cards import Card, cards, load
from ..files.read import read
from ..preprocess.epoch import Epoch
from . import remote
from .folder import folder_card

KEYS = ("subject", "session", "run")
FIELD = re.compile(r"\{(subject|session|run)\}")


class Cut(NamedTuple):
    """Trials in order: X (trials, channels, lags), y (trials,) their classes; stream: what they were cut from."""

    X: np.ndarray
    y: np.ndarray
    stream: Stream


@dataclass(frozen=True)
class Run:
    """One recording of a data set."""

    card: Card
    subject: str
    session: str
    run: str
    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    remote: str = ""  # the URL that it is fetched from, once it is wanted

    def here(self) -> Path:
        """Its file on this machine."""
        if self.remote and not self.path.is_file():
            remote.fetch(self.remote, self.path)
        return self.path

    @property
    def recording(self) -> Recording:
        """The recording as the card says it is to be read: its label names the subject, unused channels are left out."""
        r = _read(self.here(), json.dumps(self.options))
        keep = [i for i, n in enumerate(r.stream.names) if not any(fnmatch(n, p) for p in self.card.trials.get("drop", ()))]
        if len(keep) < len(r.stream.names):
            stream = r.stream.but(channels=tuple(r.stream.channels[i] for i in keep))
            r = Recording(stream, tuple(c.but(data=c.data[:, keep]) for c in r.chunks), r.info)
        known = r.stream.label.simulated or (r.stream.label.subjects and not r.info["card"])
        return r if known else Recording(r.stream.but(label=self.label), r.chunks, r.info)

    @property
    def label(self) -> Label:
        """Whose it is, and for what it was given."""
        return self.card.label_of(self.subject)

    def epoch(self, **changes: Any) -> Epoch:
        """The stage that cuts this data set's trials."""
        told = {k: v for k, v in self.card.trials.items() if k in ("events", "after", "length")}
        if "events" not in told:
            raise WrongUse(f"The card {self.card.name} does not say what opens a trial.", do="It needs [trials] events.")
        return Epoch(**{**told, **changes})

    @property
    def name(self) -> str:
        return "/".join(filter(None, (self.subject, self.session, self.run)))


def card(name: str | Path | Card) -> Card:
    """A card by name, by file, of a folder, or as it is. Raises WrongUse for an unknown name, FileTrouble."""
    if isinstance(name, Card):
        return name
    if str(name) not in cards() and Path(name).expanduser().is_dir():
        return folder_card(Path(name).expanduser())
    if str(name).endswith(".toml"):
        return load(Path(name))
    if str(name) not in cards():
        raise WrongUse(
            f"There is no data set {str(name)!r}.",
            nearest(str(name), list(cards())),
            "`bcikit datasets` lists them; --data FILE.toml reads a card of your own.",
        )
    return cards()[str(name)]


def trials(data: str | Path | Card, root: str | Path | None = None, subjects: Iterable[str] = ()) -> list[Run]:
    """The runs of a data set that lie under `root` (or where `bcikit datasets get` puts them), in order of person,
    session and run. Raises FileTrouble where there are none, WrongUse for a subject that is not there."""
    its = card(data)
    if root is None and not isinstance(data, Card) and str(data) not in cards() and Path(data).expanduser().is_dir():
        root = data
    away = str(root) if remote.is_remote(root) else ""
    folder = remote.place(away) if away else Path(root).expanduser() if root else home() / "data" / its.name
    if not away and not folder.is_dir():
        raise FileTrouble(
            f"There is no folder {folder}.",
            f"The files of {its.name} are looked for there.",
            "Say where they are with --root FOLDER." + (f" Or: bcikit datasets get {its.name}" if its.download else ""),
        )
    paths = [folder / name for name in remote.names(away)] if away else sorted(folder.rglob("*"))
    found = [replace(run, remote=away) for path in paths for run in _runs(its, path, folder)]
    if not found:
        patterns = ", ".join(entry["files"] for entry in its.runs) or "none: the card names no runs"
        raise FileTrouble(f"{away or folder} holds no recording of {its.name}.", f"It looks for {patterns}.")
    found.sort(key=lambda r: (natural(r.subject), natural(r.session), natural(r.run)))
    _once(found)
    wanted = set(map(str, subjects))
    there = list(dict.fromkeys(r.subject for r in found))
    for missing in sorted(wanted - set(there)):
        raise WrongUse(f"{its.name} has no subject {missing!r} here.", f"There are {', '.join(there)}.")
    return [r for r in found if not wanted or r.subject in wanted]


def cut(stages: Sequence[Stage], recording: Recording) -> Cut:
    """Trials of a recording through a line of stages, one of which cuts them; causally, as it would be live."""
    line = Pipeline(stages)
    out = line.run(recording)
    known = {e.index: e.name for e in out.events if e.index == int(e.index)}
    y = np.array([known[k] for k in range(len(out.data))], str)
    at = next(i for i, stage in enumerate(stages) if isinstance(stage, Epoch))
    return Cut(out.data, y, line.streams[at])


class Kept:
    """Recordings that were read, the ones used last, up to `most` bytes of them: a set need not fit into memory."""

    def __init__(self, most: int = 1 << 28) -> None:
        self.most = most
        self.kept: dict[tuple[Path, str], Recording] = {}

    def __call__(self, path: Path, options: str) -> Recording:
        found = self.kept.pop((path, options), None) or read(path, **json.loads(options))
        self.kept[path, options] = found
        while len(self.kept) > 1 and sum(c.data.nbytes for r in self.kept.values() for c in r.chunks) > self.most:
            del self.kept[next(iter(self.kept))]
        return found

    def cache_clear(self) -> None:
        self.kept.clear()


_read = Kept()


def natural(text: str) -> list[Any]:
    """For sorting: run-2 before run-10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _once(found: Sequence[Run]) -> None:
    """Raises WrongUse where a run lies there in two formats: its trials would stand on both sides of a split."""
    seen: dict[str, Path] = {}
    for run in found:
        other = seen.setdefault(run.name, run.path)
        if other.suffix != run.path.suffix:
            raise WrongUse(
                f"{other.name} and {run.path.name} hold the same run, {run.name}.",
                "Its trials would be learnt from and tested on.",
                "Move one of the two elsewhere.",
            )


def _runs(its: Card, path: Path, folder: Path) -> Iterable[Run]:
    place = path.relative_to(folder).as_posix()
    for entry in its.runs:
        parts = FIELD.split(entry["files"])
        seen: set[str] = set()
        pattern = ""
        for i, part in enumerate(parts):
            if i % 2:
                pattern += f"(?P={part})" if part in seen else f"(?P<{part}>[^/]+?)"
                seen.add(part)
            else:
                pattern += ".*".join("[^/]*".join(map(re.escape, p.split("*"))) for p in part.split("**"))
        match = re.fullmatch(f"(?:.*/)?{pattern}", place)
        if match:
            named = match.groupdict()
            fixed = {k: str(entry[k]) for k in KEYS if k in entry}
            told = its.options(path.name) | {k: v for k, v in entry.items() if k not in ("files", *KEYS)}
            several = next((k for k in KEYS if isinstance(entry.get(k), list)), "")
            for part, name in enumerate(entry.get(several, [None]), 1):
                who = {"subject": "1", "session": "", "run": "1"} | named | fixed
                if several:
                    who, told = who | {several: str(name)}, told | {"part": part}
                yield Run(its, who["subject"], who["session"], who["run"], path, told)
