"""Recorded movement read from recorded neurons, causally, by one default decoder, beside ridge regression.

A set is a folder of its name: one of those beside the checkout, or files of a public data set whose card says what moves.

Folds are contiguous, with a gap as long as anything remembers; what is printed comes from `predict`, which is `step`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from ..core.errors import FileTrouble
from ..decode.deep._network import missing
from ..decode.kinematics.gru import Gru
from ..decode.kinematics.kalman import Kalman
from ..decode.kinematics.past_kernel import PastKernel
from ..decode.kinematics.ridge_lags import RidgeLags
from ..evaluate.data import Run, trials
from ..files.cards import cards
from ._across import across

FOLDS, GAP_S = 5, 2.0
LAGS = 10  # bins that the ridge regression sees
GRIP_BANDS = ("4-8", "8-13", "13-20", "20-35", "60-90", "90-150", "150-250")
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray, np.ndarray], np.ndarray]]
PAST_S = 0.5  # s that it sees in files whose bins may have any width
SETS = ("m1-continuous", "m1-reach", "m1-golub-bci", "ecog-gripforce-bids")


def kinematics(root: str, sets: Sequence[str] = SETS) -> Iterator[dict[str, Any]]:
    """A dict a figure, of the sets that lie in `root`. Raises FileTrouble where one does not."""
    own = dict(zip(SETS, (continuous, reach, golub, grip), strict=True))
    for name in sets:
        folder = Path(root).expanduser() / name
        if not folder.is_dir():
            raise FileTrouble(f"{folder} is not there.", "It should hold the recordings of that name.", "Use --root FOLDER.")
        yield from own[name](folder) if name in own else sessions(name, folder)


def known() -> list[str]:
    """Names of all sets."""
    return [*SETS, *(name for name, card in cards().items() if card.paradigm == "kinematics")]


# -- decoders, as something that learns and then tells


def ours(rate: float, **settings: Any) -> Fit:
    """The default decoder."""

    def fit(X: np.ndarray, Y: np.ndarray, runs: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        outputs = tuple(f"y{i}" for i in range(Y.shape[1]))
        return PastKernel(outputs=outputs, **settings).fit(X, Y, rate, runs).predict

    return fit


def recurrent(X: np.ndarray, Y: np.ndarray, runs: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The recurrent network, as it is."""
    return Gru(outputs=tuple(f"y{i}" for i in range(Y.shape[1]))).fit(X, Y, runs).predict


