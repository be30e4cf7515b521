"""Changes what the voltages are measured against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from .. import kernels
from ..core.errors import WrongUse
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Stream
from ._signals import BRAIN, chosen, flat

NEIGHBOURS = 4


@dataclass(eq=False)
class Rereference(Stage):
    """A new reference, sample by sample. (samples, channels) in, same unit out; bipolar pairs replace their channels.

    to: `car`, the mean of all chosen channels of the same kind; `median`, their median, which one bad channel does not
    move; `laplacian`, the mean of the four nearest (Hjorth 1975, doi:10.1016/0013-4694(75)90056-5; McFarland et al. 1997,
    doi:10.1016/S0013-4694(97)00022-2); names of channels (A1+A2), their mean; or pairs (C3-Cz+C4-Cz).
    A channel that is NaN stays NaN and is left out of every mean. No delay.
    Raises WrongUse where a name is unknown, or a place is needed and not known.
    """

    holds = False
    counts = True
    settle = 0.0

    to: Annotated[tuple[str, ...], Setting("car, median, laplacian, names of channels, or pairs A-B")] = ("car",)
    channels: Annotated[
        tuple[str, ...], Setting("channels or kinds it works on; the others pass. Without: those of the brain")
    ] = ()

    def setup(self, s: Stream) -> Stream:
        flat(s, "rereference", regular=False)
        self.scales = np.broadcast_to(np.asarray(1.0 if s.scale is None else s.scale, np.float32), len(s.channels)).copy()
        s = s.but(scale=None)
        self.columns = chosen(s, self.channels, "rereference", BRAIN)
        if not self.to:
            raise WrongUse("rereference:to is empty.", "It can be car, median, laplacian, names of channels, or pairs A-B.")
        pairs = [_pair(s, name) for name in self.to]
        if all(pairs):
            return self._bipolar(s, [p for p in pairs if p])
        self.way = self.to[0] if self.to in (("car",), ("median",), ("laplacian",)) else "named"
        kinds = [s.channels[i].kind for i in self.columns]
        self.groups = [np.array([i for i in self.columns if s.channels[i].kind == k]) for k in dict.fromkeys(kinds)]
        self.all_alike = len(self.groups[0]) == len(s.channels) and len(set(self.scales.tolist())) == 1
        self.ones = np.ones(len(s.channels), np.float32)
        if self.way == "named":
            self.named = np.array(s.pick(self.to))
        elif self.way == "laplacian":
            self.near = [_nearest(s, group) for group in self.groups]
        elif max(len(g) for g in self.groups) < 2:
            raise WrongUse(
                f"rereference:to={self.way} needs at least two channels of one kind.",
                f"{s.name} has {', '.join(s.names[:24])}.",
            )
        return s

    def _bipolar(self, s: Stream, pairs: list[tuple[int, int]]) -> Stream:
        self.way = "bipolar"
        self.plus, self.minus = np.array(pairs).T
        self.rest = np.array([i for i in range(len(s.channels)) if i not in self.columns], int)
        made = [replace(s.channels[a], name=f"{s.names[a]}-{s.names[b]}", position=_middle(s, a, b)) for a, b in pairs]
        return s.but(channels=(*made, *(s.channels[i] for i in self.rest)))

    def rows(self, x: np.ndarray) -> np.ndarray:
        if self.way == "car" and self.all_alike and len(x):
            mean = self.level(x)
            if np.isfinite(mean).all():
                return kernels.less(x, self.scales, mean)
        if x.dtype.kind == "i":
            x = x.astype(np.float32) * self.scales
        if self.way == "bipolar":
            made = np.take(x, self.plus, axis=1) - np.take(x, self.minus, axis=1)
            return np.concatenate([made, np.take(x, self.rest, axis=1)], axis=1)
        y = x.copy()
        if self.way == "named":
            y[:, self.columns] -= _mean(np.take(x, self.named, axis=1))[:, None]
            return y
        for i, group in enumerate(self.groups):
            part = x if len(group) == x.shape[1] else np.take(x, group, axis=1)
            if self.way == "car":
                y[:, group] = kernels.less(part, self.ones[group], _mean(part))
            elif self.way == "median":
                y[:, group] = kernels.less(part, self.ones[group], _median(part))
            else:
                y[:, group] = part - _mean(np.take(x, self.near[i], axis=1))
        return y

    def level(self, x: np.ndarray) -> np.ndarray:
        """(samples): the reference, where all channels share one; NaN or Inf where one of them is that."""
        if self.way == "car":
            return kernels.means(x, float(self.scales[0]))
        return kernels.medians(x.astype(np.float32) * self.scales if x.dtype.kind == "i" else x)

    @classmethod
    def examples(cls) -> Iterator[Stage]:
        yield cls()
        yield cls(to=("median",))
        yield cls(to=("laplacian",))
        yield cls(to=("Fp1", "Fp2"))
        yield cls(to=("C3-Cz", "C4-Cz"))
        yield cls(channels=("Fp1", "Fp2", "O1", "C3", "C4"))


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean along the last axis of what is finite (NaN where nothing is), one sample like the next whatever comes at once."""
    x = x.astype(np.float64)  # first: a reduction that converts on its way rounds by the size of its buffer
    total = x.sum(axis=-1)
    if np.isfinite(total).all():
        return (total / x.shape[-1]).astype(np.float32)
    good = np.isfinite(x)
    n = good.sum(axis=-1)
    mean = np.where(good, x, 0.0).sum(axis=-1) / np.maximum(n, 1)
    return np.where(n > 0, mean, np.nan).astype(np.float32)


