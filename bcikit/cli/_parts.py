"""Parts as text: everything is read from the fields of the parts themselves."""

from __future__ import annotations

import dataclasses
import inspect
import json
import textwrap
import types
import typing
from typing import Any

import click

from ..core.errors import BciError
from ..core.find import part, where
from ..core.settings import Field, Setting, settings_of

WORDS = {float: "number", int: "whole number", bool: "yes/no", str: "text"}
WIDTH = 110


def show(kind: str, names: tuple[str, ...], as_json: bool) -> None:
    """Print the parts of a kind, or those named, each with its settings; a part that lacks its library says so."""
    for name in names or where(kind):
        try:
            cls = part(kind, name)
        except BciError as error:
            if names:
                raise
            click.echo(json.dumps({"name": name, "missing": error.what}) if as_json else _entry(name, error.what, "red"))
            continue
        if as_json:
            settings = [_plain(f) for f in settings_of(cls).values()]
            click.echo(json.dumps({"name": name, "about": about(cls), "settings": settings}, ensure_ascii=False))
        elif names:
            click.echo(full(name, cls))
        else:
            click.echo(_entry(name, about(cls)) + "".join(f"\n{_setting(f)}" for f in settings_of(cls).values()))
    if not names and not as_json:
        use = "--board NAME --opt KEY=VALUE" if kind == "board" else "--stage NAME:KEY=VALUE,KEY=VALUE"
        click.echo(f"\nUse one:  bcikit stream {use}     More about one:  bcikit {kind}s NAME")


def about(cls: type) -> str:
    """The first sentence of a part's documentation: of its file, else of its class."""
    module = inspect.getmodule(cls)
    text = inspect.cleandoc((module and module.__doc__) or cls.__doc__ or "")
    return " ".join(text.split("\n\n")[0].split())


def full(name: str, cls: type) -> str:
    """All that is said of a part."""
    text = inspect.cleandoc(cls.__doc__ or "")
    settings = "\n".join(_setting(f) for f in settings_of(cls).values()) or "    (no settings)"
    return f"{_entry(name, about(cls))}\n\n{textwrap.indent(text, '  ')}\n\n{settings}\n"


def default(f: Field) -> str:
    """A default as it would be typed."""
    if f.default is dataclasses.MISSING:
        return "must be given"
    if isinstance(f.default, tuple):
        return "+".join(map(_said, f.default)) or "none"
    return _said(f.default) or "empty"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else "none" if value is None else str(value)


def bounds(about: Setting) -> str:
    """What a setting may be, with its unit, in words."""
    if about.choices:
        return " | ".join(map(str, about.choices))
    low, high = (None if v is None else _said(float(v)) for v in (about.low, about.high))
    span = f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}" if high else ""
    return f"{span} {about.unit}".strip()


def kind_of(kind: Any) -> str:
    """The type of a setting in words."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join("none" if k is type(None) else kind_of(k) for k in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return f"list of {kind_of(typing.get_args(kind)[0])}s, as A+B"
    return WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _entry(name: str, text: str, colour: str = "") -> str:
    lines = textwrap.wrap(text, WIDTH - 18)
    head = click.style(f"{name:<16}", bold=True, fg=colour or None)
    return f"{head}  " + ("\n" + " " * 18).join(lines)


def _setting(f: Field) -> str:
    head = f"    {f.name} = {default(f)}"
    text = f"{f.about.text}  [{'; '.join(x for x in (kind_of(f.type), bounds(f.about)) if x)}]"
    lines = textwrap.wrap(text, WIDTH - 40)
    gap = "\n" + " " * 40 if len(head) > 38 else " " * (40 - len(head))
    return click.style(head, fg="cyan") + gap + ("\n" + " " * 40).join(lines)


def _plain(f: Field) -> dict[str, Any]:
    a = f.about
    return {
        "name": f.name,
        "type": kind_of(f.type),
        "default": None if f.default is dataclasses.MISSING else f.default,
        "text": a.text,
        "unit": a.unit,
        "low": a.low,
        "high": a.high,
        "choices": list(a.choices),
    }
