"""Erased is gone, exported is all of it, anonymised names nobody."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bcikit import Channel, Chunk, Event, FileTrouble, Label, NotConsented, Stream
from bcikit.cli import main as cli
from bcikit.core.stream import Recording, recording
from bcikit.custody.anonymize import anonymize, anonymous
from bcikit.custody.erase import erase
from bcikit.custody.export import export
from bcikit.custody.leakage import leakage
from bcikit.effectors.store import Store
from bcikit.ethics import keys, store
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate
from bcikit.ethics.home import home
from bcikit.files.read import read
from bcikit.files.xdf import Writer

NAME = "Zebra.Quagga"
WORDS = "an orange horse"


def label(*names):
    return Label(subjects=frozenset(names or [NAME]), purposes=frozenset({"research"}))


def kept(*names, seed=0):
    """A recording of somebody in the store, through the Gate: its samples."""
    names = names or (NAME,)
    for name in names:
        Consent().grant(name, "research", ["record"])
    s = Stream("eeg", 250.0, tuple(Channel(f"E{i}") for i in range(8)), label=label(*names))
    sink = Store()
    permit = Gate().open(sink, s)
    x = np.random.default_rng(seed).normal(size=(500, 8)).astype(np.float32)
    for i in range(0, 500, 50):
        permit.send(Chunk(x[i : i + 50], i, i / 250))
    permit.close()
    return x, Path(sink.path)


def leaks(raw: bytes, x: np.ndarray) -> list[str]:
    """What of a person is in these bytes."""
    found = ["the name"] if NAME.encode() in raw else []
    return found + [f"row {i}" for i in range(0, len(x), 7) if x[i].tobytes()[:16] in raw]


def test_erased_is_gone_from_every_byte_under_the_home(tmp_path):
    Consent().enrol(NAME, WORDS)
    Consent().grant(NAME, "research", ["export"], passphrase=WORDS)
    Consent().use_policy("version = 1\nplain = false\n", NAME)
    x, path = kept()
    kept("S2", seed=1)
    copy = tmp_path / "copy.sealed"
    copy.write_bytes(path.read_bytes())
    plain = tmp_path / "mine" / "plain.xdf"
    plain.parent.mkdir()
    writer = Writer(plain, Stream("eeg", 250.0, (Channel("a"),), label=label()))
    writer.write(Chunk(x[:, :1].copy(), 0, 0.0))
    writer.close()
    (model := tmp_path / "mine" / "model").mkdir()
    (model / "model.json").write_text(json.dumps({"subjects": [NAME]}))
    assert len(read(path).data) == 500
    said = erase(NAME, [tmp_path / "mine"])
    body = said["body"]
    assert body["key_destroyed"] and body["encrypted_recordings"] == 1 and body["plain_recordings"] == [str(plain)]
    assert body["models_shaped"] == [str(model)] and NAME not in json.dumps(body).replace(str(tmp_path), "")
    assert keys.verify(json.dumps(body, sort_keys=True).encode(), "erasure", said["signature"])
    assert not path.exists() and not plain.exists()
    for file in home().rglob("*"):
        if file.is_file():
            assert leaks(file.read_bytes(), x) == [], file
    with pytest.raises(FileTrouble):  # the copy that somebody kept
        read(copy)
    assert len(list((home() / "recordings").rglob("*.sealed"))) == 1  # of the other


def test_nothing_of_the_erased_is_left_in_the_raw_image(tmp_path, monkeypatch):
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    steps = (["truncate", "-s", "24M", image], ["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, place])
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"left out: no loop mount here ({step[0]}: {error})")
    try:
        monkeypatch.setenv("BCIKIT_HOME", str(place / "home"))
        x, _ = kept()
        erase(NAME)
        store.rest(home() / "consent.db")
    finally:
        subprocess.run(["umount", place], check=True)
    assert leaks(image.read_bytes(), x) == []


def test_a_recording_of_two_is_noise_once_one_of_them_is_erased():
    _, path = kept("S1", "S2")
    erase("S1")
    assert not path.exists()


def test_a_person_gets_everything_and_nobody_else_s(tmp_path):
    x, _ = kept()
    kept(NAME, "S2", seed=1)
    kept("S2", seed=2)
    done = export(NAME, tmp_path / "out")
    assert len(done["recordings"]) == 1 and done["with_others"] == 1
    assert np.array_equal(read(tmp_path / "out" / "recordings" / done["recordings"][0]).data, x)
    receipts = json.loads((tmp_path / "out" / "receipts.json").read_text())
    assert len(receipts) == 2 and {r["receipt"]["pii_principal_id"] for r in receipts} == {NAME}
    assert done["audit_lines"] > 2 and "XDF 1.0" in (tmp_path / "out" / "README.txt").read_text()
    with pytest.raises(FileTrouble):
        export(NAME, tmp_path / "out")


def test_whoever_has_a_passphrase_alone_takes_theirs_along(tmp_path):
    Consent().enrol(NAME, WORDS)
    with pytest.raises(NotConsented):
        export(NAME, tmp_path / "out", "another horse")
    assert export(NAME, tmp_path / "out", WORDS)["recordings"] == []


def test_revoking_starts_the_clock_of_destruction(capsys):
    Consent().use_policy("version = 1\n[limits]\ndelete_days = 10\n")
    kept()
    assert cli.main(["consent", "revoke", NAME]) == 0
    assert f"bcikit erase {NAME}" in capsys.readouterr().out
    (due,) = Consent().due().values()
    assert due - Consent().now() == pytest.approx(10 * 86400, abs=60)
    assert cli.main(["erase", "--due"]) == 0 and keys.tag(NAME) in capsys.readouterr().out
    assert cli.main(["erase", NAME, "--yes"]) == 0
    assert "is erased here" in capsys.readouterr().out


# -- anonymising


def planted(n, start=0):
    """Identifiers that nobody would miss: names, dates, numbers."""
    return [f"Xy{k:03d}Zq{(k * 7919) % 9973}" for k in range(start, start + n)]


def marked(folder):
    """Files with an identifier in every field that each format has: (paths, all identifiers)."""
    mne = pytest.importorskip("mne")
    rng, ids = np.random.default_rng(0), planted(500)
    left = iter(ids)
    take = lambda k: [next(left) for _ in range(k)]  # noqa: E731
    # our own format: stream, channels, events, information
    names = take(60)
    s = Stream(next(left), 250.0, tuple(Channel(c, "eeg", "µV") for c in names), label=label())
    s = s.but(info=dict(zip(take(40), take(40), strict=True)))
    events = tuple(Event(i, a, b) for i, (a, b) in enumerate(zip(take(60), take(60), strict=True)))
    path = folder / f"{next(left)}.xdf"
    writer = Writer(path, s, about=dict(zip(take(20), take(20), strict=True)), when=next(left))
    writer.write(Chunk(rng.normal(size=(500, 60)).astype(np.float32), 0, 0.0, events))
    writer.say(next(left))
    writer.close()
    # MNE's: everything that its information holds
    info = mne.create_info(take(30), 250.0, "eeg")
    words = take(12)
    info["description"], info["experimenter"], info["proj_name"] = words[0], words[1], words[2]
    info["subject_info"] = {"his_id": words[3], "last_name": words[4], "first_name": words[5], "middle_name": words[6]}
    info["device_info"] = {"type": words[7], "model": words[8], "serial": words[9], "site": words[10]}
    raw = mne.io.RawArray(rng.normal(size=(30, 500)) * 1e-5, info, verbose="error")
    raw.set_annotations(mne.Annotations(np.arange(40) / 50, 0.1, take(40)))
    fif = folder / f"{words[11]}_raw.fif"
    raw.save(fif, verbose="error")
    # tables, with comments and further columns
    table = folder / f"{next(left)}.csv"
    heads = take(20)
    rows = rng.normal(size=(500, 20))
    table.write_text(",".join(heads) + "\n" + "\n".join(",".join(f"{v:.4f}" for v in row) for row in rows))
    rest = list(left)
    npz = folder / "more.npz"
    np.savez(npz, data=rng.normal(size=(500, len(rest))), rate=250.0, ch_names=np.array(rest))
    return [(path, {}), (fif, {}), (table, {"rate": 250.0}), (npz, {})], ids


def test_of_five_hundred_planted_identifiers_none_survives(tmp_path):
    files, ids = marked(tmp_path)
    assert len(ids) == len(set(ids)) == 500
    before = b"".join(path.read_bytes() + path.name.encode() for path, _ in files)
    assert sum(i.encode() in before for i in ids) >= 350  # the rest stands compressed, or in other bytes
    for n, (path, told) in enumerate(files):
        given = read(path, **told)
        done = anonymize(given, out := tmp_path / f"out-{n}.xdf")
        raw = out.read_bytes()
        assert [i for i in ids if i.encode() in raw or i.lower().encode() in raw.lower()] == []
        assert not any(name in str(done) for name in (NAME, "Zebra"))
        assert NAME.encode() not in raw and keys.public().encode() not in raw and b"signature" not in raw
        back = read(out)
        assert len(back.data) == len(given.data) and np.allclose(back.data, given.data[:, : back.data.shape[1]])
        assert len(back.events) >= len(given.events)


def test_what_tells_nobody_s_name_stays():
    s = Stream(
        "Anna", 250.0, (Channel("Cz"), Channel("fp1"), Channel("Anna"), Channel("clock", "counter", "")), label=label()
    )
    events = (
        Event(1, "left_hand"),
        Event(2, "S  7"),
        Event(3, "born 1980"),
        Event(4, "born 1980", 19800101),
        Event(9, "T2"),
    )
    clean, done = anonymous(recording(s, np.zeros((20, 4)), events, start=1.7e9))
    assert clean.stream.names == ("Cz", "Fp1", "ch3") and clean.stream.label.subjects == frozenset()
    assert [e.name for e in clean.events] == ["left_hand", "S  7", "event-1", "event-1", "T2"]
    assert [e.value for e in clean.events] == [None] * 5 and clean.chunks[0].time < 1
    assert done["channels_left_out"] == 1 and clean.stream.channels[0].position is not None


def people(n, seed, per=2, seconds=60):
    """Simulated recordings of n people, `per` each, whose rhythms differ."""
    rng, out, who = np.random.default_rng(seed), [], []
    for k in range(n):
        mix = rng.normal(size=(4, 4))
        for _ in range(per):
            x = rng.normal(size=(seconds * 100, 4)) @ mix
            s = Stream("simulated", 100.0, tuple(Channel(f"E{i}") for i in range(4)))
            out.append(recording(s, x))
            who.append(str(k))
    return out, who


def test_the_leakage_report_tells_people_apart_who_can_be_and_no_others():
    out, who = people(4, 0, per=3, seconds=20)
    (row,) = leakage(out, {"identity": who})
    assert row["accuracy"] > 0.9 > row["chance_95"] and row["left_out"] == "recordings"
    rng = np.random.default_rng(1)
    same = [recording(out[0].stream, rng.normal(size=(6000, 4))) for _ in range(6)]
    (row,) = leakage(same, {"identity": ["a", "a", "b", "b", "c", "c"]})
    assert row["accuracy"] < 0.6
    assert "nothing to tell" in leakage(same, {"sex": ["f"] * 6})[0]["note"]


def test_on_the_command_line(tmp_path, capsys):
    out, _ = people(2, 0, per=1, seconds=20)
    for i, r in enumerate(out):
        writer = Writer(tmp_path / f"Anna-{i}.xdf", r.stream)
        for c in r.chunks:
            writer.write(c)
        writer.close()
    files = [str(tmp_path / f"Anna-{i}.xdf") for i in range(2)]
    assert cli.main(["anonymize", *files, "--to", str(tmp_path / "out"), "--report", "--who", "A,B"]) == 0
    assert "tells them" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["recording-1.xdf", "recording-2.xdf"]
    assert cli.main(["anonymize", files[0]]) == 2
    kept()
    assert cli.main(["export", NAME, "--to", str(tmp_path / "mine")]) == 0
    assert cli.main(["erase", NAME, "--yes", "--certificate", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text())["body"]["encrypted_recordings"] == 1
    assert isinstance(out[0], Recording)
