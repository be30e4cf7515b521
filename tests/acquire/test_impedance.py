"""Impedances against the emulated boards' settable resistances, over BrainFlow's own drivers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bcikit.acquire._impedance import SERIES_OHM, TONE_A, TONE_HZ, Reading, impedances, measured, tone
from bcikit.acquire.brainflow import Brainflow
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.acquire.emulate.ganglion import Ganglion
from bcikit.acquire.openbci import Openbci
from bcikit.cli.impedance import command
from bcikit.core.errors import WrongUse

OHM = (1000.0, 5000.0, 9000.0, 20e3, 49e3, 120e3, 1e6, 7500.0)


@pytest.mark.realtime
def test_the_cyton_reads_its_resistances_within_5_percent():
    with Cyton(resistance=OHM, drop=0.02) as emulator:
        got = list(impedances(Openbci(port=emulator.port)))
        assert (emulator.firmware.lead_off == 0).all(), "the current is off again"
    assert [r.channel for r in got] == "Fp1 Fp2 C3 C4 P7 P8 O1 O2".split()
    assert [r.ohm for r in got] == pytest.approx(OHM, rel=0.05, abs=60)
    assert [r.grade for r in got] == ["good", "good", "good", "usable", "usable", "poor", "open", "good"]


@pytest.mark.realtime
def test_the_ganglion_reports_its_own():
    with Ganglion(resistance=(5000.0, 12e3, 30e3, 200e3, 8000.0)) as emulator:
        got = list(impedances(Openbci(model="ganglion", port=emulator.port)))
    newest = {r.channel: r.ohm for r in got}
    assert newest == {"EEG1": 5000, "EEG2": 12e3, "EEG3": 30e3, "EEG4": 200e3, "REF": 8000}


@pytest.mark.realtime
def test_the_command_prints_each_electrode_and_fails_on_bad_ones():
    with Cyton(resistance=(5000.0,) * 7 + (2e6,)) as emulator:
        result = CliRunner().invoke(command, ["--opt", f"port={emulator.port}", "--json"])
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert len(lines) == 8 and lines[0]["ohm"] == pytest.approx(5000, rel=0.05) and lines[7]["grade"] == "open"
    assert result.exit_code == 1


@pytest.mark.parametrize("rate", [125.0, 250.0, 1000.0])
@pytest.mark.parametrize("ohm", [0.0, 5e3, 50e3, 1e6])
def test_the_tone_is_found_under_a_brain_and_across_gaps(rate, ohm):
    rng = np.random.default_rng(7)
    index = np.flatnonzero(rng.random(round(4 * rate)) > 0.03) + 12345
    t = index / rate
    brain = 30 * np.sin(2 * np.pi * 10 * t) + 20 * t + 5000 + rng.normal(0, 3, len(t)) + 40 * np.sin(2 * np.pi * 50 * t)
    tone = (ohm + SERIES_OHM) * TONE_A * 1e6 * np.sin(2 * np.pi * TONE_HZ * t + 0.3)
    value, error = measured(index, brain + tone, rate)
    assert value == pytest.approx(ohm, rel=0.02, abs=250) and error < 300


def test_a_line_of_the_boards_own_at_the_same_frequency_is_taken_off():
    rng = np.random.default_rng(8)
    index = np.arange(3000)
    own = 3 * np.sin(2 * np.pi * TONE_HZ / 250 * index + 2) + rng.normal(0, 1, 3000)
    driven = own + (5000 + SERIES_OHM) * TONE_A * 1e6 * np.sin(2 * np.pi * TONE_HZ / 250 * index + 0.7)
    assert abs(measured(index[1500:], driven[1500:], 250.0)[0] - 5000) > 120
    before = tone(index[:1000], own[:1000], 250.0)
    value, error = measured(index[1500:], driven[1500:], 250.0, before)
    assert value == pytest.approx(5000, abs=60) and 0 < error < 30


@pytest.mark.realtime
def test_a_recording_of_a_real_cyton_is_measured_through(shared):
    """Its own line of 2 µV at 31.25 Hz would be 400 ohm."""
    with Cyton(file=shared("openbci-gui/gui-v6.txt"), loop=True, resistance=(15e3,)) as emulator:
        readings = impedances(Openbci(port=emulator.port))
        got = [next(readings) for _ in range(2)]
        readings.close()
    assert [r.ohm for r in got] == pytest.approx([15e3] * 2, rel=0.05)


def test_too_little_says_so():
    value, error = measured(np.arange(20), np.zeros(20), 250.0)
    assert value != value and error == np.inf


def test_other_boards_cannot():
    with pytest.raises(WrongUse, match="cannot measure"):
        list(impedances(Brainflow()))
    assert Reading("Cz", 1e3).advice == "" and Reading("Cz", 2e6).advice
