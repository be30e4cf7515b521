"""Covariance matrices as points of the Riemannian space of positive definite matrices, many at a time.

Matrices are (..., channels, channels), symmetric, positive definite. The affine-invariant metric and its tangent space:
Barachant et al., IEEE Trans Biomed Eng 59:920, 2012, doi:10.1109/TBME.2011.2172210.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import kernels

TINY = 1e-12  # of the mean variance: keeps a flat line's matrix definite


def sample(X: np.ndarray) -> np.ndarray:
    """(..., channels, lags) -> (..., channels, channels), means removed; of the trial itself, nothing shrunk."""
    m = X.mean(axis=-1)
    return X @ X.swapaxes(-1, -2) / X.shape[-1] - m[..., :, None] * m[..., None, :]


def covariances(X: np.ndarray) -> np.ndarray:
    """(..., channels, lags) -> (..., channels, channels), means removed, shrunk towards the sphere by the oracle
    approximating estimate (Chen et al., IEEE Trans Signal Process 58:5016, 2010, doi:10.1109/TSP.2010.2053029)."""
    c, n = X.shape[-2:]
    S = sample(X)
    square, level = (S**2).mean(axis=(-1, -2)), np.trace(S, axis1=-2, axis2=-1) / c
    below = (n + 1) * (square - level**2 / c)
    share = np.where(below > 0, np.minimum((square + level**2) / np.where(below > 0, below, 1), 1), 1.0)[..., None, None]
    floor = np.maximum(level, 1e-30)[..., None, None]
    return (1 - share) * S + (share * floor + TINY * floor) * np.eye(c)


def of_eigenvalues(C: np.ndarray, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The matrices with `f` done to their eigenvalues."""
    w, V = np.linalg.eigh(C)
    top = np.maximum(w[..., -1:], 1e-30)
    return (V * f(np.maximum(w, TINY * top))[..., None, :]) @ V.swapaxes(-1, -2)


def whitener(C: np.ndarray) -> np.ndarray:
    """C to the power of -1/2."""
    return of_eigenvalues(C, lambda w: w**-0.5)


def log(C: np.ndarray) -> np.ndarray:
    return of_eigenvalues(C, np.log)


def mean(C: np.ndarray, tolerance: float = 1e-7) -> np.ndarray:
    """(matrices, ..., channels, channels) -> (..., channels, channels): the mean of the first axis (Karcher's)."""
    if C.ndim > 3:
        return np.stack([mean(C[:, i], tolerance) for i in range(C.shape[1])])
    return centred(C, tolerance)[0]


def centred(C: np.ndarray, tolerance: float = 1e-7, turns: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(matrices, channels, channels) -> their mean, its whitener, and the logarithms (of C's shape) of what it
    whitened. Steps along the gradient, as long as the two before suggest (Barzilai & Borwein, IMA J Numer Anal 8:141, 1988,
    doi:10.1093/imanum/8.1.141), until one is shorter than the tolerance; at most so many turns."""
    M, basis = C.mean(axis=0), np.broadcast_to(np.eye(C.shape[-1]), C.shape).copy()
    size, before = 1.0, None
    for left in reversed(range(turns)):
        w, V = np.linalg.eigh(M)
        w = np.maximum(w, TINY * np.maximum(w[..., -1:], 1e-30))
        root, white = ((V * f[..., None, :]) @ V.swapaxes(-1, -2) for f in (np.sqrt(w), 1 / np.sqrt(w)))
        logs = kernels.logs(C, white, basis)
        step = logs.mean(axis=0)
        if not left or np.sqrt((step**2).sum()) < tolerance:
            break
        if before is not None:
            turned = float((before * (before - step)).sum())
            size = min(max(size * float((before**2).sum()) / turned, 0.3), 1.0) if turned > 0 else 1.0
        M, before = root @ exp(size * step) @ root, step
    return M, white, logs


def exp(S: np.ndarray) -> np.ndarray:
    w, V = np.linalg.eigh(S)
    return (V * np.exp(w)[..., None, :]) @ V.swapaxes(-1, -2)


def between(A: np.ndarray, B: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """The point of the geodesic from A to B that lies `share` (one, or (matrices, 1)) of the way along."""
    w, V = np.linalg.eigh(A)
    w = np.maximum(w, TINY * np.maximum(w[..., -1:], 1e-30))
    root, white = ((V * f[..., None, :]) @ V.swapaxes(-1, -2) for f in (np.sqrt(w), 1 / np.sqrt(w)))
    return root @ of_eigenvalues(white @ B @ white, lambda v: v**share) @ root


def tangent(C: np.ndarray, white: np.ndarray) -> np.ndarray:
    """(..., channels, channels) -> (..., channels * (channels + 1) / 2): log(white C white), laid out as a vector. Its
    length is the Riemannian distance from C to the point that `white` is the whitener of."""
    return vectors(kernels.logs(C, white) if C.ndim == 3 and white.ndim == 2 else log(white @ C @ white))


def vectors(T: np.ndarray) -> np.ndarray:
    """(..., channels, channels) symmetric -> (..., channels * (channels + 1) / 2), of the same length."""
    i, j = np.triu_indices(T.shape[-1])
    return T[..., i, j] * np.where(i == j, 1.0, np.sqrt(2.0))


def worth(within: np.ndarray, apart: np.ndarray, most: float) -> float:
    """Trials that the mean of earlier runs counts for, at most so many: the variance of trials within a run beside that of
    runs. (trials, features) and (runs, features), centred."""
    if len(apart) == 1 or not apart.size:
        return float(most)
    differ = (apart**2).sum() / (len(apart) - 1)
    return float(min((within**2).sum(axis=1).mean() / max(differ, 1e-12), most))
