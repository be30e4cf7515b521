"""What all tests share: the recordings beside the checkout, and a home of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def shared_path(name: str) -> Path:
    """A recording of ../shared/data; skips, saying so, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"left out: ../shared/data/{name} is not beside this checkout")
    return path


@pytest.fixture(scope="session")
def shared():
    return shared_path


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Every test has an empty BCIKIT_HOME: none reads or writes the developer's own consents."""
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path_factory.mktemp("home")))
