"""Noise with memory, made sample by sample: the same values however many are asked for at a time."""

from __future__ import annotations

import numpy as np


def recur(pole: np.ndarray, last: np.ndarray, drive: np.ndarray) -> np.ndarray:
    """y[t] = pole * y[t-1] + drive[t] along axis 0, with y[-1] = last. Row by row, so that no rounding depends on the
    number of rows."""
    out = np.empty((len(drive), *last.shape), np.result_type(pole, drive))
    for row, more in zip(out, drive, strict=True):
        np.multiply(pole, last, out=row)
        row += more
        last = row
    return out


class Coloured:
    """Independent noises with a power spectrum 1/f^exponent from `low_hz` up, each 1 rms between 1 and 40 Hz.

    A cascade of real poles and zeros, evenly spaced on the logarithm of frequency (G. Corsini and R. Saletti, IEEE Trans.
    Instrum. Meas. 37:615-619, 1988, doi:10.1109/19.9825), written as a sum of first-order sections on one white noise.
    """

    PER_DECADE = 3

    def __init__(self, rate: float, count: int, exponent: float, rng: np.random.Generator, low_hz: float = 0.2) -> None:
        sections = int(np.ceil(np.log10(rate / 2 / low_hz) * self.PER_DECADE))
        corners = low_hz * 10 ** (np.arange(sections) / self.PER_DECADE)
        self.poles = np.exp(-2 * np.pi * corners / rate)
        zeros = np.exp(-2 * np.pi * corners * 10 ** (exponent / 2 / self.PER_DECADE) / rate)
        self.parts = np.array(
            [np.prod(1 - zeros / p) / np.prod(1 - np.delete(self.poles, k) / p) for k, p in enumerate(self.poles)]
        )
        self.direct = np.prod(zeros / self.poles)
        f = np.linspace(1, min(40, rate / 2), 400)
        loss = np.abs(self.response(f, rate)) ** 2
        scale = 1 / np.sqrt(2 / rate * np.mean(loss) * (f[-1] - f[0]))
        self.parts, self.direct = self.parts * scale, self.direct * scale
        self.rng, self._last = rng, np.zeros((sections, count))

    def response(self, f_hz: np.ndarray, rate: float) -> np.ndarray:
        """Complex gain of the filter at these frequencies."""
        z = np.exp(-2j * np.pi * np.asarray(f_hz) / rate)
        return self.direct + (self.parts[:, None] / (1 - self.poles[:, None] * z)).sum(axis=0)

    def rows(self, n: int) -> np.ndarray:
        """The next n samples (n, count)."""
        white = self.rng.standard_normal((n, self._last.shape[1]))
        states = recur(self.poles[:, None], self._last, white[:, None, :])
        if n:
            self._last = states[-1].copy()
        states *= self.parts[:, None]
        return states.sum(axis=1) + self.direct * white


class Rhythms:
    """Oscillations that wax and wane as the brain's do: each a narrow band of noise with a Lorentzian peak, 1 rms.

    A complex first-order process, z[t] = e^(-1/tau + 2 pi i f) z[t-1] + white, whose real part is the signal."""

    def __init__(self, rate: float, hz: np.ndarray, width_hz: float, rng: np.random.Generator) -> None:
        decay = np.exp(-np.pi * width_hz / rate)
        self.pole = decay * np.exp(2j * np.pi * np.asarray(hz) / rate)
        self.scale, self.rng = np.sqrt(1 - decay**2), rng
        self._last = self._white(1)[0]  # begins in its stationary state

    def _white(self, n: int) -> np.ndarray:
        pairs = self.rng.standard_normal((n, len(self.pole), 2))
        return pairs[..., 0] + 1j * pairs[..., 1]

    def rows(self, n: int) -> np.ndarray:
        """The next n samples (n, oscillations)."""
        z = recur(self.pole, self._last, self.scale * self._white(n))
        if n:
            self._last = z[-1].copy()
        return z.real
