"""An LSL stream on a network of its own: seen by a reader that is begun there, and by nobody else on this machine."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import uuid

import pytest

from bcikit.cli import main as cli
from bcikit.ethics.loopback import enter

SEEN = "import pylsl, sys; print(len(pylsl.resolve_bypred(f\"name='{sys.argv[1]}'\", 1, float(sys.argv[2]))))"
GET = (
    "import pylsl, sys; i = pylsl.StreamInlet(pylsl.resolve_bypred(f\"name='{sys.argv[1]}'\", 1, 10.0)[0]);"
    "print(len(i.pull_chunk(5.0, 100)[1]))"
)


def linux():
    if not sys.platform.startswith("linux"):
        pytest.skip("left out: a network of one's own needs Linux")
    tried = subprocess.run(["unshare", "-U", "-n", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"left out: this system lets nobody make a network of their own ({tried.stderr.strip()})")


def said(command, *args):
    run = subprocess.run([*command, *args], capture_output=True, text=True, timeout=60, check=True)
    return int(run.stdout.split()[-1])


def test_readers_begun_there_see_it_and_nobody_else_does():
    linux()
    name = f"own-{uuid.uuid4()}"
    line = ["stream", "--board", "synthetic", "--opt", "n=2", "--no-view", "--lsl", name, "--lsl-local"]
    sender = subprocess.Popen([sys.executable, "-m", "bcikit.cli.main", *line], stderr=subprocess.PIPE, text=True)
    try:
        told = sender.stderr.readline()
        inside = shlex.split(re.search(r"begun with: (.*) PROGRAM", told)[1])
        assert said([*inside, sys.executable, "-c", GET], name) == 100
        assert said([sys.executable, "-c", SEEN], name, "1.5") == 0
        assert said([*inside, sys.executable, "-c", SEEN], name, "5") == 1
    finally:
        sender.terminate()
        sender.wait(20)
        sender.stderr.close()


def test_it_is_said_what_is_missing(capfd, monkeypatch):
    assert cli.main(["stream", "--board", "synthetic", "--lsl-local"]) == 2
    assert "--lsl NAME --lsl-local" in capfd.readouterr().err
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Exception, match="needs Linux"):
        enter()
