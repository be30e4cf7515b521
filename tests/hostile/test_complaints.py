"""What users of the peers complained of (docs/complaints.md): the complaints that no other file has a test of, and a check
that each has one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquire._clock import SampleClock
from bcikit.acquire._counter import PacketCounter
from bcikit.acquire.apart import Apart
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.acquire.lsl import Lsl
from bcikit.acquire.openbci import Openbci
from bcikit.acquire.synthetic import Synthetic
from bcikit.core.clock import JumpClock
from bcikit.core.find import parts
from bcikit.core.loop import Loop
from bcikit.core.settings import settings_of
from bcikit.core.stream import Recording
from bcikit.decode._decoder import Decoder
from bcikit.ethics.gate import Gate

TESTS = Path(__file__).parent.parent
TABLE = TESTS.parent / "docs" / "complaints.md"
SENDER = TESTS / "acquire" / "lsl_sender.py"


def placed(arrivals, rate=250.0):
    """The packets 0, 1, ... by the number they bear: (index, its time as told, how many were called lost)."""
    clock = SampleClock(rate)
    counter = PacketCounter(clock)
    index, told = [], []
    for k, arrival in enumerate(arrivals):
        for i, came, _ in counter.place(k % 256, arrival, np.zeros(1)):
            clock.update(i, came)
            index.append(i)
            told.append(clock.time_of(i))
    return np.array(index), np.array(told), counter.lost


def test_complaint_05_half_a_second_of_silence_of_the_computer_is_no_jump_of_the_times():
    """brainflow#687: the stamps of a Cyton jump by 0.5 s every few seconds. Arrivals do; samples do not."""
    taken = np.arange(15_000) / 250
    held = np.where(taken % 5 > 4.5, np.ceil(taken / 5) * 5, taken)  # half a second of packets comes at once
    index, told, lost = placed(held)
    assert np.array_equal(index, np.arange(len(taken))) and lost == 0
    assert np.abs(told - taken)[500:].max() < 0.003


def test_complaint_06_samples_that_come_together_have_times_of_their_own():
    """brainflow#298, OpenBCI_GUI#129, #989: many samples share a stamp. Here each has its place on a fitted line."""
    rng = np.random.default_rng(1)
    taken = np.arange(15_000) / 250.1
    clumps = np.ceil(taken / 0.016) * 0.016 + rng.exponential(0.0005, len(taken))  # FTDI's timer of 16 ms
    index, told, lost = placed(np.maximum.accumulate(clumps))
    assert np.array_equal(index, np.arange(len(taken))) and lost == 0
    steps = np.diff(told[2500:])
    assert np.abs(steps * 250.1 - 1).max() < 0.25, "every interval is one sample long, to a quarter"


def test_complaint_11_without_the_native_library_the_rest_works(monkeypatch, bcikit, said_well):
    """brainflow#382, #354: pip on an unusual machine lacks the native library."""
    monkeypatch.setitem(sys.modules, "brainflow", None)
    with Cyton() as emulator:
        code, _, err = bcikit(f"stream --json --subject S1 --board openbci --opt port={emulator.port}")
    assert code == 4 and "BrainFlow" in err and "pip install" in err
    said_well(err)
    assert bcikit("stream --json --board synthetic --seconds 0.2")[0] == 0


@pytest.mark.realtime
def test_complaint_21_the_senders_stamps_are_kept_beside_ours():
    """lsl_archived#100, #333: stamps are replaced, and streams cannot be joined any more."""
    source = f"bcikit-{uuid.uuid4()}"
    command = [sys.executable, str(SENDER), json.dumps({"source_id": source, "mode": "jitter"})]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        with Lsl(source_id=source, stamps="always") as board:
            stream, chunks, end = board.open(), [], time.monotonic() + 10
            while sum(map(len, chunks)) < 500 and time.monotonic() < end:
                chunks += [c] if (c := board.read(0.05)) else []
    finally:
        process.kill()
        process.communicate()
    r = Recording(stream, tuple(chunks))
    taken = (r.data[:, 0] + np.floor(r.time[0] * 250 / 2**20) * 2**20) / 250
    late = r.time + r.data[:, stream.names.index("stamp")] - taken
    assert len(late) >= 500 and late.min() > -1e-4 and 0.002 < late.mean() < 0.006, "as the sender drew them"
    assert np.ptp(np.diff(r.time)) < 0.002, "while the times run evenly"


