"""The question at first use on a real terminal, and the commands."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from bcikit import NotConsented
from bcikit.cli._ask import ask_first_use
from bcikit.cli.main import main
from bcikit.custody._attack_consent import at_rest
from bcikit.ethics.consent import Consent
from bcikit.ethics.home import home

pty = pytest.importorskip("pty", reason="left out: no pseudo-terminals on this system")

ASK = (
    "from bcikit.cli._ask import ask_first_use; from bcikit import BciError; import sys\n"
    "try: print('SUBJECT', ask_first_use(['view', 'record', 'lsl']))\n"
    "except BciError as error: print('REFUSED', error.exit_code, error)\n"
)


COMMAND = "import sys; from bcikit.cli.main import main; print('EXIT', main(sys.argv[1:]))"


def at_terminal(code, *answers, args=()):
    """What a person sees who is asked at a terminal of their own, and types each answer when its prompt has come."""
    master, slave = pty.openpty()
    alike = "import os, signal; os.login_tty(0); signal.signal(signal.SIGINT, signal.default_int_handler)"
    child = subprocess.Popen([sys.executable, "-c", f"{alike}\n{code}", *args], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen, said, left, last, waits = b"", 0, list(answers), b"", 0
    try:
        while waits < 12:
            if not select.select([master], [], [], 5)[0]:
                waits += 1
                if last == b"\x03":  # one that comes just before Python reads interrupts no read; a person presses again
                    os.write(master, last)
                continue
            try:
                got = os.read(master, 4096)
            except OSError:  # it has ended
                break
            if not got:
                break
            seen, waits = seen + got, 0
            if left and (at := seen.find(left[0][0], said)) >= 0:
                prompt, last = left.pop(0)
                said = at + len(prompt)
                os.write(master, last)
        else:
            child.kill()
    finally:
        child.wait(10)
        os.close(master)
    assert not left, seen
    return seen.decode()


def asked(answer):
    return at_terminal(ASK, *([(b"allow it: ", answer)] if answer else ()))


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


@pytest.fixture
def bcikit(capfd):
    """A command, where there is no terminal: (exit code, what it said)."""

    def run(*args):
        code = main(list(args))
        said = capfd.readouterr()
        return code, said.out + said.err

    return run


def test_the_commands_grant_show_and_revoke(bcikit, tmp_path):
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
    code, said = bcikit("consent", "revoke", "S1")
    assert code == 0 and "nothing to take back" in said and "destroyed by" in said
    assert Consent().grants() == ()


WORDS, FIRST, AGAIN = b"an orange horse\n", b"Passphrase of S1: ", b"confirmation: "
LEAVES = ("consent", "grant", "S1", "--sink", "lsl")


def test_what_leaves_is_signed_at_a_terminal_with_words_that_nobody_sees():
    seen = at_terminal(COMMAND, (FIRST, WORDS), (AGAIN, WORDS), args=LEAVES)
    assert "EXIT 0" in seen and "S1 signed this" in seen and "off this machine" in seen and "orange" not in seen
    (grant,) = Consent().grants()
    assert (grant.sinks, grant.by, grant.signed) == (("lsl",), "person", True)
    seen = at_terminal(COMMAND, (FIRST, WORDS), args=(*LEAVES, "--sink", "view"))
    assert "EXIT 0" in seen and len(Consent().grants()) == 3, "the second time it is asked for once"


@pytest.mark.parametrize(
    "answers, exit_code, said",
    [
        ([(FIRST, WORDS), (AGAIN, b"an orange house\n"), (FIRST, b"\x03")], 130, "do not match"),
        ([(FIRST, b"short\n"), (AGAIN, b"short\n")], 2, "8 characters"),
        ([(FIRST, b"\x03")], 130, "Interrupted"),
        ([(FIRST, b"\x04")], 130, "Interrupted"),
    ],
    ids=["not the same twice", "too short", "Ctrl-C", "Ctrl-D"],
)
def test_who_does_not_sign_allows_nothing(answers, exit_code, said):
    seen = at_terminal(COMMAND, *answers, args=LEAVES)
    assert f"EXIT {exit_code}" in seen and said in seen and "Traceback" not in seen
    assert Consent().grants() == ()


def test_another_s_words_sign_nothing():
    Consent().enrol("S1", "a purple horse")
    seen = at_terminal(COMMAND, (FIRST, WORDS), args=LEAVES)
    assert "EXIT 3" in seen and "not the passphrase of S1" in seen and Consent().grants() == ()


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
def test_wrong_use_exits_2(bcikit, args):
    assert bcikit("consent", *args)[0] == 2


def test_whoever_asks_or_erases_is_told_what_to_do(bcikit):
    code, said = bcikit("policy", "explain", "--subject", "S1", "--sink", "lslx")
    assert code == 2 and "There are view, record" in said and "lsl" in said
    assert bcikit("policy", "explain", "--subject", "S1", "--sink", "lsl")[0] == 3
    assert bcikit("erase", "--due") == (0, "Nobody has revoked here, so no recording is due.\n")
    code, said = bcikit("erase", "S1")
    assert code == 2 and "bcikit erase S1 --yes" in said


def test_a_damaged_document_exits_3_and_says_what_to_do(bcikit):
    Consent().grant("S1", "research", ["view"])
    at_rest(home()).write_text("{}")
    code, said = bcikit("consent", "show")
    assert code == 3 and "void" in said and "bcikit consent grant" in said
    assert bcikit("consent", "grant", "S1", "--sink", "view")[0] == 0
