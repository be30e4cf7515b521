"""A simulated person who steers a cursor: sees it late, knows where it must be by now, pushes towards the target, clicks.

`Steerers` are several such people at once, one row each, so that a year of ten of them is reckoned together; each has a
generator of their own, and does the same alone or among others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .loop_facts import fact

AHEAD = 64  # bins for which chance is drawn at a time
LEARN = 25  # bins between two thoughts about what the decoder does


class Steerers:
    """People who steer by the piecewise-linear feedback model (Willett 2017): at each bin they know the target as it was
    `reaction_s` ago and the cursor as it was `visual_s` ago; a forward model of the decoder, fed with what they intended
    since, says where the cursor is now. They push towards the target with a force that is full far away and falls linearly
    near it, less a part of the velocity.

    seeds: one for each person. step_s: seconds of a bin. perfect: without pauses.
    `learn` tells them what the decoder does with a full push; then, bin after bin, `look` and `intend`. What it does they
    learn on, by least squares over the last `learn_s`, from what they pushed and what they saw.
    """

    def __init__(self, seeds: Sequence[int], step_s: float, perfect: bool = False) -> None:
        self.step_s, self.perfect = step_s, perfect
        self._chance = [np.random.default_rng([s, 40]) for s in seeds]
        n, late, react = len(seeds), round(fact("visual_s") / step_s), round(fact("reaction_s") / step_s)
        self.late = max(late, 1)
        self._seen: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=self.late + 1)
        self._targets: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=max(react, 1) + 1)
        self._pushed = np.zeros((n, self.late, 2))  # the newest last
        self._away = np.zeros(n)  # seconds for which they still look away
        self._evidence, self._closed = np.zeros(n), np.zeros(n)
        self._at, self._bins = AHEAD, 0
        self._fade = np.exp(-step_s / fact("learn_s"))
        self._moved = np.zeros((n, 5))  # running sums of vv, vp, pp, nv, np: velocity, push, and the velocity next
        self.learn(np.ones(n), np.zeros(n))

    def learn(self, speed: np.ndarray | float, smooth: np.ndarray | float) -> None:
        """They are told what the decoder does: v <- smooth v + (1 - smooth) speed push, each (people)."""
        n = self._away.shape
        a, b = np.broadcast_to(smooth, n).astype(float), np.broadcast_to(speed, n).astype(float) * (1 - np.asarray(smooth))
        still = fact("learn_s") / self.step_s * 0.25  # as if they had pushed half way all that time
        vv = (b / np.maximum(1 - a, 0.02)) ** 2 * still
        self._moved = np.column_stack([vv, 0 * a, still + 0 * a, a * vv, b * still])
        self._know(a, b)

    def _know(self, a: np.ndarray, b: np.ndarray) -> None:
        """The forward model v <- a v + b push, put as what comes of it after `late` bins."""
        self.speed = b / (1 - a)
        lag = -self.step_s / np.log(np.clip(a, 1e-9, 0.999999))
        self.slow_s = np.maximum(fact("slow_s"), fact("sluggish") * lag)
        # velocity and place after `late` bins: what remains of the velocity seen, and of each push since
        left = a[:, None] ** np.arange(self.late, -1, -1)  # (people, late + 1): a^late ... a^0
        self._v_of_v, self._x_of_v = left[:, :1], self.step_s * left[:, :-1].sum(axis=1, keepdims=True)
        x_of_push = self.step_s * self.speed[:, None] * (1 - a[:, None] * left[:, 1:])
        self._of_push = np.stack([x_of_push, b[:, None] * left[:, 1:]])

    def look(self, cursor: np.ndarray, velocity: np.ndarray, target: np.ndarray, size: np.ndarray) -> None:
        """What the screen shows at this bin: cursor and its velocity, target (people, 2), its half width (people)."""
        if self._seen:
            self._learn_on(self._seen[-1][1], self._pushed[:, -1], velocity)
        self._seen.append((cursor.copy(), velocity.copy()))
        self._targets.append((target.copy(), np.broadcast_to(size, self._away.shape).copy()))

    def _learn_on(self, v: np.ndarray, push: np.ndarray, then: np.ndarray) -> None:
        pairs = ((v, v), (v, push), (push, push), (then, v), (then, push))
        self._moved *= self._fade
        for k, (p, q) in enumerate(pairs):
            self._moved[:, k] += _dot(p, q)
        self._bins += 1
        if self._bins % LEARN == 0:
            vv, vp, pp, nv, np_ = self._moved.T
            det = np.maximum(vv * pp - vp * vp, 1e-12)
            a, b = (nv * pp - np_ * vp) / det, (np_ * vv - nv * vp) / det
            self._know(np.clip(a, 0.0, 0.98), np.maximum(b, 0.002))

    def intend(self) -> tuple[np.ndarray, np.ndarray]:
        """(people, 2) the push now, at most 1 long, and (people,) whether the hand is closed in thought."""
        if self._at == AHEAD:
            self._at = 0
            self._even = np.stack([r.random((AHEAD, 2)) for r in self._chance])
            self._gauss = np.stack([r.standard_normal(AHEAD) for r in self._chance])
        where, velocity = self._expected()
        target, size = self._targets[0]
        way = target - where
        far = np.sqrt(_dot(way, way))[:, None]
        reach = (self.speed * self.slow_s)[:, None]
        push = way / np.maximum(far, 1e-9) * np.minimum(far / reach, 1.0)
        push -= fact("damping") * velocity / self.speed[:, None]
        push /= np.maximum(np.sqrt(_dot(push, push)), 1.0)[:, None]
        push[self._looks_away()] = 0.0
        self._pushed[:, :-1] = self._pushed[:, 1:]
        self._pushed[:, -1] = push
        closed = self._decide(far[:, 0] < size)
        self._at += 1
        return push, closed

    def _expected(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the cursor must be by now, and how fast: what was seen, moved on by what was pushed since."""
        where, velocity = self._seen[0]
        if len(self._seen) <= self.late:
            return where, velocity
        x, v = np.einsum("knl,nlc->knc", self._of_push, self._pushed)
        return where + self._x_of_v * velocity + x, self._v_of_v * velocity + v

    def _looks_away(self) -> np.ndarray:
        if self.perfect:
            return np.zeros(len(self._away), bool)
        even = self._even[:, self._at]
        begins = even[:, 0] < fact("pause_rate") / 60 * self.step_s
        self._away = np.where(begins, -fact("pause_s") * np.log1p(-even[:, 1]), np.maximum(self._away - self.step_s, 0))
        return self._away > 0

    def _decide(self, on: np.ndarray) -> np.ndarray:
        """Evidence gathers while the cursor seems on target, drains while not; at its bound the hand closes."""
        drift = np.where(on, 1.0, -2.0) * fact("click_drift") * self.step_s
        noise = fact("click_noise") * self.step_s**0.5 * self._gauss[:, self._at]
        ready = self._closed <= 0
        self._evidence = np.where(ready, np.maximum(self._evidence + drift + noise, 0), 0)
        begin = self._evidence >= 1
        self._closed = np.where(begin, fact("click_s"), np.maximum(self._closed - self.step_s, 0))
        self._evidence[begin] = 0
        return self._closed > 0

    def forget(self, who: np.ndarray) -> None:
        """Begin a click decision anew, as when the target has changed."""
        self._evidence[who] = 0


def _dot(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(people) the products of vectors (people, 2): NumPy's sum over two takes four times as long."""
    return p[:, 0] * q[:, 0] + p[:, 1] * q[:, 1]