@pytest.mark.realtime
def test_complaint_23_a_mark_asks_nothing_of_the_board():
    """OpenBCI_GUI#297, Cyton_Library#68: a mark by serial command loses a packet and disturbs all channels."""
    heard = []
    with Cyton() as emulator:
        hear = emulator.firmware.hear
        emulator.firmware.hear = lambda said: heard.append(said) or hear(said)
        loop, marked, events, chunks = Loop(Openbci(port=emulator.port), gate=Gate()), [], [], []
        for c in loop.chunks(3.0):
            chunks.append(c)
            events += [(e, time.monotonic()) for e in c.events if e.name == "cue"]
            if min(c.end, 600) // 100 > len(marked):  # what is marked at the end would come behind it
                before = len(heard)
                marked.append(time.monotonic())
                loop.mark("cue", len(marked))
                assert len(heard) == before
        lost = loop.board.status.lost
    assert len(events) == len(marked) >= 5 and lost == 0
    told = b"".join(heard)
    assert b"`" not in told and told.count(b"b") == 1, "the board was told to start, and no more"
    r = Recording(loop.stream, tuple(chunks))
    for (event, _), when in zip(events, marked, strict=True):
        at = np.interp(when, r.time, r.index, right=r.index[-1] + (when - r.time[-1]) * 250)
        assert event.uncertainty > 0 and abs(event.index - at) < 5 + event.uncertainty * 250


@pytest.mark.parametrize("name", [n for n, cls in parts("stage").items() if issubclass(cls, Decoder)])
def test_complaint_29_an_average_reference_takes_a_rank_and_every_decoder_learns_all_the_same(name):
    """pyRiemann#65, #95, meegkit#17: "must be positive definite". Here nobody has to drop a channel or to shrink by hand."""
    for decoder, source in parts("stage")[name].examples():
        X = np.asarray(source.data[:120], float)
        y = decoder.predict(X)
        lame = X - X.mean(axis=1, keepdims=True)
        if decoder.shape_[0] == decoder.shape_[-1] and np.array_equal(X, X.swapaxes(1, 2)):  # of covariances, both sides
            lame -= lame.mean(axis=2, keepdims=True)
        assert np.linalg.matrix_rank(lame[0]) == min(lame[0].shape[0] - 1, lame[0].shape[1])
        p = type(decoder)(**decoder.settings()).fit(lame[:80], y[:80]).predict_proba(lame[80:])
        assert np.isfinite(p).all() and np.ptp(p) > 0.1


def test_complaint_30_what_shares_memory_tries_what_the_system_has(monkeypatch):
    """ezmsg#262: shared memory is taken for granted; containers and other users fail."""

    def first_second(board):
        chunks, end = [], time.monotonic() + 20
        with board:
            board.open()
            while sum(map(len, chunks)) < 250 and time.monotonic() < end:
                chunks += [c] if (c := board.read(0.1)) else []
        return np.concatenate([c.data for c in chunks])[:250]

    here = Synthetic(seed=3)
    here.clock = JumpClock()
    truth = first_second(here)
    assert len(truth) == 250 and np.array_equal(first_second(Apart("synthetic:seed=3")), truth)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.delattr(os, "eventfd", raising=False)
    assert np.array_equal(first_second(Apart("synthetic:seed=3")), truth)


def test_every_complaint_that_concerns_us_has_one_test_of_its_name():
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", TABLE.read_text(), re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 31))
    there = {}
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^def (test_complaint_\w+)", path.read_text(), re.M):
            there.setdefault(int(name.split("_")[2]), []).append(f"`{path.relative_to(TESTS)}::{name}`")
    for number, said in rows:
        mine = there.pop(int(number), [])
        assert mine == ([] if said == "not yet" else [said]), (
            f"complaint {number}: {said!r} in {TABLE.name}, {mine} in tests"
        )
    assert not there


def test_what_messages_tell_people_to_type_exists():
    """Every `--opt KEY=` is a setting of a board, every option behind `bcikit COMMAND` one of that command's."""
    import click

    from bcikit.cli.main import commands, found

    def options(command):
        own = {o for p in command.params for o in p.opts + p.secondary_opts}
        return own.union(*map(options, command.commands.values())) if isinstance(command, click.Group) else own

    settings = {name for cls in parts("board").values() for name in settings_of(cls)}
    takes = {name: options(commands.get_command(None, name)) | {"--help"} for name in found()}
    checked = 0
    for path in [*(TESTS.parent / "bcikit").rglob("*.py"), TESTS.parent / "README.md"]:
        text = path.read_text()
        for key in re.findall(r"--opt ([a-z]\w*)=", text):
            assert key in settings, f"{path}: --opt {key}="
        for command, rest in re.findall(r"\bbcikit (\w+)((?: +[^\s`]+)* --[^\n`]*)", text):
            if command in takes:
                said = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", rest.partition("#")[0].partition('"')[0]))
                assert said <= takes[command], f"{path}: bcikit {command} has no {said - takes[command]}"
                checked += len(said)
    assert checked > 30