def ridge(lags: int, alpha: float = 1000.0) -> Fit:
    """Ridge regression on this bin and those before it, z-scored."""

    def fit(X: np.ndarray, Y: np.ndarray, runs: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        outputs = tuple(f"y{i}" for i in range(Y.shape[1]))
        return RidgeLags(outputs=outputs, lags=lags, alpha=alpha).fit(X, Y, runs).predict

    return fit


# -- scores


def told(
    fit: Fit, X: np.ndarray, Y: np.ndarray, runs: np.ndarray, rate: float, whole: bool = False, gap_s: float = GAP_S
) -> np.ndarray:
    """What it tells of each bin when it learnt from the other folds. whole: folds of whole runs, which need no gap."""
    got, n = np.full_like(Y, np.nan), len(X)
    gap = 0 if whole else round(gap_s * rate)
    order = np.searchsorted(np.unique(runs), runs) / (runs.max() + 1e-9 if not whole else len(np.unique(runs)))
    for fold in range(FOLDS):
        test = (np.arange(n) * FOLDS // n == fold) if not whole else (np.floor(order * FOLDS) == fold)
        inside = np.flatnonzero(test)
        train = ~test
        train[max(inside[0] - gap, 0) : inside[-1] + gap + 1] &= whole
        border = np.cumsum(np.diff(np.flatnonzero(train), prepend=-1) != 1)  # a cut ends a run
        parts = np.unique(np.column_stack([runs[train], border]), axis=0, return_inverse=True)[1].ravel()
        got[test] = fit(X[train], Y[train], parts)(X[test], runs[test])
    return got


def r2(Y: np.ndarray, got: np.ndarray) -> list[float]:
    """Of each output, pooled over the folds."""
    known = np.isfinite(Y).all(axis=1)
    Y, got = Y[known], got[known]
    return [float(v) for v in 1 - ((Y - got) ** 2).sum(axis=0) / ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)]


# -- the sets


def continuous(folder: Path) -> Iterator[dict[str, Any]]:
    """Ten minutes of reaching, 171 units, bins of 50 ms: position and velocity at once."""
    with np.load(folder / "m1_stevenson_2011_first600s.npz") as d:
        X, Y, rate = d["spike_counts"].astype(float), np.column_stack([d["hand_pos"], d["hand_vel"]]), 20.0
    runs = np.zeros(len(X), int)
    fits: list[tuple[str, Fit]] = [("past_kernel", ours(rate)), (f"ridge, {LAGS} bins", ridge(LAGS))]
    for name, fit in fits if missing() else [*fits, ("gru", recurrent)]:
        score = r2(Y, told(fit, X, Y, runs, rate))
        yield {"row": f"m1-continuous, {name}", "position_r2": score[:2], "velocity_r2": score[2:], "causal": True}


def reach(folder: Path) -> Iterator[dict[str, Any]]:
    """Two days of reaching, bins of 200 ms, folds of whole trials; and each day read without labels, of four of the eight
    targets, by what the other's movements look like: no decoder at all, which says the mean, has an R2 of 0."""
    for day in "BC":
        with np.load(folder / f"mihi_8dir_day{day}.npz") as d:
            X, Y, runs = d["spike_counts"].astype(float), d["velocity"].astype(float), d["trial"].astype(int)
        for name, fit in (("past_kernel", ours(5.0, taus=(0.05, 0.2))), ("ridge, 1 bin", ridge(1, 300.0))):
            yield {"row": f"m1-reach day {day}, {name}", "velocity_r2": r2(Y, told(fit, X, Y, runs, 5.0, True))}
    m = {k: v.astype(float) for k, v in loadmat(folder / "mihi_demo.mat").items() if not k.startswith("_")}
    for what, own, other in (("second day by the first", "te", "tr"), ("first day by the second", "tr", "te")):
        yield {"row": f"m1-reach, {what}, no labels", **across(m[f"Y{own}"], m[f"X{own}"], m[f"X{other}"])}


def golub(folder: Path) -> Iterator[dict[str, Any]]:
    """Two monkeys' own decoders from their parameters and spikes; and the direction to the target, read from the spikes of
    the one."""
    for which, error in single_steps(folder / "J20120305_reassociation.mat"):
        yield {"row": f"m1-golub-bci {which}, its own decoder, single step", "largest_error_mm_per_s": error}
    with np.load(folder / "20131218_velocity_kf.npz") as d:
        for which in ("intuitive", "perturbed"):
            g = {n: d[f"{which}_{n}"] for n in ("spikes", "vel", "vel_prev", "run", "freeze", "theta_deg", "M0", "M1", "M2")}
            X, runs = g["spikes"].astype(float), g["run"].astype(int)
            worst, top = 0.0, float(np.abs(g["vel"]).max())
            own = Kalman(unit="mm/s")
            own.M_, own.K_, own.c_, own.x_mean_ = g["M1"].astype(float), g["M2"].astype(float), g["M0"], X.mean(axis=0)
            for run in np.unique(runs):
                own.y_mean_ = g["vel_prev"][runs == run][0].astype(float)  # where the stretch began
                worst = max(worst, float(np.abs(own.predict(X[runs == run]) - g["vel"][runs == run]).max()))
            yield {"row": f"m1-golub-bci {which}, its own decoder", "largest_error_of_top_speed": worst / top}
            turn = np.radians(g["theta_deg"].astype(float))
            Y = np.column_stack([np.cos(turn), np.sin(turn)])
            Y[g["freeze"].astype(bool)] = np.nan
            rate = 1 / 0.045
            for name, fit in (("past_kernel", ours(rate)), ("kalman", _kalman), ("ridge, 5 bins", ridge(5))):
                got = told(fit, X, Y, runs, rate, whole=True)
                yield {"row": f"m1-golub-bci {which}, {name}", "direction_r2": r2(Y, got)}


def single_steps(file: Path) -> Iterator[tuple[str, float]]:
    """Of each map, how far off the velocities (mm/s) are that the Kalman filter makes of a monkey's counts, each bin from
    rest, where it is given the model of its factors."""
    m = loadmat(file, simplify_cells=True)
    for which in ("intuitive", "perturbed"):
        p = {n: np.asarray(v, float) for n, v in m["expParams"][f"{which}Mapping"].items()}
        k = Kalman(unit="mm/s").solve(p["A"], p["Q"], p["C"], p["R"], p["d"])
        read, worst = p["eta"] @ p["Sigma_z"] @ p["beta"] @ p["Sigma_u"], 0.0
        for clouds in (m["beforeLearning"]["clouds"], m["afterLearning"]["clouds"]):
            for spikes, want in zip(clouds["spikes"], clouds[f"vraw_{which}"], strict=True):
                factors = (spikes.astype(float) - p["mu_u"][:, None]).T @ read.T
                got = np.stack([k.predict(row[None])[0] for row in factors])
                worst = max(worst, float(np.abs(got - want.T).max()))
        yield which, worst


def _kalman(X: np.ndarray, Y: np.ndarray, runs: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    k = Kalman().fit(X, Y, runs)

    def tell(X: np.ndarray, runs: np.ndarray) -> np.ndarray:
        k._ready()
        return np.concatenate([k.predict(X[runs == r]) for r in dict.fromkeys(runs.tolist())])

    return tell


def grip(folder: Path) -> Iterator[dict[str, Any]]:
    """Force of the hand from causal band power of six electrodes on the cortex, and with three in the subthalamic nucleus;
    19 s, three grips: the interval says how little that is (blocks of 1 s drawn anew)."""
    from ..core.pipeline import Pipeline
    from ..files.read import read
    from ..preprocess.bandpower import Bandpower
    from ..preprocess.pick import Pick

    (head,) = folder.glob("sub-*/ses-*/ieeg/*.vhdr")
    whole = read(head)
    names = whole.stream.names
    for what, start, window in (("ECoG", ("ECOG",), 0.3), ("ECoG and LFP", ("ECOG", "LFP"), 0.5)):
        own = tuple(n for n in names if n.startswith(start))
        line = Pipeline([Pick(channels=own), Bandpower(bands=GRIP_BANDS, window=window, hop=0.1, decibels=True)])
        power = line.run(whole)
        ends = power.index * 100 + 99
        X, force = power.data.astype(float), whole.data[:, names.index("MOV_RIGHT")].astype(float)[ends][:, None]
        runs = np.zeros(len(X), int)
        for name, fit in (("past_kernel", ours(10.0, taus=(0.1, 0.3))), ("ridge", ridge(1, 100.0))):
            got = told(fit, X, force, runs, 10.0, gap_s=window)
            yield {"row": f"ecog-gripforce, {what}, {name}", **_correlation(force[:, 0], got[:, 0])}


def sessions(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Each recording of a public data set by itself: what its card says is decoded, from its counts, where it is scored."""
    for run in trials(name, folder):
        X, Y, runs, rate = _counted(run)
        lags, scored = max(round(PAST_S * rate), 1), np.isfinite(Y).all(axis=1)
        spread = Y[scored].var(axis=0)
        for what, fit in (("past_kernel", ours(rate)), (f"ridge, {lags} bins", ridge(lags))):
            score = r2(Y, told(fit, X, Y, runs, rate))
            by_variance = float(spread @ score / spread.sum())  # as FALCON scores
            yield {"row": f"{name} {run.name}, {what}", "r2": score, "r2_by_variance": by_variance}


def _counted(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Counts, what moves (NaN where it is not scored), the number of each bin's run without a pause, and bins a second."""
    r, card = run.recording, run.card.trials
    spikes = r.stream.of_kind("spikes")
    columns = [i for i, n in enumerate(r.stream.names) if any(fnmatch(n, p) for p in card["decoded"])]
    if not columns or not spikes:
        what = f"{run.path} lacks spikes, or what is decoded: {', '.join(card['decoded'])}."
        raise FileTrouble(what, f"It has {', '.join(r.stream.names[-8:])}.")
    X, Y = r.data[:, spikes].astype(float), r.data[:, columns].astype(float)
    runs = np.cumsum(np.diff(r.index, prepend=r.index[0] - 1) != 1)
    if card.get("as_steps"):
        Y = np.diff(Y, axis=0, prepend=np.nan) * r.stream.rate
        Y[np.diff(runs, prepend=-1) != 0] = np.nan
    if mask := card.get("mask"):
        Y[r.data[:, r.stream.pick([mask])[0]] != 1] = np.nan
    return X, Y, runs, r.stream.rate


def _correlation(a: np.ndarray, b: np.ndarray, block: int = 10, seed: int = 0) -> dict[str, Any]:
    """Pearson's r, and its 95 % interval with blocks of a second drawn anew."""
    rng, blocks = np.random.default_rng(seed), np.array_split(np.arange(len(a)), len(a) // block)
    drawn = [np.concatenate([blocks[k] for k in rng.integers(len(blocks), size=len(blocks))]) for _ in range(1000)]
    low, high = np.percentile([np.corrcoef(a[i], b[i])[0, 1] for i in drawn], (2.5, 97.5))
    return {"mean": float(np.corrcoef(a, b)[0, 1]), "ci": [float(low), float(high)]}
