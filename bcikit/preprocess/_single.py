"""When single precision will do for a filter, which then takes half the time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import kernels
from ._design import settling

LIMIT = 1e-5  # largest error, of the output's rms
REBASE = 4096  # samples after which the base is moved to where the signal is
TRIAL = 3 * REBASE
SLOW = 2000  # samples: a filter that remembers longer than this is never tried


def single_is_exact(sos: np.ndarray) -> bool:
    """Whether these sections (n, 5), run with float32 state over the signal less its base, err by less than 1e-5 of the
    output's rms. Computed: both ways over simulated noise, white or with a slow part as local field potentials have it (a
    random walk), whichever errs more. Not without the compiled loops, where it gains nothing.
    """
    blocks = np.abs(np.prod(sos[:, :3].sum(axis=1) / np.abs(sos[:, :3]).sum(axis=1))) < 1e-12  # no constant comes through
    return bool(kernels.COMPILED and blocks and settling(sos) < SLOW and error_of_single(sos.tobytes()) < LIMIT)


@lru_cache(maxsize=64)
def error_of_single(sections: bytes) -> float:
    """The rms of the difference between float32 and float64 state, of the output's rms."""
    sos = np.frombuffer(sections).reshape(-1, 5).copy()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((TRIAL, 4))
    x += np.cumsum(rng.standard_normal((TRIAL, 4)), axis=0) * [0, 0.1, 0.3, 1.0]
    x = x.astype(np.float32)
    state, base = np.zeros((len(sos), 2, 4), np.float32), x[0].copy()
    single = kernels.biquads32(x, base, sos, state)
    double = kernels.biquads(x - base, sos, np.zeros(state.shape)).astype(np.float64)
    skip = TRIAL // 3
    error = single[skip:] - double[skip:]
    return float(np.sqrt((error**2).mean(axis=0) / (double[skip:] ** 2).mean(axis=0)).max())
