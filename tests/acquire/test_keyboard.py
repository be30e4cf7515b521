"""Keys of a real terminal (a pseudo-terminal) as marks."""

from __future__ import annotations

import os

import pytest

from bcikit.acquire.keyboard import Keyboard
from bcikit.acquire.merge import Merge
from bcikit.core.errors import DeviceTrouble
from bcikit.core.find import parse

pty = pytest.importorskip("pty")


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_keys_are_events_at_once_and_the_terminal_is_put_back(terminal):
    import termios

    ours, path = terminal
    board = Keyboard(terminal=path)
    stream = board.open()
    assert board.read(0.0) is None
    os.write(ours, "aé".encode())
    c = board.read(5.0)
    assert stream.rate == 0 and [(e.name, e.value) for e in c.events] == [("key", "a"), ("key", "é")]
    assert c.first == 0 and len(c.time) == 2 and c.events[0].uncertainty >= 0
    board.close()
    board.close()
    probe = os.open(path, os.O_RDONLY | os.O_NOCTTY)
    assert termios.tcgetattr(probe)[3] & termios.ICANON, "the terminal waits for Enter again"
    os.close(probe)
    assert board.read(0.0) is None and board.status.state == "ended"


def test_keys_mark_a_board(terminal):
    ours, path = terminal
    with Merge.of(parse("board", "synthetic:chunk=0.02"), Keyboard(terminal=path)) as merge:
        merge.open()
        merge.read(0.1)
        os.write(ours, b"x")
        events = ()
        for _ in range(100):
            c = merge.read(0.1)
            if c and (events := [e for e in c.events if e.name == "key"]):
                break
    assert events[0].value == "x" and abs(events[0].index - c.end) < 250 and events[0].uncertainty < 5


def test_no_terminal_is_said(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(DeviceTrouble, match="no keyboard"):
            Keyboard(terminal=str(path)).open()
    Keyboard().close()
