"""EEG loops closed: the screen asks for something, and a person answers by imagery, by looking at a lamp or by counting
flashes until the effector has done it; a simulated person may be elsewhere (`lapse`).

    task = task_of("p300", n=6, seed=1)
    asked = Asked(Synthetic(lapse=0.03), task, load(folder), Gate(), JumpClock())
    for answer in asked.run():
        print(answer.wanted, answer.given, answer.seconds)

The model is one that `bcikit calibrate` makes, the stages are those of `bcikit stream --decode`. What the screen shows comes
into the stream as events; so the recorded board replays to the same bytes through the same line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..acquire.synthetic import Synthetic
from ..core.clock import Clock
from ..core.errors import WrongUse, nearest
from ..core.loop import Gate, Loop
from ..core.parts import Board, Sink, Stage
from ..core.pipeline import Pipeline
from ..decode._model import Model
from ..decode.map.flashed import Flashed
from ..decode.map.lookup import Lookup
from ..decode.map.select import Select
from ..decode.stopping import bits
from ..effectors._drawing import Drawing, ball, line, word
from ..effectors.cursor import Cursor
from ..effectors.speller import Speller
from ..preprocess.beside import Beside
from ..preprocess.epoch import Epoch
from ..preprocess.pick import Pick
from .cued._board import Cued
from .cued._task import Step, Task
from .cued.p300 import ON_S, SOA_S

LOOK_S = 0.1  # how often it is looked whether the effector has done something
HOP_S = 0.25  # between two decisions
SETTLE_S = 6.0  # filters and windows fill
CHUNK_S = 0.05  # flashes begin at multiples of it


@dataclass(frozen=True)
class Answer:
    """What was asked, what the effector did ('' where nothing in time), and how long that took (s)."""

    wanted: str
    given: str
    seconds: float


@dataclass
class Asking(Task):
    """A cued task that goes on when the effector has answered. n: how often something is asked. seed: of its order. wish:
    what is asked next, whatever its turn; paused: nothing more is asked for now."""

    answers: list[Answer] = field(default_factory=list)
    wish: str = ""
    paused: bool = False

    calibration: ClassVar[str] = ""  # the cued task that a model for it is trained with
    channels: ClassVar[tuple[str, ...]] = ()  # eight electrodes that suit it
    choices: ClassVar[tuple[str, ...]] = ()
    pause_s: ClassVar[float] = 3.0  # between an answer and the next question
    most_s: ClassVar[float] = 12.0  # for an answer

    def board(self, lapse: float, session: int = 0) -> Synthetic:
        """A simulated person who does what is asked, but for a share that they miss, in another sitting each."""
        place: dict[str, Any] = {"channels": self.channels, "script": ("rest",), "truth": False, "chunk": CHUNK_S}
        return Synthetic(**place, lapse=lapse, seed=self.seed, session=session)

    def sink(self) -> Sink:
        """A fresh effector."""
        raise NotImplementedError(f"{type(self).__name__} has no sink()")

    def stages(self, model: Model) -> list[Stage]:
        """The model's stages, as they run live, and the mapper behind them."""
        raise NotImplementedError(f"{type(self).__name__} has no stages()")

    def ask(self, wanted: str) -> Iterator[Step]:
        """What is shown, and done by a simulated person, while it is asked for."""
        raise NotImplementedError(f"{type(self).__name__} has no ask()")

    def given(self) -> str:
        """What the effector has done since it was asked; '' while it has done nothing."""
        raise NotImplementedError(f"{type(self).__name__} has no given()")

    def begin(self) -> None:
        """Before something is asked: the effector begins anew."""

    def drawing(self, wanted: str, lit: str) -> Drawing:
        """The choices as they stand on a screen a metre wide: which is asked for, and which flashes now."""
        raise NotImplementedError(f"{type(self).__name__} has no drawing()")

    def wants(self) -> Iterator[str]:
        rng = np.random.default_rng(self.seed)
        return (str(rng.choice(self.choices)) for _ in range(self.n))

    def steps(self) -> Iterator[Step]:
        yield Step(SETTLE_S, "sit still")
        for its in self.wants():
            while self.paused:
                yield Step(LOOK_S, "paused", "", ("rest",))
            wanted, self.wish = self.wish or its, ""
            yield Step(self.pause_s, f"next: {wanted}", "", ("rest",))
            self.begin()
            took = 0.0
            for step in self.ask(wanted):
                yield step
                took += step.seconds
                if self.given():
                    break
            self.answers.append(Answer(wanted, self.given(), took))
        yield Step(1.0, "", "", ("rest",))


