"""The encrypted container: the same bytes back, readable however it ends, and by nobody without the keys."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import numpy as np
import pytest

from bcikit import Channel, Chunk, FileTrouble, Label, Stream
from bcikit.cli import main as cli
from bcikit.ethics import keys
from bcikit.ethics.home import home
from bcikit.files.read import read
from bcikit.files.sealed import LENGTH, MAGIC, Sealed, header, opened
from bcikit.files.xdf import Writer

S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))


def stream(label=S1):
    return Stream("eeg", 250.0, tuple(Channel(f"E{i}") for i in range(4)), label=label)


def chunks(n=30, seed=0):
    rng = np.random.default_rng(seed)
    return [Chunk(rng.normal(size=(25, 4)).astype(np.float32), 25 * i, 0.1 * i) for i in range(n)]


def written(path, parts=None, label=S1):
    writer = Writer(path, stream(label), sealed=True)
    for c in parts or chunks():
        writer.write(c)
    writer.close()
    return path


def test_a_sealed_recording_reads_back_to_the_same_bytes_and_looks_like_noise(tmp_path):
    parts = chunks()
    path = written(tmp_path / "a.sealed", parts, Label(subjects=frozenset({"Somebody"}), purposes=frozenset({"research"})))
    back = read(path)
    assert np.array_equal(back.data, np.concatenate([c.data for c in parts]))
    assert back.stream.label.subjects == {"Somebody"} and back.stream.label.recorded
    raw = path.read_bytes()
    assert raw.startswith(MAGIC)
    for plain in (b"Somebody", b"<info>", b"channel_count", parts[3].data.tobytes()[:16]):
        assert plain not in raw[len(MAGIC) :]


@pytest.mark.parametrize("subjects", [{"S1"}, {"S1", "S2"}], ids=["one", "two"])
def test_without_the_key_of_any_one_in_it_nobody_reads_it(tmp_path, subjects):
    path = written(tmp_path / "a.sealed", label=Label(subjects=frozenset(subjects)))
    keys.destroy("S1")
    with pytest.raises(FileTrouble, match="not here"):
        read(path)


def test_another_device_cannot_read_it(tmp_path, monkeypatch):
    path = written(tmp_path / "a.sealed")
    monkeypatch.setenv("BCIKIT_HOME", str(tmp_path / "other"))
    with pytest.raises(FileTrouble):
        read(path)


def frames(raw):
    at = header(raw, None)[1]
    out = []
    while at < len(raw):
        n = LENGTH.unpack_from(raw, at)[0] & 0x7FFFFFFF
        out.append((at, at + LENGTH.size + n))
        at += LENGTH.size + n
    return out


def test_what_is_cut_off_costs_nothing_before_it(tmp_path):
    path = tmp_path / "a.sealed"
    sealed = Sealed(path, ["S1"])
    for i in range(50):
        sealed.append(bytes([i]) * 100)
    sealed.close()
    raw, rng = path.read_bytes(), random.Random(0)
    ends = [end for _, end in frames(raw)]
    begin = frames(raw)[0][0]
    for cut in [rng.randrange(begin, len(raw)) for _ in range(100)]:
        whole = sum(end <= cut for end in ends[:-1])
        assert opened(raw[:cut], path) == b"".join(bytes([i]) * 100 for i in range(whole))


def test_every_change_in_it_is_found(tmp_path):
    path = written(tmp_path / "a.sealed", chunks(5))
    raw, rng = path.read_bytes(), random.Random(0)
    parts = frames(raw)
    plain = opened(raw, path)
    for _ in range(200):
        a, b = sorted(rng.sample(range(len(parts)), 2))
        hurt = bytearray(raw)
        hurt[rng.randrange(len(MAGIC) + LENGTH.size, len(raw))] ^= 1 << rng.randrange(8)
        moved = raw[: parts[a][0]] + raw[slice(*parts[b])] + raw[parts[a][1] : parts[b][0]] + raw[slice(*parts[a])]
        dropped = raw[: parts[a][0]] + raw[parts[a][1] :]
        doubled = raw[: parts[a][1]] + raw[parts[a][0] :]
        for bad in (bytes(hurt), moved + raw[parts[b][1] :], dropped, doubled):
            try:
                got = opened(bad, path)
            except FileTrouble:
                continue
            assert (plain.startswith(got) and got != plain) or bad == raw


def test_a_recorder_killed_at_any_moment_leaves_what_it_wrote(tmp_path):
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1]); import test_sealed as t; from pathlib import Path\n"
        "w = t.Writer(Path(sys.argv[2]), t.stream(), sealed=True); cs = t.chunks(2000)\n"
        "for c in cs:\n    w.write(c); os.write(1, b'%d\\n' % (c.end))"
    )
    keys.pseudonym("S1")
    for turn in range(3):
        path = tmp_path / f"{turn}.sealed"
        args = [sys.executable, "-c", code, str(__file__).rpartition("/")[0], str(path)]
        child = subprocess.Popen(args, stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(0.02 * turn)
        child.kill()
        said = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        back = read(path)
        assert len(back.data) >= int(said[-1] if said else 25) and "not closed" in " ".join(back.info["notes"])
        assert np.array_equal(back.data, np.concatenate([c.data for c in chunks(2000)])[: len(back.data)])


@pytest.mark.parametrize("how", ["", "keys"], ids=["root key in a file", "passphrase"])
def test_record_alone_keeps_it_encrypted_under_the_home(tmp_path, monkeypatch, capfd, how):
    if how:
        (tmp_path / "words").write_text("an orange horse")
        (tmp_path / "words").chmod(0o600)
        monkeypatch.setenv("BCIKIT_KEYS", f"passphrase:{tmp_path / 'words'}")
    assert cli.main(["stream", "--board", "synthetic", "--json", "--seconds", "0.5", "--record"]) == 0
    (path,) = (home() / "recordings").rglob("*.sealed")
    assert path.read_bytes().startswith(MAGIC)
    assert len(read(path).data) == 125 and read(path).stream.label.simulated
    assert cli.main(["stream", "--board", "replay", "--opt", f"file={path}", "--json", "--seconds", "0.2"]) == 0
    if how:
        (tmp_path / "words").write_text("another horse")
        with pytest.raises(FileTrouble):
            read(path)


@pytest.mark.parametrize(
    "raw",
    [
        MAGIC,
        MAGIC + b"\xff\xff\xff\xff",
        MAGIC + LENGTH.pack(5) + b"{}",
        MAGIC + LENGTH.pack(12) + b'{"key": 1}  ',
        MAGIC + LENGTH.pack(33) + b'{"key": "00", "tags": ["../../x"]}',
        MAGIC + LENGTH.pack(22) + b'{"key":"zz","tags":[]}',
    ],
)
def test_a_hostile_header_is_told(tmp_path, raw):
    (path := tmp_path / "a.sealed").write_bytes(raw)
    with pytest.raises(FileTrouble):
        read(path)
