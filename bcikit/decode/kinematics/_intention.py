"""What a person must have intended, guessed from what the screen showed: the labels from which a cursor decoder learns.

All take rows of one run, a bin each: `cursor` (bins, 2), `target` (bins, 2), NaN where nobody knows it, `size` (bins) its
half width, all in widths of the workspace. All give (intention (bins, 2), at most 1 long; weight (bins), 0: not to be
learnt from).
"""

from __future__ import annotations

import numpy as np

REACTION_S = 0.22  # a new target is not acted on sooner
TURN_S = 0.1  # the model's step
FIRM = 4.0  # concentration of a typical push's direction, far from the target
NEAR = 0.06  # widths: where that has fallen to a half
NEIGHBOUR = 0.08  # widths
JUMP_S = 2.0  # how long a target stays, on average, where nothing was selected
UNDER = 0.05  # widths: of what was selected about the cursor


def towards(
    cursor: np.ndarray, target: np.ndarray, size: np.ndarray, step_s: float, slow: float
) -> tuple[np.ndarray, np.ndarray]:
    """A push towards the target, full from `slow` widths on and in proportion nearer than that; not so soon behind a new
    target that the person cannot have seen it (F. R. Willett et al., J. Neural Eng. 14:016001, 2017,
    PubMed 27900953)."""
    way = target - cursor
    far = np.sqrt((way * way).sum(axis=1))
    push = way / np.maximum(far, 1e-9)[:, None] * np.minimum(far / slow, 1.0)[:, None]
    return push, np.where(np.isfinite(far) & (_age(target) * step_s >= REACTION_S), 1.0, 0.0)


def rotated(
    cursor: np.ndarray, target: np.ndarray, size: np.ndarray, velocity: np.ndarray, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """ReFIT: the velocity that was decoded, turned towards the target, and none while on it (V. Gilja et al., Nat. Neurosci.
    15:1752-1757, 2012, doi:10.1038/nn.3265)."""
    way = target - cursor
    far = np.sqrt((way * way).sum(axis=1))
    fast = np.sqrt((velocity * velocity).sum(axis=1)) / speed
    push = way / np.maximum(far, 1e-9)[:, None] * np.where(far <= size, 0.0, np.minimum(fast, 1.0))[:, None]
    return push, np.isfinite(far).astype(float)


def _age(target: np.ndarray) -> np.ndarray:
    """(bins) how many bins the target has stood where it stands; without end for the first, which may be old."""
    new = np.any(target[1:] != target[:-1], axis=1)
    at = np.where(np.concatenate([[False], new]), np.arange(len(target)), -(10**6))
    return np.arange(len(target)) - np.maximum.accumulate(at)


def chosen(cursor: np.ndarray, selected: np.ndarray, step_s: float, most_s: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """RTI: what was selected must have been the target ever since the selection before, if that was not too long ago (B.
    Jarosiewicz et al., Sci. Transl. Med. 7:313ra179, 2015, doi:10.1126/scitranslmed.aac7328). selected (bins): True where
    something was. (target (bins, 2), NaN where nobody can say; weight (bins), 0 or 1)."""
    target, at, most = np.full_like(cursor, np.nan), -1, round(most_s / step_s)
    for k in np.flatnonzero(selected):
        if k - at <= most:
            target[at + 1 : k + 1] = cursor[k]
        at = int(k)
    return target, np.isfinite(target[:, 0]).astype(float)


def inferred(
    cursor: np.ndarray, push: np.ndarray, selected: np.ndarray, step_s: float, side: int = 14
) -> tuple[np.ndarray, np.ndarray]:
    """PRI-T: a hidden Markov model over all places of the screen that could be the target. push (bins, 2) is what was
    decoded, selected (bins) True where something was, which is then likely under the cursor. (target (bins, 2), the most
    probable place; weight (bins), how probable it and its neighbours are, squared).

    Source: G. H. Wilson et al., Nat. Biomed. Eng., 2025, doi:10.1038/s41551-025-01536-z: directions are von Mises about that
    to the target, the less concentrated the nearer; targets stay or jump. Posterior probabilities here, Viterbi there."""
    steps = _steps(cursor, push, selected, step_s)
    if steps is None:
        return np.full_like(cursor, np.nan), np.zeros(len(cursor))
    every, at, way, picks = steps
    places = _places(side)
    like, _ = _likely(at, way, picks, places)
    post = _smoothed(like, picks, every * step_s)
    best = post.argmax(axis=1)
    near = ((places[:, None] - places[None]) ** 2).sum(axis=2) < NEIGHBOUR**2
    sure = np.take_along_axis(post @ near.astype(post.dtype), best[:, None], axis=1)[:, 0]
    target, weight, known = np.full_like(cursor, np.nan), np.zeros(len(cursor)), every * len(at)
    target[:known], weight[:known] = np.repeat(places[best], every, axis=0), np.repeat(sure**2, every)
    return target, weight


def evidence(cursor: np.ndarray, push: np.ndarray, selected: np.ndarray, step_s: float, side: int = 14) -> float:
    """How much likelier than pushes in any direction the decoded ones are, were they meant for targets: nats a step of the
    model of `inferred`. Needs no label; what decodes well has more of it. -inf where there is too little."""
    steps = _steps(cursor, push, selected, step_s)
    if steps is None:
        return -np.inf
    every, at, way, picks = steps
    like, most = _likely(at, way, picks, _places(side))
    return float(np.mean(most + np.log(_ahead(like, _jumps(picks, every * step_s))[1])))


def _steps(
    cursor: np.ndarray, push: np.ndarray, selected: np.ndarray, step_s: float
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray] | None:
    """Bins in a step of the model; and for each step the cursor, the push (steps, 2), and whether something was selected.
    None for fewer than two."""
    every = max(round(TURN_S / step_s), 1)
    n = len(cursor) // every
    if n < 2:
        return None
    at, way = (a[: n * every].reshape(n, every, 2).mean(axis=1) for a in (cursor, push))
    return every, at, way, np.asarray(selected[: n * every].reshape(n, every).any(axis=1))


def _places(side: int) -> np.ndarray:
    """(places, 2) that a target may have."""
    return (np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), axis=-1).reshape(-1, 2) + 0.5) / side - 0.5


