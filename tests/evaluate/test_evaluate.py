"""Known answers through the command line: a tagged sine is told without fault, noise is at chance, offline is online."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import FileTrouble, NotConsented, WrongUse
from bcikit.core.pipeline import Pipeline
from bcikit.evaluate import data as sets
from bcikit.evaluate._line import cut_causal, cut_offline, line
from bcikit.evaluate.data import cut, trials
from bcikit.evaluate.evaluate import content, evaluate
from bcikit.evaluate.protocols import Cuts, fit, splits, stepped

MDM = "pyriemann:MDM"


def last_line(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_runs_are_found_by_the_card_in_the_order_of_their_numbers(tagged):
    runs = trials(*tagged)
    assert [r.name for r in runs[:4]] == ["A/1/1", "A/1/2", "A/1/10", "A/2/1"] and len(runs) == 18
    assert runs[0].recording.stream.label.subjects == {"tagged/A"}
    assert {r.subject for r in trials(*tagged, subjects="BC")} == {"B", "C"}
    with pytest.raises(WrongUse, match=r"no subject 'D'.*\n.*A, B, C"):
        trials(*tagged, subjects="D")
    with pytest.raises(WrongUse, match="Did you mean 'ssvep-exo'"):
        trials("ssvep-exos")


def test_recordings_without_a_trial_say_which_events_they_have(tagged, tmp_path, capsys):
    shutil.copytree(tagged[1], tmp_path / "copy")
    (tmp_path / "copy" / "tagged.toml").write_text(tagged[0].read_text().replace("trig=", "cue="))
    for args in (["evaluate", "--protocol", "within"], ["train", "--out", str(tmp_path / "model")]):
        assert main([*args, "--data", str(tmp_path / "copy"), "--decoder", MDM]) == 2
        said = capsys.readouterr().err
        assert "No trial" in said and "trig=1, trig=" in said and "cue=1:left" in said


def test_a_folder_without_its_files_says_what_was_looked_for(tagged, tmp_path):
    with pytest.raises(FileTrouble, match=r"run-\{run\}\.npz"):
        trials(tagged[0], tmp_path)
    with pytest.raises(FileTrouble, match="--root"):
        trials("ssvep-exo")


@pytest.mark.parametrize("protocol", ["within", "next-run", "cross-session", "cross-subject"])
def test_a_tagged_sine_is_told_without_fault(tagged, protocol, capsys):
    card, root = map(str, tagged)
    code = main(["evaluate", "--data", card, "--root", root, "--decoder", MDM, "--protocol", protocol, "--json"])
    said = last_line(capsys)
    assert code == 0 and said["protocol"] == protocol and said["metric"] == "accuracy"
    for form in ("offline", "causal"):
        assert said[form]["mean"] == 1.0 and said[form]["ci"] == [1.0, 1.0] and said[form]["p"] < 0.01
        assert set(said[form]["per_subject"]) == {"A", "B", "C"}
        assert said[form]["classes"] == ["left", "right"] and np.trace(said[form]["confusion"]) == said[form]["trials"]


def test_noise_is_at_chance_and_said_to_be(shuffled, capsys):
    card, root = map(str, shuffled)
    assert main(["evaluate", "--data", card, "--root", root, "--decoder", MDM]) == 0
    said = capsys.readouterr().out
    assert "NOT ABOVE CHANCE" in said
    assert main(["evaluate", "--data", card, "--root", root, "--decoder", MDM, "--json"]) == 0
    causal = last_line(capsys)["causal"]
    assert causal["p"] > 0.05 and 0.25 < causal["mean"] < 0.75 and causal["ci"][0] < 0.5 < causal["ci"][1]
    assert causal["chance"]["mean"] == pytest.approx(0.5, abs=0.03)


def test_no_split_tests_what_it_trained_on(tagged):
    runs = trials(*tagged)
    sizes = [np.array(["left", "right"] * 6)] * len(runs)
    for protocol in ("within", "next-run", "cross-session", "cross-subject"):
        for form in ("offline", "causal"):
            for split in splits(protocol, form, runs, "B", sizes):
                for i, test in split.test.items():
                    train = split.train.get(i, np.empty(0, int))
                    assert not set(test) & set(train)
                    assert runs[i].subject == "B"
                trained = [runs[i] for i in split.train]
                if protocol == "cross-subject":
                    assert {r.subject for r in trained} == {"A", "C"}
                if protocol == "next-run":
                    assert max(split.train) < min(split.test)
                if protocol == "cross-session":
                    assert not {r.session for r in trained} & {runs[i].session for i in split.test}
    tested = [(i, k) for s in splits("within", "offline", runs, "B", sizes) for i, t in s.test.items() for k in t]
    assert sorted(tested) == [(i, k) for i, r in enumerate(runs) if r.subject == "B" for k in range(12)]


def test_the_causal_form_is_the_live_line_to_the_byte(tagged):
    runs = [r for r in trials(*tagged) if r.subject == "A"]
    whole = line(MDM, runs)
    cuts = [cut_causal(whole, r.recording) for r in runs]
    decoder = fit(whole, runs, cuts, {0: np.arange(12), 1: np.arange(12)}, ["left", "right"])
    live = Pipeline([*line(MDM, runs).stages[:-1], decoder])
    out = live.run(runs[3].recording, sizes=iter([7, 1, 0, 333] * 1000))
    scored = stepped(decoder, cuts[3], np.arange(len(cuts[3].y)))
    assert out.data.tobytes() == scored.tobytes()
    assert [e.name for e in out.events] == cuts[3].y.tolist()


def test_feedback_tells_a_class_behind_its_trial_to_what_learns_from_it(tagged):
    runs = [r for r in trials(*tagged) if r.subject == "A"]
    whole = line("procrustes:turn=yes,prior=0", runs, ["bandpass:low=8,high=30,order=2"])
    cuts = [cut_causal(whole, r.recording) for r in runs]
    decoder = fit(whole, runs, cuts, {0: np.arange(12), 1: np.arange(12)}, ["left", "right"])
    order = np.arange(12)
    alone, told = (stepped(decoder, cuts[3], order, feedback) for feedback in (False, True))
    np.testing.assert_array_equal(alone[0], told[0])
    assert not np.array_equal(alone[1:], told[1:])
    np.testing.assert_array_equal(alone, stepped(decoder, cuts[3], order))  # what was told is forgotten
    with pytest.raises(WrongUse, match="asynchronous"):
        evaluate(str(tagged[0]), tagged[1], ["procrustes"], "asynchronous", feedback=True)


def test_the_offline_form_looks_ahead_as_filtfilt_does(tagged):
    from scipy.signal import butter, sosfiltfilt

    run = trials(*tagged)[0]
    whole = line(MDM, [run], ["bandpass:low=8,high=30,order=2"])
    X = cut_offline(whole, run.recording).X
    sos = butter(2, (8, 30), "bandpass", fs=100, output="sos")
    again = sosfiltfilt(sos, run.recording.data[:, :4].astype(float), axis=0)
    begins = [round(e.index) + 20 for e in run.recording.events]
    wanted = np.array([again[b : b + 100].T for b in begins if b + 100 <= len(again)])
    np.testing.assert_allclose(X[1:-1], wanted[1:-1], atol=2e-2)
    assert not np.allclose(X, cut_causal(whole, run.recording).X, atol=0.5)


def test_the_cache_gives_the_same_and_knows_when_a_file_changed(tagged, tmp_path, monkeypatch):
    card, root = tagged
    shutil.copytree(root, tmp_path / "copy")
    folder = tmp_path / "copy"
    monkeypatch.setattr("bcikit.evaluate.evaluate.content", lambda path: hash(path.read_bytes()))
    asked = []
    fresh = Cuts.of
    monkeypatch.setattr(Cuts, "of", lambda self, *a: (asked.append(a), fresh(self, *a))[1])

    def score():
        asked.clear()
        said = evaluate(str(card), folder, [MDM], "next-run", subjects=["A"])
        return said, len(asked)

    first, n = score()
    second, again = score()
    assert second == first and n > 0 and again == 0
    path = folder / "sub-A" / "ses-1" / "run-1.npz"
    arrays = dict(np.load(path))
    arrays["trig"] = np.zeros_like(arrays["trig"])
    arrays["trig"][[100, 300, 500, 700]] = [1, 2, 1, 2]
    np.savez(path, **arrays)
    assert score()[1] > 0


def test_a_damaged_recording_is_said_although_its_scores_are_cached(tagged, tmp_path, capsys):
    """Every recording is read before a score is shown, and reading compares the archive's own checksums."""
    shutil.copytree(tagged[1], tmp_path / "copy")
    path = tmp_path / "copy" / "sub-A" / "ses-1" / "run-1.npz"
    args = ["evaluate", "--data", str(tagged[0]), "--root", str(tmp_path / "copy"), "--decoder", MDM, "--subjects", "A"]
    assert main(args) == 0
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("y.npy").header_offset + 5000
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    sets._read.cache_clear()
    content.cache_clear()
    assert content(path) == _content_of(whole, path), "its directory of checksums is whole"
    assert main(args) == 4
    assert "Bad CRC-32" in capsys.readouterr().err


