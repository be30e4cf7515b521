"""A folder of one's own recordings as a data set: BIDS, or recordings with `_events.tsv` beside them; or a card in it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble
from ..files._tables import beside, events
from ..files.cards import Card, load

ENDS = (".vhdr", ".edf", ".bdf", ".gdf", ".set", ".fif", ".fif.gz", ".xdf", ".csv", ".txt", ".npz", ".cnt")
LENGTH_S = (0.2, 1.0, 4.0)  # of a window: shorter events are moments and get the second; longer ones are cut to the third
PARADIGMS = (("ssvep", r"ssvep|flicker"), ("p300", r"p300|oddball|speller|erp"), ("mi", r"imag|motor|^mi"))
LEAST = 4  # a class has so many trials


def folder_card(folder: Path) -> Card:
    """The card of a folder: one that lies in it, else what its names and tables tell. Raises FileTrouble."""
    own = [p for p in sorted(folder.glob("*.toml")) if "[trials]" in p.read_text(encoding="utf-8", errors="ignore")]
    if own:
        return load(own[0])
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name.lower().endswith(ENDS) and beside(p, "events"))
    if not found:
        raise FileTrouble(
            f"{folder} holds no recording with events.",
            "A recording NAME.edf has NAME_events.tsv beside it (onset, duration, trial_type), as in BIDS.",
            "Or write a card in it: see datasets/, and [trials] and [[runs]] there.",
        )
    every = [e for p in found if (table := beside(p, "events")) for e in events(table)]
    counts = Counter(name for _, name, _ in every)
    classes = [name for name, n in sorted(counts.items()) if n >= LEAST]
    if len(classes) < 2:
        said = ", ".join(f"{name} {n} times" for name, n in counts.most_common(6)) or "none"
        raise FileTrouble(f"{folder} has fewer than two classes of {LEAST} trials.", f"Its events are {said}.")
    short, second, most = LENGTH_S
    length = float(np.median([d for _, name, d in every if name in classes]))
    target = next((c for c in classes if c.lower() in ("target", "oddball")), None)
    names = " ".join(re.findall(r"task-([^_]+)", " ".join(p.name for p in found)))
    paradigm = "p300" if target else next((p for p, like in PARADIGMS if re.search(like, names, re.IGNORECASE)), "")
    trials: dict[str, Any] = {"events": classes, "after": 0.0, "length": second if length < short else min(length, most)}
    if target:
        trials |= {"target": target, "length": 0.8}
    rest = next((c for c in classes if c.lower() in ("rest", "idle")), None)
    return Card(
        name=folder.resolve().name,
        title=f"Recordings in {folder.name}",
        source=str(folder),
        licence="one's own",
        consent={"basis": "Of whoever keeps this folder.", "purposes": ["research"]},
        subjects=len({_who(p, folder)["subject"] for p in found}),
        channels="as the files say",
        rate_hz=0.0,
        unit="µV",
        paradigm=paradigm,
        trials=trials | ({"rest": rest} if rest else {}),
        runs=tuple({"files": p.relative_to(folder).as_posix(), **_who(p, folder)} for p in found),
    )


def _who(path: Path, folder: Path) -> dict[str, str]:
    """Subject, session and run, as BIDS names them; else the folder it lies in, and its own name."""
    entities = dict(re.findall(r"(sub|ses|run)-([^_/.]+)", path.relative_to(folder).as_posix()))
    above = path.parent.name if path.parent != folder else "1"
    run = entities.get("run") or (path.name.split(".")[0] if "sub" not in entities else "1")
    return {"subject": entities.get("sub", above), "session": entities.get("ses", ""), "run": run}
