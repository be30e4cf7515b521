"""Dynamic stopping: known answers through the command line, and live."""

from __future__ import annotations

import json

import pytest

from bcikit.cli.main import main


def test_a_tagged_sine_is_sure_at_once_and_noise_is_worth_no_bits(tagged, shuffled, capsys):
    lengths = "0.3,0.6"
    for (card, root), wanted in ((tagged, 1.0), (shuffled, 0.5)):
        args = ["windows", "--data", str(card), "--root", str(root), "--decoder", "pyriemann:MDM", "--lengths", lengths]
        assert main([*args, "--json"]) == 0
        said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert [w["length_s"] for w in said["windows"]] == [0.3, 0.6]
        assert said["windows"][-1]["accuracy"] == pytest.approx(wanted, abs=0.2)
        if wanted == 1:
            assert said["stopping"]["length_s"] == pytest.approx(0.3, abs=0.03) and said["ratio"] > 1.8
    assert said["stopping"]["bits_per_minute"] < 30
    assert main(["windows", "--data", str(tagged[0]), "--root", str(tagged[1]), "--lengths", "soon"]) == 2
