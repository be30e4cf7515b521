"""What the Gate did: one JSON line for each grant, refusal, revocation and opened sink. No samples are in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .home import made


def note(home: Path, when: float, what: str, /, **facts: Any) -> None:
    """Append a line in one write. when: seconds since 1970. Raises OSError where that fails."""
    line = json.dumps({"when": when, "what": what, **facts}, ensure_ascii=False, default=sorted) + "\n"
    fd = os.open(made(home) / "audit.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if os.write(fd, line.encode()) != len(line.encode()):
            raise OSError(f"{home / 'audit.jsonl'} took only a part of a line")
    finally:
        os.close(fd)
