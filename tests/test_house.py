"""The house itself: rooms import only rooms above them, parts stay small, imports stay light, no leaks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "bcikit"
# From top to bottom, as the page on the architecture has them: a room imports only rooms above it.
ROOMS = re.findall(r"^\| `bcikit/(\w+)/`", (ROOT / "docs" / "architecture.md").read_text(), re.M)
HEIGHT = {room: i for i, room in enumerate(ROOMS)}
FILES = sorted(p for p in PACKAGE.rglob("*.py"))


def imports(path):
    """(line, dotted name) of everything of bcikit that a file imports, wherever in the file."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            name = ".".join(x for x in (base, node.module) if x)
            for alias in node.names:
                yield node.lineno, f"{name}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path):
    own = path.relative_to(PACKAGE).parts[0]
    if own not in HEIGHT:
        return  # bcikit/__init__.py is the front door
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] == "bcikit" and len(parts) > 1 and parts[1] in HEIGHT:
            assert HEIGHT[parts[1]] <= HEIGHT[own], f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("path", [p for p in FILES if "decode" in p.parts], ids=lambda p: p.stem)
def test_a_decoder_knows_nothing_of_the_simulated_truth(path):
    assert not [name for _, name in imports(path) if name.startswith("bcikit.simulate")]


def test_every_room_stands_in_the_table():
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 400


def test_the_core_is_held_in_the_head():
    lines = {p.name: len(p.read_text().splitlines()) for p in (PACKAGE / "core").glob("*.py")}
    assert sum(lines.values()) <= 1500, lines


def test_the_consent_layer_is_read_in_an_hour():
    """Labels, policy, consent and gate, with their store, decision and meter."""
    paths = [PACKAGE / "core" / "label.py"]
    paths += [PACKAGE / "ethics" / f"{n}.py" for n in ("policy", "consent", "store", "gate", "judge", "meter")]
    lines = {p.name: len(p.read_text().splitlines()) for p in paths}
    print(lines, sum(lines.values()))
    assert sum(lines.values()) <= 1200, lines


HEAVY = (
    "scipy",
    "sklearn",
    "mne",
    "pyriemann",
    "brainflow",
    "pylsl",
    "torch",
    "rich",
    "cryptography",
    "safetensors",
    "pyxdf",
)


@pytest.mark.parametrize(
    "what, allowed",
    [("import bcikit", ()), ("from bcikit.core.find import parts; [parts(k) for k in ('board', 'stage', 'sink')]", ())],
    ids=["bcikit", "all parts"],
)
def test_nothing_heavy_is_imported_that_is_not_used(what, allowed):
    code = f"import sys; {what}; print(sorted({{m.split('.')[0] for m in sys.modules}} & {set(HEAVY)!r}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(out.strip()) == list(allowed)


TEXTS = [
    p
    for p in ROOT.rglob("*")
    if p.suffix in (".py", ".md", ".toml", ".txt", ".c", ".h", ".cfg", ".yml", "")
    and p.is_file()
    and not any(
        x in p.parts for x in (".venv", ".git", "__pycache__", "dist", "build", "out", ".hypothesis", "bcikit.egg-info")
    )
    and not any(x.startswith(".") and x != ".ci" for x in p.relative_to(ROOT).parts)
]


def test_no_path_of_a_machine_stands_in_the_project():
    path = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")
    found = [str(p.relative_to(ROOT)) for p in TEXTS if p != Path(__file__) and path.search(p.read_text(errors="ignore"))]
    assert not found


def test_commands_stand_in_five_groups_and_none_stands_outside():
    from bcikit.cli.main import GROUPS, found

    assert len(GROUPS) == 5
    assert {group for group, _ in found().values()} == set(GROUPS)
