"""Movement from neural activity by kernel regression on its fading past: the default for kinematics that were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Stream
from .kalman import _reaches

SETTLED = 8.0  # time constants after which a fault has left no trace worth the name
SMALL = 1e-6  # of the largest spread: a feature with less has none
LEAST = 0.1  # of the typical spread: what varied less in training, as a unit that hardly fired, is not scaled up further


@dataclass(eq=False)
class PastKernel(Stage):
    """Each channel is seen through a few leaky means of its past; a Gaussian kernel between these and `landmarks` moments of
    the training data, beside the means themselves, is regressed on the movement with a penalty.

    Before the kernel each mean is scaled by how well it alone tells of the movement, so that channels which tell nothing
    make no two moments different. Input (bins, channels): counts or power, one row a bin; output (bins, outputs) in the
    unit of the Y it was fitted to; no delay of its own. Raises WrongUse where it was not fitted or the stream has other
    channels or another rate.

    Source: C. K. I. Williams and M. Seeger, NIPS 13:682-688, 2001 (landmarks: the Nyström method); J. I. Glaser et al.,
    eNeuro 7:ENEURO.0506-19.2020, doi:10.1523/ENEURO.0506-19.2020 (what non-linear readouts win over linear ones).
    """

    exempt: ClassVar = {
        f"setting {n}": "it acts in fit" for n in ("taus", "landmarks", "width", "linear", "penalty", "seed")
    }

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are decoded; none named: all")] = ()
    outputs: Annotated[tuple[str, ...], Setting("names of what is told, in the order of Y")] = ("x", "y")
    kind: Annotated[str, Setting("kind of the channels that come out")] = "velocity"
    unit: Annotated[str, Setting("their unit")] = "m/s"
    taus: Annotated[tuple[float, ...], Setting("time constants of the leaky means", "s", low=0.001, high=10)] = (
        0.05,
        0.15,
        0.45,
    )
    landmarks: Annotated[int, Setting("moments of the training data that are compared with", low=1, high=20_000)] = 1500
    width: Annotated[float, Setting("of the kernel, in typical distances between moments", low=0.01)] = 0.4
    linear: Annotated[float, Setting("weight of the means themselves beside the kernel", low=0)] = 0.005
    penalty: Annotated[float, Setting("on the weights", low=1e-9)] = 0.03
    seed: Annotated[int, Setting("of the choice of landmarks", low=0)] = 0

    def fit(self, X: Any, Y: Any, rate: float, runs: Any = None) -> Self:
        """X (bins, channels) and the movement Y (bins, outputs) of the same bins, `rate` bins a second. runs (bins): a
        number for each stretch; in each the past begins anew. Bins with NaN in Y are left out; NaN in X is the mean."""
        X, Y = np.asarray(X, float), np.asarray(Y, float)
        if X.ndim != 2 or Y.shape != (len(X), len(self.outputs)):
            what = f"past_kernel cannot learn from X {X.shape} and Y {Y.shape}."
            raise WrongUse(what, f"X is (bins, channels), Y (bins, {len(self.outputs)}): a column for each of outputs.")
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        self.rate_, self.mean_ = float(rate), np.nanmean(X, axis=0)
        X = np.where(np.isfinite(X), X, self.mean_)
        fade = self._fade()
        F = np.concatenate([self._leaked(X[runs == r], self._rest(), fade)[0] for r in dict.fromkeys(runs.tolist())])
        Y = np.concatenate([Y[runs == r] for r in dict.fromkeys(runs.tolist())])
        known = np.isfinite(Y).all(axis=1)
        F, Y = F[known], Y[known]
        if len(F) < 50 or (Y.std(axis=0) == 0).any():
            raise WrongUse(
                f"past_kernel cannot learn from {len(F)} bins with a known movement.", "It needs some seconds of it."
            )
        own, self.y_mean_, y_std = F.std(axis=0), Y.mean(axis=0), Y.std(axis=0)
        varies = own > SMALL * max(own.max(), SMALL)
        if not varies.any():
            raise WrongUse("past_kernel cannot learn: no channel varies.")
        own = np.where(varies, np.maximum(own, LEAST * np.median(own[varies])), np.inf)
        y = (Y - self.y_mean_) / y_std
        middle = F.mean(axis=0)
        tells = np.abs(((F - middle) / own).T @ y / len(F)).max(axis=1)
        self.scale_ = (tells / own / np.sqrt((tells**2).mean())).astype(np.float32)
        self.plain_ = (self.linear / own).astype(np.float32)  # what stands beside the kernel is not weighted
        self.middle_ = middle.astype(np.float32)
        Z = (F.astype(np.float32) - self.middle_) * self.scale_
        chosen = np.random.default_rng(self.seed).permutation(len(Z))[: self.landmarks]
        self.at_ = np.ascontiguousarray(Z[np.sort(chosen)])
        self.ready()
        K = np.concatenate([self._near(Z), (F.astype(np.float32) - self.middle_) * self.plain_], axis=1)
        k_mean = K.mean(axis=0)
        K -= k_mean
        G = (K.T @ K).astype(float)
        G[np.diag_indices_from(G)] += self.penalty
        self.weights_ = (np.linalg.solve(G, K.T @ y) * y_std).T.astype(np.float32)
        self.y_mean_ = self.y_mean_ - self.weights_ @ k_mean
        return self

    def ready(self) -> None:
        """What is derived from what was learnt."""
        self.squares = (self.at_ * self.at_).sum(axis=1)
        self.sharp = np.float32(self.width / self.at_.shape[1])

    def _near(self, Z: np.ndarray) -> np.ndarray:
        """(n, landmarks) the kernel, for many moments at once."""
        far = (Z * Z).sum(axis=1)[:, None] + self.squares - 2 * Z @ self.at_.T
        return np.exp(-self.sharp * np.maximum(far, 0))

    def _fade(self) -> np.ndarray:
        return np.exp(-1 / (np.array(self.taus) * self.rate_))[:, None]

    def _rest(self) -> np.ndarray:
        """(taus, channels) the leaky means when nothing is known."""
        return np.repeat(self.mean_[None], len(self.taus), axis=0)

    @staticmethod
    def _leaked(x: np.ndarray, now: np.ndarray, fade: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(bins, taus * channels) the leaky means, and as they are in the end."""
        out = np.empty((len(x), now.size))
        for row, to in zip(x, out, strict=True):
            now = fade * now + (1 - fade) * row
            to[:] = now.ravel()
        return out, now

    def predict(self, X: Any, runs: Any = None) -> np.ndarray:
        """(bins, outputs) of X (bins, channels), from rest in each run: what `step` gives."""
        if not hasattr(self, "at_"):
            raise WrongUse("past_kernel was not fitted.", do="Call fit(X, Y, rate) first, or restore what was learnt.")
        X = np.asarray(X, float)
        X = np.where(np.isfinite(X), X, self.mean_)
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        self.ready()
        out = np.empty((len(X), len(self.outputs)))
        for r in np.unique(runs):
            out[runs == r] = self._told(self._leaked(X[runs == r], self._rest(), self._fade())[0])
        return out

    def _told(self, F: np.ndarray) -> np.ndarray:
        """One row after the other: no rounding depends on how many there are."""
        out = np.empty((len(F), len(self.weights_)))
        n = len(self.at_)
        features = np.empty(n + F.shape[1], np.float32)
        for f, to in zip(F.astype(np.float32), out, strict=True):
            f -= self.middle_
            z = f * self.scale_
            far = self.squares + np.dot(z, z) - 2 * np.dot(self.at_, z)
            np.exp(-self.sharp * np.maximum(far, 0), out=features[:n])
            np.multiply(f, self.plain_, out=features[n:])
            to[:] = np.dot(self.weights_, features) + self.y_mean_
        return out

    # -- the stage

    def setup(self, s: Stream) -> Stream:
        if not hasattr(self, "at_"):
            raise WrongUse("past_kernel was not fitted.", do="Call fit(X, Y, rate) first, or restore what was learnt.")
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if len(s.shape) != 1 or len(self.columns) != len(self.mean_) or abs(s.rate - self.rate_) > 1e-3 * self.rate_:
            raise WrongUse(
                f"past_kernel was fitted to {len(self.mean_)} channels at {self.rate_:g} Hz; {s.name} has"
                f" {len(self.columns)} at {s.rate:g} Hz, shape {s.shape}.",
                do="Fit it to what comes out of the same stages.",
            )
        if len(self.outputs) != len(self.weights_):
            raise WrongUse(f"past_kernel was fitted to {len(self.weights_)} outputs; {len(self.outputs)} are named.")
        self.settle = SETTLED * 2 * max(self.taus)
        self.ready()
        self.fade = self._fade()
        self._now = self._rest()
        channels = tuple(Channel(name, self.kind, self.unit) for name in self.outputs)
        return s.but(name=f"{self.kind} from {s.name}", channels=channels, scale=None)

    def rows(self, x: np.ndarray) -> np.ndarray:
        F, self._now = self._leaked(x[:, self.columns].astype(float), self._now, self.fade)
        return self._told(F).astype(np.float32)

    @classmethod
    def examples(cls) -> Iterator[Any]:
        counts, movement = _reaches()
        for some, more in (([0, 2, 5], {"kind": "position", "unit": "m"}), ([1, 3, 4], {"outputs": ("vx", "vy")})):
            settings: dict[str, Any] = {"channels": tuple(f"u{k}" for k in some), "landmarks": 20, **more}
            yield cls(**settings).fit(counts.data[:, some], movement, counts.stream.rate), counts