def _content_of(whole, path):
    damaged = path.read_bytes()
    path.write_bytes(whole)
    content.cache_clear()
    found = content(path)
    content.cache_clear()
    path.write_bytes(damaged)
    return found


def test_several_processes_give_the_same_scores(tagged):
    card, root = tagged
    one = evaluate(str(card), root, [MDM], "within", subjects=["A", "B"], use_cache=False)
    two = evaluate(str(card), root, [MDM], "within", subjects=["A", "B"], jobs=2, use_cache=False)
    assert one == two


@pytest.mark.parametrize(
    "args, said",
    [
        (["--decoder", "default", "--protocol", "sideways"], "There is no protocol"),
        (["--decoder", MDM, "--protocol", "transfer"], "scores a trained model"),
        (["--decoder", "pyriemann:MDMM"], "Did you mean 'MDM'"),
        (["--decoder", "bandpass"], "not one that learns"),
        (["--decoder", MDM, "--subjects", "Z"], "no subject"),
    ],
)
def test_what_cannot_be_scored_is_said_in_words(tagged, args, said, capsys):
    card, root = map(str, tagged)
    assert main(["evaluate", "--data", card, "--root", root, *args]) == 2
    assert said in capsys.readouterr().err


def test_a_person_who_took_back_consent_is_not_scored(tagged):
    from bcikit.ethics.consent import Consent

    consent = Consent()
    consent.grant("tagged/B", "research", ["train"], 1)
    consent.revoke("tagged/B")
    with pytest.raises(NotConsented):
        evaluate(str(tagged[0]), tagged[1], [MDM], "next-run")


