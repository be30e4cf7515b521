"""What the README and the documentation say is so: code runs, session files load, commands exist, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [(p, kind, text) for p in PAGES for kind, text in re.findall(r"```(\w*)\n(.*?)```", p.read_text(), re.S)]


def blocks(kind):
    return [pytest.param(text, id=f"{p.stem}-{i}") for i, (p, k, text) in enumerate(BLOCKS) if k == kind]


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code, tmp_path):
    code = code.replace("seconds=5", "seconds=0.5")
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    if "print(" in code:
        assert out.stdout


@pytest.mark.parametrize("text", blocks("toml"))
def test_session_files_load(text, tmp_path):
    from bcikit.core.session import session
    from bcikit.files.toml import Toml

    path = tmp_path / "s.toml"
    path.write_text(text)
    file = Toml(path)
    made = session(file.doc, file.line)
    assert made.board and made.stages


def test_every_command_that_is_named_exists():
    commands = {p.stem for p in (ROOT / "bcikit" / "cli").glob("*.py") if p.stem[0] != "_"} - {"main"}
    named = {w for p in PAGES for w in re.findall(r"^(?:\$ )?bcikit ([a-z]+)", p.read_text(), re.M)}
    named |= {w for p in PAGES for w in re.findall(r"`bcikit ([a-z]+)", p.read_text())}
    assert named - {"on"} <= commands, named - commands


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
