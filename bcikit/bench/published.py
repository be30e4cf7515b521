"""Published scores of public sets beside ours, for whoever has the files: what comes nearest of ours, in MOABB's protocol
(five folds within a session, filters that look both ways), and causally, as a person would get it.

Which scores there are, and what of ours stands against each, is said by the sets' cards ([[published]] with `ours`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from ..evaluate.data import card, trials
from ..evaluate.evaluate import evaluate
from ..files.cards import Card, cards

TOLD = ("after", "length", "metric")  # of the trials, where a published score has its own


def published(root: str | Path, data: str = "") -> Iterator[dict[str, Any]]:
    """A dict for each published score of the set, or of every set whose files lie in `root`/NAME (of one that is named, also
    in `root` itself). Raises WrongUse for an unknown set, FileTrouble where no files are found."""
    folder = Path(root).expanduser()
    sets = [card(data)] if data else [c for c in cards().values() if _against(c)]
    if data and not _against(sets[0]):
        raise FileTrouble(
            f"The card of {data} names no published score that is comparable.", do="bcikit datasets show " + data
        )
    there = {c.name: folder / c.name for c in sets if (folder / c.name).is_dir()}
    if data and not there and folder.is_dir():
        there[data] = folder
    if not there:
        raise FileTrouble(
            f"{folder} holds none of {', '.join(c.name for c in sets)}.",
            "Files of a set are looked for in the folder of its name.",
            f"bcikit datasets get {sets[0].name} --root {folder / sets[0].name}",
        )
    for its in sets:
        if its.name in there:
            for p in _against(its):
                yield _row(its, there[its.name], p)


def _against(its: Card) -> list[Mapping[str, Any]]:
    return [p for p in its.published if "ours" in p]


def _row(its: Card, folder: Path, p: Mapping[str, Any]) -> dict[str, Any]:
    ours = p["ours"]
    told = replace(its, trials={**its.trials, **{k: ours[k] for k in TOLD if k in ours}})
    people = {r.subject for r in trials(told, folder)}
    decoder = ours["decoder"]
    result = evaluate(told, folder, [decoder], "within", stages=ours.get("stages", ()), classes=ours.get("classes", ()))
    forms = result["decoders"][decoder]
    return {
        "row": f"{its.name}, {p['what']}",
        "published": p["score"],
        **{form: {k: forms[form][k] for k in ("mean", "ci")} for form in ("offline", "causal")},
        "metric": result["metric"],
        "decoder": decoder,
        "method": "another" if ours.get("other") else "the same",
        "people": f"{len(people)} of {its.subjects}",
        "source": p["source"],
    }
