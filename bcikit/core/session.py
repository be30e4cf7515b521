"""A session: a whole line, from the board to the effector, made from plain values of which every key is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from .errors import WrongUse, nearest
from .find import part
from .parts import Board, Sink, Stage, settings_of

TABLES = {"board": "board", "stages": "stage", "decoder": "stage", "mapper": "stage", "effector": "sink", "sinks": "sink"}


@dataclass
class Session:
    """Parts ready to run; each sink with the place that it stands on: `board`, `out` or the name of a stage."""

    board: Board
    stages: list[Stage]
    sinks: list[tuple[Sink, str]]
    subject: str | None = None
    seconds: float | None = None


def session(doc: Mapping[str, Any], line: Callable[..., Any] = lambda *keys: nullcontext()) -> Session:
    """From a table, or a list of them, for each key of TABLES: `use` names the part, `at` a sink's place (or the end of
    `stages`, `decoder`, `mapper`), the rest are settings. `with line(*keys)` says where what is wrong stands."""
    for key in doc.keys() - TABLES.keys():
        with line(key):
            raise WrongUse(f"A session has no {key!r}.", f"It has {', '.join(TABLES)}.", nearest(key, list(TABLES)))
    made = {key: list(_made(key, doc.get(key, []), line)) for key in TABLES}
    if len(made["board"]) != 1:
        raise WrongUse(f"A session has one board, not {len(made['board'])}.", do='Write [board], then use = "NAME".')
    stages, places = [], {"board": "board", "out": "out"}
    for key in ("stages", "decoder", "mapper"):
        stages += [stage for _, stage, _ in made[key]]
        places[key] = stages[-1].part_name() if stages else "board"
    places |= {s.part_name(): s.part_name() for s in stages}
    for keys, _, at in (sinks := made["effector"] + made["sinks"]):
        with line(*keys, "at"):
            if at not in places:
                raise WrongUse(f"The line has no place {at!r}.", f"It has {', '.join(places)}.")
    return Session(made["board"][0][1], stages, [(sink, places[at]) for _, sink, at in sinks])


def _made(key: str, tables: Any, line: Callable[..., Any]) -> Iterator[tuple[tuple[str, int], Any, str]]:
    for i, table in enumerate(tables if isinstance(tables, list) else [tables]):
        with line(key, i):
            if not isinstance(table, dict) or "use" not in table:
                raise WrongUse(f"This {key} names no part.", do=f'Write [{key}], then use = "NAME".')
        settings = {name: v for name, v in table.items() if name != "use"}
        at = str(settings.pop("at", "out")) if TABLES[key] == "sink" else "out"
        with line(key, i, "use"):
            cls = part(TABLES[key], str(table["use"]))
        for name, value in settings.items():
            with line(key, i, name):
                known = settings_of(cls).get(name)
                known.coerce(cls.part_name(), value) if known else cls.make({name: value})
        with line(key, i):
            yield (key, i), cls.make(settings), at
