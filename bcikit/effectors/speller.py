"""An on-screen keyboard: decided letters and keys become text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Report, Setting, Sink
from ..core.stream import Channel, Chunk, Recording, Stream, recording
from ..ethics.manifest import use
from ._drawing import Drawing, line, word

KEYS = ("space", "backspace", "enter", "clear")
KEYS_A_ROW = 10  # as drawn


@dataclass(eq=False)
class Speller(Sink):
    """Each decision is a word of the decoder's alphabet: a letter (or more) is written, space, backspace, enter and clear
    act, anything else, and NaN, is nothing. A decision that stays is one key, not many: it counts again once another came
    between, or, for the same letter twice, after `again` seconds. Raises WrongUse where the stream has no words."""

    kind: ClassVar[str] = "effector"
    inline: ClassVar[bool] = True

    rest: Annotated[tuple[str, ...], Setting("words that are no key")] = ("rest", "none", "unknown")
    again: Annotated[
        float, Setting("the same decision counts again after so long; 0: each one counts", "s", low=0, high=60)
    ] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.text = ""
        self.show: Callable[[str], None] = lambda text: None  # a page puts its own here
        self._last, self._at = "", -np.inf

    def open(self, s: Stream, permit: Any) -> None:
        super().open(s, permit)
        if not s.alphabet or s.shape != (1,):
            raise WrongUse(
                f"speller cannot write {s.name}.",
                "It writes decisions, and what comes has no words.",
                "Put a decoder before it.",
            )
        self.text, self._last, self._at = "", "", -np.inf

    def send(self, c: Chunk) -> None:
        words, rate = self.stream.alphabet, self.stream.rate
        for i, row in enumerate(np.asarray(c.data, float).reshape(len(c), 1)):
            word = words[int(row[0])] if np.isfinite(row[0]) and 0 <= int(row[0]) < len(words) else ""
            at = (c.first + i) / rate if rate else float(c.first + i)
            if word in self.rest or not word:
                self._last = ""
            elif word != self._last or at - self._at >= self.again:
                self._press(word)
                self._last, self._at = word, at

    def _press(self, key: str) -> None:
        acts = {"space": self.text + " ", "backspace": self.text[:-1], "enter": self.text + "\n", "clear": ""}
        self.text = acts.get(key.lower(), self.text + key)
        self.show(self.text)

    def pulse(self, report: Report) -> None:
        if report.status.state != "streaming":
            self.safe()

    def safe(self) -> None:
        """What was written stays; the key that was held is let go."""
        self._last = ""

    def drawing(self) -> Drawing:
        """The last lines of the text, above its keyboard, on which the newest key shines; below, for what it may be used."""
        shown = (self.text + "_").split("\n")[-3:]
        words = [word("body", (0, 0, 0.42 - 0.13 * k), row[-36:]) for k, row in enumerate(shown)]
        keys = [w for w in self.stream.alphabet if w not in self.rest]
        for k, key in enumerate(keys):
            row, column = divmod(k, KEYS_A_ROW)
            x = 0.11 * (column - (KEYS_A_ROW - 1) / 2) if len(key) == 1 else 0.24 * (len(keys) - k) - 0.6
            down = 0.12 * row if len(key) == 1 else 0.42
            words.append(word("warm" if key == self._last else "place", (x, 0, -0.05 - down), key))
        words.append(word("place", (0, 0, -0.6), use(self.stream.label)))
        return Drawing((line("place", (-0.55, 0, 0.05), (0.55, 0, 0.05)),), words=tuple(words), span=1.4)

    @classmethod
    def commands(cls, seconds: float = 20.0, rate: float = 10.0) -> Recording:
        """Simulated decisions that write a word, a mistake and its mending among them, a second a key, rest between."""
        words = ("rest", *"abcdefghijklmnopqrstuvwxyz", *reversed(KEYS))
        keys = [words.index(k) for k in (*"helo", "backspace", *"lo", "space", *"world", "clear")]
        at = np.arange(round(seconds * rate))
        pressed, second = at % round(rate) == 0, at // round(rate)
        rows = np.where(pressed, np.array(keys)[second % len(keys)], 0)[:, None]
        stream = Stream("simulated keys", rate, (Channel("key", "decision", ""),), alphabet=words, label=SIMULATED)
        return recording(stream, rows)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        words = ("rest", *"abc", *KEYS)
        stream = Stream("simulated keys", 10.0, (Channel("key", "decision", ""),), alphabet=words, label=SIMULATED)
        source: Recording = recording(stream, np.random.default_rng(0).integers(0, len(words), (200, 1)))
        yield cls(again=0.5), source
