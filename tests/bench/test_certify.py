"""The timing certificate: its lines, its verdicts, and that a changed one is found out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.bench import certify
from bcikit.cli.main import main
from bcikit.core.errors import WrongUse


def lines():
    slow, quick = np.full(100, 60.0), np.full(100, 1.0)
    return [certify._line("implant cursor", "board to effector", 20.0, quick, ""),
            certify._line("SSVEP", "board to effector", 50.0, slow, ""),
            certify.Line("SSVEP", "notch", np.nan, 0.1, np.nan, None)]  # fmt: skip


def test_a_verdict_is_of_the_99th_percentile():
    quick, slow, part = lines()
    assert quick.passed and slow.passed is False and part.passed is None
    mostly = np.r_[np.ones(97), np.full(3, 99.0)]
    assert certify._line("P300", "x", 10.0, mostly, "").passed is False
    assert certify._line("P300", "x", 10.0, np.empty(0), "").passed is None


def test_a_certificate_is_signed_and_one_that_was_changed_is_found_out(tmp_path, capsys):
    raw = certify.report(lines(), 2.0, "2026-01-01")
    doc = certify.genuine(raw)
    assert doc["pass"]["implant cursor"] and not doc["pass"]["SSVEP"] and doc["simulated"]
    assert not doc["pass"]["P300"]  # of which nothing was measured
    path = tmp_path / "c.json"
    path.write_bytes(raw)
    assert main(["bench", "certify", "--check", str(path)]) == 0 and "SSVEP FAIL" in capsys.readouterr().out
    better = json.loads(raw)
    better["pass"]["SSVEP"] = True
    for bad in (json.dumps(better).encode(), b"{}", b"no", raw[:100]):
        with pytest.raises(WrongUse):
            certify.genuine(bad)


@pytest.mark.realtime
def test_this_machine_gets_a_certificate(tmp_path, capsys):
    out = tmp_path / "machine.json"
    assert main(["bench", "certify", "--seconds", "2", "--out", str(out)]) in (0, 1)
    said = capsys.readouterr().out
    assert all(f"\n{a}" in said for a in (*certify.APPLICATIONS, "effectors", "page"))
    doc = certify.genuine(out.read_bytes())
    assert {x["application"] for x in doc["lines"]} == {*certify.APPLICATIONS, "effectors", "page"}
    assert main(["bench", "certify", "--out", str(out)]) == 2
