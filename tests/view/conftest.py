"""A browser for the tests of the page."""

from __future__ import annotations

import pytest

from bcikit.bench._browser import Browser
from bcikit.core.errors import WrongUse


@pytest.fixture
def browser(request):
    try:
        b = Browser(*getattr(request, "param", (1280, 800)))
    except WrongUse as error:
        pytest.skip(f"left out: {error}")
    yield b
    b.close()
