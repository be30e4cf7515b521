"""Simulated people who lapse, each calibrated and then asked by the closed EEG loops: imagery, flicker, flashes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..acquire.synthetic import Synthetic
from ..core.clock import JumpClock
from ..decode._model import load
from ..decode.stopping import bits
from ..effectors.xdf import Xdf
from ..ethics.gate import Gate
from ..evaluate.calibrate import Calibration, taught
from ..simulate.facts import fact
from ..tasks.asked import KINDS, Answer, Asked, task_of
from ..tasks.cued._task import task

TRIALS = {"mi": 20, "ssvep": 12, "p300": 30}  # of each class (p300: letters) in the calibration
ASKED = 20
CHUNK_S = 0.05  # flashes begin at multiples of it
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
    board = partial(Synthetic, channels=its.channels, script=("rest",), lapse=lapse, truth=False, seed=seed, chunk=CHUNK_S)
    with tempfile.TemporaryDirectory() as folder:
        shown = task(its.calibration, n=TRIALS[kind], seed=seed)
        *_, model, _ = taught(Calibration(board(), shown, f"person{seed}", folder, JumpClock(), Gate(), _quiet, _quiet))
        loop = Asked(board(session=1), its, load(model), Gate(), JumpClock())
    if record is not None:
        loop.add(Xdf(path=record))
    answers = []
    for a in loop.run():
        answers.append(a)
        yield {"wanted": a.wanted, "given": a.given, "seconds": round(a.seconds, 3), "simulated": True}
    yield {"kind": kind, "seed": seed, "lapse": lapse, "simulated": True, **scored(answers, len(its.choices), its.pause_s)}


def _quiet(text: str) -> None:
    """Nobody reads it."""


def scored(answers: Sequence[Answer], choices: int, pause_s: float) -> dict[str, float]:
    """accuracy (what was not answered in time counts as wrong), seconds_an_answer with the pause before it, and the bits a
    minute of all that time."""
    right = float(np.mean([a.given == a.wanted for a in answers]))
    each = float(np.mean([a.seconds for a in answers])) + pause_s
    return {
        "accuracy": right,
        "unanswered": float(np.mean([not a.given for a in answers])),
        "seconds_an_answer": each,
        "bits_per_min": float(bits(right, choices)) * 60 / each,
    }


def _mean(values: Sequence[float], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    drawn = rng.choice(values, (DRAWS, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {"mean": float(np.mean(values)), "ci": [float(low), float(high)]}
