"""Several simulated people at once, each with a decoder: `steering`, stacked, so that years go by in minutes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Channel, Chunk, Stream
from ..decode.kinematics._intention import towards
from ..decode.kinematics.click import Click, Presses, closer, may_close
from ..decode.kinematics.gru import Gru
from ..decode.kinematics.kalman import faded
from ..decode.kinematics.latents import Latents
from ..decode.kinematics.steering import Steering
from ..simulate.loop_facts import fact
from ..tasks.closed_loop import BLOCKS
from ..tasks.world import World


@dataclass
class Use:
    """What a stretch of use left behind: all (bins, runs, ...)."""

    counts: np.ndarray
    cursor: np.ndarray
    target: np.ndarray
    size: np.ndarray
    velocity: np.ndarray  # decoded
    push: np.ndarray  # the truth, for scores and bounds alone
    selected: np.ndarray

    def of(self, run: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One run's, as `Steering.fit_use` takes it."""
        a, b, c, d, e = (a[:, run] for a in (self.counts, self.cursor, self.target, self.size, self.velocity))
        return a, b, c, d, e

    def then(self, later: Use) -> Use:
        """Both, one after the other."""
        return Use(*(np.concatenate([a, b]) for a, b in zip(vars(self).values(), vars(later).values(), strict=True)))

    def part(self, begin: int, end: int) -> Use:
        """The bins from `begin` to before `end`: the same memory."""
        return Use(*(a[begin:end] for a in vars(self).values()))


