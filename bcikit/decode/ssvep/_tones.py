"""What tells flicker: canonical correlation with sines, and simulated trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import kernels
from ...core.errors import WrongUse
from ...core.label import SIMULATED
from ...core.stream import Channel, Recording, Stream, recording
from ...preprocess._design import butterworth

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
    """(lags, 2 * harmonics): an orthonormal base of sine and cosine at these multiples of hz, without their means. Multiples
    that the rate cannot hold are left out."""
    harmonics = [h for h in harmonics if 2 * h * hz < rate] or list(harmonics)[:1]
    t = 2 * np.pi * hz * np.arange(lags)[:, None] / rate * np.asarray(harmonics)
    base = np.hstack([np.sin(t), np.cos(t)])
    return np.linalg.qr(base - base.mean(axis=0))[0]


def correlation(X: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(..., channels, lags) and an orthonormal base (lags, k) -> (...): the largest canonical correlation (Lin et
    al., IEEE Trans Biomed Eng 53:2610, 2006, doi:10.1109/TBME.2006.886577)."""
    X = X - X.mean(axis=-1, keepdims=True)
    return np.minimum(np.linalg.norm(_white(X) @ (X @ base), 2, axis=(-2, -1)), 1.0)


def canonical(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """X (..., channels, lags) and Y (..., others, lags), both without means -> (..., channels): the weights of X's first
    canonical variate with Y."""
    base = _white(Y) @ Y
    white = _white(X)
    u = np.linalg.svd(white @ (X @ base.swapaxes(-1, -2)))[0][..., 0]
    return (white @ u[..., None])[..., 0]


def _white(X: np.ndarray) -> np.ndarray:
    """(X X^T)^(-1/2), without what is null."""
    w, V = np.linalg.eigh(X @ X.swapaxes(-1, -2))
    return (V * np.where(w > 1e-10 * w[..., -1:], np.maximum(w, 1e-30) ** -0.5, 0)[..., None, :]) @ V.swapaxes(-1, -2)


def alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's correlation along the last axis."""
    a, b = a - a.mean(axis=-1, keepdims=True), b - b.mean(axis=-1, keepdims=True)
    return (a * b).sum(axis=-1) / np.maximum(np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1)), 1e-30)


def bank(X: np.ndarray, corners: Sequence[float], rate: float) -> np.ndarray:
    """(trials, channels, lags) -> (bands, trials, channels, lags): what lies above each corner, filtered causally within the
    trial (Butterworth, fourth order); without corners, the trials as they are."""
    if not corners:
        return X[None]
    n, c, lags = X.shape
    flat = np.ascontiguousarray((X - X[..., :1]).transpose(2, 0, 1).reshape(lags, n * c), np.float32)
    bands = []
    for corner in corners:
        sos = butterworth(4, corner, None, rate)
        y = kernels.biquads(flat, sos, np.zeros((len(sos), 2, n * c)))
        bands.append(y.reshape(lags, n, c).transpose(1, 2, 0).astype(float))
    return np.stack(bands)


def simulated(
    hz: Sequence[float], n: int, seconds: float = 1.0, rate: float = 128.0, seed: int = 0, locked: bool = False
) -> tuple:
    """Simulated (X, y, recording of n trials of 3 channels): noise, and the flicker of each class in two of them, at the
    same phase in every trial where it is locked."""
    rng = np.random.default_rng(seed)
    lags = round(seconds * rate)
    y = np.arange(n) % len(hz)
    t = np.arange(lags) / rate
    X = rng.normal(0, 2, (n, 3, lags))
    for k, f in enumerate(hz):
        phase = rng.uniform(0, 2 * np.pi, (1 if locked else (y == k).sum(), 1, 1))
        X[y == k] += np.sin(2 * np.pi * f * t + phase) * np.array([3.0, 2.0, 0.0])[:, None] * (f > 0)
    stream = Stream("simulated trials", 0.0, tuple(Channel(str(i)) for i in range(3)), (3, lags), label=SIMULATED)
    r: Recording = recording(stream, rng.permutation(X))
    return X, np.array([f"class {k}" for k in range(len(hz))])[y], r