class Imagine(Asking):
    """Left or right hand, imagined until a cursor has come so far to that side; it is let go when all that the decoder looks
    at is of that imagery."""

    about = "a hand imagined moves the cursor to that side"
    calibration, channels = "mi", ("C3", "Cz", "C4", "FC1", "FC2", "CP1", "CP2", "FCz")
    choices = ("left", "right")
    pause_s = 2.0
    hold_s: ClassVar[float] = 3.5
    there: ClassVar[float] = 0.3  # widths from the middle
    speed: ClassVar[float] = 0.2  # widths/s

    def sink(self) -> Sink:
        self.cursor = Cursor()
        return self.cursor

    def stages(self, model: Model) -> list[Stage]:
        classes = [str(c) for c in model.line.stages[-1].classes_]  # type: ignore[attr-defined]
        speeds = tuple({"left": -self.speed, "right": self.speed}.get(c, 0.0) for c in classes)
        x, y = (Lookup(values=(*v, 0.0), name=n, unit="width/s") for n, v in (("x", speeds), ("y", (0.0,) * len(speeds))))
        mapper = [Select(on=0.5, off=0.4, dwell=0.0, pause=0.0), Beside([Pipeline([x]), Pipeline([y])])]
        return [*model.live(HOP_S), *mapper]

    def begin(self) -> None:
        self.cursor.place, self.cursor.held = np.zeros(2), True

    def ask(self, wanted: str) -> Iterator[Step]:
        yield Step(LOOK_S, f"imagine the {wanted} hand", f"asked {wanted}", (wanted,))
        for k in range(1, round(self.most_s / LOOK_S)):
            self.cursor.held = k * LOOK_S < self.hold_s
            yield Step(LOOK_S, f"imagine the {wanted} hand")

    def given(self) -> str:
        x = float(self.cursor.place[0])
        return "" if abs(x) < self.there else "right" if x > 0 else "left"

    def drawing(self, wanted: str, lit: str) -> Drawing:
        sides = {"left": -self.there, "right": self.there}
        lines = [line("thing" if c == wanted else "place", (x, 0, -0.2), (x, 0, 0.2), width=0.015) for c, x in sides.items()]
        words = [word("thing" if c == wanted else "place", (x, 0, 0.25), c) for c, x in sides.items()]
        return Drawing(tuple(lines), (ball("body", (self.cursor.place[0], 0, 0), 0.035),), tuple(words))


class Dial(Asking):
    """A lamp among three, looked at until its key is pressed."""

    about = "the lamp looked at presses its key"
    calibration, channels = "ssvep", ("Oz", "O1", "O2", "POz", "PO3", "PO4", "PO7", "PO8")
    choices = ("9 Hz", "12 Hz", "15 Hz")

    def sink(self) -> Sink:
        self.speller, self.before = Speller(), 0
        return self.speller

    def stages(self, model: Model) -> list[Stage]:
        return [*model.live(HOP_S), Select(on=0.4, off=0.3, dwell=0.75, pause=1.0, ignore=("rest",))]

    def begin(self) -> None:
        self.before = len(self.speller.text)

    def ask(self, wanted: str) -> Iterator[Step]:
        yield Step(LOOK_S, f"look at the light of {wanted}", f"asked {wanted}", (f"flicker:{wanted.removesuffix(' Hz')}",))
        for _ in range(round(self.most_s / LOOK_S) - 1):
            yield Step(LOOK_S, f"look at the light of {wanted}")

    def given(self) -> str:
        pressed = self.speller.text[self.before :]
        return next((c for c in self.choices if pressed.startswith(c)), "")

    def drawing(self, wanted: str, lit: str) -> Drawing:
        places = {c: (0.3 * (k - 1), 0, 0) for k, c in enumerate(self.choices)}
        balls = [ball("thing" if c == wanted else "place", p, 0.1) for c, p in places.items()]
        return Drawing((), tuple(balls), tuple(word("body", p, c) for c, p in places.items()))


