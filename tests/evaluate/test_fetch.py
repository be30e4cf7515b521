"""Fetching against a real HTTP server on loopback that cuts, lies, and lacks; and a disk that is full."""

from __future__ import annotations

import errno
import gzip
import hashlib
import shutil
import sys
import threading
import types
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from bcikit.cli.main import main
from bcikit.core.errors import FileTrouble, WrongUse
from bcikit.evaluate.data import card, trials
from bcikit.evaluate.fetch import check, fetch, get

CONTENT = np.random.default_rng(0).bytes(1_000_000)
SUM = hashlib.sha256(CONTENT).hexdigest()
RIGHT, WRONG = {"sha256": SUM}, {"sha256": "0" * 64}


class Server(BaseHTTPRequestHandler):
    """/whole, /cut (300 kB a connection), /dead (nothing after the first 300 kB), /norange, /silent and /mute (do not say
    how long it is, and cut as /cut does; the second knows no ranges either), /chunked, /other (another piece than was asked
    for), anything else is not there."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        kind = self.path.strip("/").split(".")[0]
        ask = self.headers.get("Range", "")
        Server.asked.append(ask)
        if kind not in ("whole", "cut", "dead", "norange", "S1", "silent", "mute", "chunked", "other", "d/%5B1%5D"):
            self.send_error(404)
            return
        begin = int(ask.removeprefix("bytes=").rstrip("-")) if ask and kind not in ("norange", "mute", "chunked") else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for k in range(0, len(CONTENT), 250_000):
                self.wfile.write(b"3d090\r\n" + CONTENT[k : k + 250_000] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        if kind == "other" and begin:
            begin = 0
            self.send_header("Content-Range", f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}")
        if kind not in ("silent", "mute"):
            self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        most = {"cut": 300_000, "silent": 300_000, "dead": max(0, 300_000 - begin)}.get(kind, len(CONTENT))
        self.wfile.write(CONTENT[begin : begin + most])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.asked = []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_complaint_27_what_is_on_disk_is_not_asked_for_again(server, tmp_path):
    """moabb#109, #626, #670: hosts die, and data on disk are still asked of them."""
    seen = []
    for _ in range(2):
        fetch(f"{server}/whole", tmp_path / "f", RIGHT, lambda *a: seen.append(a))
    assert (tmp_path / "f").read_bytes() == CONTENT and len(Server.asked) == 1
    assert seen[-1] == ("f", 1_000_000, 1_000_000) and not (tmp_path / "f.part").exists()


def test_a_connection_that_is_cut_goes_on_where_it_was(server, tmp_path):
    fetch(f"{server}/cut", tmp_path / "f", RIGHT)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert Server.asked == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_server_that_knows_no_ranges_begins_anew(server, tmp_path):
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    fetch(f"{server}/norange", tmp_path / "f", RIGHT)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_server_that_does_not_say_how_much_it_is_may_be_cut_as_well(server, tmp_path):
    fetch(f"{server}/silent", tmp_path / "f", RIGHT)
    assert (tmp_path / "f").read_bytes() == CONTENT and Server.asked[-1] == "bytes=900000-"
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/silent", tmp_path / "g", WRONG)
    Server.asked.clear()
    fetch(f"{server}/mute", tmp_path / "h", RIGHT)
    assert len(Server.asked) == 1
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/mute", tmp_path / "i", WRONG)


def test_a_file_in_chunks_has_an_end_of_its_own(server, tmp_path):
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/chunked", tmp_path / "f", WRONG)
    assert len(Server.asked) == 1
    fetch(f"{server}/chunked", tmp_path / "f", RIGHT)


def test_another_piece_than_was_asked_for_is_not_put_behind_what_is_there(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:1000])
    fetch(f"{server}/other", tmp_path / "f", RIGHT)
    assert Server.asked == ["bytes=1000-", ""]


def test_a_server_that_dies_is_said_and_what_came_is_kept(server, tmp_path):
    with pytest.raises(FileTrouble, match="again and again"):
        fetch(f"{server}/dead", tmp_path / "f", RIGHT)
    assert (tmp_path / "f.part").stat().st_size == 300_000 and not (tmp_path / "f").exists()
    fetch(f"{server}/whole", tmp_path / "f", RIGHT)
    assert Server.asked[-1] == "bytes=300000-"


def test_nobody_listens(tmp_path):
    with pytest.raises(FileTrouble, match="cannot be reached"):
        fetch("http://127.0.0.1:9/x", tmp_path / "f", RIGHT)


def test_a_wrong_file_is_not_kept(server, tmp_path):
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/whole", tmp_path / "f", WRONG)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "f.part").write_bytes(b"y" * 1_000_000)
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/whole", tmp_path / "f", RIGHT)
    fetch(f"{server}/whole", tmp_path / "f", RIGHT)


def test_a_file_may_be_known_as_git_knows_it(server, tmp_path):
    fetch(f"{server}/whole", tmp_path / "f", {"git": hashlib.sha1(b"blob 1000000\0" + CONTENT).hexdigest()})
    with pytest.raises(FileTrouble, match="checksum differs"):
        fetch(f"{server}/whole", tmp_path / "g", {"git": "0" * 40})


