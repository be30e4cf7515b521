"""Simulated people who lapse, each calibrated and then asked by the closed EEG loops: imagery, flicker, flashes."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core.clock import JumpClock
from ..decode._model import Model, load
from ..effectors.xdf import Xdf
from ..ethics.gate import Gate
from ..evaluate.calibrate import Calibration, taught
from ..simulate.facts import fact
from ..tasks.asked import KINDS, Asked, Asking, scored, task_of
from ..tasks.cued._task import task

TRIALS = {"mi": 20, "ssvep": 12, "p300": 30}  # of each class (p300: letters) in the calibration
ASKED = 20
DRAWS = 2000


def eeg(kinds: Sequence[str], people: Iterable[int]) -> Iterator[dict[str, Any]]:
    """A dict for each paradigm: accuracy and bits a minute over people, with 95 % intervals (people drawn anew)."""
    people = list(people)
    for kind in kinds:
        scores = [list(person(kind, seed))[-1] for seed in people]
        yield {
            "row": f"{kind}, {len(people)} people who lapse",
            **{name: _mean([s[name] for s in scores]) for name in ("accuracy", "bits_per_min", "seconds_an_answer")},
            "choices": len(KINDS[kind].choices),
            "lapse": fact("lapse"),
            "simulated": True,
        }


def person(
    kind: str, seed: int, lapse: float | None = None, asked: int | None = None, record: str | None = None
) -> Iterator[dict[str, Any]]:
    """One simulated person, calibrated as by `bcikit calibrate`, then asked: a dict an answer, the last with the scores.
    lapse: share of what is asked of them that they miss; without, the table's."""
    lapse = fact("lapse") if lapse is None else lapse
    its = task_of(kind, n=asked or ASKED, seed=seed)
    loop = Asked(its.board(lapse, session=1), its, calibrated(its, lapse), Gate(), JumpClock())
    if record is not None:
        loop.add(Xdf(path=record))
    answers = []
    for a in loop.run():
        answers.append(a)
        yield {"wanted": a.wanted, "given": a.given, "seconds": round(a.seconds, 3), "simulated": True}
    yield {"kind": kind, "seed": seed, "lapse": lapse, "simulated": True, **scored(answers, len(its.choices), its.pause_s)}


def calibrated(its: Asking, lapse: float, told: Callable[[float], None] = lambda done: None) -> Model:
    """A model of the simulated person with the seed of the task, as `bcikit calibrate` makes it, but as fast as it goes.
    told: hears how much of the task is over, 0 to 1."""
    shown = task(its.calibration, n=TRIALS[its.calibration], seed=its.seed)
    steps, done = sum(1 for _ in shown.steps()), itertools.count(1)

    def show(_: str) -> None:
        told(next(done) / steps)

    with tempfile.TemporaryDirectory() as folder:
        made = Calibration(
            its.board(lapse), shown, f"person{its.seed}", folder, JumpClock(), Gate(), show, lambda text: None
        )
        return load(taught(made)[2])


def _mean(values: Sequence[float], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    drawn = rng.choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {"mean": float(np.mean(values)), "ci": [float(low), float(high)]}
