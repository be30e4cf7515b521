"""Parts are found by their place: one file is one part. Names are read from the folders without importing anything; a module
is imported when it is asked for. Other packages add parts by entry points: `bcikit.boards`, `.stages`, `.sinks`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .errors import WrongUse, nearest
from .parts import Part

ROOT = Path(__file__).parent.parent
GUARDS: list[Callable[[str, str], None]] = []  # asked before another package's part is loaded; they raise NotConsented
ROOMS = {"board": ["acquire"], "stage": ["preprocess", "decode", "decode/*"], "sink": ["effectors", "view"]}


@cache
def where(kind: str) -> dict[str, str]:
    """{name: 'module' or 'module:Class'} of every part of a kind: board, stage or sink."""
    places: dict[str, str] = {}
    for room in ROOMS[kind]:
        for folder in sorted(p for p in ROOT.glob(room) if p.is_dir() and p.name[0] not in "_."):
            package = ".".join(("bcikit", *folder.relative_to(ROOT).parts))
            its = [m.name for m in pkgutil.iter_modules([str(folder)]) if m.name[0] != "_" and not m.ispkg]
            places |= {name: f"{package}.{name}" for name in its}
    for entry in entry_points(group=f"bcikit.{kind}s"):
        places.setdefault(entry.name, entry.value)
    return dict(sorted(places.items()))


def part(kind: str, name: str) -> Any:
    """The class of the part called `name`. Raises WrongUse for an unknown name, or where a library is missing."""
    places = where(kind)
    if name not in places:
        raise WrongUse(
            f"There is no {kind} called {name!r}.",
            nearest(name, list(places)) or f"There are {', '.join(places)}.",
            f"bcikit {kind}s lists them." if kind in ("board", "stage") else "",
        )
    module_name, _, cls_name = places[name].partition(":")
    for guard in () if module_name.startswith("bcikit.") else GUARDS:
        guard(kind, name)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        what = f"The {kind} {name!r} needs the library {error.name!r}, which is not installed."
        raise WrongUse(what, do=f"pip install {error.name}    (or the extra of bcikit that holds it)") from error
    except Exception as error:
        if module_name.startswith("bcikit."):
            raise
        raise WrongUse(f"{kind} {name!r} cannot be loaded: {error!r}.", do=f"Mend or uninstall {module_name}.") from error
    wanted = cls_name or name.replace("_", "")
    for cls in vars(module).values():
        own = isinstance(cls, type) and issubclass(cls, Part) and (cls_name or cls.__module__ == module_name)
        if own and wanted in (cls.__name__, cls.__name__.lower()):
            if (its := cls.part_name()) != name:  # its recipe would say what nobody finds
                raise WrongUse(
                    f"The {kind} {name!r} calls itself {its!r}.", do=f"Name its entry point so, or its module {name}."
                )
            return cls
    raise WrongUse(f"{module_name} holds no {kind} called {wanted!r}.", do=f"Mend or uninstall {module_name}.")


def parts(kind: str) -> dict[str, Any]:
    """{name: class} of every part of a kind; imports them all."""
    return {name: part(kind, name) for name in where(kind)}


def parse(kind: str, text: str) -> Any:
    """A part from the command line's `NAME` or `NAME:key=value,key=value`; a list is written a+b+c."""
    name, _, rest = text.partition(":")
    settings: dict[str, str] = {}
    for item in rest.split(",") if rest else ():
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise WrongUse(f"{text!r}: {item!r} is not key=value.", do=f"Write it as {name}:key=value,key=value.")
        settings[key.strip()] = value.strip()
    return part(kind, name.strip()).make(settings)
