"""docs/hazards.md: every control is taken away in turn, and its test fails."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit.effectors import (
    _door,
    _dose,
    _ledger,
    _limits,
    _moved,
    _slot,
    _spec,
    _supervisor,
    _watch,
    serial,
    stimulator,
    vehicle,
)
from bcikit.effectors._supervisor import Cause, Supervisor
from bcikit.kernels import ramp

HERE, ROOT = Path(__file__).parent, Path(__file__).parent.parent.parent
ROWS = {
    cells[0]: cells[4]
    for line in (ROOT / "docs" / "hazards.md").read_text().splitlines()
    if (cells := [c.strip() for c in line.strip("|").split("|")])[0].startswith("H") and len(cells) == 5
}
PROCESS = {"H44", "H45"}


def without_cause(*bits):
    """The supervisor does not look for these causes."""

    def patch(m):
        causes = Supervisor._causes
        mask = ~int(np.bitwise_or.reduce([int(b) for b in bits]))
        m.setattr(Supervisor, "_causes", lambda self, now, seen: causes(self, now, seen) & mask)

    return patch


def without_reason(*words):
    """The stimulator does not refuse for these reasons."""

    def patch(m):
        refusal = _dose.Meter.refusal

        def tolerant(self, train):
            why = refusal(self, train)
            return "" if any(w in why for w in words) else why

        m.setattr(_dose.Meter, "refusal", tolerant)

    return patch


def replaced(owner, name, by):
    return lambda m: m.setattr(owner, name, by)


def deaf_to_order(m):
    """Old numbers, old data and data from the future count."""
    hear = Supervisor._hear

    def trusting(self, now, c):
        self.seq[:], self.brain[:] = c.about[0] - 1, -np.inf
        hear(self, now, _supervisor.Command(c.values, np.vstack([c.about[:3], np.full((2, self.copies), now)])))

    m.setattr(Supervisor, "_hear", trusting)


def believed_whole(m):
    """A slot's check sum is not looked at."""
    m.setattr(_slot, "_sum", lambda count, packed: 0)


def forgetful(m):
    m.setattr(_ledger.Ledger, "_write", lambda self, session, day: None)


def believed_alive(m):
    """A process is alive until it is gone."""
    m.setattr(_watch, "KILLED", 0)
    m.setattr(_watch, "EXITING", 0)


def careless_sum(m):
    """A frame is taken for whole whatever its check sum."""
    m.setattr(serial, "reduce", lambda f, x, start: 0)


def unslowed(self, seen):
    """However near somebody is."""
    return np.clip(self.asked, self.low, self.high)


def blindly(self, target, seen):
    """Wherever it leads."""
    return ramp(self.value, self.slope, target, self.bounds, self.dt)


