"""Takes out of the EEG what the eyes put in, as far as it goes along with reference channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting
from ..core.stream import Channel, Event, Stream, recording
from ._reporting import Reporting
from ._signals import BRAIN, chosen, flat

FRONTAL = ("Fp1", "Fp2", "Fpz")
FLOOR_S = 5.0  # what a channel stands at: the median over so long
FAR = 20.0  # rms; what is farther out counts as that: neither a pop nor a rail is learnt from, and no blink too much
RIDGE = 1e-3  # of the references' power: keeps like references from working against each other


@dataclass(eq=False)
class Ocular(Reporting):
    """Recursive least squares on reference channels. (samples, channels) in and out, same unit, no delay.

    Every `hop` s the weights of the references in each channel are reckoned anew from all that was, forgotten with `memory`;
    until the next hop each channel loses the references by these weights. What a channel stands at (the median of 5 s) is
    left alone and not learnt from; nor is more than 20 rms of a reference, or of what the references leave in a channel.
    References pass as they are. An event `ocular` every `report` s: which share of the channels' variance was taken.
    What of the brain is in the references is taken too: frontal channels in place of an EOG cost frontal EEG. Blinks must
    have been seen before they can be taken out: the first stays. To be put behind a highpass and any rereferencing.
    Reference: He, Wilson & Russell 2004, doi:10.1007/BF02344717.
    Raises WrongUse where there is no reference, or nothing else.
    """

    references: Annotated[
        tuple[str, ...], Setting(f"channels that see the eyes. Without: those of kind eog, else {', '.join(FRONTAL)}")
    ] = ()
    memory: Annotated[float, Setting("how far back the weights reach", "s", low=0.5, high=3600)] = 30.0
    hop: Annotated[float, Setting("how often they are renewed", "s", low=0.01, high=10)] = 0.1
    report: Annotated[float, Setting("how often it tells what it took", "s", low=0.1, high=60)] = 1.0
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "ocular")
        self.refs = np.array(self._references(s), int)
        self.columns = np.array([i for i in chosen(s, self.channels, "ocular", BRAIN) if i not in self.refs])
        if not len(self.refs) or not len(self.columns):
            raise WrongUse(
                f"ocular finds no {'channel to work on' if len(self.refs) else 'reference'} in {s.name}.",
                f"It has {', '.join(s.names[:24])}; none is of kind eog.",
                "Name what sees the eyes: ocular:references=Fp1+Fp2",
            )
        self.both = np.concatenate([self.refs, self.columns])
        self.size = max(round(self.hop * s.rate), 1)
        self.floors = max(round(FLOOR_S * s.rate / self.size), 2)
        self.telling = max(round(self.report * s.rate / self.size), 1)
        self.keep = float(np.exp(-self.size / (self.memory * s.rate)))
        self.settle = FLOOR_S + 12 * self.memory
        r, n = len(self.refs), len(self.both)
        self._now = np.zeros((self.size, n))
        self._seen = 0  # rows of this hop that were there
        self._means: list[np.ndarray] = []
        self._floor = np.zeros(n)
        self._products = np.zeros((r, n))  # of the references with all
        self._squares = np.zeros(n)  # of the references, and of what they leave in the channels
        self._weight = 0.0  # samples, forgotten as the products are
        self._weights = np.zeros((r, len(self.columns)))
        self._power = np.zeros(2)
        self._told = 0
        return s

    def _references(self, s: Stream) -> list[int]:
        return s.pick(self.references) if self.references else s.of_kind("eog") or _named(s, FRONTAL)

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = x.copy()
        both = np.take(x, self.both, axis=1).astype(np.float64)
        for rows, hop in self.walk(len(x)):
            part = both[rows]
            taken = np.zeros((len(part), len(self.columns)))
            for column, weights, floor in zip(part.T, self._weights, self._floor, strict=False):  # alike at any cut
                taken += (column - floor)[:, None] * weights
            y[rows, self.columns] = part[:, len(self.refs) :] - taken
            self._now[hop] = part
        return y

    def turn(self, index: int) -> None:
        """A hop is full: learn from it. Shapes are fixed."""
        self._means = [*self._means[1 - self.floors :], self._now.mean(axis=0)]
        r, z = len(self.refs), self._now - self._floor
        gone = z[:, :r] @ self._weights
        self._power += np.sum(gone**2), np.sum(z[:, r:] ** 2)
        self._floor = np.median(self._means, axis=0)
        z = self._now - self._floor
        expected = np.zeros_like(z)
        if self._weight:
            far = FAR * np.sqrt(self._squares / self._weight) + 1e-12
            z /= np.maximum(np.abs(z[:, :r]) / far[:r], 1).max(axis=1)[:, None]  # a large blink: its shape, not its size
            expected[:, r:] = z[:, :r] @ self._weights
            z = expected + np.clip(z - expected, -far, far)  # what the eyes do not explain
        self._products = self.keep * self._products + z[:, :r].T @ z
        self._squares = self.keep * self._squares + np.sum((z - expected) ** 2, axis=0)
        self._weight = self.keep * self._weight + self.size
        own = self._products[:, :r]
        ridge = (RIDGE * np.trace(own) / r + 1e-12) * np.eye(r)
        self._weights = np.linalg.solve(own + ridge, self._products[:, r:])
        self._told += 1
        if self._told % self.telling == 0:
            self.tell(index, "ocular", round(float(self._power[0] / max(self._power[1], 1e-30)), 4))
            self._power = np.zeros(2)

    def gap(self, seconds: float) -> None:
        """The weights stay where the gap is shorter than they reach."""
        kept = self._products, self._squares, self._weight, self._weights
        super().gap(seconds)
        if seconds < self.memory:
            self._products, self._squares, self._weight, self._weights = kept

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(memory=1, hop=0.2)
        rng = np.random.default_rng(0)
        s = Stream("simulated", 250.0, (Channel("veog", "eog"), *map(Channel, ("Fz", "Cz", "Pz"))), label=SIMULATED)
        x = 10 * rng.standard_normal((5000, 4))
        x += 150 * np.exp(-((np.arange(5000) / 250 % 2 - 1) ** 2) / 0.01)[:, None] * [1, 0.4, 0.2, 0.1]
        yield cls(memory=0.6, channels=("Fz", "Pz")), recording(s, x, (Event(7, "tap"),))


def _named(s: Stream, names: tuple[str, ...]) -> list[int]:
    wanted = {name.casefold() for name in names}
    return [i for i, name in enumerate(s.names) if name.casefold() in wanted and s.channels[i].kind in BRAIN]