def _median(x: np.ndarray) -> np.ndarray:
    """Median along the last axis of what is finite; NaN where nothing is."""
    if np.isfinite(x).all():
        return kernels.medians(x)
    good = np.isfinite(x)
    n = good.sum(axis=-1)
    ordered = np.sort(np.where(good, x, np.inf), axis=-1)
    low = np.take_along_axis(ordered, (np.maximum(n - 1, 0) // 2)[:, None], axis=-1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(n // 2, x.shape[-1] - 1)[:, None], axis=-1)[:, 0]
    return np.where(n > 0, np.mean([low, high], axis=0), np.nan).astype(np.float32)


def _pair(s: Stream, name: str) -> tuple[int, int] | None:
    """Columns of the pair "A-B", or None where this is not one (a name may itself hold a dash)."""
    if name in s.names:
        return None
    for at in [i for i, letter in enumerate(name) if letter == "-"]:
        a, b = name[:at].strip(), name[at + 1 :].strip()
        if a in s.names and b in s.names and a != b:
            return s.names.index(a), s.names.index(b)
    return None


def _place(c: Channel) -> tuple[float, float, float] | None:
    if c.position is None:
        from ..files.montage import position

        return position(c.name)
    return c.position


def _middle(s: Stream, a: int, b: int) -> tuple[float, float, float] | None:
    p, q = _place(s.channels[a]), _place(s.channels[b])
    return None if p is None or q is None else tuple((u + v) / 2 for u, v in zip(p, q, strict=True))  # type: ignore[return-value]


def _nearest(s: Stream, group: np.ndarray) -> np.ndarray:
    """(channels, neighbours): columns of the nearest channels of the group to each of it."""
    places = {int(i): _place(s.channels[i]) for i in group}
    lost = [s.names[i] for i, p in places.items() if p is None]
    if lost:
        raise WrongUse(
            f"rereference:to=laplacian does not know where {', '.join(lost[:12])} {'lies' if len(lost) == 1 else 'lie'}.",
            "The stream gives no position, and these are no names of the 10-20 system.",
            "Name the channels by their place (C3, Cz, ...), or use to=car.",
        )
    if len(group) <= NEIGHBOURS:
        raise WrongUse(f"rereference:to=laplacian needs at least {NEIGHBOURS + 1} channels; {s.name} has {len(group)}.")
    p = np.array([places[int(i)] for i in group])
    far = np.linalg.norm(p[:, None] - p[None], axis=-1)
    np.fill_diagonal(far, np.inf)
    return group[np.argsort(far, axis=1, kind="stable")[:, :NEIGHBOURS]]
