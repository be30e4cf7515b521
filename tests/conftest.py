"""What all tests share: the recordings beside the checkout, and a home of their own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

LATE_S = 5.0  # how much later a busy machine may be than what is promised; the promises themselves are benchmarks

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


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """A stage of another package, as if it were installed: (its name, its class, its code) gives the folder it lies in."""
    from bcikit.core import find

    def plug(name: str, what: str, code: str) -> Path:
        place = tmp_path / "site-packages"
        told = place / f"{name}-1.0.dist-info"
        told.mkdir(parents=True)
        (told / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        (told / "entry_points.txt").write_text(f"[bcikit.stages]\n{name} = {name}_part:{what}\n")
        (place / f"{name}_part.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(str(place))
        find.where.cache_clear()
        return place

    yield plug
    find.where.cache_clear()


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """Every test has an empty BCIKIT_HOME: none reads or writes the developer's own consents."""
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path_factory.mktemp("home")))
