"""Checks an audit, and imports nothing of bcikit: `python verify.py FOLDER [--key HEX] [--receipt FILE ...]`.

FOLDER holds audit.jsonl, audit.head and sends/. --key: the public key that must have signed; without it the first head's is
taken, which shows edits but not who wrote. --receipt: consent receipts (JSON), each of which bears the number and hash
of the line it was entered by: a chain rolled back as a whole, signed heads and all, is found by a receipt younger than
it.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

START = "0" * 64
SEND = struct.Struct("<QqIfQ")
TAIL = 75  # bytes of ,"hash":"<64 hex>"}


@dataclass
class Verdict:
    """problems: what is wrong, each in a line; empty where the audit is whole. notes: what a crash leaves behind."""

    lines: int = 0
    heads: int = 0
    sends: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(folder: Path, key: str = "", anchors: tuple[tuple[int, str], ...] = ()) -> Verdict:
    """anchors: (number, hash) of lines known from elsewhere."""
    v = Verdict()
    bad = v.problems.append
    try:
        raw = (folder / "audit.jsonl").read_bytes()
        said = json.loads((folder / "audit.head").read_bytes())
        counted, last_said, bytes_said, signature = int(said[0]), str(said[1]), int(said[2]), str(said[5])
    except (OSError, ValueError, IndexError, TypeError) as error:
        bad(f"audit.jsonl or audit.head is missing or damaged: {error}")
        return v
    wanted, prev, at, last_head = dict(anchors), START, 0, 0
    told: dict[str, list[tuple[int, str, bool]]] = {}
    size = len(raw)
    while at < size:
        end = raw.find(b"\n", at)
        if end < 0:
            (v.notes if at >= bytes_said else v.problems).append(
                f"{size - at} bytes behind line {v.lines} are no whole line"
            )
            break
        cut = end - TAIL
        body = raw[at:cut] + b"}"
        digest = hashlib.sha256(body).hexdigest()
        if cut <= at or raw[cut:end] != b',"hash":"' + digest.encode() + b'"}':
            bad(f"line {v.lines}: its hash is not that of its bytes")
            return v
        try:
            line = json.loads(body)
            n, what, its_prev = line["n"], line["what"], line["prev"]
        except (ValueError, KeyError, TypeError):
            bad(f"line {v.lines} is no line of an audit")
            return v
        if n != v.lines or its_prev != prev:
            bad(f"line {v.lines} does not follow the one before")
            return v
        if what == "head":
            key = key or str(line.get("key"))
            if not signed(f"{n}:{prev}:{line.get('redlines')}".encode(), str(line.get("signature")), key):
                bad(f"line {n}: this head is not signed with the key {key[:16]}...")
            v.heads, last_head = v.heads + 1, n
        elif what == "sends":
            told.setdefault(str(line.get("permit")), []).append((line.get("count"), line.get("sha256"), line.get("final")))
        if n in wanted and wanted.pop(n) != digest:
            bad(f"line {n} is not the one that a receipt names: the chain was forked or written anew")
        v.lines, prev, at = n + 1, digest, end + 1
    if not signed(f"count:{counted}:{last_said}:{bytes_said}".encode(), signature, key):
        bad(f"audit.head is not signed with the key {key[:16]}...")
    for n in wanted:
        bad(f"a receipt names line {n}, and there are {v.lines}: the chain was cut or rolled back")
    if v.lines < counted or (v.lines == counted and prev != last_said):
        bad(f"audit.head counts {counted} lines, and there are {v.lines}: the chain was cut, or one of the two put back")
    elif v.lines > counted:
        v.notes.append(f"{v.lines - counted} lines were written and not counted: a crash")
    if v.lines - last_head > 1:
        v.notes.append(f"{v.lines - last_head - 1} lines stand behind the last signed head")
    for permit, sums in told.items():
        _sends(folder / "sends" / f"{permit}.bin", permit, sums, v)
    return v


def _sends(path: Path, permit: str, sums: list[tuple[int, str, bool]], v: Verdict) -> None:
    bad = v.problems.append
    try:
        raw = path.read_bytes() if permit.isalnum() else b""
    except OSError:
        bad(f"sends of permit {permit} are missing")
        return
    digest, done = hashlib.sha256(), 0
    for count, sha, final in sums:
        if not isinstance(count, int) or count < done or SEND.size * count > len(raw):
            bad(f"sends of permit {permit} were cut: {len(raw) // SEND.size} records, {count} told of")
            return
        digest.update(raw[SEND.size * done : SEND.size * count])
        done = count
        if digest.hexdigest() != sha:
            bad(f"sends of permit {permit} were edited before record {count}")
            return
        if final and len(raw) != SEND.size * count:
            bad(f"sends of permit {permit} were added to after it closed")
            return
    rest = raw[SEND.size * done :]
    if rest.strip(b"\0"):
        v.notes.append(
            f"sends of permit {permit}: up to a second of records is not hashed; it is open, or its program was killed"
        )
    v.sends += done


def signed(what: bytes, signature: str, key: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), b"audit\0" + what)
    except (InvalidSignature, ValueError):
        return False
    return True


def anchor(receipt: Path) -> tuple[int, str]:
    """The line that a receipt was entered by."""
    said = json.loads(receipt.read_text(encoding="utf-8"))
    said = said.get("receipt", said)
    return int(said["bcikit"]["audit"][0]), str(said["bcikit"]["audit"][1])


def main(argv: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", default="")
    parser.add_argument("--receipt", type=Path, action="append", default=[])
    said = parser.parse_args(argv)
    v = verify(said.folder, said.key, tuple(anchor(r) for r in said.receipt))
    for line in v.problems:
        print(f"BROKEN: {line}")
    for line in v.notes:
        print(f"note: {line}")
    print(f"{v.lines} lines, {v.heads} signed heads, {v.sends} sends: {'BROKEN' if v.problems else 'whole'}")
    return 1 if v.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
