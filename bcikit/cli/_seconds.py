"""A length of time on the command line."""

from __future__ import annotations

from typing import Any

import click


class Seconds(click.ParamType):
    """A number of seconds above 0, and one that ends."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is not a length of time. It is in seconds, for example 30.", param, ctx)
        return seconds