REMOVE = {
    "H01": without_cause(Cause.NUMBERS, Cause.PERSIST),
    "H02": without_cause(Cause.NUMBERS, Cause.PERSIST),
    "H03": without_cause(Cause.NUMBERS, Cause.PERSIST),
    "H04": without_cause(Cause.STALE),
    "H05": without_cause(Cause.STALE, Cause.LATE, Cause.PERSIST),
    "H06": without_cause(Cause.DEADMAN),
    "H07": without_cause(Cause.FORCE),
    "H08": without_cause(Cause.FORCE),
    "H09": without_cause(Cause.TORQUE),
    "H10": without_cause(Cause.DISTANCE),
    "H11": replaced(Supervisor, "_wanted", unslowed),
    "H12": without_cause(Cause.WORKSPACE),
    "H13": replaced(Supervisor, "_guided", blindly),
    "H14": replaced(Supervisor, "_guided", lambda self, target, seen: (target.copy(), 0 * target)),
    "H15": without_cause(Cause.DEVICE),
    "H16": replaced(Supervisor, "stop", lambda self: None),
    "H17": lambda m: m.setattr(Supervisor, "stop", Supervisor.hold),
    "H18": lambda m: m.setattr(Supervisor, "take", lambda self, holder: self.lease.fill(holder)),
    "H19": deaf_to_order,
    "H20": lambda m: m.setattr(_supervisor, "FUTURE_S", np.inf),
    "H21": without_cause(Cause.PERSIST),
    "H22": without_cause(Cause.CAP),
    "H23": without_cause(Cause.CAP),
    "H24": forgetful,
    "H25": forgetful,
    "H26": lambda m: m.setattr(_limits.Limits, "stale_after", unhurried),
    "H27": replaced(Supervisor, "_safe", lambda self, now: np.where(np.isnan(self.safe), self.value, self.safe)),
    "H28": lambda m: m.setattr(_limits.keys, "verify", lambda *a: True),
    "H29": believed_whole,
    "H30": careless_sum,
    "H31": replaced(Supervisor, "_guided", blindly),
    "H32": replaced(vehicle.Vehicle, "control", lambda self, row, felt: np.array([*row[:2], max(row[2], row[3]), row[3]])),
    "H33": without_reason("charge a phase"),
    "H34": without_reason("density"),
    "H35": without_reason("Shannon"),
    "H36": without_reason("monophasic"),
    "H37": without_reason("balance"),
    "H38": without_reason("rate"),
    "H39": without_reason("day"),
    "H40": forgetful,
    "H41": lambda m: m.setattr(_dose.Electrode, "complete", lambda self: None),
    "H42": lambda m: m.setattr(_spec.CommandSpec, "columns", lambda self, s, effector: list(range(len(self.names)))),
    "H43": lambda m: m.setattr(stimulator.Stimulator, "pulse", _moved.Moved.pulse),
    "H46": believed_alive,
    "H47": replaced(_door, "opened", lambda device, own=False: socket.socket(socket.AF_UNIX)),
    "H48": without_cause(Cause.FORCE),
    "H49": replaced(Supervisor, "_wanted", unslowed),
}


def unhurried(self, period):
    """As before, and without the wait before it moves again."""
    self.rearm_s = 0.0
    return period + 0.1


def outcome(test):
    """pytest's exit code for one test, run within this process."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return pytest.main(
            [f"{HERE}/{test}", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
        )


def test_every_hazard_has_a_control_that_can_be_taken_away():
    assert set(ROWS) == set(REMOVE) | PROCESS and len(ROWS) > 40


def test_every_test_of_a_hazard_is_there():
    files = {test.partition("::")[0] for test in ROWS.values()}
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-o", "addopts=--import-mode=importlib", "-q"]
    out = subprocess.run([*collect, *(str(HERE / f) for f in files)], capture_output=True, text=True, cwd=ROOT).stdout
    missing = [test for test in ROWS.values() if f"tests/effectors/{test}\n" not in out]
    assert not missing


@pytest.mark.parametrize("hazard", REMOVE)
def test_without_its_control_its_test_fails(hazard, monkeypatch):
    REMOVE[hazard](monkeypatch)
    assert outcome(ROWS[hazard]) == pytest.ExitCode.TESTS_FAILED


SHIMS = {  # what a child process of the test imports first
    "H44": "from bcikit.effectors import _limits\nread = _limits.read\n"
    "def patient(*a):\n    made = read(*a)\n    made.heartbeat_s = 3.0\n    return made\n_limits.read = patient\n",
    "H45": "from bcikit.effectors import _watch\n_watch.Watched.stopped = lambda self: False\n",
}


@pytest.mark.realtime
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="left out: the supervisor's process needs Linux")
@pytest.mark.parametrize("hazard", sorted(PROCESS))
def test_without_its_control_its_test_fails_with_real_processes(hazard, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SHIMS[hazard])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    test = [sys.executable, "-m", "pytest", f"{HERE}/{ROWS[hazard]}", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(test, env=env, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "safe_in_time" in done.stdout
