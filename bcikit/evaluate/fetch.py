"""Files of public data sets, brought here: resumed where a connection was cut, and taken only if they are the right ones."""

from __future__ import annotations

import errno
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..core.clock import WALL
from ..core.errors import FileTrouble, WrongUse
from ..ethics.home import home
from ..files.cards import Card, right

TRIES = 5  # without a byte of progress between them
PIECE = 1 << 18
WAIT_S = 30.0
RANGE = re.compile(r"bytes (\d+)-")
PAUSE_S = 0.05  # before the next try; doubled while nothing comes


def get(
    card: Card,
    root: str | Path | None = None,
    subjects: Iterable[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Bring a data set's files (of these people) into `root`, or where `evaluate` looks for them: the folder. What is
    there and right is left alone. progress: called with (file, bytes, of). Raises WrongUse, FileTrouble."""
    folder = Path(root).expanduser() if root else home() / "data" / card.name
    wanted = set(map(str, subjects))
    if "url" in card.download:
        there = {facts.get("subject", ""): None for facts in card.files.values()}
        for missing in sorted(wanted - set(there)):
            raise WrongUse(f"{card.name} has no subject {missing!r}.", f"It has {', '.join(filter(None, there))}.")
        for name, facts in card.files.items():
            if not wanted or facts.get("subject") in wanted:
                url = card.download["url"].format(file=urllib.parse.quote(name))
                fetch(url, folder / name, facts, progress)
        return folder
    if "moabb" in card.download:
        try:
            import moabb.datasets as known
        except ImportError:
            name = card.download["moabb"]
            raise WrongUse(
                f"{card.name} is fetched through MOABB, which is not installed.",
                f"It knows it as {name}.",
                f"pip install moabb; or put the files of {card.source} into {folder}",
            ) from None
        source = getattr(known, card.download["moabb"])()
        people = {str(s): s for s in source.subject_list}
        chosen = [people.get(s.lstrip("0") or s) for s in sorted(wanted)]  # MOABB counts people, files may write 01
        if None in chosen:
            unknown = sorted(wanted)[chosen.index(None)]
            raise WrongUse(f"MOABB has no subject {unknown!r} of {card.name}.", f"It has {', '.join(people)}.")
        source.download(chosen or None, path=str(folder))
        return folder
    page = card.download.get("page", card.source)
    raise WrongUse(
        f"{card.name} cannot be fetched from here.",
        "Its files are handed out on a page, or have no stable address.",
        f"See {page}, put the files into {folder}, then: bcikit datasets check {card.name}",
    )


def check(card: Card, root: str | Path | None = None) -> dict[str, str]:
    """{file: right, missing or wrong} of the files whose checksum the card knows, wherever under `root` they lie."""
    folder = Path(root).expanduser() if root else home() / "data" / card.name
    there: dict[str, list[Path]] = {}
    for path in folder.rglob("*"):
        there.setdefault(path.name, []).append(path)
    found = {}
    for name, facts in card.files.items():
        its = [right(p, facts) for p in there.get(Path(name).name, []) if p.is_file()]
        found[name] = "missing" if not its else "right" if any(its) else "wrong"
    return found


def fetch(url: str, path: Path, facts: Mapping[str, str], progress: Callable[[str, int, int], None] | None = None) -> None:
    """Bring one file, resuming what an earlier try left in `NAME.part`. facts: its checksum, as in a card.
    Raises FileTrouble."""
    if path.is_file() and right(path, facts):
        return
    part = path.with_name(path.name + ".part")
    tries = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        came = False
        while True:
            before = part.stat().st_size if part.exists() else 0
            why = "The connection was closed."
            try:
                missing = _more(url, part, lambda n, of: progress(path.name, n, of) if progress else None)
                if not missing or (missing < 0 and _all(part, before, facts)):
                    break
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                    raise FileTrouble(
                        f"{url} is not to be had ({error.code}).", "It was moved or taken down.", "See the card's source."
                    ) from None
                why = f"{getattr(error, 'reason', None) or error}."
            more = part.exists() and part.stat().st_size != before
            came, tries = came or more, 0 if more else tries + 1
            if tries >= TRIES:
                what = "was cut off again and again" if came else "cannot be reached"
                raise FileTrouble(f"{url} {what}.", why, "Ask again later; it goes on where it was.")
            WALL.sleep_until(WALL.now() + PAUSE_S * 2**tries)
        if not right(part, facts):
            part.unlink()
            raise FileTrouble(f"{path.name} is not the file that the card names.", "Its checksum differs. It was not kept.")
        part.replace(path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = f"There is no room left for {path.name}." if full else f"{path} cannot be written."
        raise FileTrouble(what, f"{error.strerror}.", "Make room and ask again; it goes on where it was.") from None


def _all(part: Path, before: int, facts: Mapping[str, str]) -> bool:
    """Whether all has come of a file whose length nobody told: it is the right one, or the same came again."""
    return part.stat().st_size == before or right(part, facts)


def _more(url: str, part: Path, told: Callable[[int, int], None]) -> int:
    """Append what the server sends behind what is there: how many bytes are missing then, -1 where it does not say."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=WAIT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing behind what is there: the checksum will tell
            return 0
        raise
    with answer:
        piece = RANGE.match(answer.headers.get("Content-Range", ""))
        if answer.status == 206 and piece and int(piece[1]) != have:
            part.unlink()
            raise http.client.HTTPException("Another piece came than was asked for; it begins anew")
        if answer.status != 206:
            have = 0
        length = int(answer.headers.get("Content-Length") or -1)
        of = have + length if length >= 0 else -1
        with open(part, "ab" if have else "wb") as file:
            while some := answer.read(PIECE):
                file.write(some)
                have += len(some)
                told(have, of)
        if of < 0 and answer.chunked:  # it ends with a mark of its own, and a cut would have raised
            return 0
    return max(of - have, 0) if of >= 0 else -1
