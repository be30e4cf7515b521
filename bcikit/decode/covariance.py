"""The covariance of each trial or window: what decoders on the manifold of covariances begin with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ..core.errors import WrongUse
from ..core.label import SIMULATED
from ..core.parts import Setting, Stage
from ..core.stream import Channel, Recording, Stream, recording
from . import _riemann as riemann
from ._decoder import Decoder


@dataclass(eq=False)
class Covariance(Stage):
    """(trials, channels, lags) in, (trials, channels, channels) out, in the unit squared; float64, since small eigenvalues
    would be lost in float32. The mean is taken off each channel; oas: shrunk (`_riemann.covariances`), scm: not. A trial
    with NaN gives NaN. Raises WrongUse where what comes is no trials."""

    holds = False
    settle = 0.0

    kind: Annotated[str, Setting("how it is estimated", choices=("oas", "scm"))] = "oas"

    def setup(self, s: Stream) -> Stream:
        if len(s.shape) != 2:
            raise WrongUse(
                f"covariance cannot take {s.name}.", "It needs trials or windows.", "Put epoch or window before it."
            )
        return s.but(shape=(s.shape[0], s.shape[0]))

    def rows(self, x: np.ndarray) -> np.ndarray:
        y = np.full((len(x), *self.out.shape), np.nan)
        for row, trial in zip(y, x.astype(float), strict=True):
            if np.isfinite(trial).all():
                row[:] = riemann.covariances(trial) if self.kind == "oas" else riemann.sample(trial)
        return y

    @classmethod
    def examples(cls) -> Iterator[Any]:
        x = np.random.default_rng(0).normal(0, 5, (320, 3, 12))
        trials = recording(Stream("simulated trials", 0.0, tuple(Channel(n) for n in "abc"), (3, 12), label=SIMULATED), x)
        yield cls(), trials
        yield cls(kind="scm"), trials


def square(X: np.ndarray, decoder: Decoder) -> None:
    """Raises WrongUse where trials are no covariance matrices."""
    if X.ndim != 3 or X.shape[1] != X.shape[2] or X.shape[1] < 2:
        raise WrongUse(
            f"{decoder.part_name()} learns from covariance matrices of two channels or more, not from trials of shape"
            f" {X.shape[1:]}.",
            do="Put the stage covariance between epoch and it.",
        )


def trained(decoder: Decoder, channels: int = 3, classes: int = 2, seed: int = 0) -> tuple[Decoder, Recording]:
    """An example for the laws, simulated: (the decoder, which learnt from 20 matrices a class, 320 more). In class k,
    channel k has more power."""
    rng = np.random.default_rng(seed)
    n, y = 20 * classes, np.arange(20 * classes + 320) % classes
    X = rng.normal(0, 5, (len(y), channels, 4 * channels)) * np.where(np.arange(channels) == y[:, None], 3, 1)[..., None]
    C = riemann.covariances(X)
    decoder.fit(C[:n], np.array([f"class {k}" for k in range(classes)])[y[:n]])
    names = tuple(Channel(str(i)) for i in range(channels))
    s = Stream("simulated covariances", 0.0, names, (channels, channels), label=SIMULATED)
    return decoder, recording(s, C[n:].astype(np.float32))
