"""The wheels, built from the checkout and used outside it: compiled and pure, each with its data files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("bcikit", "datasets", "pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module", params=["compiled", "pure"])
def wheel(request, tmp_path_factory):
    """(kind, path of the wheel, folder it is unpacked in)."""
    place = tmp_path_factory.mktemp(request.param)
    for name in SOURCES:
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
        shutil.copytree(source, place / "src" / name, ignore=ignore) if source.is_dir() else shutil.copy(
            source, place / "src"
        )
    env = {**os.environ, "BCIKIT_PURE": "1" if request.param == "pure" else ""}
    made = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", ".", "--no-deps", "--no-build-isolation", "-w", str(place / "dist")],
        cwd=place / "src",
        env=env,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    (path,) = (place / "dist").glob("*.whl")
    zipfile.ZipFile(path).extractall(place / "site")
    return request.param, path, place / "site"


def run(site, code):
    """What `code` prints with the wheel alone, from a folder that is not the checkout."""
    env = {**os.environ, "PYTHONPATH": str(site)}
    out = subprocess.run([sys.executable, "-c", code], cwd=site.parent, env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr[-2000:]
    return out.stdout.strip()


def test_its_name_says_where_it_runs(wheel):
    kind, path, _ = wheel
    if kind == "pure":
        assert path.name.endswith("-py3-none-any.whl")
    elif shutil.which("gcc"):
        assert "-cp311-abi3-" in path.name, "one compiled wheel serves every Python"


def test_it_has_every_part_and_its_data(wheel):
    _, _, site = wheel
    code = (
        "import bcikit; from bcikit.core.find import where; print(bcikit.__file__);"
        "print({k: where(k) for k in ('board', 'stage', 'sink')})"
    )
    file, parts = run(site, code).split("\n")
    assert Path(file).is_relative_to(site)
    here = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert parts == here.strip().split("\n")[1]
    assert run(site, "from bcikit.files.montage import position; print(position('Cz') is not None)") == "True"
    cards = run(site, "from bcikit.evaluate.cards import cards; print(len(cards()))")
    assert int(cards) == len(list((ROOT / "datasets").glob("*.toml"))) > 0
    assert (site / "bcikit" / "py.typed").exists()


def test_its_kernels_are_compiled_or_plain(wheel):
    kind, _, site = wheel
    compiled = run(site, "import bcikit.kernels; print(bcikit.kernels.COMPILED)")
    assert compiled == str(kind == "compiled" and shutil.which("gcc") is not None)


def test_it_streams(wheel):
    _, _, site = wheel
    code = (
        "import bcikit; line = bcikit.Pipeline([bcikit.stage('bandpass'), bcikit.stage('notch')]);"
        "print(sum(len(c) for c in bcikit.stream(bcikit.board('synthetic'), line, seconds=0.5)))"
    )
    assert run(site, code) == "125"
