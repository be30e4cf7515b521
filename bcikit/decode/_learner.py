"""What goes on learning as it runs: a decoder of trials, live, and how to tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..core.parts import Stage
from ..core.pipeline import Pipeline
from ..core.stream import Chunk, Event


class Learner(Pipeline):
    """A decoder alone, behind the stage that cuts its trials. There an event stands on the trial that it opened, so that it
    teaches when that trial has been decided, not when its cue was shown; and each trial teaches behind itself, whatever it
    is called, as where nobody knows what it was. (trials, *shape) in, (trials, classes) out, no event but those that came.
    """

    def part_name(self) -> str:  # type: ignore[override]
        return self.stages[-1].part_name()

    def step(self, c: Chunk) -> Chunk:
        theirs = {e.index for e in c.events if e.name == "trial"}
        mine = [Event(k, "trial") for k in range(c.first, c.end) if k not in theirs]
        out = super().step(c.but(events=(*c.events, *mine)))
        return out.but(events=tuple(e for e in out.events if e not in mine))


def learns(stages: Sequence[Stage]) -> bool:
    """Whether one of these, or of those within them, goes on learning as it runs."""
    return any(getattr(s, "learns", False) or s.learns_from for s in within(stages))


def within(stages: Sequence[Stage]) -> Iterator[Stage]:
    """These, and those within them, however deep."""
    for stage in stages:
        yield stage
        yield from within(getattr(stage, "stages", ()))
