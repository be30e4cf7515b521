"""What a model learnt as it ran, kept as a new model that the next session begins with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import BciError, FileTrouble, WrongUse
from ..core.loop import Loop
from ..core.parts import Stage
from ..ethics.gate import Gate
from ..ethics.manifest import use
from ._learner import within
from ._model import Fitting, Model, save

SINCE = "; learnt live: "  # between what the data were for that shaped a model, one after the other


class Carried:
    """A run goes `with` this: behind it the model that learns in the loop's line is written to `folder`, with its history.
    That it began with is not changed. What somebody ended or a device's trouble cut short is kept too; where nothing came,
    or bcikit itself failed, nothing is.

    Raises WrongUse where nothing in the line learns that could be kept, FileTrouble where the folder exists or cannot be
    written, NotConsented, when it ends, where the person took back that their data may teach."""

    def __init__(self, folder: str | Path, loop: Loop, gate: Gate) -> None:
        self.folder, self.loop, self.gate = Path(folder).expanduser(), loop, gate
        self.model = learning(loop.line.stages)
        if self.folder.exists():
            raise FileTrouble(f"{folder} exists.", "What was learnt is kept as a new model.", "Name a new folder.")

    def __enter__(self) -> Carried:
        try:
            self.folder.mkdir(parents=True)  # now, and not when there is something to lose
        except OSError as error:
            raise FileTrouble(f"{self.folder} cannot be written.", f"{error.strerror}.") from None
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.folder.rmdir()
        samples = self.loop.report().samples
        if not samples or not (error is None or isinstance(error, BciError)):
            return
        stream, old = self.loop.stream, self.model.about
        self.gate.check("train", stream.label)
        lesson = {
            "from": old["sha256"],
            "metrics": old.get("metrics", {}),
            "board": stream.name,
            "subjects": sorted(stream.label.subjects),
            "use": use(stream.label),
            "samples": samples,
            "seconds": samples / stream.rate,
            "ended": datetime.fromtimestamp(self.gate.consent.now(), UTC).isoformat(timespec="seconds"),
        }
        about = {
            **old,
            "use": SINCE.join(dict.fromkeys([*old["use"].split(SINCE), lesson["use"]])),
            "subjects": sorted({*old.get("subjects", ()), *stream.label.subjects}),
            "metrics": {},  # it was not scored since
            "history": [*old.get("history", ()), lesson],
        }
        save(self.folder, self.model.line, stream, about)


def learning(stages: Sequence[Stage]) -> Model:
    """The model whose decoder learns as these stages run. Raises WrongUse where there is none."""
    every = list(within(stages))
    for model in (s.model_ for s in every if isinstance(s, Fitting)):
        if any(s is model.decoder and s.learns_from for s in every):
            return model
    if any(s.part_name() == "sandbox" for s in every):
        what, do = "What is learnt in the sandbox does not leave it.", "Leave out --keep, or the sandbox."
        raise WrongUse(what, "Nobody outside reads the model's files.", do)
    raise WrongUse(
        "No model in this line learns as it runs, so there is nothing to keep.",
        "A decoder of trials does that says what from, as flashes:update=expect, and is not asked continuously.",
        "Leave out --keep, or train such a decoder.",
    )
