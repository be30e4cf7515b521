"""The question at first use on a real terminal, and the commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bcikit import NotConsented
from bcikit.cli._ask import ask_first_use
from bcikit.custody._attack_consent import at_rest
from bcikit.ethics.consent import Consent
from bcikit.ethics.home import home

pty = pytest.importorskip("pty", reason="left out: no pseudo-terminals on this system")

ASK = (
    "from bcikit.cli._ask import ask_first_use; from bcikit import BciError; import sys\n"
    "try: print('SUBJECT', ask_first_use(['view', 'record', 'lsl']))\n"
    "except BciError as error: print('REFUSED', error.exit_code, error)\n"
)


def asked(answer):
    """What a person at a terminal sees who answers so."""
    master, slave = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", ASK], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    seen = b""
    until = time.monotonic() + 30
    try:
        while time.monotonic() < until:
            try:
                got = os.read(master, 4096)
            except OSError:
                break
            if not got:
                break
            seen += got
            if answer is not None and b"allow it: " in seen:
                os.write(master, answer)
                answer = None
    finally:
        child.kill() if child.poll() is None and time.monotonic() >= until else None
        child.wait(10)
        os.close(master)
    return seen.decode()


def test_yes_at_a_terminal_makes_the_person_me_and_is_asked_once():
    seen = asked(b"yes\n")
    assert "SUBJECT me" in seen and "bcikit consent revoke me" in seen
    assert len([line for line in seen.splitlines() if line.strip()]) <= 6  # one short page
    (grant,) = Consent().grants()
    assert (grant.subject, grant.sinks, grant.by) == ("me", ("view", "record"), "self")
    again = asked(None)
    assert "SUBJECT me" in again and "allow it" not in again
    Consent().revoke("me")
    assert "allow it" in asked(b"no\n")


@pytest.mark.parametrize("answer", [b"no\n", b"\n", b"\x04", b"maybe\n"])
def test_anything_else_is_no(answer):
    seen = asked(answer)
    assert "REFUSED 3" in seen and "bcikit consent grant me --purpose research --sink view --sink record" in seen
    assert Consent().grants() == ()


def test_without_a_terminal_nobody_is_asked(monkeypatch):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(NotConsented) as caught:
            ask_first_use(["view"])
    assert caught.value.do == "bcikit consent grant me --purpose research --sink view"


def bcikit(*args):
    command = [sys.executable, "-m", "bcikit.cli.main", *args]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_the_commands_grant_show_and_revoke(tmp_path):
    assert bcikit("consent", "show") == (0, "Nobody has allowed anything here.\n")
    grant = ["consent", "grant", "S1", "--purpose", "research"]
    code, said = bcikit(*grant, "--sink", "view", "--sink", "record")
    assert code == 0 and "You attest that S1 agreed" in said
    code, said = bcikit(*grant, "--sink", "lsl")
    assert code == 3 and "Only S1 can allow" in said and "--passphrase-file" in said
    (words := tmp_path / "words").write_text("an orange horse\n")
    code, said = bcikit(*grant, "--sink", "lsl", "--passphrase-file", str(words))
    assert code == 0 and "S1 signed this" in said and "off this machine" in said
    words.write_text("another horse")
    assert bcikit(*grant, "--sink", "export", "--passphrase-file", str(words))[0] == 3
    code, said = bcikit("consent", "receipt", "S1")
    assert code == 0 and said.count("ISO/IEC TS 27560:2023") == 2 and "dpv:ResearchAndDevelopment" in said
    code, said = bcikit("consent", "show")
    assert (
        code == 0 and said.count("S1  research") == 2 and "attested by operator" in said and "signed by the person" in said
    )
    assert bcikit("consent", "show", "S2")[1] == "S2 allows nothing here.\n"
    code, said = bcikit("consent", "revoke", "S1")
    assert code == 0 and "2 grants taken back" in said
    assert Consent().grants() == ()


@pytest.mark.parametrize(
    "args",
    [
        ["grant"],
        ["grant", "S1"],
        ["grant", "S1", "--sink", "vieww"],
        ["grant", "S 1", "--sink", "view"],
        ["grant", "S1", "--sink", "view", "--purpose", "fun"],
        ["grant", "S1", "--sink", "view", "--days", "-3"],
        ["revoke"],
        ["gran", "S1"],
    ],
    ids=" ".join,
)
def test_wrong_use_exits_2(args):
    assert bcikit("consent", *args)[0] == 2


def test_whoever_asks_or_erases_is_told_what_to_do():
    code, said = bcikit("policy", "explain", "--subject", "S1", "--sink", "lslx")
    assert code == 2 and "There are view, record" in said and "lsl" in said
    assert bcikit("policy", "explain", "--subject", "S1", "--sink", "lsl")[0] == 3
    assert bcikit("erase", "--due") == (0, "Nobody has revoked here, so no recording is due.\n")
    code, said = bcikit("erase", "S1")
    assert code == 2 and "bcikit erase S1 --yes" in said


def test_a_damaged_document_exits_3_and_says_what_to_do():
    Consent().grant("S1", "research", ["view"])
    at_rest(home()).write_text("{}")
    code, said = bcikit("consent", "show")
    assert code == 3 and "void" in said and "bcikit consent grant" in said
    assert bcikit("consent", "grant", "S1", "--sink", "view")[0] == 0
