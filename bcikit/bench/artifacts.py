"""What artefact removal leaves of the EEG, beside others: clean EEG plus eyes or muscles, so that the truth is known.

As EEGdenoiseNet does it (Zhang et al., J Neural Eng 18:056057, 2021, doi:10.1088/1741-2552/ac2bf8), with many channels:
clean EEG of the simulated person (19 channels, 250 Hz, above 1 Hz), and artefacts scaled to a ratio of power, over all
channels and the time in which there are any. The first minute is clean: what calibrates does so there. Blinks and saccades
are seen by two EOG channels, which have brain and noise too; muscles are bursts of 20 to 100 Hz at temples and forehead.

rrmse: rms of what is wrong, in rms of the clean EEG; correlation with the clean EEG, mean over channels; both over the two
minutes behind the first; `last` is the rrmse over the last minute, when what learns on the way has seen some. Ours are
causal, sample by sample; theirs see the whole recording, before and after.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..core.label import SIMULATED
from ..core.pipeline import Pipeline
from ..core.stream import Channel, Stream, recording
from ..files.montage import TEN_TWENTY, position
from ..preprocess._design import butterworth
from ..preprocess.asr import Asr
from ..preprocess.ocular import Ocular
from ..simulate.eeg import Person
from ..simulate.head import MUSCLE, below, eyes

RATE, CALM_S, LOUD_S = 250.0, 60.0, 120.0
DECIBELS = (-7.0, -4.0, -1.0, 2.0)
SEEDS = (1, 2)  # `ocular` was tuned on seed 0
EOG = ("VEOG", "HEOG")


@dataclass
class Mixed:
    """clean, raw (samples, channels) µV; eog (samples, 2): upright, level; calm: samples at the begin without artefact."""

    clean: np.ndarray
    raw: np.ndarray
    eog: np.ndarray
    calm: int


@lru_cache(maxsize=16)
def mixed(kind: str, decibels: float, seed: int) -> Mixed:
    """Clean EEG plus `eyes` or `muscles` at 10 log10(power of EEG / power of artefact)."""
    from scipy.signal import sosfilt

    rng = np.random.default_rng([seed, 99])
    n, calm = round((CALM_S + LOUD_S) * RATE), round(CALM_S * RATE)
    person = Person(TEN_TWENTY, RATE, seed, mains=0.0, artefacts=False)
    clean = sosfilt(butterworth_sos(1.0, None), person.samples(n)[0].astype(float), axis=0)
    wave, maps = (_eyes if kind == "eyes" else _muscles)(rng, n, calm)
    artefact = wave @ maps
    loud = np.abs(artefact).max(axis=1) > 1e-6 * np.abs(artefact).max()
    power = np.mean(clean[loud] ** 2) / np.mean(artefact[loud] ** 2)
    artefact *= np.sqrt(power / 10 ** (decibels / 10))
    up, left, right = (TEN_TWENTY.index(name) for name in ("Fp1", "F7", "F8"))
    seen = lambda x: np.column_stack([x[:, up], x[:, right] - x[:, left]])  # noqa: E731
    eog = 1.5 * seen(artefact) + 0.3 * seen(clean) + rng.normal(0, 2, (n, 2))
    return Mixed(clean, clean + artefact, eog, calm)


def butterworth_sos(low: float, high: float | None, order: int = 4) -> np.ndarray:
    """Second-order sections as SciPy writes them."""
    return np.insert(butterworth(order, low, high, RATE), 3, 1.0, axis=1)


def _eyes(rng: np.random.Generator, n: int, calm: int) -> tuple[np.ndarray, np.ndarray]:
    """Blinks (0.3 s) and saccades (steps that fall back through the highpass), some 20 and 30 a minute."""
    wave, at = np.zeros((n, 2)), float(calm)
    while (at := at + RATE * rng.uniform(1.0, 5.0)) < n - RATE:
        t = np.arange(round(0.3 * RATE)) / (0.3 * RATE)
        wave[int(at) : int(at) + len(t), 0] += rng.uniform(0.7, 1.3) * np.sin(np.pi * t) ** 2
    at = float(calm)
    while (at := at + RATE * rng.uniform(0.5, 3.5)) < n - RATE:
        t = np.arange(n - int(at)) / RATE
        wave[int(at) :, 1] += 0.5 * rng.choice([-1, 1]) * np.exp(-t / 0.2) * (t < 1.5)
    sideways = below(TEN_TWENTY, "F8", 0.7) - below(TEN_TWENTY, "F7", 0.7)
    blink = eyes(TEN_TWENTY)
    return wave, np.array([blink / np.abs(blink).max(), sideways / np.abs(sideways).max()])


def _muscles(rng: np.random.Generator, n: int, calm: int) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of 0.3 to 2 s, some 12 a minute, at either temple or the forehead."""
    from scipy.signal import sosfilt

    noise = sosfilt(butterworth_sos(20.0, 100.0), rng.standard_normal((n, 3)), axis=0)
    shape, at = np.zeros((n, 3)), float(calm)
    while (at := at + RATE * rng.uniform(2.0, 8.0)) < n - 2 * RATE:
        t = np.linspace(0, 1, round(rng.uniform(0.3, 2.0) * RATE))
        shape[int(at) : int(at) + len(t), rng.integers(3)] += np.sin(np.pi * t)
    maps = np.array([below(TEN_TWENTY, e, MUSCLE) for e in ("T7", "T8", "Fp1")])
    return noise * shape, maps / np.abs(maps).max(axis=1, keepdims=True)


