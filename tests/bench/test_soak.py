"""The long paced runs: no loss in ten minutes of 4,096 channels through the ring, no stall, no growth in an hour.

Run them on a machine that does nothing else: what else it does is told by the idle process beside the run.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bcikit.cli.bench import command

pytestmark = [pytest.mark.soak, pytest.mark.realtime]


def summary(*args):
    result = CliRunner().invoke(command, ["jitter", "--json", *args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    last = json.loads(result.output.splitlines()[-1])
    print(last)
    return last


@pytest.mark.timeout(900)
def test_ten_minutes_of_4096_channels_through_the_ring_without_loss():
    assert summary("--channels", "4096", "--ring", "--seconds", "600")["lost"] == 0


@pytest.mark.timeout(900)
def test_ten_minutes_of_1024_channels_stall_no_longer_than_the_machine_does():
    last = summary("--seconds", "600")
    assert last["lost"] == 0 and last["worst_ms"] < 10 + last["idle_worst_ms"]


@pytest.mark.timeout(4200)
def test_memory_does_not_grow_in_an_hour():
    before, after = summary("--channels", "256", "--seconds", "3600")["memory_mb"]
    assert after - before < 1.0
