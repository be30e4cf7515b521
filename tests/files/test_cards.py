"""Cards: complete, true to the files beside the checkout, and a label only for the very file."""

from __future__ import annotations

import shutil

import pytest

from bcikit.core.errors import FileTrouble
from bcikit.evaluate.cards import card_of, cards, load
from bcikit.files.read import read


def test_every_card_says_what_a_card_must():
    assert len(cards()) >= 13
    for card in cards().values():
        assert card.licence and card.source and card.consent["basis"] and (card.files or card.download) and card.pitfalls
        for name, file in card.files.items():
            assert (len(file["sha256"]) == 64 if "sha256" in file else len(file["git"]) == 40) and card.label(name).subjects
            assert not card.label(name).simulated


def test_a_file_is_known_by_what_is_in_it(shared, tmp_path):
    source = shared("p300-gtec/S2.npz")
    moved = tmp_path / "S2.npz"
    shutil.copy(source, moved)
    card = card_of(moved)
    assert card is not None and card.name == "p300-gtec"
    label = read(moved).stream.label
    assert label.subjects == {"p300-gtec/S2"} and label.purposes == {"research"} and label.recorded
    shutil.copy(shared("p300-gtec/S1.npz"), moved)
    assert card_of(moved) is None, "a name alone is not the file"
    label = read(moved).stream.label
    assert not label.subjects and not label.purposes and label.recorded and not label.simulated


@pytest.mark.parametrize("text", ["title = ", "title = 'x'", "[consent]\nbasis = 'x'", "surprise = 1"])
def test_a_card_that_lacks_something_says_so(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(FileTrouble, match=r"mine\.toml"):
        load(path)


def test_what_the_user_says_goes_before_the_card(shared):
    path = shared("ssvep-exo/subject05_run1_raw.fif.gz")
    assert read(path, scale=0.002).data[5, 0] == pytest.approx(2 * read(path).data[5, 0])
