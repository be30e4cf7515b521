"""What tells flicker: canonical correlation with sines, and simulated trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.stream import Channel, Recording, Stream, recording

HZ = "flicker of each class, LABEL:HZ; a class without one is rest"


def flickers(hz: Sequence[str], part: str) -> dict[str, float]:
    """{label: Hz} from `LABEL:HZ`."""
    try:
        found = {label: float(value) for label, _, value in (text.rpartition(":") for text in hz)}
    except ValueError:
        raise WrongUse(f"{part}:hz={'+'.join(hz)} is not LABEL:HZ.", do=f"Write it as {part}:hz=left:13+right:17.") from None
    if not found or min(found.values()) <= 0:
        raise WrongUse(f"{part} needs the flicker of at least one class.", do=f"{part}:hz=left:13+right:17")
    return found


def sines(hz: float, harmonics: Sequence[int], lags: int, rate: float) -> np.ndarray:
    """(lags, 2 * harmonics): an orthonormal base of sine and cosine at these multiples of hz, without their means."""
    t = 2 * np.pi * hz * np.arange(lags)[:, None] / rate * np.asarray(harmonics)
    base = np.hstack([np.sin(t), np.cos(t)])
    return np.linalg.qr(base - base.mean(axis=0))[0]


def correlation(X: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(trials, channels, lags) and an orthonormal base (lags, k) -> (trials,): the largest canonical correlation (Lin et
    al., IEEE Trans Biomed Eng 53:2610, 2006, doi:10.1109/TBME.2006.886577)."""
    X = X - X.mean(axis=-1, keepdims=True)
    w, V = np.linalg.eigh(X @ X.swapaxes(-1, -2))
    white = (V * np.where(w > 1e-10 * w[:, -1:], np.maximum(w, 1e-30) ** -0.5, 0)[:, None]) @ V.swapaxes(-1, -2)
    return np.minimum(np.linalg.norm(white @ (X @ base), 2, axis=(-2, -1)), 1.0)


def simulated(hz: Sequence[float], n: int, seconds: float = 1.0, rate: float = 128.0, seed: int = 0) -> tuple:
    """Simulated (X, y, recording of n trials of 3 channels): noise, and the flicker of each class in two of them."""
    rng = np.random.default_rng(seed)
    lags = round(seconds * rate)
    y = np.arange(n) % len(hz)
    t = np.arange(lags) / rate
    X = rng.normal(0, 2, (n, 3, lags))
    for k, f in enumerate(hz):
        phase = rng.uniform(0, 2 * np.pi, ((y == k).sum(), 1, 1))
        X[y == k] += np.sin(2 * np.pi * f * t + phase) * np.array([3.0, 2.0, 0.0])[:, None] * (f > 0)
    stream = Stream("simulated trials", 0.0, tuple(Channel(str(i)) for i in range(3)), (3, lags), label=SIMULATED)
    r: Recording = recording(stream, rng.permutation(X))
    return X, np.array([f"class {k}" for k in range(len(hz))])[y], r
