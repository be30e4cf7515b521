"""The root key in the system's key ring, with a ring made here: kept there alone, never replaced, and denied in words."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from bcikit import FileTrouble, NotConsented, WrongUse
from bcikit.ethics import keys
from bcikit.ethics.consent import Consent
from bcikit.ethics.home import home


class Ring:
    """As the library `keyring` speaks to the system's."""

    def __init__(self):
        self.kept, self.locked = {}, False

    def get_password(self, service, name):
        if self.locked:
            raise RuntimeError("the ring is locked")
        return self.kept.get((service, name))

    def set_password(self, service, name, secret):
        self.kept[service, name] = secret


@pytest.fixture
def ring(monkeypatch):
    ring = Ring()
    library = SimpleNamespace(get_password=ring.get_password, set_password=ring.set_password)
    monkeypatch.setitem(sys.modules, "keyring", library)
    monkeypatch.setenv("BCIKIT_KEYS", "keyring")
    return ring


def test_the_root_key_is_in_the_ring_and_in_no_file(ring):
    consent = Consent()
    consent.grant("S1", "research", ["view"])
    assert [g.subject for g in consent.grants()] == ["S1"]
    ((place, secret),) = ring.kept.items()
    assert place == ("bcikit", str(home())) and len(bytes.fromhex(secret)) == 32
    assert not (home() / "root.key").exists()
    for path in home().rglob("*"):
        assert path.is_dir() or (bytes.fromhex(secret) not in path.read_bytes() and secret.encode() not in path.read_bytes())
    sealed = keys.seal(keys.tag("S1"), b"words")
    assert keys.unseal(keys.tag("S1"), sealed) == b"words" and list(ring.kept.values()) == [secret]


def test_a_locked_ring_allows_nothing_and_a_lost_key_opens_nothing(ring):
    consent = Consent()
    consent.grant("S1", "research", ["view"])
    ring.locked = True
    with pytest.raises(FileTrouble, match="gives no key") as caught:
        keys.tag("S1")
    assert "Unlock it" in caught.value.do
    with pytest.raises(NotConsented):
        consent.grants()
    ring.locked = False
    assert len(consent.grants()) == 1
    ring.kept.clear()
    with pytest.raises(NotConsented, match="edited or damaged"):
        consent.grants()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("BCIKIT_KEYS", "keyring")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(WrongUse, match="needs the library") as caught:
        keys.tag("S1")
    assert "bcikit[keys]" in caught.value.do