class Many:
    """A world with a decoder for each run. `noiseless`: the very push is decoded, at the decoder's speed."""

    def __init__(self, world: World, decoders: Sequence[Steering], noiseless: bool = False) -> None:
        self.world, self.decoders, self.noiseless = world, list(decoders), noiseless
        self.speed, self.still = (np.array([[getattr(d, name)] for d in decoders]) for name in ("speed", "still"))
        world.people.learn(self.speed[:, 0], 0.0 if noiseless else 0.5)
        self.velocity = np.zeros((len(decoders), 2))
        self.latents: dict[int, Latents] = {}  # of the runs whose decoder reads latents
        self.clicks: list[Click] = []
        self.shut, self.presses = np.zeros(len(decoders)), Presses(len(decoders), world.step_s)
        self.taken()

    def taken(self) -> None:
        """The decoders' arrays as they now are."""
        if all(hasattr(d, "K_") for d in self.decoders):
            K, c, feed = ([getattr(d, name) for d in self.decoders] for name in ("K_", "c_", "position_"))
            for run, one in self.latents.items():  # what reads them, put as what reads the counts
                K[run] = K[run] @ one.inverse_
                c[run] = c[run] - K[run] @ one.mean_
                feed[run] = np.zeros((len(one.mean_), 2))
            self.K, self.c, self.feed = np.stack(K), np.stack(c), np.stack(feed)
            self.M = np.stack([d.M_ for d in self.decoders])
            self.fed = self.feed.any()

    def scale(self, gain: float) -> None:
        """The cursor goes `gain` times as fast; the people are told. Until the next fit."""
        self.K, self.c = gain * self.K, gain * self.c
        self.world.people.learn(gain * self.speed[:, 0], 0.5)

    def decoded(self, counts: np.ndarray) -> np.ndarray:
        """(runs, 2) the velocity that these counts (runs, units) say."""
        if self.noiseless:
            return self.speed * self.world.push
        if self.fed:
            counts = counts - np.matmul(self.feed, self.world.cursor[..., None])[..., 0]
        self.velocity = (
            np.matmul(self.M, self.velocity[..., None])[..., 0] + np.matmul(self.K, counts[..., None])[..., 0] + self.c
        )
        return faded(self.velocity, self.still) if self.still.all() else self.velocity

    def room(self, seconds: float) -> Use:
        """Memory for a stretch of use of so long, which `live` fills."""
        bins, runs = round(seconds / self.world.step_s), len(self.decoders)
        counts, selected = np.empty((bins, runs, self.world.neurons.units), np.float32), np.zeros((bins, runs), bool)
        cursor, target, velocity, push = np.empty((4, bins, runs, 2))
        return Use(counts, cursor, target, np.empty((bins, runs)), velocity, push, selected)

    def use(self, seconds: float, assist: float = 0.0, keep: bool = True) -> Use:
        """They go on for so long; `assist`: the part of the cursor that the computer moves. keep: not the last bin alone."""
        if keep:
            return self.live(self.room(seconds), assist)
        last = self.room(self.world.step_s)
        for _ in range(round(seconds / self.world.step_s)):
            self.live(last, assist)
        return last

    def live(self, use: Use, assist: float = 0.0) -> Use:
        """They go on for as long as there is room in `use`, and fill it."""
        w, near = self.world, self.decoders[0].near_s
        for k, counts in enumerate(use.counts):
            use.cursor[k], use.target[k], use.size[k] = w.cursor, w.task.target, w.task.size
            counts[:] = w.sense()
            use.push[k] = w.push
            velocity = self.decoded(counts) if assist < 1 else np.zeros_like(w.velocity)
            if assist:
                velocity = velocity * (1 - assist) + w.help(self.speed, near) * assist
            use.velocity[k] = velocity
            hit, wrong = w.move(velocity, self.clicked(counts))
            use.selected[k] = hit | wrong
        return use

    def clicked(self, counts: np.ndarray) -> np.ndarray | None:
        """(runs) who clicks in this bin; None where nobody can."""
        if not self.clicks:
            return None
        first, step = self.clicks[0], self.world.step_s
        says = np.matmul(counts[:, None], self.W[..., None])[:, 0, 0] + self.offset
        odds = (1 - np.exp(-step / first.every_s), 1 - np.exp(-step / first.closed_s))
        self.shut = closer(self.shut, says, *odds)
        return self.presses(self.shut)

    # -- learning

    def learn_clicks(self, use: Use) -> None:
        """From a stretch in which the people clicked whenever they were on target; a stay ended the targets."""
        step = self.world.step_s
        self.clicks = []
        for run in range(len(self.decoders)):
            counts, cursor, target, size, velocity = use.of(run)
            self.clicks.append(Click().fit(counts, may_close(cursor, target, size, step), velocity))
        self.W = np.stack([c.weights_ for c in self.clicks]).astype(np.float32)
        self.offset = np.array([c.offset_ for c in self.clicks])

    def calibrate(self, blocks: Sequence[tuple[float, float]] = BLOCKS, patience_s: float = math.inf) -> Use:
        """As `tasks/closed_loop.py` does it: seconds and the computer's part of each block, a fit behind each. What was
        learnt from watching is forgotten behind the second. A target not hit in `patience_s` makes place for the next.
        The use that was learnt from in the end."""
        known: Use | None = None
        usual, self.world.task.timeout_s = self.world.task.timeout_s, patience_s
        for block, (seconds, assist) in enumerate(blocks):
            self.world.neurons.observe(assist == 1)
            use = self.use(seconds, assist)
            known = use if known is None or block == 1 else known.then(use)
            self.fit(known)
        self.world.neurons.observe(False)
        self.world.task.timeout_s = usual
        self.world.task.fresh()
        if known is None:
            raise WrongUse("A calibration has a block at least.")
        return known

    def read_latents(self, use: Use, runs: Sequence[int]) -> None:
        """The decoders of these runs learn anew from this use, to read its latents."""
        for run in runs:
            counts, cursor, target, size, velocity = use.of(run)
            self.latents[run] = Latents().fit(counts)
            z = self.latents[run].transform(counts)
            self.decoders[run].fit_use(z, cursor, target, size, velocity, self.world.step_s)
        self.taken()

    def fit(self, use: Use, teacher: str | Sequence[str] = "known") -> None:
        """Each decoder learns from its own use, all by the same teacher or each by its own: `known` targets, or none: what
        `rti` or `prit` infers; `aligned` finds the latents again; or, for a bound, `told` the push itself."""
        step, teachers = self.world.step_s, [teacher] * len(self.decoders) if isinstance(teacher, str) else teacher
        for run, (d, one) in enumerate(zip(self.decoders, teachers, strict=True)):
            if one == "known":
                d.fit_use(*use.of(run), step)
            else:
                self._guess(d, use, run, one, step)
        self.taken()

    def _guess(self, d: Steering, use: Use, run: int, teacher: str, step: float) -> None:
        counts, cursor, _, size, velocity = use.of(run)
        if teacher == "told":
            d.fit_push(counts, use.push[:, run], np.ones(len(counts)), step, cursor)
            return
        with suppress(WrongUse):  # too little is known: it stays as it was
            if teacher == "aligned":
                self.latents[run].align(counts)
                return
            d.fit_guess(teacher, counts, cursor, size, velocity, use.selected[:, run], step)

    def offline(self, use: Use, run: int) -> float:
        """R2 of the push, decoded from a recorded stretch of use by a decoder that learnt from its first half."""
        d, half = Steering(**self.decoders[run].settings()), len(use.counts) // 2
        d.fit_push(use.counts[:half, run], use.push[:half, run], np.ones(half), self.world.step_s)
        guess, truth = d.predict(use.counts[half:, run]) / d.speed, use.push[half:, run]
        return float(1 - ((guess - truth) ** 2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum())


class Heard(Many):
    """What units without end would tell, each in noise of its own: the push with the noise that all share, smoothed with a
    time constant of `lag_s`. `exact`: without that noise. Where clicks select, each is known in the bin in which the hand
    closes."""

    def __init__(self, world: World, speed: float, lag_s: float, exact: bool = False) -> None:
        super().__init__(world, [Steering(speed=speed) for _ in range(world.task.runs)])
        self.smooth, self.exact = float(np.exp(-world.step_s / lag_s)), exact
        world.people.learn(speed, self.smooth)

    def decoded(self, counts: np.ndarray) -> np.ndarray:
        told = self.speed * (self.world.push if self.exact else self.world.neurons.meant)
        self.velocity = self.smooth * self.velocity + (1 - self.smooth) * told
        return self.velocity

    def clicked(self, counts: np.ndarray) -> np.ndarray | None:
        return self.presses(self.world.closed) if self.world.task.dwell_s is None else None


class Told(Heard):
    """A bound of whatever decodes goals: the target itself is told, once the person can have acted on it, and the cursor is
    pushed towards it as they would, smoothed as in `Heard`. No noise of neurons is in it."""

    def __init__(self, world: World, speed: float, lag_s: float) -> None:
        super().__init__(world, speed, lag_s)
        self.targets = deque([world.task.target.copy()], maxlen=round(fact("reaction_s") / world.step_s) + 1)

    def decoded(self, counts: np.ndarray) -> np.ndarray:
        self.targets.append(self.world.task.target.copy())
        way = self.targets[0] - self.world.cursor
        push = way / np.maximum(np.hypot(*way.T), fact("slow_s") * self.speed[:, 0])[:, None]
        self.velocity = self.smooth * self.velocity + (1 - self.smooth) * self.speed * push
        return self.velocity


class Networks(Many):
    """The cursor follows `gru` once `learn` was called: a recurrent network for each run."""

    nets: Sequence[Gru] = ()
    gain = 1.0

    def learn(self, use: Use) -> None:
        """A network for each run, from use whose targets are known; seeded."""
        step, self.nets, self._at = self.world.step_s, [], 0
        channels = tuple(Channel(f"u{k}", "spikes", "count") for k in range(self.world.neurons.units))
        for run, d in enumerate(self.decoders):
            counts, cursor, target, size, _ = use.of(run)
            push, weight = towards(cursor, target, size, step, d.near_s * d.speed)
            net = Gru(unit="1/s").fit(counts, np.where(weight[:, None] > 0, d.speed * push, np.nan))
            net.start(Stream("simulated counts", 1 / step, channels))
            self.nets = [*self.nets, net]

    def scale(self, gain: float) -> None:
        super().scale(gain)
        self.gain = gain

    def decoded(self, counts: np.ndarray) -> np.ndarray:
        if not self.nets:
            return super().decoded(counts)
        rows = zip(self.nets, counts, strict=True)
        told = [net.step(Chunk(row[None], self._at, self._at * self.world.step_s)).data[0] for net, row in rows]
        self._at += 1
        self.velocity = self.gain * np.array(told, float)
        return self.velocity


def many(world: World, noiseless: bool = False, **settings: Any) -> Many:
    """A decoder with these settings for each run of the world."""
    return Many(world, [Steering(**settings) for _ in range(world.task.runs)], noiseless)
