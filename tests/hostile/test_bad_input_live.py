"""Bad input from real peers: an emulated Cyton on a pseudo-terminal, LSL senders in other processes, and their like."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tty
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from bcikit.acquire._ports import Held
from bcikit.acquire.emulate.cyton import Cyton
from bcikit.acquire.emulate.ganglion import Ganglion

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]
SENDER = Path(__file__).parent.parent / "acquire" / "lsl_sender.py"


@contextmanager
def device(kind=Cyton, **settings):
    with kind(**settings) as emulator:
        yield emulator.port


@contextmanager
def busy():
    with Cyton() as emulator:
        held = Held(emulator.port)
        try:
            yield emulator.port
        finally:
            held.close()


@contextmanager
def mute():
    """A port with something behind it that never says a word."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    try:
        name = os.ttyname(theirs)
        os.close(theirs)
        yield name
    finally:
        os.close(ours)


@contextmanager
def sender(**spec):
    source = f"bcikit-{uuid.uuid4()}"
    command = [sys.executable, str(SENDER), json.dumps({"source_id": source, **spec})]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout.readline().strip() == b"ready"
        yield source
    finally:
        process.kill()
        process.communicate()


PORT = "stream --json --subject S1 --board openbci --opt port={}"
LSL = "stream --json --subject S1 --board lsl --opt source_id={}"

REFUSED = [
    # kind, peer, command, what the message must say; all exit with 4
    ("board switched off", device(power=False), PORT, "no board answers"),
    ("wrong radio channel", device(channel=9, dongle_channel=5), PORT, "--opt radio_channel=9"),
    ("device that is mute", mute(), PORT, "nothing answers"),
    ("port busy", busy(), PORT, "is in use by"),
    ("board of another model", device(), f"{PORT} --opt model=daisy", "has no Daisy"),
    ("board of another make", device(Ganglion), PORT, "may be another device"),
    ("port that vanishes for good", device(vanish=[(1, 60)]), f"{PORT} --opt reconnect_s=0.5", "There is no port"),
    ("board that falls silent for good", device(stall=[(1, 60)]), f"{PORT} --opt reconnect_s=1", "sent nothing for 1 s"),
    ("5 MB of LSL metadata", sender(pad=5_000_000, mode="silent"), LSL, "5.0 MB"),
    ("5000 LSL channels", sender(n=5000, mode="silent"), LSL, "has 5000 channels"),
    ("two LSL streams alike", sender(twin=True, mode="silent"), LSL, "2 LSL streams fit"),
    ("LSL stream without a sample", sender(mode="silent"), f"{LSL} --seconds 0.5", "No sample came"),
]


@pytest.mark.parametrize(("peer", "command", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_it_is_refused_in_words(bcikit, said_well, peer, command, said):
    with peer as place:
        code, out, err = bcikit(command.format(place))
    assert (code, said in err) == (4, True), err
    said_well("\n".join(line for line in err.splitlines() if not line.startswith("  ")))
    assert not out or json.loads(out.splitlines()[-1])["exit"] == 4


FLAGGED = [
    # kind, peer, command, part of the note; 2 s are 500 samples, each of them there or counted as lost
    ("garbled packets", device(garble=0.05, seed=1), PORT, ""),
    ("lost packets", device(drop=0.05, seed=1), PORT, ""),
    ("LSL stamps of another clock", sender(mode="wall"), LSL, "not LSL's clock"),
    ("LSL bursts with one stamp", sender(mode="burst", block=12), LSL, "bear one stamp"),
    ("LSL samples lost", sender(drop=[i for i in range(30_000) if i % 150 < 15], block=1), LSL, ""),
]


@pytest.mark.parametrize(("peer", "command", "note"), [row[1:] for row in FLAGGED], ids=[row[0] for row in FLAGGED])
def test_it_is_flagged(bcikit, peer, command, note):
    with peer as place:
        code, out, err = bcikit(f"{command.format(place)} --seconds 2")
    last = json.loads(out.splitlines()[-1])
    assert (code, err) == (0, "") and last["samples"] <= 500 <= last["samples"] + last["lost"]
    assert note in last["note"] and (last["lost"] > 0) == (not note)
