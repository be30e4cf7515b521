"""The keys: this device's own (Ed25519), a person's own (Ed25519, out of a passphrase), and those that recordings are
sealed with (AES-256): root > subject > session. What the device signs says 'written by bcikit on this machine', not by whom.

    device.key     what the device signs with
    root.key       wraps the subjects' keys; $BCIKIT_KEYS puts it into the system's key ring (`keyring`), or locks it with
                   the passphrase in a file (`passphrase:PATH`)
    keys/TAG.key   a subject's key; destroyed, everything sealed for that subject is noise
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble, WrongUse
from . import home as _home

SCRYPT_N = 2**15  # a tenth of a second for each guess at a passphrase
NONCE = 12


def _home_of(home: Path | None) -> Path:
    return home or _home.home()


# -- files that are written once


def _once(path: Path, data: bytes) -> None:
    """Make the file; where another process made it meanwhile, theirs stands."""
    _home.made(path.parent)
    new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    try:
        os.link(new, path)  # unlike a rename, never in the place of a key that another process made meanwhile
    except FileExistsError:
        pass
    finally:
        os.unlink(new)


def _secret(path: Path, what: str) -> bytes:
    try:
        raw = path.read_bytes()
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise FileTrouble(
                f"{path} can be read by others.", "A key that others can read proves nothing.", f"chmod 600 {path}"
            )
        return raw
    except OSError as error:
        raise _unreadable(path, what, error.strerror or str(error)) from error


def _unreadable(path: Path, what: str, why: str) -> FileTrouble:
    mend = "Restore it from a copy, or remove it: what was signed or sealed with it is then void."
    return FileTrouble(f"{what} {path} cannot be read.", f"{why}.", mend)


# -- signing


def _device(home: Path | None, make: bool) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = _home_of(home) / "device.key"
    if make and not path.exists():
        _once(path, Ed25519PrivateKey.generate().private_bytes_raw())
    raw = _secret(path, "This device's key")
    try:
        return Ed25519PrivateKey.from_private_bytes(raw)
    except ValueError as error:
        raise _unreadable(path, "This device's key", str(error)) from error


def sign(what: bytes, about: str, home: Path | None = None) -> str:
    """Signature (hex) of this device over `what`; `about` keeps a signature for one thing from serving another."""
    return _device(home, make=True).sign(about.encode() + b"\0" + what).hex()


def public(home: Path | None = None) -> str:
    """This device's public key (hex), by which others check what it signed."""
    return _device(home, make=True).public_key().public_bytes_raw().hex()


def verify(what: bytes, about: str, signature: str, home: Path | None = None, key: str = "") -> bool:
    """Whether this device, or the holder of the public key `key` (hex), signed it. False for whatever is wrong: no key, a
    strange signature, other bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        its = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) if key else _device(home, make=False).public_key()
        its.verify(bytes.fromhex(signature), about.encode() + b"\0" + what)
    except (InvalidSignature, FileTrouble, ValueError, TypeError, AttributeError):
        return False
    return True


class Own:
    """A person's own key, which is nowhere but in the passphrase: salt (hex) and public key (hex) may be kept."""

    def __init__(self, passphrase: str, salt: str = "") -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(passphrase) < 8:
            raise WrongUse("A passphrase has 8 characters or more.", "Whoever guesses it can sign for this person.")
        self.salt = salt or secrets.token_hex(16)
        self._key = Ed25519PrivateKey.from_private_bytes(_stretched(passphrase, bytes.fromhex(self.salt)))
        self.public = self._key.public_key().public_bytes_raw().hex()

    def sign(self, what: bytes, about: str) -> str:
        return self._key.sign(about.encode() + b"\0" + what).hex()


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=SCRYPT_N, r=8, p=1, maxmem=2**26, dklen=32)


# -- sealing


def _root(home: Path) -> bytes:
    """The root key, made at first use."""
    place, path = os.environ.get("BCIKIT_KEYS", ""), home / "root.key"
    if place == "keyring":
        return _in_key_ring(home)
    if place and not place.startswith("passphrase:"):
        raise WrongUse(f"BCIKIT_KEYS={place} is not known.", "It can be keyring or passphrase:PATH.")
    if not place:
        if not path.exists():
            _once(path, secrets.token_bytes(32))
        root = _secret(path, "The root key")
        if len(root) != 32:
            raise _unreadable(path, "The root key", "It is locked with a passphrase (BCIKIT_KEYS), or damaged")
        return root
    words = _secret(Path(place.removeprefix("passphrase:")), "The passphrase").decode("utf-8", "replace").strip()
    if not path.exists():
        salt = secrets.token_bytes(16)
        _once(path, salt + _wrap(_stretched(words, salt), secrets.token_bytes(32), b"root"))
    raw = _secret(path, "The root key")
    return _unwrap(_stretched(words, raw[:16]), raw[16:], b"root", path)