class Spell(Asking):
    """The letters of a text, one after the other; all flash in turn, the person counts the one that is wanted."""

    about = "the letter whose flashes are counted is typed"
    calibration, channels = "p300", ("Fz", "Cz", "Pz", "Oz", "P3", "P4", "PO7", "PO8")
    choices = tuple("ABCDEF")
    text: ClassVar[str] = "FEEDABADCAFE"
    rounds: ClassVar[int] = 12
    late_s: ClassVar[float] = 1.5  # behind the last flash, until what it told has come

    def wants(self) -> Iterator[str]:
        return (self.text[k % len(self.text)] for k in range(self.n))

    def sink(self) -> Sink:
        self.speller, self.before = Speller(), 0
        return self.speller

    def stages(self, model: Model) -> list[Stage]:
        stages = model.live()
        at = next(i for i, s in enumerate(stages) if isinstance(s, Epoch))
        events = tuple(f"flash {c}:{c}" for c in self.choices)
        stages[at] = Epoch(**{**stages[at].settings(), "events": events})
        return [*stages, Flashed(items=self.choices, sure=0.99, least=4, most=self.rounds), Pick(channels=("choice",))]

    def begin(self) -> None:
        self.before = len(self.speller.text)

    def ask(self, wanted: str) -> Iterator[Step]:
        rng = np.random.default_rng([self.seed, len(self.answers)])
        yield Step(SOA_S, f"count the  {wanted}", "anew")
        for _ in range(self.rounds):
            for c in rng.permutation(self.choices):
                act = f"flash:{'target' if c == wanted else 'other'}"
                yield Step(ON_S, f"[ {c} ]", f"flash {c}", (act,))
                yield Step(SOA_S - ON_S, "")
        for _ in range(round(self.late_s / LOOK_S)):
            yield Step(LOOK_S, "")

    def given(self) -> str:
        return self.speller.text[self.before :][:1]

    def drawing(self, wanted: str, lit: str) -> Drawing:
        places = {c: (0.26 * (k % 3 - 1), 0, 0.13 - 0.26 * (k // 3)) for k, c in enumerate(self.choices)}
        balls = [ball("thing" if c == lit else "place", p, 0.09) for c, p in places.items()]
        words = [word("body", p, c) for c, p in places.items()]
        return Drawing((), tuple(balls), (*words, word("body", (0, 0, -0.36), self.speller.text[-24:] + "_")))


KINDS: dict[str, type[Asking]] = {"mi": Imagine, "ssvep": Dial, "p300": Spell}


def task_of(kind: str, **settings: Any) -> Asking:
    """The task of a paradigm. Raises WrongUse where there is none."""
    if kind not in KINDS:
        raise WrongUse(f"Nothing is asked by {kind!r}.", nearest(kind, list(KINDS)) or f"There are {', '.join(KINDS)}.")
    return KINDS[kind](**settings)


class Asked:
    """A board, a model and a task in a loop, the effector behind the Gate."""

    def __init__(self, board: Board, task: Asking, model: Model, gate: Gate, clock: Clock) -> None:
        self.task = task
        self.cued = Cued(board, task, lambda text: None)
        self.line = Pipeline(task.stages(model))
        self.loop = Loop(self.cued, self.line, gate, clock)
        self.loop.add(task.sink())

    @property
    def opinion(self) -> str:
        """The place in the line where the probabilities of the choices stand."""
        names = [stage.part_name() for stage in self.line.stages]
        return "flashed" if "flashed" in names else names[names.index("select") - 1]

    def add(self, sink: Sink, at: str = "board") -> None:
        """A recorder or view beside the effector."""
        self.loop.add(sink, at)

    def run(self) -> Iterator[Answer]:
        """Answer after answer, until all were asked for."""
        told = 0
        for _ in self.loop.chunks():
            yield from self.task.answers[told:]
            told = len(self.task.answers)
            if self.cued.done:
                self.loop.stop()


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
