"""Factor-analysis latents of many neurons, which mean the same from day to day though the neurons change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Event, Stream, recording
from .kalman import _reaches

MOST_TURNS = 500  # of expectation and maximisation
CLOSE = 1e-6  # change of the likelihood in a turn, nats a bin, at which the factors are found
FLOOR = 1e-3  # of a channel's own variance, that no factor explains at least: else a lone channel becomes a factor
SILENT = 1e-9  # a variance below which a channel says nothing
ENOUGH = 10  # bins for each channel, the least to learn from


@dataclass(eq=False)
class Latents(Stage):
    """(bins, channels) counts or power in; (bins, factors) out, no delay: what the channels have in common, as the mean of
    the latents given the counts, x = mean + L z + noise of its own in each channel. Channels that are not looked at pass
    behind them. A decoder fitted to the latents of one day reads those of the next: at each event `stabilise` the factors of
    the last `memory_s` are found anew, without labels, and turned so that they agree with those before in the channels that
    changed least. Raises WrongUse where it was not fitted, or the stream has other channels.

    Source: A. D. Degenhart et al., Nat. Biomed. Eng. 4:672-685, 2020, doi:10.1038/s41551-020-0542-9 (factors by expectation
    and maximisation, the least stable channel left out in turn, an orthogonal Procrustes turn). There the first day is the
    one to agree with; here the time before, since after weeks few channels are those of the first day.
    """

    exempt: ClassVar = {f"setting {n}": "it acts in learning" for n in ("factors", "stable", "memory_s")}
    learns_from: ClassVar = ("stabilise",)

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are looked at; none named: all")] = ()
    factors: Annotated[int, Setting("how many latents", low=1, high=100)] = 8
    stable: Annotated[float, Setting("part of the channels by which it turns", low=0.05, high=1)] = 0.6
    memory_s: Annotated[float, Setting("how far back it learns from", "s", low=5, high=3600)] = 300.0

    # -- learning

    def fit(self, X: Any, Y: Any = None) -> Self:
        """X (bins, channels): learns `mean_`, `loadings_` (channels, factors) and `own_`, each channel's own variance.
        Raises WrongUse where too little is given. Y is not looked at."""
        return self._take(*self._factors(X))

    def align(self, X: Any) -> Self:
        """Learn anew from X (bins, channels) of a later time, so that the latents mean what they meant: see `turned`. Raises
        WrongUse, and stays as it was, where too little is given."""
        mean, loadings, own = self._factors(X)
        keep = max(round(self.stable * len(loadings)), self.factors)
        _, turn = turned(loadings, self.loadings_, keep)
        return self._take(mean, loadings @ turn, own)

    def transform(self, X: Any) -> np.ndarray:
        """The latents (bins, factors), float64, of X (bins, channels): what `step` gives but for rounding."""
        return (np.asarray(X, float) - self.mean_) @ self.inverse_.T

    def _factors(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        X = np.asarray(X, float)
        X = X[np.isfinite(X).all(axis=1)]
        if len(X) < ENOUGH * X.shape[1] or (X.var(axis=0) > SILENT).sum() <= self.factors:
            raise WrongUse(
                f"latents cannot learn {self.factors} factors from X {X.shape}.",
                "It needs more channels that vary than factors, and ten bins for each.",
            )
        mean = X.mean(axis=0)
        return mean, *factors((X - mean).T @ (X - mean) / len(X), self.factors)

    def _take(self, mean: np.ndarray, loadings: np.ndarray, own: np.ndarray) -> Self:
        self.mean_, self.loadings_, self.own_ = mean, loadings, own
        self.inverse_ = _inverse(loadings, own)
        return self

    # -- the stage

    def setup(self, s: Stream) -> Stream:
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if not hasattr(self, "mean_"):
            raise WrongUse("latents was not fitted.", do="Call fit(X) first, or restore what was learnt.")
        if len(s.shape) != 1 or len(self.columns) != len(self.mean_) or not s.rate:
            raise WrongUse(f"latents was fitted to {len(self.mean_)} channels; {s.name} has {len(self.columns)}.")
        self.others = [k for k in range(len(s.channels)) if k not in set(self.columns)]
        self._past = np.zeros((round(self.memory_s * s.rate), len(self.columns)), np.float32)
        self._count = 0
        made = tuple(Channel(f"latent {k + 1}", "latent", "") for k in range(self.loadings_.shape[1]))
        rest = tuple(s.channels[k] for k in self.others)
        return s.but(name=f"latents of {s.name}", channels=made + rest, scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        n, seen = self.loadings_.shape[1], x[:, self.columns]
        y = np.empty((len(x), n + len(self.others)), np.float32)
        y[:, n:] = x[:, self.others]
        for row, out in zip(seen.astype(float), y, strict=True):  # no rounding depends on how many there are
            out[:n] = self.inverse_ @ (row - self.mean_)
        keep = slice(max(len(x) - len(self._past), 0), None)
        self._past[((self._count + np.arange(len(x))) % len(self._past))[keep]] = seen[keep]
        self._count += len(x)
        return y

    def adapt(self, event: Event) -> None:
        """Align to what is remembered, if that is enough; what was before is forgotten where the value says `fresh`."""
        size = len(self._past)
        past = np.roll(self._past, -(self._count % size), axis=0)[-min(self._count, size) :]
        try:
            self.align(past)
        except WrongUse:
            return  # what is asked for too soon must not end the loop
        if "fresh" in str(event.value).split():
            self._count = 0

    @classmethod
    def examples(cls) -> Iterator[Any]:
        counts, _ = _reaches()
        marked = recording(counts.stream, counts.data, (Event(700, "stabilise"), Event(1200, "stabilise", "fresh")))
        for some, n in (([0, 2, 3, 5, 7], 2), ([1, 2, 4, 5, 6], 1)):
            one = cls(channels=tuple(f"u{k}" for k in some), factors=n, memory_s=8.0)
            yield one.fit(counts.data[:800, some]), marked


def factors(cov: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood factor analysis of a covariance (channels, channels): loadings (channels, n), and the variance
    (channels) of each channel's own. A silent channel has none of both. Expectation and maximisation: D. B. Rubin and D. T.
    Thayer, Psychometrika 47:69-76, 1982, doi:10.1007/BF02293851."""
    all_own = np.diag(cov).copy()
    says = all_own > SILENT
    S, most = cov[np.ix_(says, says)], all_own[says]
    spread = np.sqrt(most)
    values, vectors = np.linalg.eigh(S / np.outer(spread, spread))
    L = spread[:, None] * vectors[:, -n:] * np.sqrt(np.maximum(values[-n:] - 1, 1e-3))
    own, last = np.maximum(most - (L * L).sum(axis=1), FLOOR * most), -np.inf
    for _ in range(MOST_TURNS):
        B = _inverse(L, own)  # (n, channels)
        BS = B @ S
        L = np.linalg.solve((np.eye(n) - B @ L + BS @ B.T).T, BS).T
        own = np.maximum(most - (L * BS.T).sum(axis=1), FLOOR * most)
        now = _likelihood(S, L, own)
        if now - last < CLOSE:
            break
        last = now
    loadings, own_all = np.zeros((len(cov), n)), np.full(len(cov), np.inf)
    loadings[says], own_all[says] = L, own
    return loadings, own_all


