"""Movement from neural activity by ridge regression on the newest bins: what every other decoder is measured against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream
from .kalman import _reaches

SMALL = 1e-9  # a spread below this is none


@dataclass(eq=False)
class RidgeLags(Stage):
    """y[t] = sum over k < lags of W[k] x[t - k] + c, by least squares with a penalty on the weights of z-scored features.

    Input (bins, channels): counts or power, one row a bin; output (bins, outputs) in the unit of the Y it was fitted to; no
    delay of its own. Before the first bin, and behind a gap, the channels are taken at their means. Raises WrongUse where it
    was not fitted, or the stream has other channels.

    Source: A. E. Hoerl and R. W. Kennard, Technometrics 12:55-67, 1970, doi:10.1080/00401706.1970.10488634; on counts, as a
    Wiener filter: J. Wessberg et al., Nature 408:361-365, 2000, doi:10.1038/35042582.
    """

    exempt: ClassVar = {f"setting {n}": "it acts in fit" for n in ("lags", "alpha")}

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are decoded; none named: all")] = ()
    outputs: Annotated[tuple[str, ...], Setting("names of what is told, in the order of Y")] = ("x", "y")
    kind: Annotated[str, Setting("kind of the channels that come out")] = "velocity"
    unit: Annotated[str, Setting("their unit")] = "m/s"
    lags: Annotated[int, Setting("bins that are looked at: this one and those before it", low=1, high=1000)] = 10
    alpha: Annotated[float, Setting("penalty on the weights", low=0)] = 1000.0

    def fit(self, X: Any, Y: Any, runs: Any = None) -> Self:
        """X (bins, channels) and the movement Y (bins, outputs) of the same bins. runs (bins): a number for each stretch; no
        bin looks back across its border. Bins with NaN in Y are left out; NaN in X is the mean. Raises WrongUse where too
        little is left.

        Learns `lags_`, `mean_` (channels), `weights_` (outputs, lags * channels; newest first) and `offset_` (outputs)."""
        X, Y = np.asarray(X, float), np.asarray(Y, float)
        if X.ndim != 2 or Y.shape != (len(X), len(self.outputs)):
            what = f"ridge_lags cannot learn from X {X.shape} and Y {Y.shape}."
            raise WrongUse(what, f"X is (bins, channels), Y (bins, {len(self.outputs)}): a column for each of outputs.")
        known = np.isfinite(Y).all(axis=1)
        if known.sum() < 10:
            raise WrongUse(f"ridge_lags cannot learn from {known.sum()} bins with a known movement.")
        self.lags_, self.mean_ = self.lags, np.nanmean(X, axis=0)
        F = self._lagged(X, runs)[known]
        middle, spread, y_mean = F.mean(axis=0), F.std(axis=0), Y[known].mean(axis=0)
        spread = np.where(spread > SMALL, spread, np.inf)
        Z = (F - middle) / spread
        G = Z.T @ Z
        G[np.diag_indices_from(G)] += np.where(np.isfinite(spread), self.alpha, 1.0)  # what never varies has no weight
        try:
            W = np.linalg.solve(G, Z.T @ (Y[known] - y_mean)) / spread[:, None]
        except np.linalg.LinAlgError:
            raise WrongUse("ridge_lags: the channels' features have no inverse.", do="Set alpha above 0.") from None
        self.weights_, self.offset_ = np.ascontiguousarray(W.T), y_mean - middle @ W
        return self

    def predict(self, X: Any, runs: Any = None) -> np.ndarray:
        """(bins, outputs), float64, of X (bins, channels), from rest in each run: what `step` gives."""
        self._ready()
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.mean_):
            raise WrongUse(f"ridge_lags was fitted to {len(self.mean_)} channels; X is {X.shape}.")
        return self._told(self._lagged(X, runs))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings, as scikit-learn asks for them."""
        return self.settings()

    def _ready(self) -> None:
        if not hasattr(self, "weights_"):
            raise WrongUse("ridge_lags was not fitted.", do="Call fit(X, Y) first, or restore what was learnt.")
        if len(self.outputs) != len(self.weights_):
            raise WrongUse(f"ridge_lags was fitted to {len(self.weights_)} outputs; {len(self.outputs)} are named.")

    def _lagged(self, X: np.ndarray, runs: Any = None) -> np.ndarray:
        """(bins, lags * channels) of this bin and those before it in the same run, NaN and what is before it at the mean."""
        X = np.where(np.isfinite(X), X, self.mean_)
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        out = np.empty((len(X), self.lags_, X.shape[1]))
        out[:] = self.mean_
        out[:, 0] = X
        for k in range(1, min(self.lags_, len(X))):
            same = np.flatnonzero(runs[k:] == runs[:-k])
            out[same + k, k] = X[same]
        return out.reshape(len(X), -1)

    def _told(self, F: np.ndarray) -> np.ndarray:
        """One row after the other: no rounding depends on how many there are."""
        out = np.empty((len(F), len(self.weights_)))
        for f, to in zip(F, out, strict=True):
            np.dot(self.weights_, f, out=to)
        return out + self.offset_

    # -- the stage

    def setup(self, s: Stream) -> Stream:
        self._ready()
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if len(s.shape) != 1 or len(self.columns) != len(self.mean_):
            raise WrongUse(
                f"ridge_lags was fitted to {len(self.mean_)} channels; {s.name} has {len(self.columns)}, shape {s.shape}.",
                do="Fit it to what comes out of the same stages.",
            )
        self.settle = self.lags_ / s.rate if s.rate else 0.0
        self._past = np.tile(self.mean_, (self.lags_ - 1, 1))  # oldest first
        channels = tuple(Channel(name, self.kind, self.unit) for name in self.outputs)
        return s.but(name=f"{self.kind} from {s.name}", channels=channels, scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        x = np.concatenate([self._past, x[:, self.columns].astype(float)])
        n = len(x) - len(self._past)
        self._past = x[n:].copy()
        newest_first = np.arange(n)[:, None] + np.arange(self.lags_)[::-1]
        return self._told(x[newest_first].reshape(n, self.weights_.shape[1])).astype(np.float32)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        counts, movement = _reaches()
        position = cls(channels=("u0", "u2", "u5"), kind="position", unit="m", lags=4)
        yield position.fit(counts.data[:, [0, 2, 5]], movement), counts
        newest = cls(channels=("u1", "u3", "u4"), outputs=("vx", "vy"), lags=1)
        yield newest.fit(counts.data[:, [1, 3, 4]], movement), counts
