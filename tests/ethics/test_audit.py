"""The audit: whatever is changed in it is found, by a verifier that knows nothing of bcikit."""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bcikit import BciError, Channel, Chunk, Label, NotConsented, Sink, Stream
from bcikit.ethics import audit, keys, verify
from bcikit.ethics.consent import Consent
from bcikit.ethics.gate import Gate
from bcikit.ethics.home import home

S1 = Label(subjects=frozenset({"S1"}), purposes=frozenset({"research"}))
CHUNK = Chunk(np.zeros((10, 1), np.float32), 0)


class Heard(Sink):
    kind = "view"

    def send(self, c):
        pass


def opened():
    return Gate().open(Heard(), Stream("s", 250.0, (Channel("a"),), label=S1))


def lived(sends=40):
    """An audit with some of everything in it, and receipts held elsewhere: (folder, anchors)."""
    consent = Consent()
    for k in range(4):
        consent.grant("S1", "research", ["view"])
        permit = opened()
        for _ in range(sends):
            permit.send(CHUNK)
        permit.close()
        for _ in range(3):
            with pytest.raises(NotConsented):
                Gate().check("lsl", S1)
        if k % 2:
            consent.revoke("S1")
    (last,) = consent.grant("S1", "research", ["view"])
    receipt = json.loads(consent.receipts("S1")[last.id])["receipt"]
    return home(), (tuple(receipt["bcikit"]["audit"]),)


def verdict(folder, anchors=()):
    return verify.verify(folder, keys.public(home()), anchors)


def test_a_whole_audit_is_whole():
    folder, anchors = lived()
    v = verdict(folder, anchors)
    assert v.problems == [] and v.notes == [] and v.sends == 160 and v.heads >= 7


