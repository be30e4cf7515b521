"""Any recording, by what is in it: OpenBCI text, XDF, NumPy, tables, and whatever MNE reads.

from bcikit.files.read import read
recording = read("session.xdf")
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from ..core.errors import WrongUse, nearest
from ..core.stream import Recording
from ._contents import contents

SNIFF = 4096  # bytes


def read(path: str | Path, **options: Any) -> Recording:
    """The recording in a file; its EEG in µV, missing samples as gaps, marks as events, what was odd in info["notes"].

    options: what the format cannot say itself (`channels`, `rate`, `kind`, `unit`, `stream`, ...), each only where that
    reader takes it. Raises FileTrouble where the file cannot be read, WrongUse for an option that it has no use for.
    """
    path = Path(path).expanduser()
    name = format_of(path)
    reader = import_module(f"bcikit.files.{name}").read
    options = {k: v for k, v in options.items() if v not in (None, "", ())}
    takes = list(inspect.signature(reader).parameters)[1:]
    for option in options:
        if option not in takes:
            can = f"It can be told {', '.join(takes)}." if takes else "It says everything itself."
            raise WrongUse(f"{path.name} ({name}) has no use for {option!r}.", can, nearest(option, takes))
    return reader(path, **options)


def format_of(path: Path) -> str:
    """The name of the module that reads this file, by its first bytes, then by its name. Raises FileTrouble."""
    if path.is_dir() and path.suffix.lower() in (".ds", ".mff", ".data"):
        return "mne_file"
    head = contents(path, SNIFF)
    suffix = Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()
    text = head.lstrip(b"\xef\xbb\xbf\r\n ")
    if head.startswith(b"XDF:"):
        return "xdf"
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and suffix == ".npz"):
        return "numpy_file"
    if text.startswith((b"%OpenBCI", b"%OBCI")):
        return "openbci_text"
    if text.startswith((b"%STOP", b"%START")):
        return "openbci_sd"
    if suffix in (".csv", ".tsv", ".txt"):
        return "csv_table"
    return "mne_file"