def _in_key_ring(home: Path) -> bytes:
    try:
        import keyring
    except ModuleNotFoundError as error:
        raise WrongUse("BCIKIT_KEYS=keyring needs the library 'keyring'.", do='pip install "bcikit[keys]"') from error
    try:
        kept = keyring.get_password("bcikit", str(home))
        if kept is None:
            keyring.set_password("bcikit", str(home), secrets.token_hex(32))
            kept = keyring.get_password("bcikit", str(home))
        return bytes.fromhex(kept or "")
    except Exception as error:  # of many systems, each with its own
        why = f"{type(error).__name__}: {error}."
        raise FileTrouble(
            "The system's key ring gives no key.", why, "Unlock it, or use BCIKIT_KEYS=passphrase:PATH."
        ) from error


def _wrap(key: bytes, secret: bytes, about: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, secret, about)


def _unwrap(key: bytes, wrapped: bytes, about: bytes, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(wrapped[:NONCE], wrapped[NONCE:], about)
    except (InvalidTag, ValueError) as error:
        raise _unreadable(path, "The key", "It was sealed with another key, or is damaged") from error


def tag(subject: str, home: Path | None = None) -> str:
    """What a subject's files are called: it names nobody to whoever lacks the root key."""
    return hmac.new(_root(_home_of(home)), b"tag\0" + subject.encode(), "sha256").hexdigest()[:24]


def _tagged(name: str, home: Path, make: bool) -> bytes:
    """A subject's key, by tag."""
    path = home / "keys" / f"{name}.key"
    root = _root(home)
    if not path.exists():
        if not make:
            raise FileTrouble(
                "The key of somebody in this recording is not here.", "It was erased, or the recording is another device's."
            )
        _once(path, _wrap(root, secrets.token_bytes(32), name.encode()))
    return _unwrap(root, _secret(path, "The key"), name.encode(), path)


def pseudonym(subject: str, home: Path | None = None) -> str:
    """What the audit calls a subject: a keyed hash, which nobody can tie to the name once the subject's key is destroyed."""
    key = _tagged(tag(subject, home), _home_of(home), make=True)
    return "p" + hmac.new(key, b"audit", "sha256").hexdigest()[:24]


def session_key(tags: Iterable[str], home: Path | None = None) -> tuple[bytes, str]:
    """A fresh key for one recording, and the same wrapped (hex) for all in it, one after the other: without any one of
    their keys it cannot be unwrapped."""
    key = wrapped = secrets.token_bytes(32)
    for name in tags:
        wrapped = _wrap(_tagged(name, _home_of(home), make=True), wrapped, b"session")
    return key, wrapped.hex()


def unwrapped(wrapped: str, tags: Iterable[str], home: Path | None = None) -> bytes:
    """The key of a recording. Raises FileTrouble where a subject's key is gone, ValueError where it is no key."""
    key, place = bytes.fromhex(wrapped), _home_of(home)
    for name in reversed(list(tags)):
        if not name.isalnum():
            raise ValueError(f"{name!r} is no tag")
        key = _unwrap(_tagged(name, place, make=False), key, b"session", place / "keys")
    return key


def seal(name: str, data: bytes, home: Path | None = None) -> bytes:
    """Something small, encrypted with the key of the subject with this tag."""
    return _wrap(_tagged(name, _home_of(home), make=True), data, b"seal")


def unseal(name: str, data: bytes, home: Path | None = None) -> bytes:
    """The inverse. Raises FileTrouble where the key is gone, or the data were changed; ValueError where it is no tag."""
    if not name.isalnum():
        raise ValueError(f"{name!r} is no tag")
    place = _home_of(home)
    return _unwrap(_tagged(name, place, make=False), data, b"seal", place / "keys")


def destroy(subject: str, home: Path | None = None) -> bool:
    """Overwrite and remove a subject's key; whether there was one."""
    path = _home_of(home) / "keys" / f"{tag(subject, home)}.key"
    if not path.exists():
        return False
    overwrite(path)
    _home.settle(path.parent)
    return True


def overwrite(path: Path) -> None:
    """Write noise over a file, wait for the disk, remove it. What a flash disk or a snapshot kept elsewhere stays there."""
    with open(path, "r+b") as f:
        left = os.fstat(f.fileno()).st_size
        while left > 0:
            left -= f.write(secrets.token_bytes(min(left, 1 << 20)))
        f.flush()
        os.fsync(f.fileno())
    path.unlink()
