"""Errors: what reaches the person."""

from __future__ import annotations

from bcikit import BciError


def test_what_an_error_says_is_nothing_that_a_terminal_obeys():
    """Names in it come from files and networks."""
    error = BciError("No channel '\x1b[2J\x07Cz'.", "It has\nC3.")
    assert str(error) == "No channel '·[2J·Cz'.\nIt has\nC3."
