"""Dynamic stopping: known answers through the command line, and the rule written out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.evaluate.statistics import bits
from bcikit.evaluate.stopping import _stopped


def test_a_trial_ends_with_the_first_window_that_is_sure_or_with_the_last():
    right = [np.array([0, 1, 1, 0]), np.array([1, 1, 0, 0]), np.array([1, 0, 1, 1])]
    sure = [np.array([0.5, 0.9, 0.2, 0.3]), np.array([0.9, 0.9, 0.7, 0.4]), np.array([0.9, 0.9, 0.9, 0.5])]
    share, took, rate = _stopped(right, sure, [1.0, 2.0, 4.0], 0.8, 3)
    assert (share, took) == (1.0, (2 + 1 + 4 + 4) / 4)  # it stops at windows 2, 1, 3 and, never sure, 3
    assert rate == pytest.approx(float(bits(1.0, 3)) * 60 / 2.75)


def test_a_tagged_sine_is_sure_at_once_and_noise_is_worth_no_bits(tagged, shuffled, capsys):
    lengths = "0.3,0.6"
    for (card, root), wanted in ((tagged, 1.0), (shuffled, 0.5)):
        args = ["windows", "--data", str(card), "--root", str(root), "--decoder", "pyriemann:MDM", "--lengths", lengths]
        assert main([*args, "--json"]) == 0
        said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert [w["length_s"] for w in said["windows"]] == [0.3, 0.6]
        assert said["windows"][-1]["accuracy"] == pytest.approx(wanted, abs=0.2)
    assert said["stopping"]["bits_per_minute"] < 30
    assert main(["windows", "--data", str(tagged[0]), "--root", str(tagged[1]), "--lengths", "soon"]) == 2
