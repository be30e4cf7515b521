"""Simulated neurons: tuned to an intention, firing by chance, silent for a moment after each spike."""

from __future__ import annotations

import numpy as np

from .implant_facts import fact

TICK_S = 0.001  # a unit fires at most once in a tick; the intention is taken up at its beginning


class Neurons:
    """`count` units with cosine tuning to an intention of `dims` dimensions; an intention of length 1 is a full movement.

    rate = bend * log(1 + exp((baseline + depth * direction . intention) / bend)), Hz, at most `most`. What drifts may
    change the tuning (`baseline` and `depth` (count), `direction` (count, dims)) between ticks; it calls `intend` then.
    Counted in ticks and drawn from one seed: the same spikes however many ticks are asked for at a time.
    """

    def __init__(self, count: int, rate: float, dims: int = 2, seed: int = 0) -> None:
        self.count, self.rate, self.dims = count, rate, dims
        self.per_tick = round(rate * TICK_S)
        made, self._chance = (np.random.default_rng([seed, k]) for k in (10, 11))
        self.baseline = fact("baseline") * np.exp(fact("baseline_spread") * made.standard_normal(count))
        depth = fact("depth") * np.exp(fact("depth_spread") * made.standard_normal(count))
        self.depth = np.where(made.random(count) < fact("tuned"), depth, 0.0)
        way = made.standard_normal((count, dims))
        self.direction = way / np.linalg.norm(way, axis=1, keepdims=True)
        self.refractory = np.ceil(fact("refractory_s") * made.uniform(0.7, 1.3, count) * rate).astype(np.int64)
        self.tick = 0  # the tick to come
        self._last = np.full(count, -(10**9), np.int64)
        self.intend(np.zeros(dims))

    def rates(self, intention: np.ndarray) -> np.ndarray:
        """Mean rates (count), Hz."""
        drive = self.baseline + self.depth * (self.direction @ np.asarray(intention, float))
        return np.minimum(fact("bend") * np.logaddexp(0, drive / fact("bend")), fact("most"))

    def intend(self, intention: np.ndarray) -> None:
        """From the tick to come."""
        self.intention = np.asarray(intention, float)
        rates = self.rates(self.intention)
        ready = 1 - rates * self.refractory / self.rate  # part of the time in which it may fire
        self._odds = rates / ready * TICK_S

    def spikes(self, ticks: int) -> tuple[np.ndarray, np.ndarray]:
        """(sample, unit) of the spikes in the next ticks, in order of tick and unit; int64, counted from 0."""
        draws = self._chance.random((ticks, self.count))
        when, who = np.nonzero(draws < self._odds)
        if not len(who):
            self.tick += ticks
            return when, who
        # given that it fired, the draw is uniform below the odds: it says where in the tick
        place = (draws[when, who] / self._odds[who] * self.per_tick).astype(np.int64)
        at = (self.tick + when) * self.per_tick + np.minimum(place, self.per_tick - 1)
        keep = np.empty(len(at), bool)
        for a, z in zip(*(np.searchsorted(when, np.arange(ticks) + k) for k in (0, 1)), strict=True):
            unit = who[a:z]
            keep[a:z] = at[a:z] - self._last[unit] >= self.refractory[unit]
            fired = keep[a:z]
            self._last[unit[fired]] = at[a:z][fired]
        self.tick += ticks
        return at[keep], who[keep]
