"""This device's own key (Ed25519): what it signs cannot be edited unseen by whoever lacks the key.

It says 'written by bcikit on this machine', not by whom: a person's own key is another matter.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..core.errors import FileTrouble
from . import home as _home


def _path(home: Path | None) -> Path:
    return (home or _home.home()) / "device.key"


def _key(home: Path | None, make: bool) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = _path(home)
    if make and not path.exists():
        _home.made(path.parent)
        new = path.with_name(f"{path.name}.{os.getpid()}.new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(Ed25519PrivateKey.generate().private_bytes_raw())
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(new, path)  # unlike a rename, never in the place of a key that another process made meanwhile
        except FileExistsError:
            pass
        finally:
            os.unlink(new)
    try:
        raw = path.read_bytes()
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise FileTrouble(
                f"{path} can be read by others.", "A key that others can read proves nothing.", f"chmod 600 {path}"
            )
        return Ed25519PrivateKey.from_private_bytes(raw)
    except (OSError, ValueError) as error:
        raise FileTrouble(
            f"This device's key {path} cannot be read.",
            f"{getattr(error, 'strerror', None) or error}.",
            "Restore it from a copy, or remove it: consents signed with it are then void and are given anew.",
        ) from error


def sign(what: bytes, about: str, home: Path | None = None) -> str:
    """Signature (hex) of this device over `what`; `about` keeps a signature for one thing from serving another."""
    return _key(home, make=True).sign(about.encode() + b"\0" + what).hex()


def verify(what: bytes, about: str, signature: str, home: Path | None = None) -> bool:
    """Whether this device signed it. False for whatever is wrong: no key, a strange signature, other bytes."""
    from cryptography.exceptions import InvalidSignature

    try:
        _key(home, make=False).public_key().verify(bytes.fromhex(signature), about.encode() + b"\0" + what)
    except (InvalidSignature, FileTrouble, ValueError, TypeError):
        return False
    return True
