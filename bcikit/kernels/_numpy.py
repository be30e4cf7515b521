"""The same functions as `_kernels.c` in plain NumPy: what they compute, the oracle in tests, and the fallback where
nothing was compiled. Arrays are C-contiguous; samples float32, sums and states float64."""

from __future__ import annotations

import numpy as np

TINY = np.finfo(np.float64).tiny  # what is smaller counts as zero, as in the compiled loops
TOUCH = 1e-12  # m: nearer by less is no nearer


def biquads(x: np.ndarray, y: np.ndarray, coef: np.ndarray, state: np.ndarray) -> None:
    for r in range(len(x)):
        row = x[r].astype(np.float64)
        for (b0, b1, b2, a1, a2), (s1, s2) in zip(coef, state, strict=True):
            out = b0 * row + s1
            s1[:] = (s2 + b1 * row) - a1 * out
            s2[:] = b2 * row - a2 * out
            row = out
        y[r] = row
    state[np.abs(state) < TINY] = 0.0


def steered(x: np.ndarray, y: np.ndarray, refs: np.ndarray, weights: np.ndarray, base: np.ndarray, gain: float) -> None:
    step = 2.0 * (1.0 - gain)
    for r in range(len(x)):
        row = x[r] - base
        for (cosine, sine), w in zip(refs[r], weights, strict=True):
            error = row - cosine * w[0] - sine * w[1]
            w[0] += step * cosine * error
            w[1] += step * sine * error
            row = gain * error
        y[r] = row + base
    weights[np.abs(weights) < TINY] = 0.0


def fir(x: np.ndarray, y: np.ndarray, row: np.ndarray, phase: np.ndarray, taps: np.ndarray) -> None:
    length = taps.shape[1]
    if len(row) and (row.min() < length - 1 or row.max() >= len(x)):
        raise ValueError("the arrays do not fit each other")
    for o in range(len(row)):
        past = x[row[o] - length + 1 : row[o] + 1].astype(np.float64)
        y[o] = np.add.accumulate(taps[phase[o]][:, None] * past[::-1], axis=0)[-1]


def squares(x: np.ndarray, sums: np.ndarray) -> None:
    for row in x.astype(np.float64):
        sums += row * row


