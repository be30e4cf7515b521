"""From raw channels to features of units in one go: the fast path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Chunk, Stream
from ._signals import flat
from .bandpass import Bandpass
from .bins import Bins
from .rereference import Rereference
from .sbp import Sbp
from .spikes import Spikes, simulated_units

TILE = 64  # channels that are handled together


@dataclass(eq=False)
class UnitFeatures(Stage):
    """(samples, channels) of raw voltage in, float32 or the board's int16; out, for each `width` seconds, the number of
    threshold crossings of every channel, and then the power of every channel in the band.

    Stands for, and gives the same bytes as, the chain of stages rereference, bandpass, and beside each other spikes with
    bins, and sbp: the channels pass through all of them a tile at a time, which stays in the cache. The settings are those
    of the stages. Where a sample is NaN, or a threshold not yet known, the stages themselves do the work.
    Lowers the privacy level to FEATURE where bins have 1 kHz or less and 10 samples or more.
    """

    holds = False
    counts = True
    exempt: ClassVar[Mapping[str, str]] = {"setting cores": "changes who does the work, and no byte of it"}

    low: Annotated[float, Setting("lower corner, -3 dB", "Hz", low=1)] = 250.0
    high: Annotated[float, Setting("upper corner, -3 dB", "Hz", low=2)] = 5000.0
    order: Annotated[int, Setting("slope of each edge", low=1, high=10)] = 4
    reference: Annotated[str, Setting("car, median or none", choices=("car", "median", "none"))] = "car"
    threshold: Annotated[float, Setting("in multiples of the noise; negative: downwards", low=-50, high=50)] = -4.5
    refractory: Annotated[float, Setting("after a crossing none counts for", "s", low=0, high=1)] = 0.001
    tau: Annotated[float, Setting("time constant of the noise", "s", low=0.1, high=3600)] = 10.0
    noise: Annotated[float | None, Setting("standard deviation of the noise, where it is known", "µV", low=1e-6)] = None
    width: Annotated[float, Setting("of a bin", "s", low=0.0005, high=600)] = 0.02
    cores: Annotated[int, Setting("cores to share the channels among", low=1, high=64)] = 1

    def chain(self) -> tuple[list[Stage], Spikes, Bins, Sbp]:
        """The stages this one stands for: those in a row, and those beside each other behind them."""
        row: list[Stage] = [] if self.reference == "none" else [Rereference(to=(self.reference,))]
        row.append(Bandpass(low=self.low, high=self.high, order=self.order))
        spikes = Spikes(threshold=self.threshold, refractory=self.refractory, tau=self.tau, noise=self.noise)
        return row, spikes, Bins(width=self.width), Sbp(width=self.width)

    def setup(self, s: Stream) -> Stream:
        flat(s, "unit_features")
        kinds = sorted({c.kind for c in s.channels})
        if len(kinds) > 1:
            raise WrongUse(
                "unit_features takes channels of one kind.", f"{s.name} has {', '.join(kinds)}.", "Put `pick` before it."
            )
        self.scales = np.broadcast_to(np.asarray(1.0 if s.scale is None else s.scale, np.float32), len(s.channels)).copy()
        self.row, self.spikes, self.bins, self.sbp = self.chain()
        self.band: Any = self.row[-1]
        between = s.but(scale=None)
        if self.reference != "none":
            self.reference_stage: Any = self.row[0]
            self.row[0].start(s)
        filtered = self.band.start(between)
        counted = self.bins.start(self.spikes.start(filtered))
        powered = self.sbp.start(filtered)
        self.stages = [*self.row, self.spikes, self.bins, self.sbp]
        edges = np.linspace(0, len(s.channels) // TILE, self.cores + 1).astype(int) * TILE
        edges[-1] = len(s.channels)
        self.parts = [(int(a), int(b)) for a, b in pairwise(edges) if b > a]
        self.grid, self.need = self.sbp.grid, self.sbp.need
        self.settle = sum(stage.settle for stage in self.stages)
        crossed = [replace(c, name=f"{c.name} crossings") for c in counted.channels]
        label = replace(counted.label, level=min(counted.label.level, powered.label.level))
        delay = max(counted.delay, powered.delay)
        return powered.but(channels=(*crossed, *powered.channels), delay=delay, label=label)

    def ticks(self, x: np.ndarray, due: np.ndarray) -> np.ndarray:
        if not len(x):
            return np.empty((0, *self.out.shape), np.float32)
        offset = self._offset(x)
        if offset is None:
            return self._slowly(x)
        y, n = np.empty((len(due), *self.out.shape), np.float32), x.shape[1]
        hop, first, at, done = self.grid.p, int(due[0]) if len(due) else len(x), 0, 0
        while at < len(x):
            end = min(at + hop - (self.at + at) % hop, len(x))
            if self.band.single:
                end = min(end, at + self.band._until)
            self._quickly(x, offset, at, end)
            if (self.at + end) % hop == 0:
                counts, power = self.bins.told(self.bins.close()), self.sbp.told(self.sbp.close())
                if end > first:
                    y[done, :n], y[done, n:] = counts, power
                    done += 1
            at = end
        return y

    def _offset(self, x: np.ndarray) -> np.ndarray | None:
        """(samples): what the reference takes off; None where the stages themselves must do the work."""
        if not self.band._all_begun or not self.spikes.ready:
            return None
        if self.reference == "none":
            offset = np.zeros(len(x), np.float32)
        elif self.reference == "car" and not self.reference_stage.all_alike:
            return None
        else:
            offset = self.reference_stage.level(x)
        if x.dtype.kind == "f" and not (np.isfinite(offset).all() and np.isfinite(x).all()):
            return None
        return offset

    def _quickly(self, x: np.ndarray, offset: np.ndarray, at: int, end: int) -> None:
        band, x, offset = self.band, x[at:end], offset[at:end]
        spikes, counted, powered = self.spikes, self.bins._sums, self.sbp._sums

        def share(part: tuple[int, int]) -> None:
            kernels.unit_features(
                *(x, self.scales, offset, band.sos, band._state, band._base, spikes._own),
                *(self.at + at, spikes.rule, counted, powered, part),
            )

        kernels.shared(share, self.parts)
        counts = x.dtype.kind == "i"
        if band.single and (not counts or band._until == end - at):
            band.ran(end - at, kernels.less(x[-1:], self.scales, offset[-1:])[0])
        elif band.single:
            band._until -= end - at
        if not counts:  # what the stages would have seen last, should the next sample be NaN
            band._last = kernels.less(x[-1:], self.scales, offset[-1:])[0]
            self.spikes._last = self.spikes._own[0] * np.float32(self.spikes.rule[3])

    def _slowly(self, x: np.ndarray) -> np.ndarray:
        if self.reference == "none" and x.dtype.kind == "i":
            x = x.astype(np.float32) * self.scales
        c = Chunk(x, self.at)
        for stage in self.row:
            c = stage.step(c)
        return np.concatenate([self.bins.step(self.spikes.step(c)).data, self.sbp.step(c).data], axis=1)

    def step(self, c: Chunk) -> Chunk:
        if self._begin is None:
            for stage in self.stages:
                stage._begin = c.first
        return super().step(c)

    def gap(self, seconds: float) -> None:
        self._begin = None
        for stage in self.stages:
            stage.gap(seconds)

    def state(self) -> dict[str, Any]:
        return {"_begin": self._begin, "stages": [stage.state() for stage in self.stages]}

    def restore(self, kept: Mapping[str, Any]) -> None:
        kept = dict(kept)
        for stage, its in zip(getattr(self, "stages", ()), kept.pop("stages", ()), strict=False):
            stage.restore(its)
        super().restore(kept)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        yield cls(low=100, high=900, tau=0.2), simulated_units(7.0, counts=True)
        yield cls(low=200, high=800, order=2, reference="median", threshold=5, tau=0.2, width=0.05), simulated_units(7.0)
        yield cls(low=10, high=800, reference="none", tau=0.2), simulated_units(7.0, counts=True)