def test_a_trial_that_was_lost_counts_as_wrong(tagged):
    from bcikit.evaluate.protocols import Scored
    from bcikit.evaluate.statistics import summary

    nan = float("nan")
    s = Scored("A", "A/1", ["l", "r"], ["l", "l", "r", "r"], [[0.9, 0.1], [nan, nan], [0.2, 0.8], [nan, nan]], [True] * 4)
    assert summary([s], {})["mean"] == 0.5


def test_train_then_transfer_and_live(tagged, tmp_path, capsys):
    card, root = map(str, tagged)
    model = str(tmp_path / "model")
    assert (
        main(["train", "--data", card, "--root", root, "--decoder", MDM, "--subjects", "A,B", "--out", model, "--score"])
        == 0
    )
    assert "left, right" in (said := capsys.readouterr().out) and "accuracy 1.000" in said
    metrics = json.loads((tmp_path / "model" / "model.json").read_text())["metrics"]
    assert metrics["per_subject"] == {"A": 1.0, "B": 1.0} and metrics["protocol"] == "within" and metrics["p"] < 0.05
    evaluated = ["evaluate", "--data", card, "--root", root, "--decoder", model, "--protocol", "transfer", "--json"]
    assert main(evaluated) == 2
    assert "was trained on" in capsys.readouterr().err
    assert main([*evaluated, "--subjects", "C"]) == 0
    assert last_line(capsys)["causal"]["per_subject"] == {"C": 1.0}
    file = next((tagged[1] / "sub-C").rglob("run-1.npz"))
    play = ["stream", "--board", "replay", "--opt", f"file={file}", "--opt", "speed=0", "--decode", model, "--json"]
    assert main(play) == 0
    said = last_line(capsys)
    assert [c["name"] for c in said["channels"]] == ["left", "right"]
    assert sum(c["value"] for c in said["channels"]) == pytest.approx(1, abs=1e-3)


def test_a_cut_of_the_card_is_the_same_as_by_hand(tagged):
    run = trials(*tagged)[0]
    X, y, s = cut([run.epoch()], run.recording)
    at = [round(e.index) for e in run.recording.events]
    np.testing.assert_array_equal(X[3], run.recording.data[at[3] + 20 : at[3] + 120].T)
    assert set(y) == {"left", "right", "tongue"} and s.rate == 100
    assert replace(run, subject="Q").name == "Q/1/1"


