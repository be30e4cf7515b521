"""Digital filter design with NumPy alone (SciPy's takes 0.7 s to import), as second-order sections.

A section is a row b0 b1 b2 a1 a2 (a0 = 1). The Butterworth designs are SciPy's: the analog prototype, warped to the
corners, through the bilinear transform (Oppenheim & Schafer, Discrete-Time Signal Processing, section 7.1).
"""

from __future__ import annotations

import numpy as np


def butterworth(order: int, low: float | None, high: float | None, rate: float) -> np.ndarray:
    """(sections, 5) of a Butterworth filter: highpass from `low`, lowpass up to `high`, or bandpass between both (Hz).
    `order` is the slope of each edge, as in SciPy: a bandpass has twice as many poles."""
    k = np.arange(order)
    poles = np.exp(1j * np.pi * (2 * k + order + 1) / (2 * order))  # on the unit circle, left half
    edge = [2 * rate * np.tan(np.pi * f / rate) for f in (low, high) if f is not None]
    if low is not None and high is not None:
        middle, half = np.sqrt(edge[0] * edge[1]), (edge[1] - edge[0]) / 2
        root = np.sqrt((half * poles) ** 2 - middle**2 + 0j)
        poles = np.concatenate([half * poles + root, half * poles - root])
        numerator = np.array([1.0, 0.0, -1.0])
        peak = 2 * np.arctan(middle / (2 * rate))
    elif low is not None:
        poles, numerator, peak = edge[0] / poles, np.array([1.0, -2.0, 1.0]), np.pi
    else:
        poles, numerator, peak = edge[0] * poles, np.array([1.0, 2.0, 1.0]), 0.0
    z = (2 * rate + poles) / (2 * rate - poles)
    sections = [_section(numerator, a) for a in _pairs(z)]
    sos = np.array(sorted(sections, key=lambda s: abs(s[4]) if s[4] else s[3] ** 2))  # the sharpest last
    sos[0, :3] /= abs(response(sos, peak))
    return sos


def _pairs(z: np.ndarray) -> list[np.ndarray]:
    """Denominators (a1, a2) of conjugate pairs of poles; real poles pair with each other, a last one stands alone."""
    real = np.sort(z[np.abs(z.imag) < 1e-12].real)
    pairs = [np.array([-2 * p.real, abs(p) ** 2]) for p in z if p.imag >= 1e-12]
    pairs += [np.array([-(p + q), p * q]) for p, q in zip(real[0::2], real[1::2], strict=False)]
    if len(real) % 2:
        pairs.append(np.array([-real[-1], 0.0]))
    return pairs


def _section(numerator: np.ndarray, a: np.ndarray) -> np.ndarray:
    if a[1] == 0.0:  # one pole: one zero
        numerator = np.array([1.0, np.sign(numerator[1]), 0.0])
    return np.array([*numerator, *a])


def notch(frequency: float, width: float, rate: float) -> np.ndarray:
    """(1, 5): a notch at `frequency`, `width` wide (Hz, -3 dB), gain 1 far from it. As SciPy's `iirnotch`."""
    gain, cosine = notch_gain(width, rate), np.cos(2 * np.pi * frequency / rate)
    return np.array([[gain, -2 * gain * cosine, gain, -2 * gain * cosine, 2 * gain - 1]])


def notch_gain(width: float, rate: float) -> float:
    return float(1 / (1 + np.tan(np.pi * width / rate)))


def response(sos: np.ndarray, omega: float) -> complex:
    """The complex gain at `omega` (radians for each sample)."""
    z = np.exp(-1j * omega * np.arange(3))
    return complex(np.prod((sos[:, :3] @ z) / (1 + sos[:, 3:] @ z[1:])))


def group_delay(sos: np.ndarray, frequency: float, rate: float) -> float:
    """Seconds by which what lies around `frequency` comes out later."""
    k = np.arange(3)
    z = np.exp(-2j * np.pi * frequency / rate * k)
    num = sos[:, :3]
    den = np.column_stack([np.ones(len(sos)), sos[:, 3:]])
    return float(np.sum((num * k) @ z / (num @ z) - (den * k) @ z / (den @ z)).real / rate)


def steady(sos: np.ndarray) -> np.ndarray:
    """(sections, 2): the state of each section when a constant 1 has gone in for ever."""
    state, level = np.empty((len(sos), 2)), 1.0
    for i, (b0, b1, b2, a1, a2) in enumerate(sos):
        out = level * (b0 + b1 + b2) / (1 + a1 + a2)
        state[i] = out - b0 * level, b2 * level - a2 * out
        level = out
    return state


def settling(sos: np.ndarray, left: float = 1e-7) -> float:
    """Samples after which `left` of a fault is left: of the slowest pole, doubled up where poles lie together."""
    a1, a2 = sos[:, 3:].T
    root = np.sqrt(a1**2 - 4 * a2 + 0j)
    radius = float(np.abs([a1 + root, a1 - root]).max(initial=0.0)) / 2
    if not radius:
        return 0.0
    n = np.log(left) / np.log(radius)
    return float(n * 1.3) if len(sos) > 1 else float(n)