def test_what_is_not_there_is_said_at_once(server, tmp_path):
    with pytest.raises(FileTrouble, match="404"):
        fetch(f"{server}/gone", tmp_path / "f", RIGHT)
    assert len(Server.asked) == 1


def test_a_full_disk_is_said_and_mended_by_asking_again(server, tmp_path, monkeypatch):
    import bcikit.evaluate.fetch as module

    def full(*a, **k):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "open", full, raising=False)
    with pytest.raises(FileTrouble, match="no room left"):
        fetch(f"{server}/whole", tmp_path / "f", RIGHT)
    monkeypatch.undo()
    fetch(f"{server}/whole", tmp_path / "f", RIGHT)


def test_a_card_is_fetched_checked_and_found(server, tmp_path):
    files = {"S1.npz": {"subject": "1", "sha256": SUM}, "S2.npz": {"subject": "2", "sha256": SUM}}
    mine = replace(card("p300-gtec"), files=files, download={"url": f"{server}/{{file}}"})
    assert get(mine, tmp_path, subjects=["1"]) == tmp_path
    assert check(mine, tmp_path) == {"S1.npz": "right", "S2.npz": "missing"}
    (tmp_path / "S2.npz").write_bytes(b"other")
    assert check(mine, tmp_path)["S2.npz"] == "wrong"
    get(replace(mine, files={"d/[1].npz": {"sha256": SUM}}), tmp_path)
    assert (tmp_path / "d" / "[1].npz").read_bytes() == CONTENT


def test_people_are_called_as_their_files_are(server, tmp_path, monkeypatch):
    files = {f"S{k}.npz": {"subject": f"sub-{k}", "sha256": SUM} for k in (1, 2)}
    mine = replace(card("p300-gtec"), files=files, download={"url": f"{server}/{{file}}"})
    with pytest.raises(WrongUse, match=r"no subject '1'.*\n.*sub-1, sub-2"):
        get(mine, tmp_path, subjects=["1"])
    asked = []

    class BNCI2014_001:
        subject_list = (1, 2)

        def download(self, people, path):
            asked.append((people, path))

    monkeypatch.setitem(sys.modules, "moabb", types.ModuleType("moabb"))
    monkeypatch.setitem(sys.modules, "moabb.datasets", types.SimpleNamespace(BNCI2014_001=BNCI2014_001))
    get(card("BNCI2014_001"), tmp_path, subjects=["02", "1"])
    get(card("BNCI2014_001"), tmp_path)
    assert asked == [([2, 1], str(tmp_path)), (None, str(tmp_path))]
    with pytest.raises(WrongUse, match=r"MOABB has no subject 'A'.*\n.*1, 2"):
        get(card("BNCI2014_001"), tmp_path, subjects=["A"])


def test_the_authors_copy_of_kalunga_is_known_and_read(shared, tmp_path):
    """What lies beside the checkout is that copy, under other names and packed."""
    (place := tmp_path / "subject01").mkdir()
    packed = shared("ssvep-exo/subject01_run1_raw.fif.gz")
    path = place / "record-[2012.07.06-19.02.16]_raw.fif"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    shutil.copy(packed.parent / "subject01_run1-eve.fif", place / "record-[2012.07.06-19.02.16]-eve.fif")
    its = card("Kalunga2016")
    assert sorted(check(its, tmp_path).values()).count("right") == 2
    (run,) = trials(its, tmp_path)
    assert run.name == "01/2012.07.06-19.02.16"
    same = trials("ssvep-exo", packed.parent, subjects=["01"])[0].recording
    np.testing.assert_array_equal(run.recording.data, same.data)
    assert [(e.index, e.value) for e in run.recording.events] == [(e.index, e.value) for e in same.events]


def test_what_cannot_be_fetched_says_where_it_is(tmp_path, capsys):
    with pytest.raises(WrongUse, match="dandiarchive"):
        get(card("falcon-h1"), tmp_path)
    assert main(["datasets", "get", "nowhere"]) == 2
    assert main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("BNCI2014_001", "ssvep-exo", "brain-to-text-25"))


def test_the_shared_recordings_are_the_cards(shared, capsys):
    root = str(shared("p300-gtec"))
    assert main(["datasets", "check", "p300-gtec", "--root", root]) == 0
    assert main(["datasets", "check", "ssvep-exo", "--root", root]) == 1


def test_without_a_name_all_that_lie_here_are_checked(shared, tmp_path, capsys):
    assert main(["datasets", "check"]) == 0
    assert "No data set lies in" in capsys.readouterr().err
    shutil.copytree(shared("p300-gtec"), tmp_path / "p300-gtec")
    (tmp_path / "self-paced-keys").mkdir()
    assert main(["datasets", "check", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in said if "p300-gtec/" in line} == {"right"}
    assert {line.split()[0] for line in said if "self-paced-keys/" in line} == {"missing"}