def test_what_looks_ahead_is_refused_or_marked(tagged, monkeypatch, capsys):
    from bcikit.preprocess.bandpass import Bandpass

    monkeypatch.setattr(Bandpass, "leaky", True)
    args = ["evaluate", "--data", str(tagged[0]), "--root", str(tagged[1]), "--decoder", MDM, "--protocol", "next-run"]
    args += ["--subjects", "A"]
    assert main(args) == 2
    assert "bandpass looks ahead" in capsys.readouterr().err
    assert main([*args, "--leaky", "--json"]) == 0
    assert last_line(capsys)["leaky"] == ["bandpass"]
    assert main([*args, "--leaky"]) == 0
    assert "LEAKY: bandpass looks ahead" in capsys.readouterr().out


def test_a_curve_of_learning_rises_to_the_whole(tagged):
    said = evaluate(str(tagged[0]), tagged[1], [MDM], "within", subjects=["A"], curve=True)["decoders"][MDM]
    curve = said["curve"]
    assert [c["share"] for c in curve] == [0.2, 0.4, 0.6, 0.8, 1.0] and curve[-1]["mean"] == said["causal"]["mean"]
    assert [c["trials"] for c in curve] == sorted(c["trials"] for c in curve)


def test_what_was_killed_goes_on_where_it_was(tagged, monkeypatch):
    import os
    import subprocess
    import sys

    from bcikit.ethics.home import home
    from bcikit.evaluate import evaluate as module

    args = ["--data", str(tagged[0]), "--root", str(tagged[1]), "--decoder", MDM, "--protocol", "within", "--json"]
    command = [sys.executable, "-m", "bcikit.cli.main", "evaluate", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as running:
        assert running.stdout
        running.stdout.readline(), running.stdout.readline()
        running.kill()
    kept = len(list((home() / "cache" / "evaluate").glob("*.json")))
    assert 2 <= kept < 6
    worked = []
    real = module.score_subject
    monkeypatch.setattr(module, "score_subject", lambda *a, **k: (worked.append(a), real(*a, **k))[1])
    resumed = evaluate(str(tagged[0]), tagged[1], [MDM], "within")
    assert len(worked) == 6 - kept
    assert resumed == evaluate(str(tagged[0]), tagged[1], [MDM], "within", use_cache=False)


def test_power_over_time_is_shown_where_its_windows_are_whole():
    """Of trials of one tone, power is the same at all times: an edge of a window that holds too little would show."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from bcikit.core.stream import Channel, Stream
    from bcikit.evaluate.pictures import _rhythms

    t = np.arange(-100, 500) / 100
    X = np.repeat(np.sin(2 * np.pi * 10 * t)[None, None], 8, axis=0) * [[[10.0], [20.0]]]
    y = np.array(["left", "right"] * 4)
    figure = _rhythms("A", X, y, Stream("tone", 100.0, (Channel("C3"), Channel("C4"))), t, (0.0, 4.0))
    low, high = figure.axes[0].get_xlim()
    mesh = figure.axes[0].collections[0]
    at = np.abs(mesh.get_coordinates()[:, 0, 1] - 10).argmin()
    assert np.abs(mesh.get_array()[at]).max() < 0.1, "dB"
    assert low >= t[0] + 0.2 and high <= t[-1] - 0.2 and high - low > 5
    plt.close(figure)


def test_the_report_shows_scores_people_confusion_learning_and_classes(tagged, tmp_path):
    card, root = map(str, tagged)
    args = ["evaluate", "--data", card, "--root", root, "--decoder", MDM, "--subjects", "A", "--report", str(tmp_path)]
    assert main(args) == 0
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 4  # people, confusion, learning, rhythms; four channels make no head
    assert "causal, 8 channels" in page and "trials that trained" not in page and "worst person" in page
    assert "http" not in page.replace("http-equiv", "")  # it needs nothing from elsewhere


def test_pictures_of_heads_and_waves(shared):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from bcikit.evaluate.pictures import pictures

    for name, subjects, wanted in (("mi-eegbci", ["S001"], "common spatial filter"), ("p300-gtec", ["S1"], "less that")):
        shown = list(pictures(name, shared(name), subjects))
        assert len(shown) == 2 and wanted in shown[0][1]
        assert [a.get_title() for a in shown[0][0].axes][:2] in (["feet", "fists"], ["other", "target"])
        for figure, _ in shown:
            plt.close(figure)


def test_some_classes_alone_are_learnt_and_scored_while_the_others_pass(tagged, capsys):
    card, root = map(str, tagged)
    said = evaluate(card, root, [MDM], "within", subjects=["A"], classes=["left", "right"])["decoders"][MDM]["causal"]
    assert said["classes"] == ["left", "right"]
    code = main(["evaluate", "--data", card, "--root", root, "--decoder", MDM, "--classes", "left,up"])
    assert code == 2 and "no class 'up'" in capsys.readouterr().err
