"""What a simulated person does when nobody asks: a list of acts, each with the seconds until the next, over and over."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.errors import WrongUse, nearest

SCRIPTS: dict[str, str] = {
    "demo": "closed:5 open:5 left:5 rest:3 right:5 rest:3 flicker:12:5 rest:3 clench:3",
    "motor": "left:4 rest:3 right:4 rest:3",
    "rest": "",
}


def steps(texts: Iterable[str]) -> list[tuple[str, float]]:
    """[(act, seconds)] of a script's name or of steps written act:seconds ("left:4", "flicker:12:5"). Raises WrongUse."""
    out: list[tuple[str, float]] = []
    for text in texts:
        if text in SCRIPTS:
            out += steps(SCRIPTS[text].split())
            continue
        act, _, last = text.rpartition(":")
        try:
            seconds = float(last)
        except ValueError:
            seconds = -1.0
        if not act or not 0.1 <= seconds <= 86_400:
            raise WrongUse(
                f"The script's step {text!r} is not act:seconds.",
                nearest(text, list(SCRIPTS)) or f"There are the scripts {', '.join(SCRIPTS)}, or steps of 0.1 to 86400 s.",
                "For example script=closed:5+open:5+flicker:12:5",
            )
        out.append((act, seconds))
    return out
