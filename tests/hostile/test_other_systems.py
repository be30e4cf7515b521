"""What Windows lacks is taken away, and what OpenBCI's users do there works all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WITHOUT = """
import os, shutil, signal, sys, tempfile
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in (
    "O_CLOEXEC O_DIRECTORY O_NOCTTY O_NONBLOCK eventfd eventfd_read eventfd_write fdatasync fchmod fork getpgrp getuid "
    "killpg memfd_create mkfifo openpty pidfd_open posix_fallocate pread pwrite sched_getaffinity sched_setaffinity "
    "sched_setscheduler set_blocking setsid tcgetpgrp ttyname"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGHUP SIGKILL SIGSTOP SIGUSR1 pthread_sigmask setitimer".split():
    if hasattr(signal, name):
        delattr(signal, name)
from bcikit.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def bcikit(tmp_path):
    def run(words):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *words.split()],
            cwd=tmp_path,
            env={**os.environ, "BCIKIT_HOME": str(tmp_path / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert "fault of bcikit" not in done.stderr and "Traceback" not in done.stderr, done.stderr
        return done

    return run


def test_what_is_allowed_is_kept_and_taken_back(bcikit):
    assert bcikit("consent grant S1 --purpose research --sink view --sink record").returncode == 0
    assert "S1" in bcikit("consent show").stdout
    assert bcikit("consent revoke S1").returncode == 0
    assert bcikit("stream --board lsl --opt wait_s=0.1 --subject S1 --json").returncode == 3


def test_a_stream_is_recorded_and_replayed(bcikit):
    done = bcikit("stream --board synthetic --stage notch --seconds 0.4 --record a.xdf --json")
    assert done.returncode == 0 and json.loads(done.stdout.splitlines()[-1])["samples"] == 100
    done = bcikit("stream --board replay --opt file=a.xdf --opt speed=0")
    assert done.returncode == 0 and "100 samples" in done.stderr


def test_what_only_posix_has_is_refused_in_words(bcikit):
    done = bcikit("impedance")
    assert done.returncode == 4 and "No OpenBCI dongle" in done.stderr
    assert bcikit("boards").returncode == bcikit("stages").returncode == 0
