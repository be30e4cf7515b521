"""Text for a terminal: colours, widths, and nothing in it that a terminal would obey."""

from __future__ import annotations

import unicodedata

CODES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "invert": "7"}
Piece = tuple[str, str]  # text and style: words of CODES


def shown(text: str) -> str:
    """The text without what a terminal would obey or what has no width: names come from devices and networks."""
    return "".join("·" if unicodedata.category(c)[0] in "CZM" and c != " " else c for c in text)


def cells(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly `width` columns: cut with an ellipsis, or padded (at the left where `right`)."""
    if cells(text) > width:
        while text and cells(text) > width - 1:
            text = text[:-1]
        text += "…" if width > 0 else ""
    pad = " " * (width - cells(text))
    return pad + text if right else text + pad


def short(name: str, width: int) -> str:
    """A name in at most `width` columns; its end, which tells channels apart, stays."""
    name = shown(name)
    return name if cells(name) <= width or width < 6 else fit(name, width - 3).rstrip() + name[-3:]


def paint(pieces: list[Piece], width: int, colour: bool) -> str:
    """One line of at most `width` columns."""
    line, left = "", width
    for text, style in pieces:
        if cells(text) > left:
            text = fit(text, left)
        left -= cells(text)
        codes = ";".join(CODES[word] for word in style.split())
        line += f"\x1b[{codes}m{text}\x1b[0m" if codes and colour and text else text
        if left <= 0:
            break
    return line


def between(left: list[Piece], right: list[Piece], width: int) -> list[Piece]:
    """Two ends of a line; the right one gives way."""
    gap = width - sum(cells(t) for t, _ in left) - sum(cells(t) for t, _ in right)
    return [*left, (" " * gap, ""), *right] if gap > 0 else left