def test_the_verifier_is_one_file_that_imports_nothing_of_ours(tmp_path):
    folder, _ = lived()
    for node in ast.walk(ast.parse(Path(verify.__file__).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and "bcikit" not in node.module
    alone = shutil.copy(verify.__file__, tmp_path)
    receipt = tmp_path / "receipt.json"
    consent = Consent()
    receipt.write_text(consent.receipts("S1")[consent.grants()[0].id])
    told = [sys.executable, "-I", alone, str(folder), "--key", keys.public(), "--receipt", str(receipt)]
    out = subprocess.run(told, capture_output=True, text=True, cwd=tmp_path)
    assert out.returncode == 0 and out.stdout.endswith("whole\n"), out.stdout
    raw = (folder / "audit.jsonl").read_bytes()
    (folder / "audit.jsonl").write_bytes(raw[:-30])
    out = subprocess.run(told, capture_output=True, text=True, cwd=tmp_path)
    assert out.returncode == 1 and "BROKEN" in out.stdout


# -- tampering


def flip(raw, rng):
    raw = bytearray(raw)
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def edit(raw, rng):
    lines = raw.splitlines(True)
    i = rng.randrange(len(lines))
    line = json.loads(lines[i])
    line[rng.choice(sorted(line))] = rng.choice(["x", 0, None, rng.random()])
    lines[i] = json.dumps(line, separators=(",", ":")).encode() + b"\n"
    return b"".join(lines)


def rehash(raw, rng):
    """An edit with all hashes made anew behind it: the signed heads are wrong then."""
    lines, prev = [json.loads(line) for line in raw.splitlines()], None
    at = rng.randrange(len(lines))
    lines[at]["when"] += 1.0 + rng.random()
    out = b""
    for i, line in enumerate(lines):
        if i > at:
            line["prev"] = prev
        line.pop("hash")
        body = json.dumps(line, separators=(",", ":"))
        prev = verify.hashlib.sha256(body.encode()).hexdigest()
        out += f'{body[:-1]},"hash":"{prev}"}}\n'.encode()
    return out


def delete(raw, rng):
    lines = raw.splitlines(True)
    a = rng.randrange(len(lines))
    del lines[a : a + rng.randrange(1, 4)]
    return b"".join(lines)


def truncate(raw, rng):
    return raw[: rng.randrange(len(raw))]


def rollback(raw, rng):
    lines = raw.splitlines(True)
    return b"".join(lines[: rng.randrange(len(lines))])


def reorder(raw, rng):
    lines = raw.splitlines(True)
    a, b = rng.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def double(raw, rng):
    lines = raw.splitlines(True)
    a = rng.randrange(len(lines))
    return b"".join([*lines[: a + 1], *lines[a:]])


def append(raw, rng):
    n, prev = raw.count(b"\n"), json.loads(raw.splitlines()[-1])["hash"]
    signed = {"redlines": "x", "key": keys.public(), "signature": "00" * 64}
    return audit._line(raw, n, prev, 1.0, "head", signed)[1]


TAMPERINGS = (flip, edit, rehash, delete, truncate, rollback, reorder, double, append)


def hurt(n, seed, tmp_path):
    """How many of n random tamperings were not found, by kind. Whoever tampers may also forge audit.head to fit."""
    folder, anchors = lived(5)
    raw, rng, missed = (folder / "audit.jsonl").read_bytes(), random.Random(seed), []
    signature = json.loads((folder / "audit.head").read_text())[5]
    copy = shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.key", "consent*"))
    for i in range(n):
        how = TAMPERINGS[i % len(TAMPERINGS)]
        changed = how(raw, rng)
        if changed == raw:
            continue
        (copy / "audit.jsonl").write_bytes(changed)
        if rng.random() < 0.5:
            lines = changed.splitlines()
            try:
                last = json.loads(lines[-1])["hash"] if lines else audit.START
            except (ValueError, KeyError):
                last = "x"
            forged = json.dumps([len(lines), last, len(changed), 0, 0.0, rng.choice(["00" * 64, signature])])
        else:
            forged = (folder / "audit.head").read_text()
        (copy / "audit.head").write_text(forged)
        if not verdict(copy, anchors).problems:
            missed.append((how.__name__, i))
    return missed


def test_every_tampering_is_found(tmp_path):
    assert hurt(450, 0, tmp_path) == []


@pytest.mark.soak
def test_every_tampering_is_found_ten_thousand_times(tmp_path):
    assert hurt(10_000 if os.environ.get("BCIKIT_SOAK") else 900, 1, tmp_path) == []


def test_a_fork_that_is_signed_is_found_by_a_receipt(tmp_path):
    """Two copies of one home live on, both signed by the device: who holds a receipt of the one sees the other is not it."""
    Consent().grant("S1", "research", ["view"])
    fork = shutil.copytree(home(), tmp_path / "fork")
    consent = Consent()
    (g,) = consent.grant("S1", "research", ["record"])
    anchor = tuple(json.loads(consent.receipts("S1")[g.id])["receipt"]["bcikit"]["audit"])
    Consent(fork).grant("S2", "research", ["view"])
    assert not verdict(fork).problems
    assert "forked" in verdict(fork, (anchor,)).problems[0]
    shutil.rmtree(fork / "keys")


def test_sends_that_are_changed_are_found():
    folder, _ = lived(50)
    paths = sorted((folder / "sends").iterdir())
    rng = random.Random(0)
    for _ in range(200):
        path = rng.choice(paths)
        raw = path.read_bytes()
        hurt = rng.choice([flip(raw, rng), raw[: rng.randrange(len(raw))], raw + raw[:32], raw[32:] + raw[:32]])
        path.write_bytes(hurt)
        assert (hurt == raw) != bool(verdict(folder).problems)
        path.write_bytes(raw)
    paths[0].unlink()
    assert verdict(folder).problems


# -- what goes wrong


def test_an_audit_that_was_cut_allows_nothing_more():
    folder, _ = lived()
    path = folder / "audit.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BciError, match="cut or edited"):
        Gate().check("view", S1)
    path.unlink()
    with pytest.raises(BciError):
        Gate().check("view", S1)


def test_a_line_torn_by_a_crash_is_taken_off_and_told():
    folder, _ = lived()
    with (folder / "audit.jsonl").open("ab") as f:
        f.write(b'{"n":99,"when":1')
    assert verdict(folder).problems == [] and verdict(folder).notes
    Gate().check("view", S1)
    assert "torn" in {line["what"] for line in audit.lines(folder)} and verdict(folder).problems == []


def test_a_disk_that_is_full_denies():
    consent = Consent()
    consent.grant("S1", "research", ["view"])
    permit = opened()
    permit._sends.error = OSError(28, "No space left on device")  # as the clerk leaves it
    with pytest.raises(OSError):
        permit.send(CHUNK)
    permit.close()
    code = (
        "import resource, os\n"
        "from bcikit import Label, NotConsented; from bcikit.ethics.gate import Gate; from bcikit.ethics.home import home\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "n = os.path.getsize(home() / 'audit.jsonl') + 50\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))\n"
        "l = Label(subjects=frozenset({'S1'}), purposes=frozenset({'research'}))\n"
        "try: Gate().check('view', l)\n"
        "except NotConsented as e: print('refused', e)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.startswith("refused"), out.stderr
    assert verdict(home()).problems == []


def test_many_writers_make_one_chain():
    code = (
        "import time\nfrom bcikit.ethics import audit; from bcikit.ethics.home import home\n"
        "for i in range(200): audit.note(home(), time.time(), 'open', subjects=['S1'])"
    )
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [c.wait(60) for c in children] == [0, 0]
    v = verdict(home())
    assert v.problems == [] and v.lines - v.heads == 400


def test_a_program_killed_in_the_middle_leaves_an_audit_that_verifies():
    code = (
        "import numpy as np, sys\nsys.path.insert(0, sys.argv[1])\nimport test_audit as t\n"
        "t.Consent().grant('S1', 'research', ['view']); p = t.opened(); print('go', flush=True)\n"
        "while True: p.send(t.CHUNK)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)], stdout=subprocess.PIPE)
    child.stdout.readline()
    time.sleep(0.3)
    child.kill()
    child.wait()
    child.stdout.close()
    v = verdict(home())
    assert v.problems == []
    Consent().grant("S1", "research", ["view"])
    assert verdict(home()).problems == []


def test_no_name_and_no_sample_stands_in_it():
    Consent().enrol("Anna.Muster", "an orange horse", guardian="Berta.Muster")
    Consent().grant("Anna.Muster", "clinical", ["view"], passphrase="an orange horse")
    Consent().revoke("Anna.Muster")
    text = (home() / "audit.jsonl").read_text()
    assert "Muster" not in text and keys.pseudonym("Anna.Muster") in text


@pytest.mark.soak
def test_a_million_lines_are_verified_within_a_minute(tmp_path):
    n = 1_000_000 if os.environ.get("BCIKIT_SOAK") else 20_000
    made(tmp_path, n)
    began = time.process_time()
    v = verdict(tmp_path)
    took = time.process_time() - began
    print(f"{v.lines} lines, {v.heads} heads verified in {took:.1f} s")
    assert v.problems == [] and v.lines >= n and took < 60


def made(folder, n):
    """A long audit, made without its lock and its waits."""
    key, prev, i = keys.public(), audit.START, 0
    with (folder / "audit.jsonl").open("wb") as f:
        while i < n:
            text = b""
            for _ in range(1000):
                prev, text = audit._line(text, i, prev, 1.8e9 + i, "open", {"sink": "view", "subjects": ["p" + "0" * 24]})
                i += 1
            signature = keys.sign(f"{i}:{prev}:{audit.DIGEST}".encode(), "audit")
            signed = {"redlines": audit.DIGEST, "key": key, "signature": signature}
            prev, text = audit._line(text, i, prev, 1.8e9 + i, "head", signed)
            i += 1
            f.write(text)
        size = f.tell()
    with (folder / "audit.head").open("wb") as f:
        audit._count(f.fileno(), home(), i, prev, size, i - 1, 0.0)


# what W3C's guide to ISO/IEC TS 27560:2023 (w3id.org/dpv/guides/consent-27560, its table of fields) lists as mandatory,
# by it or by the GDPR
RECORD = {"schema_version", "record_id", "receipt_id", "pii_principal_id"}
PROCESSING = {
    *("privacy_notice", "language", "purpose", "pii_information", "pii_controllers", "storage_locations"),
    *("retention_period", "jurisdiction", "recipient_third_parties", "withdrawal_method"),
}
PARTY = {"party_id", "party_name", "party_address", "party_contact", "party_type"}
GDPR = {
    "lawful_basis",
    "collection_method",
    "processing_method",
    "processing_locations",
    "privacy_rights",
    "authority_party",
}


@pytest.mark.parametrize("sink", ["view", "lsl"])
def test_a_receipt_has_the_mandatory_fields(sink):
    consent = Consent()
    consent.enrol("S1", "an orange horse")
    (g,) = consent.grant("S1", "research", [sink], passphrase="an orange horse")
    said = json.loads(consent.receipts("S1")[g.id])["receipt"]
    (processing,), (party,), (event,) = said["pii_processing"], said["party_identification"], said["events"]
    assert said.keys() >= RECORD and processing.keys() >= PROCESSING | GDPR and party.keys() >= PARTY
    assert {"pii_type"} <= processing["pii_information"][0].keys()
    assert event.keys() >= {"event_time", "validity_duration", "entity_id", "event_type", "event_state"}
    assert bool(processing["recipient_third_parties"]) == (sink == "lsl")