def _inverse(L: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(factors, channels) that takes counts about their mean to the mean of the latents: L' (L L' + own)^-1."""
    scaled = (L / own[:, None]).T
    return np.linalg.solve(np.eye(L.shape[1]) + scaled @ L, scaled)


def _likelihood(S: np.ndarray, L: np.ndarray, own: np.ndarray) -> float:
    """Log likelihood of a bin, less what is constant."""
    scaled = (L / own[:, None]).T
    inner = np.eye(L.shape[1]) + scaled @ L
    told = np.trace(np.linalg.solve(inner, scaled @ S @ scaled.T))
    return -0.5 * float(np.log(own).sum() + np.linalg.slogdet(inner)[1] + (np.diag(S) / own).sum() - told)


def turned(L: np.ndarray, to: np.ndarray, keep: int) -> tuple[np.ndarray, np.ndarray]:
    """The `keep` channels, and the orthogonal turn (factors, factors), with which loadings L agree best with `to`, both
    (channels, factors): of all channels, the one that agrees least is left out, and so on."""
    stable = np.flatnonzero((L * L).sum(axis=1) * (to * to).sum(axis=1) > 0)
    while True:
        U, _, V = np.linalg.svd(L[stable].T @ to[stable])
        turn = U @ V
        if len(stable) <= keep:
            return stable, turn
        off = ((L[stable] @ turn - to[stable]) ** 2).sum(axis=1)
        stable = np.delete(stable, int(off.argmax()))
