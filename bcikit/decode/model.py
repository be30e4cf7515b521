"""A trained model, live: the whole line that `bcikit train` or `bcikit calibrate` wrote, as one stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from ..core.parts import Part, Setting
from ..core.pipeline import Pipeline
from ._model import load


@dataclass(eq=False)
class Model(Pipeline):
    """From the board's stream to the probabilities of the classes that the model tells. A stream of another rate, or
    without the model's channels, is refused.

    Raises FileTrouble where the folder is damaged or no model, WrongUse where the stream does not fit."""

    folder: Annotated[str, Setting("the model: a folder that `bcikit train` wrote")]
    every: Annotated[float | None, Setting("decode continuously, not after each named event", "s", low=0.001)] = None

    settings = Part.settings
    recipe = Part.recipe

    def __post_init__(self) -> None:
        Part.__post_init__(self)
        super().__init__(load(self.folder).live(self.every))

    @classmethod
    def examples(cls) -> Iterator[Part]:
        """None: it needs a folder. tests/decode/test_model.py has them; its stages are under the laws themselves."""
        return iter(())
