"""The question at first use: one short page for whoever sits at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import NotConsented
from ..ethics.consent import ME, Consent, best, command
from ..ethics.manifest import LOCAL

SAID = {"view": "show them", "record": "record them", "effector": "move what they control", "train": "learn from them"}


def ask_first_use(kinds: Iterable[str], home: Path | None = None, purpose: str = "research") -> str:
    """The person at the terminal, who is asked once for all local sinks; then known as `me`.

    kinds: of the sinks wanted; leaving ones are never asked for here. Raises NotConsented, with the command that grants
    it, where there is no terminal or the answer is not yes."""
    consent = Consent(home)
    grants = consent.grants()
    wanted = [k for k in dict.fromkeys(kinds) if k in LOCAL and not best(grants, ME, purpose, k)]
    if not wanted:
        return ME
    do = command(ME, purpose, wanted)
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotConsented(
            "Nobody has said that these signals may be used.",
            "A live board needs the consent of the person at it, and there is no terminal to ask at. For somebody else:"
            " the same with a name in the place of 'me', and --subject NAME.",
            do,
        )
    print(
        "These signals come from your body and can tell things about you.\n"
        f"May this computer {', '.join(SAID[k] for k in wanted)}, for {purpose}, for a year?\n"
        "Nothing leaves this computer. Take it back at any time: bcikit consent revoke me",
        file=sys.stderr,
    )
    print("Type yes to allow it: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConsented("You did not allow it, so nothing was opened.", do=do)
    consent.grant(ME, purpose, wanted, by="self")
    return ME
