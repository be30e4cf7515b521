"""What is known of a part's settings, and what all parts share: a name, checked settings, a recipe.

Settings are the dataclass fields, annotated with `Setting`; the command line, the session file, the bounds check and
the docs are made from them.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

from .errors import WrongUse, nearest

YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
SAID: dict[Any, str] = {float: "a number", int: "a whole number", bool: "yes or no", str: "a text"}


@dataclass(frozen=True)
class Setting:
    """What is known of a setting: `Annotated[float, Setting("lower corner", "Hz", low=0)]`. Bounds are inclusive."""

    text: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Field:
    """One setting of a part, as the command line and the docs see it."""

    name: str
    type: Any
    default: Any
    about: Setting

    def coerce(self, part: str, value: Any) -> Any:
        """`value` (perhaps text, from the command line) as this setting's type; checks bounds and choices."""
        where = f"{part}:{self.name}"
        value = _as_type(value, self.type, where, self.about)
        for item in value if isinstance(value, tuple) else (value,):
            self._check(item, where)
        return value

    def _check(self, value: Any, where: str) -> None:
        about = self.about
        if about.choices and value not in about.choices and value is not None:
            raise WrongUse(f"{where}={value} is not known.", f"It can be {', '.join(map(str, about.choices))}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            low, high = (-math.inf if about.low is None else about.low), (math.inf if about.high is None else about.high)
            if not low <= value <= high or math.isinf(value):
                unit = f" {about.unit}" if about.unit else ""
                span = f"{low:g}{unit} or more" if about.high is None else f"{low:g} to {high:g}{unit}"
                raise WrongUse(f"{where}={value:g} is out of bounds.", f"It can be {span}.")


def _as_type(value: Any, kind: Any, where: str, about: Setting) -> Any:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        kinds = [k for k in typing.get_args(kind) if k is not type(None)]
        for k in kinds[:-1]:
            try:
                return _as_type(value, k, where, about)
            except WrongUse:
                continue
        kind = kinds[-1]
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        items = value.split("+") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            items = (items,)
        return tuple(_as_type(v, inner, where, about) for v in items if v != "")
    wrong = WrongUse(f"{where}={value!r} is not {SAID.get(kind, kind)}.", about.text and f"It is: {about.text}.")
    if kind is bool:
        if str(value).lower() not in (*YES, *NO):
            raise wrong
        return str(value).lower() in YES
    if kind in (int, float):
        if isinstance(value, bool):
            raise wrong
        try:
            number = float(value)
            if kind is int and number != int(number):
                raise wrong
            return kind(number)
        except (TypeError, ValueError, OverflowError):
            raise wrong from None
    if kind is str and isinstance(value, (list, tuple, dict)):
        raise wrong
    return str(value) if kind is str else value


_SETTINGS: dict[type, dict[str, Field]] = {}


def settings_of(cls: type) -> dict[str, Field]:
    """The settings of a part, in order. Raises TypeError where a field has no `Setting`: that is the author's fault."""
    if cls in _SETTINGS:
        return _SETTINGS[cls]
    hints = typing.get_type_hints(cls, include_extras=True)
    found: dict[str, Field] = {}
    for f in fields(cls) if is_dataclass(cls) else ():
        about = next((m for m in getattr(hints[f.name], "__metadata__", ()) if isinstance(m, Setting)), None)
        if about is None:
            raise TypeError(f"{cls.__name__}.{f.name} needs Annotated[type, Setting(...)]")
        found[f.name] = Field(f.name, typing.get_args(hints[f.name])[0], f.default, about)
    _SETTINGS[cls] = found
    return found


class Part:
    """What boards, stages and sinks share: a name, checked settings, a recipe."""

    room: ClassVar[str] = "part"

    def __post_init__(self) -> None:
        for name, field in settings_of(type(self)).items():
            object.__setattr__(self, name, field.coerce(self.part_name(), getattr(self, name)))

    @classmethod
    def part_name(cls) -> str:
        """`bandpass` for the class Bandpass of preprocess/bandpass.py."""
        module = cls.__module__.rsplit(".", 1)[-1]
        return module if module.replace("_", "") == cls.__name__.lower() else cls.__name__.lower()

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> typing.Self:
        """A part from names and values, which may be text; unknown names are refused."""
        known = settings_of(cls)
        for name in settings:
            if name not in known:
                raise WrongUse(
                    f"{cls.part_name()} has no setting {name!r}.",
                    f"It has {', '.join(known) or 'none'}.",
                    nearest(name, list(known)),
                )
        return cls(**{n: known[n].coerce(cls.part_name(), v) for n, v in settings.items()})

    def settings(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in settings_of(type(self))}

    def recipe(self) -> dict[str, Any]:
        """Name and settings as plain values: enough to make the part again."""
        return {self.room: self.part_name(), **self.settings()}

    @classmethod
    def examples(cls) -> Iterator[Part]:
        """Parts with settings that the laws are applied to."""
        yield cls()
