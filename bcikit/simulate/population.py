"""Simulated neurons in binned counts: an intention in, counts of every channel out, changing over hours and days.

The rates are those of `neurons.py` (cosine tuning, softplus, log-normal baselines and depths); here several populations
are reckoned at once, one row each, each from a generator of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..kernels import counted
from .implant_facts import fact as implant
from .loop_facts import fact

AHEAD = 64  # bins for which chance is drawn at a time
BANK = 32  # channels behind one connector; a Utah array has three
MOST = 60  # the largest count of a bin that can be drawn


class Populations:
    """`len(seeds)` populations of `units` channels. `counts(push, click)` gives a bin's counts (populations, units),
    float32; `tonight()` lets a night pass. open_loop: as while observing, which turns and weakens the tuning.

    tuning (populations, units, 3): Hz for an intention of 1 along x, along y, and for the closing hand. base: Hz. meant
    (populations, 2): the push of the newest bin with the noise that all units share, so all that any number of them tell."""

    def __init__(self, units: int, seeds: Sequence[int], step_s: float) -> None:
        self.units, self.step_s = units, step_s
        self._made = [np.random.default_rng([s, 50]) for s in seeds]
        self._chance = [np.random.default_rng([s, 51]) for s in seeds]
        drawn = [self._units(rng, units) for rng in self._made]
        self.base = np.stack([b for b, _ in drawn])
        self.tuning = np.stack([t for _, t in drawn])
        self.alive = np.ones(self.base.shape, bool)
        k = int(fact("common_n"))
        self._common_load = np.stack([r.standard_normal((units, k)) for r in self._made]) * fact("common") / k**0.5
        turn = np.radians(fact("open_turn")) * np.stack([r.standard_normal(units) for r in self._made])
        self._open = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * fact("open_depth")
        self.open_loop = False
        self._shared = np.zeros((len(seeds), 2))
        self.meant = np.zeros((len(seeds), 2))
        self._common = np.zeros((len(seeds), k))
        self._wander = np.stack([r.standard_normal(units) for r in self._made]) * fact("wander")
        self._at = AHEAD
        self._load()

    @staticmethod
    def _units(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Baselines (n) and tuning (n, 3) of units drawn anew."""
        base = implant("baseline") * np.exp(implant("baseline_spread") * rng.standard_normal(n))
        depth = implant("depth") * np.exp(implant("depth_spread") * rng.standard_normal(n))
        depth[rng.random(n) >= implant("tuned")] = 0
        angle = rng.uniform(0, 2 * np.pi, n)
        click = fact("click_depth") * np.exp(implant("depth_spread") * rng.standard_normal(n)) * rng.choice([1, 1, 1, -1], n)
        click[rng.random(n) >= fact("clicking")] = 0
        return base, np.column_stack([depth * np.cos(angle), depth * np.sin(angle), click])

    def _load(self) -> None:
        """What a bin's rates are made of, as one matrix: tuning, and the loads of the shared fluctuations."""
        tuning = self.tuning
        if self.open_loop:
            x, y = tuning[..., 0], tuning[..., 1]
            c, s = self._open[..., 0], self._open[..., 1]
            tuning = np.stack([c * x - s * y, s * x + c * y, tuning[..., 2]], axis=-1)
        self._matrix = np.concatenate([tuning, self._common_load], axis=2).astype(np.float32)
        self._floor = (self.base + self._wander).astype(np.float32)

    def observe(self, on: bool) -> None:
        """From now on the intention comes while observing (open loop), or while steering."""
        self.open_loop = on
        self._load()

    # -- bins

    def rates(self, push: np.ndarray, click: np.ndarray) -> np.ndarray:
        """(populations, units) mean rates, Hz, without what is shared."""
        return self._rates(np.concatenate([push, click[:, None], np.zeros_like(self._common)], axis=1))

    def _rates(self, drive: np.ndarray) -> np.ndarray:
        bend = np.float32(implant("bend"))
        x = np.matmul(self._matrix, drive[:, :, None].astype(np.float32))[..., 0]
        x += self._floor
        x /= bend
        np.minimum(np.maximum(x, np.float32(-60), out=x), np.float32(60), out=x)
        np.exp(x, out=x)
        x += 1
        np.log(x, out=x)
        x *= bend
        np.minimum(x, np.float32(implant("most")), out=x)
        x *= self.alive
        return x

    def counts(self, push: np.ndarray, click: np.ndarray) -> np.ndarray:
        """The counts of the next bin, float32, while this is intended: push (populations, 2), click (populations)."""
        if self._at == AHEAD:
            self._draw()
        at, self._at = self._at, self._at + 1
        k, c = (np.exp(-self.step_s / fact(n)) for n in ("shared_s", "common_s"))
        self._shared = k * self._shared + (1 - k * k) ** 0.5 * self._gauss[:, at, :2]
        self._common = c * self._common + (1 - c * c) ** 0.5 * self._gauss[:, at, 2:]
        self.meant = push + fact("shared") * (0.02 / self.step_s) ** 0.5 * self._shared
        rates = self._rates(np.concatenate([self.meant, click[:, None], self._common], axis=1))
        return _counted(self._even[:, at], rates * np.float32(self.step_s))

    def _draw(self) -> None:
        self._at, k = 0, self._common.shape[1] + 2
        self._even = np.stack([r.random((AHEAD, self.units), np.float32) for r in self._chance])
        self._gauss = np.stack([r.standard_normal((AHEAD, k)) for r in self._chance])

    # -- hours and days

    def later(self, seconds: float) -> None:
        """Baselines wander on for so long."""
        keep = np.exp(-seconds / fact("wander_s"))
        fresh = np.stack([r.standard_normal(self.units) for r in self._made])
        self._wander = keep * self._wander + (1 - keep * keep) ** 0.5 * fact("wander") * fresh
        self._load()

    def tonight(self) -> None:
        """A night: some units are replaced, the directions and baselines of the rest change, channels fall silent."""
        lost = 1 - (1 - fact("turnover")) ** (1 / 14)
        keep = fact("kept") / (1 - lost)
        for i, rng in enumerate(self._made):
            base, tuning = self._units(rng, self.units)
            turn = np.exp(1j * (-2 * np.log(keep)) ** 0.5 * rng.standard_normal(self.units))
            turned = turn * (self.tuning[i, :, 0] + 1j * self.tuning[i, :, 1])
            self.tuning[i, :, 0], self.tuning[i, :, 1] = turned.real, turned.imag
            middle = np.log(implant("baseline"))
            spread, change = implant("baseline_spread"), fact("baseline_day")
            stay = (1 - (change / spread) ** 2 / 2) * (np.log(self.base[i]) - middle)  # so that the spread stays as it is
            self.base[i] = np.exp(middle + stay + change * rng.standard_normal(self.units))
            self._replace(i, rng.random(self.units) < lost, base, tuning)
            self.alive[i] &= rng.random(self.units) >= 1 - (1 - fact("death")) ** (1 / 365)
        self.later(86_400.0)

    def shock(self, part: float | None = None) -> None:
        """A bad night: so many of the units are lost, others stand in their place."""
        for i, rng in enumerate(self._made):
            gone = rng.permutation(self.units) < round((fact("shock") if part is None else part) * self.units)
            self._replace(i, gone, *self._units(rng, self.units))
        self._load()

    def lose_bank(self, bank: int = 0) -> None:
        """All channels behind one connector fall silent."""
        self.alive[:, BANK * bank : BANK * (bank + 1)] = False

    def _replace(self, i: int, which: np.ndarray, base: np.ndarray, tuning: np.ndarray) -> None:
        self.base[i, which], self.tuning[i, which] = base[which], tuning[which]


def _counted(even: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Counts of these means, their variance `fano` times that (negative binomial), by inversion of `even` in [0, 1)."""
    over = fact("fano") - 1
    if over <= 0:
        raise ValueError("a Fano factor above 1 is needed")
    shape = (mean / np.float32(over)).ravel()
    none = np.exp(-np.float32(np.log1p(over)) * shape)
    return counted(even.ravel(), shape, none, over / (1 + over), MOST).reshape(mean.shape)
