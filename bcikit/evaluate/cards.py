"""Data-set cards for evaluation. They are read in `bcikit.files.cards`, since a recording's label comes from its card."""

from ..files.cards import Card, card_of, cards, load

__all__ = ["Card", "card_of", "cards", "load"]
