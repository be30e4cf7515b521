"""The tier of the policy that holds, and what it lets into a process."""

from __future__ import annotations

from ..core.errors import NotConsented
from .consent import Consent


def tier() -> int:
    """At 2, parts that nobody vouches for run in the sandboxed worker."""
    consent = Consent()
    return consent.facts().policy.tier if (consent.home / "consent.db").exists() else 1


def may_load(kind: str, name: str) -> None:
    """A guard of `find`: raises NotConsented where a part of another package would be loaded into this process at tier 2."""
    if tier() == 2:
        what = (
            f"The policy keeps the {kind} {name!r} out of this process: another package brought it, nobody vouches for it."
        )
        do = "It runs in the sandboxed worker: --sandbox." if kind == "stage" else ""
        raise NotConsented(what, "tier = 2 stands in the policy.", do)
