"""Continuous decoding: what commands, how it is counted, and that a tagged sine is found by itself."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.decode._model import load
from bcikit.decode.stopping import bits
from bcikit.evaluate._line import cut_causal, line, parted
from bcikit.evaluate.continuous import Rested, Rule, Watched, commanded, summary, timeline
from bcikit.evaluate.data import trials
from bcikit.evaluate.evaluate import evaluate

from .conftest import write_set

MDM = "pyriemann:MDM"


def test_bits_of_a_choice_are_wolpaws():
    assert bits(1.0, 4) == 2 and bits(0.5, 2) == 0 and bits(0.1, 4) == 0
    assert bits(0.9, 2) == pytest.approx(1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert bits(0.8, 36) == pytest.approx(np.log2(36) + 0.8 * np.log2(0.8) + 0.2 * np.log2(0.2 / 35))


def test_a_command_needs_its_dwell_and_is_followed_by_a_pause():
    t = np.arange(60) / 10
    p = np.tile([0.4, 0.3, 0.3], (60, 1))
    p[10:14] = [0.1, 0.8, 0.1]
    p[20:40] = [0.8, 0.1, 0.1]
    p[41] = np.nan
    rule = Rule(sure=0.7, dwell=0.3, pause=1.0)
    assert commanded(t, p, rule, [0, 1, 2]) == [(pytest.approx(1.2), 1), (pytest.approx(2.4), 0), (pytest.approx(3.6), 0)]
    assert commanded(t, p, rule, [1, 2]) == [(pytest.approx(1.2), 1)]
    assert commanded(t, p, Rule(sure=0.7, dwell=0.5, pause=1.0), [1]) == []


def watched(wanted, given, classes=("left", "right")):
    latency = [1.0 if g else None for g in given]
    return Watched("A", "A/1", list(classes), {}, list(wanted), [list(g) for g in given], [5.0] * len(wanted), latency)


def test_commands_are_counted_as_they_were_wanted():
    s = summary([watched([0, -1, 1, -1, 0, 1], [[0, 0], [1], [1, 0], [], [], [0]])])
    assert s["hits"] == 0.5 and s["wrong"] == 0.5 and s["trials"] == 4
    assert s["false_positives_per_minute"] == pytest.approx(1 / (10 / 60)) and s["latency_s"] == 1.0
    assert s["confusion"] == [[1, 0, 1], [1, 1, 0], [0, 1, 1]] and s["mean"] == 0  # 2 right of 5
    perfect = summary([watched([0, -1, 1, -1] * 5, [[0], [], [1], []] * 5)])
    assert perfect["mean"] == pytest.approx(10 / (100 / 60)) and perfect["ci"][0] > 3 and perfect["p"] < 0.05


def test_a_tagged_sine_is_found_by_itself(tmp_path, capsys):
    card, root = str(write_set(tmp_path, subjects="A", sessions=("1",), runs=("1", "2", "3"))), str(tmp_path)
    args = ["evaluate", "--data", card, "--root", root, "--decoder", MDM, "--protocol", "asynchronous"]
    assert main([*args, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    for form in ("offline", "causal"):
        assert said[form]["hits"] > 0.75 and said[form]["p"] < 0.05 and set(said[form]["per_subject"]) == {"A"}
        assert 0 < said[form]["latency_s"] < 2
        assert {"mean", "ci", "false_positives_per_minute", "minutes"} <= said[form].keys()
    assert main(args) == 0  # from the cache
    assert "false positives a minute" in capsys.readouterr().out


def test_the_pause_before_a_trial_is_learnt_as_rest(tagged):
    run = trials(*tagged, ["A"])[0]
    its = line(MDM, [run])
    rested = Rested(its, [run], [cut_causal(its, run.recording)])
    n, spans = rested.sizes[0], timeline(run)
    assert list(rested.cut[0].y[n:]) == ["rest"] * n and [m for *_, m in spans] == list(rested.cut[0].y[:n])
    passed = Pipeline(parted(its)[0]).run(run.recording).data
    for k in (1, 5):
        begin = round(100 * ((spans[k - 1][1] + spans[k][0]) / 2 - 0.5))
        np.testing.assert_array_equal(rested.cut[0].X[n + k], passed[begin : begin + 100].T)
    decoder = rested.fit({0: np.arange(6)})
    assert list(decoder.classes_) == ["left", "rest", "right"] and "tongue" in rested.cut[0].y


def test_a_model_can_learn_rest_from_the_pauses(tagged, tmp_path):
    card, root = map(str, tagged)
    args = ["train", "--data", card, "--root", root, "--decoder", MDM, "--subjects", "A", "--out", str(tmp_path / "model")]
    assert main([*args, "--pauses"]) == 0
    assert load(tmp_path / "model").about["labels"] == ["left", "rest", "right"]
    assert main(args) == 0
    assert load(tmp_path / "model").about["labels"] == ["left", "right"]


def test_what_cannot_be_decoded_continuously_is_said(shared):
    with pytest.raises(WrongUse, match="cannot be decoded continuously"):
        evaluate("p300-gtec", shared("p300-gtec"), [MDM], "asynchronous", subjects=["S1"])
