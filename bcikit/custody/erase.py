"""Erasing a person: their keys are destroyed, so that everything sealed with them is noise, wherever a copy of it lies."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import BciError, FileTrouble
from ..ethics import audit, keys
from ..ethics.consent import Consent, checked_subject
from ..ethics.manifest import LEAVING
from ..files.read import read
from ..files.sealed import MAGIC, SUFFIX, header

LIMITS = (
    "What left this device is not reached: recipients must be asked.",
    "What a flash disk keeps of overwritten blocks, a snapshot or a backup of the keys would have to be destroyed there.",
    "Plain recordings outside of the folders named are not found.",
)


def erase(subject: str, folders: Iterable[Path] = (), home: Path | None = None) -> dict[str, Any]:
    """Revoke, destroy the subject's key, remove their recordings under the home and below `folders` (plain ones too, where
    they say whose they are), forget their receipts. Gives the certificate, signed by this device: what was destroyed, which
    models were shaped by them and who received something. Raises BciError."""
    checked_subject(subject)
    consent = Consent(home)
    place, tag = consent.home, keys.tag(subject, home)
    consent.revoke(subject)
    known = keys.pseudonym(subject, home)
    received = sorted(
        {line["sink"] for line in audit.lines(place) if line["what"] == "open" and known in (line.get("subjects") or [])}
        & set(LEAVING)
    )
    folders = [place / "recordings", *folders]
    sealed = [p for p in _files(folders, f"*{SUFFIX}") if tag in _tags(p)]
    plain = [p for p in _files(folders[1:], "*.xdf") if subject in _subjects(p)]
    models = [p.parent for p in _files([place, *folders[1:]], "model.json") if subject in _shaped(p)]
    consent.forget(subject)
    had = keys.destroy(subject, home)
    for path in (*sealed, *plain):
        keys.overwrite(path)
    number = secrets.token_hex(8)
    entry = audit.note(place, consent.now(), "erase", case=number, files=len(sealed) + len(plain))
    body = {
        "certificate": number,
        "tag": tag,
        "when": consent.now(),
        "key_destroyed": had,
        "encrypted_recordings": len(sealed),
        "plain_recordings": [str(p) for p in plain],
        "models_shaped": [str(p) for p in models],
        "left_through": received,
        "limits": LIMITS,
        "audit": entry,
        "device": keys.public(home),
    }
    return {"body": body, "signature": keys.sign(json.dumps(body, sort_keys=True).encode(), "erasure", home)}


def recordings(subject: str, folders: Iterable[Path], home: Path | None = None) -> list[Path]:
    """The sealed recordings that this subject is in."""
    tag = keys.tag(subject, home)
    return [p for p in _files(folders, f"*{SUFFIX}") if tag in _tags(p)]


def _files(folders: Iterable[Path], pattern: str) -> list[Path]:
    return sorted({p.resolve() for folder in folders if folder.is_dir() for p in folder.rglob(pattern) if p.is_file()})


def _tags(path: Path) -> list[str]:
    """Of those in a sealed recording; none where it is none."""
    with path.open("rb") as f:
        raw = f.read(200_000)
    try:
        return header(raw, path)[0]["tags"] if raw.startswith(MAGIC) else []
    except FileTrouble:
        return []


def _subjects(path: Path) -> frozenset[str]:
    try:
        return read(path).stream.label.subjects
    except BciError:
        return frozenset()


def _shaped(path: Path) -> list[str]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return list(said.get("subjects") or []) if isinstance(said, dict) else []
    except (OSError, ValueError):
        return []