# -- what cleans: (samples, channels) in and out; the calm part is known to all


def ocular(m: Mixed) -> np.ndarray:
    return _ours([Ocular()], m)


def asr(m: Mixed) -> np.ndarray:
    stage = Asr()
    s = _stream(False)
    return _ours([stage.fit(recording(s, m.raw[: m.calm].astype(np.float32)))], m, with_eog=False)


def _stream(with_eog: bool) -> Stream:
    channels = [Channel(n, "eeg", "µV", position(n)) for n in TEN_TWENTY]
    return Stream("simulated", RATE, (*channels, *(Channel(n, "eog") for n in EOG if with_eog)), label=SIMULATED)


def _ours(stages: list[Any], m: Mixed, with_eog: bool = True) -> np.ndarray:
    x = np.column_stack([m.raw, m.eog]) if with_eog else m.raw
    line = Pipeline(stages)
    y = line.run(recording(_stream(with_eog), x.astype(np.float32)), sizes=iter(lambda: 25, 0)).data[:, : m.raw.shape[1]]
    late = round(line.out.delay * RATE)
    return np.concatenate([y[late:], np.full((late, y.shape[1]), np.nan, np.float32)])


def _mne(m: Mixed) -> Any:
    import mne

    info = mne.create_info([*TEN_TWENTY, *EOG], RATE, ["eeg"] * len(TEN_TWENTY) + ["eog"] * 2)
    raw = mne.io.RawArray(1e-6 * np.column_stack([m.raw, m.eog]).T, info, verbose="error")
    return raw.set_montage("standard_1020", verbose="error").set_eeg_reference([], verbose="error")  # as it was recorded


def mne_regression(m: Mixed) -> np.ndarray:
    import mne

    raw = _mne(m)
    weights = mne.preprocessing.EOGRegression(picks="eeg", picks_artifact="eog", proj=False).fit(raw)
    return 1e6 * weights.apply(raw, copy=True).get_data("eeg").T


def mne_ica(m: Mixed, find: str) -> np.ndarray:
    import mne

    raw = _mne(m)
    ica = mne.preprocessing.ICA(random_state=0, max_iter=500, verbose="error").fit(
        raw, picks="eeg", decim=3, verbose="error"
    )
    found = ica.find_bads_eog(raw, verbose="error") if find == "eog" else ica.find_bads_muscle(raw, verbose="error")
    ica.exclude = found[0]
    return 1e6 * ica.apply(raw.copy(), verbose="error").get_data("eeg").T


def meegkit_asr(m: Mixed) -> np.ndarray:
    from meegkit.asr import ASR

    its = ASR(sfreq=RATE, cutoff=10)
    its.fit(m.raw[: m.calm].T)
    return its.transform(m.raw.T).T


KINDS: dict[str, dict[str, Callable[[Mixed], np.ndarray]]] = {
    "eyes": {
        "nothing": lambda m: m.raw,
        "bcikit ocular, causal": ocular,
        "bcikit asr, causal": asr,
        "MNE regression, whole recording": mne_regression,
        "MNE ICA, whole recording": lambda m: mne_ica(m, "eog"),
        "meegkit ASR, whole recording": meegkit_asr,
    },
    "muscles": {
        "nothing": lambda m: m.raw,
        "bcikit asr, causal": asr,
        "MNE ICA, whole recording": lambda m: mne_ica(m, "muscle"),
        "meegkit ASR, whole recording": meegkit_asr,
    },
}


def measured(m: Mixed, y: np.ndarray) -> tuple[float, float, float]:
    """rrmse and correlation behind the calm part, where something came out; and rrmse in the last minute."""
    rows = np.flatnonzero(np.isfinite(y).all(axis=1) & (np.arange(len(y)) >= m.calm))
    a, b = y[rows].astype(float), m.clean[rows]
    minute = round(60 * RATE)
    rrmse, last = (float(np.sqrt(np.mean((p - q) ** 2) / np.mean(q**2))) for p, q in ((a, b), (a[-minute:], b[-minute:])))
    return rrmse, float(np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(a.T, b.T, strict=True)])), last


def artifacts(seeds: tuple[int, ...] = SEEDS, decibels: tuple[float, ...] = DECIBELS) -> Iterator[dict[str, Any] | str]:
    """A line for each artefact and method, with its figures at each ratio, mean over seeds; then the summary."""
    summary: dict[str, Any] = {"bench": "artifacts", "simulated": True, "seeds": len(seeds), "db": list(decibels)}
    for kind, methods in KINDS.items():
        yield f"{kind}, at {', '.join(f'{d:g}' for d in decibels)} dB: rrmse | correlation"
        for name, clean in methods.items():
            if "meegkit" in name and find_spec("meegkit") is None:
                yield f"{name} is left out: it is not installed (pip install 'bcikit[peers]')"
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                each = np.array([[measured(m, clean(m)) for s in seeds for m in [mixed(kind, d, s)]] for d in decibels])
            figures = each.mean(axis=1).T.round(3).tolist()
            row = dict(zip(("rrmse", "correlation", "last"), figures, strict=True))
            yield {"artefact": kind, "name": name, **row}
            summary.setdefault(kind, {})[name] = row
    yield summary
