"""The annotated session file: comments are made from the settings themselves."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from pathlib import Path
from typing import Any

from ..core.find import part
from ..core.settings import Field, settings_of
from ._parts import about, bounds

HEAD = """\
# A session: one line, from a board to an effector. Every key is checked; `bcikit boards` and `bcikit stages` list what
# else there is. What is written as a comment below stands at its default: take away the # to change it.

# subject = "S1"    # whose signals these are; a simulated board needs nobody
# seconds = 60      # how long; without it until Ctrl-C
"""
PARTS: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    ("board", "board", "synthetic", {"n": 8, "seed": 1}, "Where samples come from."),
    ("[stages]", "stage", "bandpass", {"low": 1.0, "high": 40.0}, "Stages, in order: one table each."),
    ("[stages]", "stage", "notch", {"mains": 50.0}, ""),
    ("decoder", "stage", "threshold", {"channels": ["O1", "O2"], "on": 8.0, "off": 6.0}, "Decides."),
    ("mapper", "stage", "lookup", {}, "Makes a command of each decision."),
    ("effector", "sink", "console", {}, "Does what is commanded: here it prints it."),
    ("[sinks]", "sink", "terminal", {"at": "stages"}, "Where else the stream goes. `at` is the place a sink stands on: "
     "board, the name of a stage, the end of the stages, decoder or mapper, or out."),
    ("[sinks]", "sink", "xdf", {"path": "recording.xdf", "at": "board"}, "To record, take away the # before these lines."),
)  # fmt: skip


def template(path: Path) -> str:
    """The text of a session file that runs as it is."""
    return HEAD + "".join(_table(*p) for p in PARTS) + f"\n# bcikit run {path.name}\n"


def _table(header: str, kind: str, name: str, given: dict[str, Any], said: str) -> str:
    cls = part(kind, name)
    lines = [f"[{header}]", f'use = "{name}"{" " * max(1, 22 - len(name))}# {about(cls)}']
    for field in settings_of(cls).values():
        chosen = field.name in given
        text = f"{field.name} = {_toml(given[field.name] if chosen else field.default)}"
        text = text if chosen else f"# {text}"
        lines.append(f"{text:<30}# {_note(field)}")
    if "at" in given:
        lines.append(f'at = "{given["at"]}"')
    if name == "xdf":
        lines = [f"# {line}" for line in lines]
    comment = "".join(f"# {line}\n" for line in textwrap.wrap(said, 118))
    return f"\n{comment}" + "\n".join(lines) + "\n"


def _note(field: Field) -> str:
    span = bounds(field.about)
    return field.about.text + (f"  [{span}]" if span else "")


def _toml(value: Any) -> str:
    if value is None or value is dataclasses.MISSING:
        return '"none"'
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
