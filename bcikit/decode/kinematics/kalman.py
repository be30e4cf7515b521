"""Velocity from neural activity by a Kalman filter whose gain has settled, so that a step is two small products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.parts import Setting, Stage
from ...core.stream import Channel, Recording, Stream, recording

SETTLED = 1e-14  # relative change of the covariance at which the gain has settled
MOST_GAINS = 500  # of a full filter, until it has settled
MOST_TURNS = 60  # doublings: more steps than there will ever be
FORGOTTEN = 1e-6  # of a fault, when it is said to be gone


@dataclass(eq=False)
class Kalman(Stage):
    """A linear model of movement and of firing, inverted by the Kalman filter with its steady-state gain.

    y[t] = A y[t-1] + noise of covariance W, and x[t] = C y[t] + noise of covariance R, both about their means. Solved
    once, folded to y[t] = M y[t-1] + K x[t] + c with M = A - K C A, in float64. Input (bins, channels): counts or power,
    one row a bin; output (bins, outputs) in the unit of the Y it was fitted to; no delay of its own. After each start and
    gap it begins at rest (the mean of Y); `full`: with the gain of that moment too, which settles within some bins. What
    is slower than `still` is taken for no wish to move and fades out: a half of it is left at that speed, of half that speed
    a seventeenth. Raises WrongUse where it was not fitted or the stream has other channels.

    Source: W. Wu et al., Neural Comput. 18:80-118, 2006, doi:10.1162/089976606774841585 (model and fit); S.-P. Kim et al.,
    J. Neural Eng. 5:455-476, 2008, doi:10.1088/1741-2560/5/4/010 (velocity as the state); W. Q. Malik et al., IEEE Trans.
    Neural Syst. Rehabil. Eng. 19:25-34, 2011, doi:10.1109/TNSRE.2010.2092443 (steady state); N. A. Sachs et al.,
    J. Neural Eng. 13:016009, 2016, doi:10.1088/1741-2560/13/1/016009 (what holds still weighed against what moves; theirs by
    a discriminant, here by the speed).
    """

    holds = False  # it looks at what comes out, which is less
    exempt: ClassVar = {
        "setting ridge": "it acts in fit",
        "setting shrinkage": "it acts in fit",
    }

    channels: Annotated[tuple[str, ...], Setting("channels or kinds that are decoded; none named: all")] = ()
    outputs: Annotated[tuple[str, ...], Setting("names of the velocities, in the order of Y")] = ("x", "y")
    unit: Annotated[str, Setting("unit of the velocities")] = "m/s"
    root: Annotated[bool, Setting("take the square root of what comes: evens out the variance of counts")] = False
    ridge: Annotated[float, Setting("penalty on the weights C, in samples", low=0)] = 0.0
    shrinkage: Annotated[float, Setting("how far R is drawn to its diagonal", low=0, high=1)] = 0.1
    still: Annotated[float, Setting("slower than this, in the outputs' unit, fades out; 0: nothing does", low=0)] = 0.0
    full: Annotated[bool, Setting("the gain of each moment, not the one that it settles at")] = False

    # -- learning

    def fit(self, X: Any, Y: Any, runs: Any = None) -> Self:
        """X (bins, channels) and the velocities Y (bins, outputs) of the same bins. runs (bins): a number for each
        stretch, where the rows do not all follow each other; across its border no movement is learnt. Bins with NaN are left
        out. Raises WrongUse where too little is left, or the velocities do not vary.

        Learns `A_`, `W_`, `C_`, `x_mean_`, `y_mean_`, `weights_` (R^-1 C), and of these `M_`, `K_`, `c_`."""
        X, Y = self._seen(np.asarray(X, float)), np.asarray(Y, float)
        if X.ndim != 2 or Y.shape != (len(X), len(self.outputs)):
            raise WrongUse(
                f"kalman cannot learn from X {X.shape} and Y {Y.shape}.",
                f"X is (bins, channels), Y (bins, {len(self.outputs)}): one column for each of {', '.join(self.outputs)}.",
            )
        kept = np.flatnonzero(np.isfinite(X).all(axis=1) & np.isfinite(Y).all(axis=1))
        runs = np.zeros(len(X)) if runs is None else np.asarray(runs)
        X, Y, follows = X[kept], Y[kept], (np.diff(kept) == 1) & (np.diff(runs[kept]) == 0)
        if follows.sum() <= max(2 * Y.shape[1], 10):
            raise WrongUse(
                f"kalman cannot learn from {len(X)} bins without NaN.", "It needs a movement of some seconds at least."
            )
        x_mean, y_mean = X.mean(axis=0), Y.mean(axis=0)
        x, y = X - x_mean, Y - y_mean
        before, after = y[:-1][follows], y[1:][follows]
        if np.linalg.matrix_rank(before) < y.shape[1]:
            raise WrongUse("kalman cannot learn: the velocities in Y do not vary, or one is made of the others.")
        A = np.linalg.lstsq(before, after, rcond=None)[0].T
        left = after - before @ A.T
        C = np.linalg.solve(y.T @ y + self.ridge * np.eye(y.shape[1]), y.T @ x).T
        rest = x - y @ C.T
        R = rest.T @ rest / len(x)
        own = np.diag(R).copy()
        R *= 1 - self.shrinkage
        R[np.diag_indices_from(R)] = np.where(own > 1e-12 * own.max(), own, np.inf)  # what is silent tells nothing
        return self.solve(A, left.T @ left / len(left), C, R, x_mean, y_mean)

    def solve(self, A: Any, W: Any, C: Any, R: Any, x_mean: Any = 0.0, y_mean: Any = 0.0) -> Self:
        """Take over a model: A, W (outputs, outputs), C (channels, outputs), R (channels, channels), or its diagonal alone,
        and the means. What has an infinite variance in R has no weight. Raises WrongUse where R cannot be inverted."""
        A, W, C, R = (np.asarray(a, float) for a in (A, W, C, R))
        self.A_, self.W_, self.C_ = A, W, C
        self.x_mean_ = np.broadcast_to(np.asarray(x_mean, float), len(C)).copy()
        self.y_mean_ = np.broadcast_to(np.asarray(y_mean, float), len(A)).copy()
        if R.ndim == 1:
            self.weights_ = C / R[:, None]
            return self.fold()
        good = np.flatnonzero(np.isfinite(np.diag(R)))
        self.weights_ = np.zeros_like(C)
        try:
            np.linalg.cholesky(R[np.ix_(good, good)])  # solve alone would not say that it is singular
            self.weights_[good] = np.linalg.solve(R[np.ix_(good, good)], C[good])
        except np.linalg.LinAlgError:
            raise WrongUse(
                "kalman cannot learn: the channels' noise has no inverse.",
                f"There are {len(good)} channels that vary; some of them may be equal, or the bins too few.",
                "Set shrinkage above 0.",
            ) from None
        return self.fold()

    def fold(self) -> Self:
        """`M_`, `K_`, `c_` from the model as it now stands. The covariance settles by doubling the time it has had: B. D. O.
        Anderson, Int. J. Control 28:295-306, 1978, doi:10.1080/00207177808922455."""
        one = np.eye(len(self.A_))
        a, g, ahead = self.A_.T, self.C_.T @ self.weights_, self.W_
        for _ in range(MOST_TURNS):
            back = np.linalg.solve(one + g @ ahead, np.hstack([a, g]))
            more = a.T @ ahead @ back[:, : len(a)]
            a, g = a @ back[:, : len(a)], g + a @ back[:, len(a) :] @ a.T
            ahead, g = ahead + (more + more.T) / 2, (g + g.T) / 2
            if np.abs(more).max() <= SETTLED * np.abs(ahead).max():
                break
        self.K_, self.M_, self.c_ = self._folded(ahead)
        return self

    def _folded(self, ahead: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """K, M, c where the state, before the bin, has the covariance `ahead`."""
        cov = np.linalg.solve(np.eye(len(ahead)) + ahead @ (self.C_.T @ self.weights_), ahead)
        K = np.ascontiguousarray((cov + cov.T) / 2 @ self.weights_.T)
        M = self.A_ - K @ self.C_ @ self.A_
        return K, M, self.y_mean_ - M @ self.y_mean_ - K @ self.x_mean_

    def _settling(self) -> Iterator[np.ndarray]:
        """What counts, the last velocity and 1 are multiplied with in each bin from rest on, until it has settled."""
        cov, last = self.W_, np.zeros_like(self.W_)
        for _ in range(MOST_GAINS):
            ahead = self.A_ @ cov @ self.A_.T + self.W_
            cov = np.linalg.solve(np.eye(len(ahead)) + ahead @ (self.C_.T @ self.weights_), ahead)
            if np.abs(cov - last).max() <= SETTLED * np.abs(cov).max():
                return
            last = cov
            yield _beside(*self._folded(ahead))

    def predict(self, X: Any) -> np.ndarray:
        """Velocities (bins, outputs), float64, of X (bins, channels) from rest: what `step` gives."""
        self._ready()
        x = np.asarray(X)
        if x.ndim != 2 or x.shape[1] != self.K_.shape[1]:
            raise WrongUse(f"kalman was fitted to {self.K_.shape[1]} channels; X is {x.shape}.")
        y = self._steps(x, self._rest(), self._rest(), 0)[0]
        return faded(y, self.still) if self.still else y

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings, as scikit-learn asks for them."""
        return self.settings()

    # -- the stage

    def _ready(self) -> None:
        if not hasattr(self, "K_"):
            raise WrongUse("kalman was not fitted.", do="Call fit(X, Y) first, or restore what was learnt.")
        if len(self.outputs) != len(self.K_):
            raise WrongUse(f"kalman was fitted to {len(self.K_)} velocities; outputs names {len(self.outputs)}.")
        if self.full and not hasattr(self, "W_"):
            raise WrongUse("A full kalman needs the model, not its settled gain alone.", do="Call solve(A, W, C, R).")
        self.gains = [*(self._settling() if self.full else ()), _beside(self.K_, self.M_, self.c_)]

    def setup(self, s: Stream) -> Stream:
        self._ready()
        self.columns = s.pick(self.channels) if self.channels else list(range(len(s.channels)))
        if len(s.shape) != 1 or len(self.columns) != self.K_.shape[1]:
            raise WrongUse(
                f"kalman was fitted to {self.K_.shape[1]} channels; {s.name} has {len(self.columns)}, shape {s.shape}.",
                do="Fit it to what comes out of the same stages.",
            )
        self.whole = self.columns == list(range(len(s.channels)))
        fading = float(np.abs(np.linalg.eigvals(self.M_)).max())
        self.settle = np.log(FORGOTTEN) / np.log(min(max(fading, FORGOTTEN), 0.999999)) / s.rate if s.rate else 0.0
        self._now, self.spare, self._age = self._rest(), self._rest(), 0
        return s.but(
            name=f"velocity from {s.name}",
            channels=tuple(Channel(name, "velocity", self.unit) for name in self.outputs),
            scale=None,
        )

    def rows(self, x: np.ndarray) -> np.ndarray:
        x = x if self.whole else x[:, self.columns]
        y, self._now, self.spare = self._steps(x, self._now, self.spare, self._age)
        self._age += len(x)
        return (faded(y, self.still) if self.still else y).astype(np.float32)

    def _seen(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(x, 0)) if self.root else x

    def _rest(self) -> np.ndarray:
        """What (K, M, c) is multiplied with: channels and the velocity before, here at their means, and one."""
        return np.concatenate([self.x_mean_, self.y_mean_, [1.0]])

    def _steps(
        self, x: np.ndarray, last: np.ndarray, now: np.ndarray, age: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Velocities (bins, outputs) behind `age` bins, the newest row with its velocity, and a place for the next. One row
        after the other, in a place of its own: no rounding depends on how many there are. NaN and Inf are held at the last
        value."""
        gains, settled, n, d = self.gains, len(self.gains) - 1, self.K_.shape[1], len(self.M_)
        y = np.empty((len(x), d))
        with np.errstate(invalid="ignore"):
            for k, (row, out) in enumerate(zip(self._seen(x), y, strict=True), age):
                folded = gains[min(k, settled)]
                now[:n], now[n:-1] = row, last[n:-1]
                np.dot(folded, now, out=out)
                if not all(map(math.isfinite, out.tolist())):
                    np.copyto(now[:n], last[:n], where=~np.isfinite(now[:n]))
                    np.dot(folded, now, out=out)
                now[n:-1] = out
                last, now = now, last
        return y, last, now

    @classmethod
    def examples(cls) -> Iterator[Any]:
        counts, velocity = _reaches()
        yield cls(channels=("u0", "u2", "u5")).fit(counts.data[:, [0, 2, 5]], velocity), counts
        some = cls(channels=("u1", "u3", "u4"), outputs=("vx", "vy"), unit="cm/s", root=True, still=2.0, full=True)
        yield some.fit(counts.data[:, [1, 3, 4]], 100 * velocity), counts


def _beside(K: np.ndarray, M: np.ndarray, c: np.ndarray) -> np.ndarray:
    return np.concatenate([K, M, c[:, None]], axis=1)


def faded(velocity: np.ndarray, still: float | np.ndarray) -> np.ndarray:
    """(..., outputs) velocities, of which those slower than `still`, above 0, fade out."""
    fast = (velocity * velocity).sum(axis=-1, keepdims=True) ** 2
    return velocity * (fast / (fast + still**4))


def _reaches(n: int = 1500, units: int = 8, rate: float = 50.0) -> tuple[Recording, np.ndarray]:
    """Simulated spike counts of a few units, and the velocity they are tuned to."""
    rng = np.random.default_rng(0)
    t = np.arange(n) / rate
    velocity = 0.1 * np.column_stack([np.sin(2 * t) + np.sin(5.1 * t), np.cos(2.3 * t) - np.sin(3.7 * t)])
    rates = np.maximum(0, 60 + 400 * velocity @ rng.standard_normal((2, units)))
    channels = tuple(Channel(f"u{k}", "spikes", "count") for k in range(units))
    stream = Stream("simulated spike counts", rate, channels, label=SIMULATED)
    return recording(stream, rng.poisson(rates / rate)), velocity
