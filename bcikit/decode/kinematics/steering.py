"""Cursor velocity by a Kalman filter that learns from use: what the screen shows tells what was intended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting
from ...core.stream import Channel, Event, Recording, Stream, recording
from ._intention import chosen, evidence, inferred, rotated, towards
from .kalman import Kalman, faded

SCREEN = (
    "cursor x",
    "cursor y",
    "target x",
    "target y",
    "target size",
)  # channels of the screen, in widths of the workspace
GUESSES = ("rti", "prit")  # teachers for whom nobody knows the target
TEACHERS = ("towards", "refit", *GUESSES)
SURE_S = 10.0  # of use in which the target could be guessed, the least to learn from without labels
ENOUGH_S = 4.0  # of a known intention, the least to learn from
TURNS = 4  # of guessing what was intended and learning from the guess
WORSE = 0.05  # nats a step: a decoder that makes so much less sense of its use than the one before is given up
AGREE = 0.3  # correlation with what was decoded, below which a guess is not taken over
SPREAD = 0.5  # of an intention along one axis, to a full push


@dataclass(eq=False)
class Steering(Kalman):
    """`kalman` whose state is the intended cursor velocity, and which refits itself at each event `recalibrate`.

    Input (bins, channels): counts or power of the neurons (all channels of kind spikes or power, unless named), and the
    channels of the screen, `cursor x`, `cursor y`, `target x`, `target y`, `target size`, which are not decoded but tell,
    bin by bin, what must have been intended. Output (bins, 2): velocity, widths of the workspace a second; no delay of its
    own. What was intended: `towards` the target with a push that falls near it (Willett 2017), or by `refit` (Gilja 2012).
    With `feed`, what firing the cursor's own position explains is taken off first, as ReFIT does. An event's value may name
    a teacher that guesses, for this once, and say `fresh`, which forgets what came before it (`prit fresh`). Before it has
    learnt anything it is at rest. Raises WrongUse where the screen's channels are missing, or others than it learnt from.
    """

    exempt: ClassVar = {
        f"setting {n}": "it acts in learning"
        for n in ("ridge", "shrinkage", "speed", "teacher", "feed", "hold_s", "near_s", "memory_s", "root")
    }
    learns_from: ClassVar = ("recalibrate", "hit", "wrong")

    outputs: Annotated[tuple[str, ...], Setting("names of the velocities, in the order of Y")] = ("x", "y")
    unit: Annotated[str, Setting("unit of the velocities")] = "1/s"
    shrinkage: Annotated[float, Setting("how far R is drawn to its diagonal", low=0, high=1)] = 0.3
    speed: Annotated[float, Setting("of the cursor at a full push", "1/s", low=0.01, high=100)] = 1.4
    teacher: Annotated[str, Setting("how the intention is told from the screen", choices=TEACHERS)] = "towards"
    feed: Annotated[bool, Setting("take off what the cursor's position explains")] = False
    hold_s: Annotated[
        float | None,
        Setting("time constant of the intention: shorter follows faster; none: learnt, as ReFIT does", "s", low=0.01),
    ] = 0.1
    near_s: Annotated[float, Setting("nearer than a way of so long at full speed the push falls", "s", low=0.01)] = 0.2
    memory_s: Annotated[float, Setting("how far back it learns from", "s", low=5, high=3600)] = 180.0

    # -- learning

    def fit_use(self, X: Any, cursor: Any, target: Any, size: Any, velocity: Any, step_s: float) -> Self:
        """Learn from use: counts X (bins, channels), and bin by bin the cursor, target (bins, 2), its half width (bins) and
        the velocity (bins, 2) that was decoded; `step_s` seconds of a bin. A jump of the target begins a new movement."""
        if self.teacher == "refit":
            push, weight = rotated(cursor, target, size, velocity, self.speed)
        else:
            push, weight = towards(cursor, target, size, step_s, self.near_s * self.speed)
        vars(self).pop("before_", None)  # what was told is not taken back
        return self.fit_push(X, push, weight, step_s, cursor)

    def fit_guess(self, how: str, X: Any, cursor: Any, size: Any, velocity: Any, selected: Any, step_s: float) -> Self:
        """Learn from use whose targets nobody knows, by `rti` or `prit`; selected (bins): True where something was. `prit`
        guesses again from what the decoder makes of the same counts then, TURNS times. Where the decoder before the last
        guess makes more sense of this use than the one that was used, that guess is taken back first (`before_`): so
        self-training that collapses is noticed. Raises WrongUse, and stays as it was then, where too little could be
        guessed, or what came of it contradicts what was decoded."""
        if how == "prit" and not np.any(velocity):
            raise WrongUse("steering cannot guess what was intended.", "Nothing was decoded yet.")
        said = first = self._judged(X, cursor, velocity, selected, step_s)
        before = self.learned()
        try:
            for _ in range(1 if how == "rti" else TURNS):
                guess = chosen(cursor, selected, step_s) if how == "rti" else inferred(cursor, said, selected, step_s)
                push, weight = towards(cursor, guess[0], size, step_s, self.near_s * self.speed)
                if (weight * guess[1]).sum() * step_s < SURE_S:
                    raise WrongUse("steering cannot guess what was intended.", "Too little was used, or it was too unsure.")
                self.fit_push(X, push, weight * guess[1], step_s, cursor)
                said = self.decoded(X, cursor)
                if np.any(first) and _agreement(said, first) < AGREE:
                    raise WrongUse("steering does not take over what it guessed.", "It contradicts what was decoded.")
        except WrongUse:
            self.restore(before)
            raise
        self.before_ = before
        return self

    def _judged(self, X: Any, cursor: Any, velocity: Any, selected: Any, step_s: float) -> Any:
        """The velocity (bins, 2) that was decoded; or that of the decoder before, which is then the decoder again, where it
        makes more sense of the same counts."""
        before = vars(self).pop("before_", None)
        if before is None or not np.any(velocity):
            return velocity
        now = self.learned()
        self.restore(before)
        said = self.decoded(X, cursor)
        if evidence(cursor, said, selected, step_s) > evidence(cursor, velocity, selected, step_s) + WORSE:
            return said
        self.restore(now)
        return velocity

    def decoded(self, X: Any, cursor: Any) -> np.ndarray:
        """(bins, 2) velocities of counts X (bins, channels) while the cursor was there, from rest: what `step` gives but for
        rounding, in a hundredth of the time. NaN and Inf count as the mean."""
        from scipy.signal import lfilter

        x = self._seen(np.asarray(X, np.float32))
        x = np.where(np.isfinite(x), x, self.x_mean_.astype(np.float32))
        drive = x @ self.K_.T.astype(np.float32) + self.c_ - np.asarray(cursor, float) @ (self.K_ @ self.position_).T
        fades, ways = np.linalg.eig(self.M_)
        each = np.linalg.solve(ways, drive.T)
        told = ways @ [lfilter([1.0], [1.0, -fade], row) for fade, row in zip(fades, each, strict=True)]
        return faded(told.real.T, self.still) if self.still else told.real.T

    def fit_push(
        self, X: Any, push: np.ndarray, weight: np.ndarray, step_s: float, cursor: np.ndarray | None = None
    ) -> Self:
        """Learn from intentions (bins, 2), at most 1 long, each of a weight (bins); NaN and weight 0 are left out. Raises
        WrongUse where too little is left."""
        X = np.asarray(X)
        keep = np.flatnonzero((weight > 0) & np.isfinite(push).all(axis=1) & np.isfinite(X).all(axis=1))
        if len(keep) * step_s < ENOUGH_S or len(keep) < 20 or np.linalg.matrix_rank(push[keep]) < 2:
            raise WrongUse(
                f"steering cannot learn from {len(keep)} bins with a known intention.",
                "It needs some seconds in all directions.",
            )
        y, root = self.speed * push[keep], np.sqrt(weight[keep, None] / weight[keep].sum())
        x = self._seen(X[keep].astype(float))
        x *= root
        follows = np.diff(keep) == 1
        given = [y, np.asarray(cursor, float)[keep]] if self.feed and cursor is not None else [y]
        D = np.column_stack([*given, np.ones(len(y))]) * root
        G, H = D.T @ D, D.T @ x
        B = np.linalg.solve(G + np.diag([self.ridge / len(y)] * 2 + [0.0] * (len(G) - 2)), H)  # (2 [+ 2] + 1, channels)
        R = x.T @ x - B.T @ (2 * H - G @ B)  # the moments of what B leaves
        own = np.diag(R).copy()
        R *= 1 - self.shrinkage
        R[np.diag_indices_from(R)] = np.where(own > 1e-9, own, np.inf)
        if self.hold_s is None:
            before, after = y[:-1][follows], y[1:][follows]
            A = np.linalg.lstsq(before, after, rcond=None)[0].T
            left = after - before @ A.T
            W = left.T @ left / len(left)
        else:  # learnt from a slow decoder's use it would be slow, and make the next one slower
            a = float(np.exp(-step_s / self.hold_s))
            A, W = a * np.eye(2), (1 - a * a) * (SPREAD * self.speed) ** 2 * np.eye(2)
        self.solve(A, W, B[:2].T, R, B[-1], np.zeros(2))  # at rest nothing is intended
        self.position_ = B[2:4].T if len(given) > 1 else np.zeros((x.shape[1], 2))  # counts for a width
        return self

    # -- the stage

    def setup(self, s: Stream) -> Stream:
        neurons = s.pick(self.channels) if self.channels else s.of_kind("spikes", "power")
        if not set(SCREEN) <= set(s.names):
            raise WrongUse(
                f"steering sees no screen in {s.name}.",
                f"It learns from the channels {', '.join(SCREEN)}.",
                "Use a board that brings them, or kalman, which learns beforehand.",
            )
        if not hasattr(self, "K_"):
            n = len(neurons)
            self.solve(0.9 * np.eye(2), np.eye(2), np.zeros((n, 2)), np.ones(n))
            self.position_ = np.zeros((n, 2))
        self.screen, named = s.pick(SCREEN), self.channels
        self.channels = tuple(s.names[i] for i in neurons)
        try:
            out = super().setup(s)
        finally:
            self.channels = named
        self.step_s, self.settle = 1 / s.rate, 2 * self.settle  # counts are few: a rail is very many
        self._past = np.zeros((round(self.memory_s * s.rate), len(neurons) + len(SCREEN) + 3), np.float32)
        self._end = 0  # index of the bin to come
        self._count = 0  # bins seen since the start, or since what was forgotten
        return out

    def velocities(self, x: np.ndarray) -> np.ndarray:
        """(bins, 2) what moves the cursor in these rows."""
        if self.feed and self.position_.any():
            x = x.copy()
            x[:, self.columns] = _each(x[:, self.screen[:2]], self.position_, x[:, self.columns])
        return super().rows(x)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = self.velocities(x)
        at = (self._count + np.arange(len(x))) % len(self._past)
        keep = slice(max(len(x) - len(self._past), 0), None)
        self._past[at[keep]] = np.column_stack([x[:, self.columns], x[:, self.screen], y, np.zeros(len(x))])[keep]
        self._count += len(x)
        self._end = self.at + len(x)
        return y

    def adapt(self, event: Event) -> None:
        """A selection is remembered; `recalibrate` refits on what is, if that is enough. value: `rti` or `prit`, to guess
        this once; `fresh`: forget it then."""
        if event.name != "recalibrate":
            ago, size = self._end - math.floor(event.index), len(self._past)
            if 0 < ago <= min(self._count, size):
                self._past[(self._count - ago) % size, -1] = 1
            return
        said = str(event.value).split()
        teacher = next((word for word in said if word in GUESSES), self.teacher)
        counts, screen, velocity, chose = self._used()
        with suppress(WrongUse):  # what is asked for too soon must not end the loop
            if teacher in GUESSES:
                self.fit_guess(teacher, counts, screen[:, :2], screen[:, 4], velocity, chose, self.step_s)
            else:
                moved = np.diff(screen[:, :2], axis=0, append=screen[-1:, :2]) / self.step_s  # by whomever
                self.fit_use(counts, screen[:, :2], screen[:, 2:4], screen[:, 4], moved, self.step_s)
        self._ready()
        if "fresh" in said:
            self._count = 0

    def _used(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What is remembered, the oldest first: counts (bins, channels), the screen (bins, 5), the velocity that was decoded
        (bins, 2), and where something was selected (bins)."""
        n, size = len(self.columns), len(self._past)
        past = np.roll(self._past, -(self._count % size), axis=0)[-min(self._count, size) :]
        return past[:, :n], past[:, n : n + len(SCREEN)].astype(float), past[:, -3:-1].astype(float), past[:, -1] > 0

    def restore(self, kept: Mapping[str, Any]) -> None:
        super().restore(kept)
        if "K_" in kept:
            self._ready()

    def gap(self, seconds: float) -> None:
        """At rest again; what is remembered of use stays."""
        self._now, self._age = self._rest(), 0

    @classmethod
    def examples(cls) -> Iterator[Any]:
        use = _use()
        past = use.data[:600].astype(float)
        screen = (past[:, 8:10], past[:, 10:12], past[:, 12], past[:, 10:12] - past[:, 8:10])
        refit: dict[str, Any] = {"teacher": "refit", "feed": True, "hold_s": None, "outputs": ("vx", "vy"), "unit": "mm/s"}
        for some, more in (([0, 2, 3, 5, 7], {}), ([1, 2, 4, 5, 6], refit)):
            one = cls(channels=tuple(f"u{k}" for k in some), memory_s=5.0, **more)
            yield one.fit_use(past[:, some], *screen, 0.02), use


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of two series of velocities, both axes together."""
    known = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    return float(np.corrcoef(np.asarray(a[known], float).ravel(), np.asarray(b[known], float).ravel())[0, 1])


def _each(cursor: np.ndarray, load: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Counts without what the position explains, row by row, so that no rounding depends on how many there are."""
    return np.stack([row - load @ at for row, at in zip(counts, cursor, strict=True)]) if len(counts) else counts


def _use(n: int = 1000, units: int = 8, rate: float = 50.0) -> Recording:
    """Simulated counts of a few units while a cursor goes from target to target, and two recalibrations."""
    rng = np.random.default_rng(0)
    at, target, rows = np.zeros(2), np.zeros(2), []
    way = rng.standard_normal((2, units))
    for k in range(n):
        if k % 60 == 0:
            target = rng.uniform(-0.4, 0.4, 2)
        push = (target - at) * 4
        rows.append([*rng.poisson(np.maximum(20 + 12 * push @ way, 0) / rate), *at, *target, 0.05])
        at = at + push / rate + 0.01 * rng.standard_normal(2)
    channels = (
        *(Channel(f"u{k}", "spikes", "count") for k in range(units)),
        *(Channel(name, "position", "") for name in SCREEN),
    )
    events = (Event(700, "recalibrate"), Event(900, "recalibrate", "fresh"))
    return recording(Stream("simulated use", rate, channels, label=SIMULATED), np.array(rows), events)