def weighted(x: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    for row, w in zip(x.astype(np.float64), weights, strict=True):
        sums += w[:, None] * row


def biquads32(x: np.ndarray, y: np.ndarray, base: np.ndarray, coef: np.ndarray, state: np.ndarray) -> None:
    single = coef.astype(np.float32)
    for r in range(len(x)):
        row = x[r] - base
        for (b0, b1, b2, a1, a2), (s1, s2) in zip(single, state, strict=True):
            out = b0 * row + s1
            s1[:] = (s2 + b1 * row) - a1 * out
            s2[:] = b2 * row - a2 * out
            row = out
        y[r] = row
    state[np.abs(state) < np.finfo(np.float32).tiny] = 0.0


def means(x: np.ndarray, out: np.ndarray, scale: float) -> None:
    out[:] = x.astype(np.float64).sum(axis=1) * scale / x.shape[1]


def medians(x: np.ndarray, out: np.ndarray) -> None:
    out[:] = np.median(x, axis=1)


def less(x: np.ndarray, y: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> None:
    y[:] = x.astype(np.float32) * scale - offset[:, None]


def sums(x: np.ndarray, total: np.ndarray) -> None:
    for row in x:
        total += row


def covariance(x: np.ndarray, total: np.ndarray) -> None:
    for row in x.astype(np.float64):
        total += row[:, None] * row


def crossings(x: np.ndarray, y: np.ndarray, own: np.ndarray, at: int, rule: np.ndarray) -> None:
    hop, warm, refractory, side, times, gain = rule.astype(np.float32)
    was, left, level, size, seen = own
    for r in range(len(x)):
        z = side * x[r]
        with np.errstate(invalid="ignore"):  # the value before the first one is NaN
            limit = np.where(seen < warm, np.float32(np.inf), times * level)
            left -= 1
            y[r] = (z > limit) & (was <= limit) & (left < 1)
        left[y[r] > 0] = refractory
        was[:] = z
        if (at + r + 1) % int(hop) == 0:
            seen += 1
            pull = np.maximum(1 / seen, gain)
            most = np.where(seen <= warm, np.inf, np.maximum(4 * size, np.float32(1e-3)))
            size += pull * (np.minimum(np.abs(z), most) - size)
            level[:] = np.maximum(level + pull * np.where(np.abs(z) > level, size, -size), 0)


def unit_features(
    x: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    coef: np.ndarray,
    state: np.ndarray,
    base: np.ndarray,
    own: np.ndarray,
    at: int,
    rule: np.ndarray,
    crossed: np.ndarray,
    power: np.ndarray,
    low: int,
    high: int,
) -> None:
    part = slice(low, high)
    y = np.empty((len(x), high - low), np.float32)
    less(x[:, part], y, scale[part], offset)
    if state.dtype == np.float32:
        biquads32(y.copy(), y, base[part], coef, state[:, :, part])
    else:
        biquads(y.copy(), y, coef, state[:, :, part])
    found = np.empty_like(y)
    crossings(y, found, own[:, part], at, rule)
    sums(found, crossed[part])
    squares(y, power[part])


def logs(C: np.ndarray, white: np.ndarray, basis: np.ndarray, out: np.ndarray) -> None:
    w, V = np.linalg.eigh(white @ C @ white)
    basis[:] = V.swapaxes(-1, -2)
    values = np.log(np.maximum(w, 1e-12 * np.maximum(w[:, -1:], 1e-30)))
    out[:] = (V * values[:, None]) @ basis


def counted(even: np.ndarray, shape: np.ndarray, none: np.ndarray, step: float, most: int, out: np.ndarray) -> None:
    """Only what lies above the odds of so many counts is looked at again: most bins hold none or one."""
    out[:] = 0
    left = np.flatnonzero(even > none)
    even, shape, odds = even[left], shape[left], none[left]
    below, ratio = odds.copy(), np.float32(step)
    for k in range(most):
        if not len(left):
            break
        out[left] = k + 1
        odds = odds * (shape + k) / np.float32(k + 1) * ratio
        below = below + odds
        more = even > below
        left, shape, odds, below, even = left[more], shape[more], odds[more], below[more], even[more]


def _braked(room: np.ndarray, bend: np.ndarray, dt: float) -> np.ndarray:
    """The largest slope after which a value, its slope falling by `bend * dt` a step, still stops within `room` (>= 0)."""
    q = bend * dt
    n = np.floor((np.sqrt(1 + 8 * room / (q * dt)) - 1) / 2)
    return (room / dt + q * n * (n + 1) / 2) / (n + 1)


def ramp(value: np.ndarray, slope: np.ndarray, target: np.ndarray, bounds: np.ndarray, dt: float, to: np.ndarray) -> None:
    low, high, steep, bend = bounds
    q, gap = bend * dt, target - value
    above, below, wanted = (_braked(np.maximum(room, 0.0), bend, dt) for room in (high - value, value - low, np.abs(gap)))
    up = np.minimum(np.minimum(slope + q, steep), above)
    down = np.maximum(np.maximum(slope - q, -steep), -below)
    to[1] = np.minimum(np.maximum(np.copysign(wanted, gap), down), up)
    to[0] = np.minimum(np.maximum(value + to[1] * dt, low), high)


def reach(velocity: np.ndarray, slope: np.ndarray, bounds: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """How far what moves with `velocity` (its slope `slope`) can still go (backward, forward; both >= 0) if its velocity is
    ramped to zero from the next step on: an upper bound. First the slope is taken back to zero, then an S-curve begins."""
    _, _, steep, bend = bounds
    turned = velocity + slope * np.abs(slope) / (2 * bend)  # velocity once the slope is back at zero
    settle = np.abs(slope) / bend + 2 * dt
    ways = []
    for sign in (-1.0, 1.0):
        left = np.maximum(sign * turned, 0.0)
        fastest = np.maximum(sign * velocity, left)
        quick, slow = left * np.sqrt(left / bend), left * (steep / bend + left / steep) / 2
        ways.append(fastest * settle + np.where(left < steep * steep / bend, quick, slow))
    return ways[0], ways[1]


def guide(
    value: np.ndarray,
    slope: np.ndarray,
    target: np.ndarray,
    points: np.ndarray,
    bounds: np.ndarray,
    moves: np.ndarray,
    fence: np.ndarray,
    spheres: np.ndarray,
    boxes: np.ndarray,
    pairs: np.ndarray,
    apart: float,
    margin: float,
    dt: float,
    to: np.ndarray,
) -> None:
    channel, point, axis = moves
    stop = np.empty_like(to)
    ramp(value, slope, target, bounds, dt, to)
    ramp(value, slope, np.zeros_like(target), bounds, dt, stop)
    back, forth = (way[:, channel] for way in reach(to[0], to[1], bounds, dt))
    here, (low, high) = points[:, point, axis], fence
    leaves = ~(((here - back >= low) | (back == 0)) & ((here + forth <= high) | (forth == 0)))
    to[..., channel] = np.where(leaves, stop[..., channel], to[..., channel])
    first, last = points.copy(), points.copy()
    back, forth = reach(to[0], to[1], bounds, dt)
    for c, p, a in moves.T:
        first[:, p, a] -= back[:, c]
        last[:, p, a] += forth[:, c]
    then, now = _gaps(first, last, spheres, boxes), _gaps(points, points, spheres, boxes)
    nears = ((then < margin) & (then < now - TOUCH)).any(axis=2)
    i, j = pairs.T
    gap = np.maximum(np.maximum(first[:, i] - last[:, j], first[:, j] - last[:, i]), 0.0)
    then, now = (np.sqrt((way * way).sum(axis=2)) for way in (gap, points[:, i] - points[:, j]))
    meet = (then < apart + margin) & (then < now - TOUCH)
    nears |= meet @ (pairs[:, :, None] == np.arange(points.shape[1])).any(axis=1)
    to[..., channel] = np.where(nears[:, point], stop[..., channel], to[..., channel])


def hear(
    own: np.ndarray,
    asked: np.ndarray,
    about: np.ndarray,
    values: np.ndarray,
    middle: np.ndarray,
    most: np.ndarray,
    rest: np.ndarray,
    now: float,
    soon: float,
) -> None:
    seq, lease, good, alive, brain, written, changed, heard, refused, asks = own
    its_seq, its_lease, its_alive, its_brain, its_written = about
    came = its_seq != heard
    heard[:] = its_seq
    took = came & (its_seq > seq) & (its_lease == lease) & (lease != 0)
    took &= (its_brain >= brain) & (its_brain <= soon) & (its_written <= soon)
    refused += came & ~took
    with np.errstate(invalid="ignore"):
        near = took & (np.abs(values - middle) <= most).all(axis=1)
    changed[near & (values != asked).any(axis=1) | took & np.isinf(changed)] = now
    asked[near] = values[near]
    asks[near] = (values[near] != rest).any(axis=1)
    good[took] = near[took]
    for mine, its in ((seq, its_seq), (alive, its_alive), (brain, its_brain), (written, its_written)):
        mine[took] = its[took]


def judge(
    own: np.ndarray,
    state: np.ndarray,
    told: np.ndarray,
    points: np.ndarray,
    spheres: np.ndarray,
    boxes: np.ndarray,
    bits: np.ndarray,
    most: np.ndarray,
    now: float,
    out: np.ndarray,
) -> None:
    nearest = _gaps(points, points, spheres, boxes).min(axis=(1, 2), initial=np.inf)
    nearest = np.where(np.isfinite(points).all(axis=(1, 2)), nearest, np.nan)
    brain, written, changed = now - own[4:7]
    asks, (heard, force, torque, distance) = own[9] != 0, told
    unchanged = np.where(asks, changed, -np.inf)
    found = [*-own[:4], brain, written, unchanged, now - heard, force, torque, -distance, *state, -nearest]
    out[:] = np.bitwise_or.reduce(np.where(np.array(found) <= most[:, None], 0, bits[:, None]))


def _gaps(first: np.ndarray, last: np.ndarray, spheres: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    first, last, middle, low, high = first[:, :, None], last[:, :, None], spheres[:, :3], boxes[:, :3], boxes[:, 3:]
    off = np.maximum(np.maximum(first - middle, middle - last), 0.0)
    round_ones = np.sqrt((off * off).sum(axis=-1)) - spheres[:, 3]
    off = np.maximum(first - high, low - last)
    outside = np.maximum(off, 0.0)
    square_ones = np.sqrt((outside * outside).sum(axis=-1)) + np.minimum(off.max(axis=-1), 0.0)
    return np.concatenate([round_ones, square_ones], axis=-1)
