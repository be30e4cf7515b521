"""Pictures of what the classes of a data set look like: where on the head, at which frequencies, and when.

They are of the recordings, not of a decoder, cut causally behind a high pass of 1 Hz (nothing else is done to the signal).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core.errors import BciError
from ..files.montage import position
from ..preprocess.highpass import Highpass
from ..preprocess.pick import Pick
from ._line import FRONT, common, line
from .data import Cut, Run, cut, trials

PEOPLE = 4  # shown at most
BEFORE_S, AFTER_S = 1.0, 0.5  # seen around the window that is decoded
TOP_HZ = 45.0
WAVES = ("p300", "keys")  # paradigms of slow waves, not of rhythms
INK = ("#2f6f9f", "#d1742f", "#3f8f5f", "#8a5fa8", "#b3261e", "#667080")


def pictures(data: str, root: Any, subjects: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """(figure, what it shows) of at most `PEOPLE` people; none where the recordings do not allow one."""
    runs = trials(data, root)
    told = runs[0].card.trials
    waves = runs[0].card.paradigm in WAVES
    people = {who: [r for r in runs if r.subject == who] for who in list(subjects)[:PEOPLE]}
    if told.get("independent"):
        return
    heads = {who: head for who, its in people.items() if (head := _patterns(its, waves)) is not None}
    if heads:
        what = (
            "Where the classes differ: mean of each class less that of the others, when that difference is largest (µV)."
            if waves
            else "Where the classes differ: the pattern of the common spatial filter that passes most of a class and least"
            " of the others, in the band that decoders of this paradigm use. Blue and red are the two sides of a dipole; the"
            " sign means nothing."
        )
        yield _heads(heads), what
    for who, its in people.items():
        seen = _seen(its)
        if seen is not None and waves:
            what = "the mean of each class at the two channels where they differ most, with its standard error."
            yield _waves(who, *seen), f"{who}: {what}"
        elif seen is not None:
            what = (
                "power against the second before the cue (dB), at the two channels where the classes differ most."
                " Between the lines is what is decoded."
            )
            yield _rhythms(who, *seen), f"{who}: {what}"


def _all(runs: Sequence[Run], stages: Any) -> tuple[np.ndarray, np.ndarray, Cut]:
    """Trials of all runs in one, the classes that are scored alone, whole ones alone."""
    cuts = [cut(stages(), r.recording) for r in runs]
    X, y = np.concatenate([c.X for c in cuts]), np.concatenate([c.y for c in cuts])
    scored = runs[0].card.trials.get("scored") or np.unique(y)
    good = np.isin(y, list(scored)) & np.isfinite(X).reshape(len(X), -1).all(axis=1)
    return X[good].astype(float), y[good], cuts[0]


def _patterns(runs: Sequence[Run], waves: bool) -> tuple[list[str], dict[str, np.ndarray]] | None:
    """Names of channels that have a place, and of each class its pattern over them."""
    names = [n for n in common(runs) if position(n)]
    if len(names) < 6:
        return None
    if waves:
        seen = _seen(runs)
        if seen is None:
            return None
        X, y, own, t, _ = seen
        X = X[:, [own.names.index(n) for n in names]]
        return names, dict(_differences(X, y, t > 0))
    front = FRONT.get(runs[0].card.paradigm, FRONT["mi"])
    try:
        X, y, _ = _all(runs, lambda: line("pyriemann:MDM", runs, [front]).stages[:-1])
    except BciError:
        return None
    X = X[:, [list(common(runs)).index(n) for n in names]]
    return names, {str(c): _csp(X[y == c], X[y != c]) for c in np.unique(y)}


def _differences(X: np.ndarray, y: np.ndarray, when: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for c in np.unique(y):
        apart = X[y == c].mean(axis=0) - X[y != c].mean(axis=0)
        at = np.argmax((apart**2).sum(axis=0) * when)
        yield str(c), apart[:, at]


def _csp(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(channels,) the pattern of the filter with the largest share of power in `own` (Blankertz et al., IEEE Signal Process
    Mag 25:41, 2008, doi:10.1109/MSP.2008.4408441)."""
    from scipy.linalg import eigh

    a, b = (np.mean([x @ x.T / np.trace(x @ x.T) for x in X], axis=0) for X in (own, others))
    both = a + b + 1e-6 * np.trace(a + b) / len(a) * np.eye(len(a))
    _, W = eigh(a, both)
    pattern = both @ W[:, -1]
    return pattern / np.abs(pattern).max()


def _seen(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray, Any, np.ndarray, tuple[float, float]] | None:
    """Trials seen around the decoded window: X, y, stream, times from the cue (s), and the window."""
    epoch = runs[0].epoch()
    begin = -BEFORE_S if runs[0].card.paradigm != "p300" else -0.1
    end = epoch.after + epoch.length + (AFTER_S if runs[0].card.paradigm != "p300" else 0)
    stages = lambda: [  # noqa: E731
        Pick(channels=common(runs)),
        Highpass(low=1.0, order=1),
        runs[0].epoch(after=begin, length=end - begin),
    ]
    X, y, its = _all(runs, stages)
    if len(np.unique(y)) < 2:
        return None
    t = begin + np.arange(X.shape[2]) / its.stream.rate
    return X, y, its.stream, t, (epoch.after, epoch.after + epoch.length)


