"""Faults put into a recording on request, the same for the same seed: what boards and links do to a signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..core.errors import WrongUse
from ..core.stream import Chunk, Event, Recording

RAIL_UV = 187_500.02  # where a Cyton at gain 24 stops: 4.5 V / 24


@dataclass(frozen=True)
class Faults:
    """drop, duplicate: the share of samples that do not come, or come twice. jump: at a second, by so many samples, the
    index goes on (or back). nan, rail, flat: from a second, for so many, on one channel each. disconnect: nothing comes.
    All seconds are counted from the first sample."""

    drop: float = 0.0
    duplicate: float = 0.0
    jump: tuple[tuple[float, float], ...] = ()
    nan: tuple[tuple[float, float], ...] = ()
    rail: tuple[tuple[float, float], ...] = ()
    flat: tuple[tuple[float, float], ...] = ()
    disconnect: tuple[tuple[float, float], ...] = ()
    seed: int = 0

    def __bool__(self) -> bool:
        return any((self.drop, self.duplicate, self.jump, self.nan, self.rail, self.flat, self.disconnect))

    def on(self, r: Recording) -> Recording:
        """The recording with these faults."""
        if not self or not r.chunks:
            return r
        rng = np.random.default_rng(self.seed)
        data, index, time = np.array(r.data), r.index.copy(), r.time
        seconds = time - time[0]
        last = self._spoilt(data, seconds, r, rng)
        comes = rng.random(len(data)) >= self.drop
        for at, length in self.disconnect:
            comes &= (seconds < at) | (seconds >= at + length)
        times = np.where(comes, 1 + (rng.random(len(data)) < self.duplicate), 0)
        for at, by in self.jump:
            index[seconds >= at] += round(by)
        rows = np.repeat(np.arange(len(data)), times)
        return Recording(
            r.stream, tuple(_chunks(last[rows], index[rows], time[rows], r.events, bool(r.stream.rate))), r.info
        )

    def _spoilt(self, data: np.ndarray, seconds: np.ndarray, r: Recording, rng: np.random.Generator) -> np.ndarray:
        for kind in ("nan", "rail", "flat"):
            for at, length in getattr(self, kind):
                rows = np.flatnonzero((seconds >= at) & (seconds < at + length))
                column = int(rng.integers(data.shape[-1]))
                if len(rows):
                    data[rows, ..., column] = {"nan": np.nan, "rail": RAIL_UV, "flat": data[rows[0], ..., column]}[kind]
        return data


def _chunks(data: np.ndarray, index: np.ndarray, time: np.ndarray, events: Sequence[Event], regular: bool) -> list[Chunk]:
    """Runs of rows whose index goes on by one; an event comes with the first run that ends behind it."""
    borders = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
    left = sorted(events, key=lambda e: e.index)
    chunks = []
    for a, b in pairwise(borders):
        if a == b:
            continue
        mine = [e for e in left if e.index < index[b - 1] + 1] if b < len(index) else left
        left = left[len(mine) :]
        chunks.append(Chunk(data[a:b], int(index[a]), float(time[b - 1]) if regular else time[a:b], tuple(mine)))
    return chunks


def pairs(name: str, texts: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """AT:LENGTH as numbers. Raises WrongUse."""
    out = []
    for text in texts:
        at, _, length = text.partition(":")
        try:
            out.append((float(at), float(length)))
        except ValueError:
            what = "SAMPLES" if name == "jump" else "SECONDS"
            raise WrongUse(
                f"{name}={text} is not AT:{what}.", do=f"Write {name}=10:2, several as {name}=10:2+30:1."
            ) from None
        if not np.isfinite(out[-1]).all() or out[-1][0] < 0 or (out[-1][1] < 0 and name != "jump"):
            raise WrongUse(f"{name}={text} does not lie in the recording.", "Seconds are counted from its first sample.")
    return tuple(out)
