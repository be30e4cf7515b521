"""One's own recordings as a data set: BIDS, tables beside recordings, a card in the folder, an object store."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import FileTrouble
from bcikit.evaluate.data import card, trials
from bcikit.evaluate.evaluate import evaluate
from bcikit.files.read import read

MDM = "pyriemann:MDM"


@pytest.fixture(scope="module")
def bids(tagged, tmp_path_factory):
    """The tagged sines as BrainVision files in BIDS, their triggers in tables alone."""
    import mne

    folder = tmp_path_factory.mktemp("bids")
    for run in trials(*tagged, subjects="AB"):
        with np.load(run.path) as file:
            y, trig = file["y"], file["trig"]
        name = f"sub-{run.subject}_ses-{run.session}_task-imagery_run-{run.run}"
        place = folder / f"sub-{run.subject}" / f"ses-{run.session}" / "eeg"
        place.mkdir(parents=True, exist_ok=True)
        info = mne.create_info(["C3", "C4", "Cz", "EOG"], 100.0, "eeg")
        raw = mne.io.RawArray(y.T.astype(float) * 1e-6, info, verbose="error")
        raw.save(place / f"{name}_eeg.fif", verbose="error")
        names = {1: "left", 2: "right", 3: "tongue"}
        rows = [f"{i / 100}\t1.2\t{names[int(trig[i])]}" for i in np.flatnonzero(trig)]
        (place / f"{name}_events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *rows, "3.0\tn/a\tn/a", ""]))
        (place / f"{name}_channels.tsv").write_text("name\ttype\tunits\nC3\tEEG\tuV\nEOG\tEOG\tuV\n")
    return folder


@pytest.mark.filterwarnings("ignore:This filename")
def test_tables_beside_a_recording_are_read(bids):
    path = next(bids.rglob("*run-1_eeg.fif"))
    r = read(path)
    assert [e.name for e in r.events][-1] == "tongue" and len(r.events) == 13 and r.events[0].index == 100
    assert [c.kind for c in r.stream.channels] == ["eeg", "eeg", "eeg", "eog"]


@pytest.mark.filterwarnings("ignore:This filename")
def test_a_folder_in_bids_is_a_data_set(bids, capsys):
    its = card(str(bids))
    assert its.paradigm == "mi" and its.trials["events"] == ["left", "right", "tongue"] and its.subjects == 2
    assert its.trials["length"] == 1.2
    assert [r.name for r in trials(str(bids))][:2] == ["A/1/1", "A/1/2"]
    args = ["evaluate", "--data", str(bids), "--decoder", MDM, "--protocol", "next-run", "--subjects", "A"]
    assert main(args) == 0
    assert "causal   1.000" in capsys.readouterr().out


def test_recordings_with_tables_and_no_order_at_all(tagged, tmp_path):
    run = trials(*tagged)[0]
    with np.load(run.path) as file:
        np.savez(tmp_path / "monday.npz", **{k: file[k] for k in ("y", "fs", "ch_names")})
        trig = file["trig"]
    rows = [f"{i / 100}\t0\t{'target' if trig[i] == 1 else 'other'}" for i in np.flatnonzero(trig)]
    (tmp_path / "monday_events.tsv").write_text("\n".join(["onset\tduration\ttrial_type", *rows]))
    its = card(str(tmp_path))
    assert its.paradigm == "p300" and its.trials["target"] == "target" and trials(str(tmp_path))[0].run == "monday"
    (tmp_path / "monday_events.tsv").write_text("when\twhat\n1\tleft\n")
    with pytest.raises(FileTrouble, match="line 2: there is no onset"):
        card(str(tmp_path))


def test_a_folder_with_nothing_to_score_says_what_is_missing(tmp_path):
    with pytest.raises(FileTrouble, match=r"_events\.tsv"):
        card(str(tmp_path))
    np.savez(tmp_path / "x.npz", y=np.zeros((500, 2)), fs=100.0, ch_names=np.array(["C3", "C4"]))
    (tmp_path / "x_events.tsv").write_text("onset\tduration\ttrial_type\n1\t1\tgo\n")
    with pytest.raises(FileTrouble, match="go 1 times"):
        card(str(tmp_path))


def test_a_card_in_the_folder_is_taken(tagged, tmp_path):
    card_file, root = tagged
    shutil.copytree(root / "sub-A", tmp_path / "sub-A")
    shutil.copy(card_file, tmp_path)
    assert card(str(tmp_path)).title == "Simulated: a tagged sine" and len(trials(str(tmp_path))) == 6


def test_an_object_store_serves_the_same_scores(tagged):
    fsspec = pytest.importorskip("fsspec", reason="left out: fsspec is not installed (pip install 'bcikit[scale]')")
    card_file, root = tagged
    store = fsspec.filesystem("memory")
    store.put(str(root / "sub-A"), "/bucket/set/sub-A", recursive=True)
    away = evaluate(str(card_file), "memory://bucket/set", [MDM], "next-run")
    assert away == evaluate(str(card_file), root, [MDM], "next-run", subjects=["A"], use_cache=False)
    with pytest.raises(FileTrouble, match="holds no recording"):
        trials(card_file, "memory://bucket/empty")