def _likely(at: np.ndarray, way: np.ndarray, picks: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(steps, places) how likely each step is, were this the target, the largest of a step being 1; and the logarithm of
    that one's likelihood (steps). Float32, as all of the model: it is the largest part of the time that learning takes."""
    from scipy.special import i0e

    at, way, places = (a.astype(np.float32) for a in (at, way, places))
    x, y = places[:, 0] - at[:, :1], places[:, 1] - at[:, 1:]
    far = np.sqrt(x * x + y * y)
    strong = np.sqrt((way * way).sum(axis=1, keepdims=True))
    cosine = (x * way[:, :1] + y * way[:, 1:]) / np.maximum(far * strong, np.float32(1e-9))
    firm = FIRM * np.minimum(strong / max(float(strong.mean()), 1e-9), 2.0)
    firm = firm / (1 + np.exp((NEAR - far) * np.float32(3 / NEAR)))
    log = firm * (cosine - 1) - np.log(i0e(firm))
    log[picks] -= far[picks] ** 2 / (2 * UNDER**2)
    most = log.max(axis=1)
    return np.exp(log - most[:, None]), most


def _jumps(picks: np.ndarray, step_s: float) -> list[float]:
    """The odds, before each step, that the target has jumped to any place; behind a selection it has."""
    return np.where(np.concatenate([[True], picks[:-1]]), 1.0, min(step_s / JUMP_S, 1.0)).tolist()


def _ahead(like: np.ndarray, jumps: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """(steps, places) probabilities given what came until then; (steps) how likely each step was before it came."""
    n, k = like.shape
    ahead, told = np.empty_like(like), np.empty(n)
    now = np.full(k, 1 / k, like.dtype)
    for t, jump in enumerate(jumps):
        now = now * (1 - jump)
        now += jump / k
        now *= like[t]
        told[t] = now.sum()
        now /= told[t]
        ahead[t] = now
    return ahead, told


def _smoothed(like: np.ndarray, picks: np.ndarray, step_s: float) -> np.ndarray:
    """(steps, places) posterior probabilities: forward, then backward."""
    n, k = like.shape
    jumps = _jumps(picks, step_s)
    ahead, _ = _ahead(like, jumps)
    back = np.ones(k, like.dtype)
    for t in range(n - 1, 0, -1):
        ahead[t] *= back
        back *= like[t]
        back *= (1 - jumps[t]) * k / back.sum()
        back += jumps[t]
    ahead[0] *= back
    return ahead / ahead.sum(axis=1, keepdims=True)
