"""What a user is told when something cannot be done.

Every error says what happened, the likely cause, and the act that mends it. The command line prints it
and exits with `exit_code`; from Python it is an ordinary exception.
"""

from __future__ import annotations


class BciError(Exception):
    """Something a user can cause or mend: `what` happened, `why` most likely, and what to `do`."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        self.what, self.why, self.do = what, why, do
        said = "\n".join(line for line in (what, why, do) if line)
        super().__init__("".join(c if c.isprintable() or c == "\n" else "·" for c in said))  # names come from files


class WrongUse(BciError):
    """The request itself cannot be right: an unknown name, a setting out of bounds, a stage on the wrong stream."""

    exit_code = 2


class NotConsented(BciError):
    """The Gate refused; `do` is the command that would grant it."""

    exit_code = 3


class DeviceTrouble(BciError):
    """A board, port or network stream that is missing, busy, silent or not what it said it was."""

    exit_code = 4


class FileTrouble(BciError):
    """A file that is missing, cut, empty, unreadable or cannot be written."""

    exit_code = 4


def nearest(wrong: str, known: list[str]) -> str:
    """'Did you mean ...?' for a mistyped name, or '' where nothing is near."""
    from difflib import get_close_matches

    close = get_close_matches(wrong, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else ""
