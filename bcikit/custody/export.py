"""Giving a person everything of theirs: free, offline, in open formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from ..ethics import audit, keys
from ..ethics.consent import Consent, checked_subject
from ..files.sealed import header, opened
from .erase import recordings

READ_ME = """\
Everything that was kept of {subject} on this device, made by bcikit.

  recordings/   XDF 1.0 (pyxdf, EEGLAB, MNE): {n} recordings
  receipts.json what was consented to, with the field names of ISO/IEC TS 27560:2023, each with its signature
  audit.jsonl   what the Gate did with these data, by the pseudonym {pseudonym}
{others}
These files are plain: whoever has them can read them.
"""


def export(subject: str, to: Path, passphrase: str = "", home: Path | None = None) -> dict[str, Any]:
    """Into a new folder: recordings, receipts, the lines of the audit. A recording with others in it is left out, and
    counted. passphrase: asked for where the subject has one. Raises NotConsented, FileTrouble."""
    checked_subject(subject)
    consent = Consent(home)
    if consent.enrolled(subject):
        consent.signer(subject, passphrase)
    try:
        to.mkdir(mode=0o700)
        (to / "recordings").mkdir()
    except OSError as error:
        raise FileTrouble(f"{to} cannot be made.", f"{error.strerror}.", "Name a new folder.") from error
    name, known = keys.tag(subject, home), keys.pseudonym(subject, home)
    written, others = [], 0
    for path in recordings(subject, [consent.home / "recordings"], home):
        raw = path.read_bytes()
        if header(raw, path)[0]["tags"] != [name]:
            others += 1
            continue
        (out := to / "recordings" / f"{path.stem}.xdf").write_bytes(opened(raw, path, home))
        written.append(out.name)
    (to / "receipts.json").write_text(json.dumps([json.loads(r) for r in consent.receipts(subject).values()], indent=1))
    mine = [line for line in audit.lines(consent.home) if known in ([line.get("subject")] + (line.get("subjects") or []))]
    (to / "audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in mine))
    left = f"\n{others} recordings also hold other people, and are not here: they would have to agree.\n" if others else ""
    (to / "README.txt").write_text(READ_ME.format(subject=subject, n=len(written), pseudonym=known, others=left))
    audit.note(consent.home, consent.now(), "export", subject=subject, files=len(written))
    return {"folder": str(to), "recordings": written, "with_others": others, "audit_lines": len(mine)}
