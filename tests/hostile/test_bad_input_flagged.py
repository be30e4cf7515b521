"""Bad input that streams on: what is wrong is said in the note, in a channel's quality or in a count, and no sample is
lost or invented unsaid. One line of the table is one kind."""

from __future__ import annotations

import json

import pytest

from bcikit.acquire.replay import Replay
from bcikit.core.clock import JumpClock

PLAY = "stream --json --board replay --opt speed=0 --opt file="
GOOD = f"{PLAY}good.txt --opt"

TABLE = [
    # kind, command, what the last line must say: fields, `channel` with its quality, or a part of the note
    ("NaN", f"{PLAY}nan.csv", {"C3": "nan", "C4": "good", "samples": 500}),
    ("Inf", f"{PLAY}inf.csv", {"C3": "nan", "C4": "good", "samples": 500}),
    ("flat", f"{PLAY}flat.csv", {"C3": "flat", "C4": "good", "samples": 500}),
    ("railed", f"{PLAY}railed.csv", {"C3": "railed", "C4": "good", "samples": 500}),
    ("railed behind a filter", f"{PLAY}railed.csv --stage bandpass", {"C3": "railed", "C4": "good", "samples": 500}),
    ("volts said to be µV", f"{PLAY}volts.csv", {"note": "its unit is wrong", "C3": "flat"}),
    ("a million times too large", f"{PLAY}huge.csv", {"note": "its unit is wrong", "C3": "railed"}),
    ("last line cut", f"{PLAY}cut.txt", {"note": "the last line is cut", "samples": 399}),
    ("rate of 0", f"{PLAY}zero.txt", {"note": "says no rate", "samples": 400}),
    ("one name for two columns", f"{PLAY}twice.csv", {"C3": "good", "C3 2": "good", "samples": 500}),
    ("corner above Nyquist", f"{PLAY}good.txt --stage bandpass:high=400", {"note": "it is a highpass"}),
    ("samples lost", f"{GOOD} drop=0.05 --opt seed=1", {"lost": 19, "samples": 381}),
    ("all samples lost", f"{GOOD} drop=1", {"lost": 400, "samples": 0}),
    ("silence at the start", f"{GOOD} disconnect=0:0.5", {"lost": 100, "samples": 300}),
    ("silence in the middle", f"{GOOD} disconnect=1:0.5", {"lost": 100, "samples": 300, "gaps": 1}),
    ("silence at the end", f"{GOOD} disconnect=1.5:9", {"lost": 100, "samples": 300}),
    ("samples twice", f"{GOOD} duplicate=0.05 --opt seed=1", {"repeated": 16, "samples": 416, "lost": 0}),
    ("index forward", f"{GOOD} jump=1:500", {"lost": 500, "samples": 400, "gaps": 1}),
    ("index backward", f"{GOOD} jump=1:-100", {"repeated": 100, "samples": 400, "lost": 0}),
]


@pytest.mark.timeout(40)
@pytest.mark.parametrize(("command", "said"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_it_is_flagged(bcikit, command, said):
    code, out, err = bcikit(command)
    assert code == 0 and not err
    last = json.loads(out.splitlines()[-1])
    found = {**last, **{c["name"]: c["quality"] for c in last["channels"]}}
    assert said.pop("note", "") in last["note"]
    assert {key: found[key] for key in said} == said


@pytest.mark.timeout(40)
def test_a_file_that_is_cut_while_it_is_played_is_played_whole(folder, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes((folder / "good.txt").read_bytes())
    with Replay(file=str(path)) as board:
        board.clock = JumpClock()
        board.open()
        n = len(board.read(1.0))
        path.write_bytes(b"")
        while (c := board.read(1.0)) is not None:
            n += len(c)
        assert n == 400 and board.status.state == "ended"
