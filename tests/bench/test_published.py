"""Published scores beside ours, on made files laid out as the real ones."""

from __future__ import annotations

import json

import pytest

from bcikit.bench.published import published
from bcikit.cli.main import main
from bcikit.core.errors import FileTrouble, WrongUse

from ..evaluate.test_matlab_sets import flicker, graz, savemat


def test_what_was_published_stands_beside_ours_in_both_forms(tmp_path, capsys):
    (tmp_path / "BNCI2014_004").mkdir()
    for kind, n in (("T", 3), ("E", 2)):
        graz(tmp_path / "BNCI2014_004", f"B01{kind}.mat", n, 3.0, 6, 2, trials=20)
    (row,) = published(tmp_path)
    assert row["published"] == 0.8009 and row["metric"] == "AUC" and row["people"] == "1 of 9"
    assert row["offline"]["mean"] == row["causal"]["mean"] == 1.0 and "wiki" in row["source"]
    assert main(["bench", "published", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "published 0.8009" in said and "offline 1 (1 to 1)" in said and "method the same" in said


def test_one_set_may_lie_in_the_folder_itself(tmp_path, capsys):
    savemat(tmp_path / "s1.mat", {"eeg": flicker(256, 1114, 38, (9.25, 11.25), 15, 8)})
    assert main(["bench", "published", "--root", str(tmp_path), "--data", "Nakanishi2015", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["decoder"], r["published"], r["metric"]) for r in rows] == [
        ("ecca", 0.994, "accuracy"),
        ("tdca", 0.99, "accuracy"),
    ]
    assert all(r["offline"]["mean"] > 0.9 for r in rows)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileTrouble, match=r"holds none of BNCI2014_001.*\n.*\n.*datasets get BNCI2014_001"):
        next(published(tmp_path))
    with pytest.raises(FileTrouble, match="no published score"):
        next(published(tmp_path, "openbci-mi"))
    with pytest.raises(WrongUse, match="no data set"):
        next(published(tmp_path, "BNCI2014_0001"))