def _heads(heads: dict[str, tuple[list[str], dict[str, np.ndarray]]]) -> Any:
    import matplotlib.pyplot as plt
    import mne

    classes = list(dict.fromkeys(c for _, patterns in heads.values() for c in patterns))
    figure, axes = plt.subplots(
        len(heads), len(classes), figsize=(1.9 * len(classes) + 0.6, 2.1 * len(heads)), squeeze=False
    )
    for at, (row, (who, (names, patterns))) in enumerate(zip(axes, heads.items(), strict=True)):
        info = mne.create_info(list(names), 100.0, "eeg")
        info.set_montage(mne.channels.make_dig_montage({n: np.array(position(n)) for n in names}, coord_frame="head"))
        for axis, c in zip(row, classes, strict=True):
            if c not in patterns:
                axis.set_axis_off()
                continue
            most = float(np.abs(patterns[c]).max()) or 1.0
            mne.viz.plot_topomap(
                patterns[c], info, axes=axis, show=False, cmap="RdBu_r", vlim=(-most, most), contours=4, sensors=False
            )
            axis.set_title("" if at else c, fontsize=10)
        row[0].text(-0.15, 0.5, who, transform=row[0].transAxes, rotation=90, va="center", ha="right", fontsize=10)
    return figure


def _strongest(values: np.ndarray, y: np.ndarray) -> list[int]:
    """The two channels at which classes differ most beside how much trials do: values (trials, channels, ...)."""
    means = np.array([values[y == c].mean(axis=0) for c in np.unique(y)])
    within = np.mean([values[y == c].var(axis=0) for c in np.unique(y)], axis=0)
    apart = means.var(axis=0) / np.maximum(within, 1e-30)
    return np.argsort(np.percentile(apart.reshape(len(apart), -1), 95, axis=1))[::-1][:2].tolist()


def _rhythms(who: str, X: np.ndarray, y: np.ndarray, s: Any, t: np.ndarray, window: tuple[float, float]) -> Any:
    import matplotlib.pyplot as plt
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    size = max(round(0.5 * s.rate), 16)
    sft = ShortTimeFFT(hann(size, sym=False), hop=max(size // 8, 1), fs=s.rate, mfft=2 * size)
    inside = slice(sft.lower_border_end[1] - sft.p_min, sft.upper_border_begin(X.shape[2])[1] - sft.p_min)
    when = t[0] + sft.t(X.shape[2])[inside]
    which = (sft.f >= 3) & (sft.f <= min(TOP_HZ, 0.45 * s.rate))
    every = 10 * np.log10(np.maximum(_power(sft, X)[..., which, inside], 1e-12))
    power = {str(c): every[y == c].mean(axis=0) for c in np.unique(y)}  # of dB: a blink is one trial of many
    quiet = (when < 0) if (when < 0).any() else when < when[0] + 0.3
    rest = np.mean([p[..., quiet].mean(axis=-1) for p in power.values()], axis=0)[..., None]
    change = {c: p - rest for c, p in power.items()}
    rows = _strongest(every[..., (when >= window[0]) & (when <= window[1])].mean(axis=-1), y)
    most = max(float(np.percentile([np.abs(its[rows]) for its in change.values()], 98)), 1.0)
    figure, axes = plt.subplots(
        len(rows),
        len(change),
        figsize=(2.6 * len(change) + 0.8, 2.1 * len(rows)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for row, channel in zip(axes, rows, strict=True):
        for axis, (c, its) in zip(row, change.items(), strict=True):
            mesh = axis.pcolormesh(when, sft.f[which], its[channel], cmap="RdBu_r", vmin=-most, vmax=most, shading="gouraud")
            for edge in (0.0, *window):
                axis.axvline(edge, color="#1b1f24", lw=1, ls=":" if edge == 0 else "-")
            axis.set_title(f"{c}, {s.names[channel]}", fontsize=9)
            axis.set_xlim(when[0], when[-1])
        row[0].set_ylabel("Hz")
    for axis in axes[-1]:
        axis.set_xlabel("s after the cue")
    figure.colorbar(mesh, ax=axes, label="dB", shrink=0.7)
    return figure


def _power(sft: Any, X: np.ndarray) -> np.ndarray:
    """(trials, channels, lags) -> (trials, channels, frequencies, times)."""
    flat = sft.spectrogram(X.reshape(-1, X.shape[2]))
    return flat.reshape(*X.shape[:2], *flat.shape[1:])


def _waves(who: str, X: np.ndarray, y: np.ndarray, s: Any, t: np.ndarray, window: tuple[float, float]) -> Any:
    import matplotlib.pyplot as plt

    classes = [str(c) for c in np.unique(y)]
    means = {c: X[y == c].mean(axis=0) for c in classes}
    rows = _strongest(X[..., (t >= window[0]) & (t <= window[1])], y)
    figure, (axes,) = plt.subplots(
        1, len(rows), figsize=(3.75 * len(rows), 2.8), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, channel in zip(axes, rows, strict=True):
        for c, colour in zip(classes, INK, strict=False):
            error = X[y == c][:, channel].std(axis=0) / np.sqrt((y == c).sum())
            axis.plot(t, means[c][channel], color=colour, lw=1.6, label=c)
            axis.fill_between(t, means[c][channel] - error, means[c][channel] + error, color=colour, alpha=0.2, linewidth=0)
        axis.axvline(0, color="#667080", lw=1, ls=":")
        axis.set_title(s.names[channel], fontsize=9)
        axis.set_xlabel("s after the event")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("µV")
    axes[-1].legend(frameon=False, fontsize=9)
    return figure
