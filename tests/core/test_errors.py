"""Errors: what reaches the person."""

from __future__ import annotations

import pytest

from bcikit import BciError, WrongUse
from bcikit.core.find import part


def test_what_an_error_says_is_nothing_that_a_terminal_obeys():
    """Names in it come from files and networks."""
    error = BciError("No channel '\x1b[2J\x07Cz'.", "It has\nC3.")
    assert str(error) == "No channel '·[2J·Cz'.\nIt has\nC3."


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999"])
def test_a_setting_is_a_number_that_can_be(value):
    with pytest.raises(WrongUse, match="out of bounds"):
        part("stage", "bandpass").make({"low": value})
