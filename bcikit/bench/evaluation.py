"""`bcikit evaluate` beside MNE, pyRiemann and scikit-learn for the same people, filter, folds and method, from the files on:
tangent space with logistic regression, and common spatial patterns with a shrinkage discriminant.

The recordings are simulated and shaped like those of BNCI2014_001: 22 channels, 250 Hz, six runs of 48 trials. What stands
against it reads, filters and cuts with MNE as MOABB's paradigms do, then trains a pyRiemann pipeline on each fold as MOABB's
evaluations do. `--setup` makes an environment with MOABB itself, whose own loop then runs beside both.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DeviceTrouble
from ..evaluate import data as sets
from ..evaluate.data import trials
from ..evaluate.evaluate import Job, Unit, content, evaluate, work
from ..evaluate.protocols import _folds
from ._remote import environment, there

CHANNELS, RATE, RUNS, TRIALS, EVERY_S, LENGTH_S = 22, 250.0, 6, 48, 7.5, 4.0
BAND = (8.0, 32.0)
LEAST = 3  # rounds
NAMES = tuple("Fz FC3 FC1 FCz FC2 FC4 C5 C3 C1 Cz C2 C4 C6 CP3 CP1 CPz CP2 CP4 P1 Pz P2 POz".split())
CARD = """
title = "Simulated, shaped like BNCI2014_001"
source = "bcikit bench evaluate"
licence = "none"
subjects = 2
channels = "22 EEG"
rate_hz = 250
unit = "µV"
paradigm = "mi"
[consent]
basis = "Nobody's: simulated."
purposes = ["research"]
[trials]
events = ["trig=1:left", "trig=2:right", "marker=1:left", "marker=2:right"]
after = 0.0
length = 4.0
[[runs]]
files = "{subject}_run{run}.npz"
[[runs]]
files = "{subject}_run{run}_raw.fif"
"""


@dataclass(frozen=True)
class Race:
    """name: of the method, as it is done here by `decoder`. kind: of pyRiemann's covariances; without, MNE's CSP. ends: of
    the files."""

    name: str
    decoder: str
    kind: str = ""
    ends: str = "npz"


RACES = (
    Race("tangent space, scm", "tangent:kind=scm", "scm"),
    Race("tangent space, oas", "tangent:kind=oas", "oas"),
    Race("CSP", "csp:kind=scm,even=no"),
    Race("tangent space, scm, FIF", "tangent:kind=scm", "scm", "fif"),
)


def written(folder: Path, people: int, ends: str = "npz") -> Path:
    """Simulated runs of so many people, and their card."""
    import mne

    for person in range(people):
        rng = np.random.default_rng([7, person])
        mix = rng.standard_normal((CHANNELS, CHANNELS))
        for run in range(RUNS):
            n = int((TRIALS + 1) * EVERY_S * RATE)
            y = rng.permutation(np.arange(TRIALS) % 2)
            sources = rng.standard_normal((n, CHANNELS)).cumsum(axis=0) * 0.1 + rng.standard_normal((n, CHANNELS))
            trigger = np.zeros(n)
            for k, side in enumerate(y):
                at = int((k + 0.5) * EVERY_S * RATE)
                trigger[at] = 1 + side
                sources[at : at + int(LENGTH_S * RATE), side] *= 0.8
            data = (10 * sources @ mix).astype(np.float32)
            path = folder / f"P{person + 1}_run{run + 1}.npz"
            if ends == "npz":
                np.savez(path, y=data, trig=trigger, fs=RATE, ch_names=np.array(NAMES))
            else:
                raw = mne.io.RawArray(np.vstack([1e-6 * data.T, trigger]), info(), verbose="error")
                raw.save(path.with_name(f"{path.stem}_raw.fif"), verbose="error")
    (card := folder / "shaped.toml").write_text(CARD, encoding="utf-8")
    return card


def info() -> Any:
    import mne

    return mne.create_info([*NAMES, "STI"], RATE, ["eeg"] * CHANNELS + ["stim"])


def evaluation(seconds: float, people: int = 2) -> Iterator[dict[str, Any] | str]:
    """Rounds in turn for about `seconds`; a line for each contender, then the summary."""
    import mne
    from threadpoolctl import threadpool_limits

    mne.set_log_level("error")
    with tempfile.TemporaryDirectory(prefix="bcikit-bench-") as name, warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for race in RACES:
            (folder := Path(name) / race.ends).mkdir(exist_ok=True)
            card = written(folder, people, race.ends) if not any(folder.iterdir()) else folder / "shaped.toml"
            peers = "MNE + pyRiemann + scikit-learn" if race.kind else "MNE + scikit-learn"
            does: dict[str, Callable[[], dict[str, float]]] = {
                f"{race.name}: {peers}": lambda: theirs(card, folder, race),  # noqa: B023
                f"{race.name}: bcikit, offline form": lambda: ours(card, folder, race.decoder),  # noqa: B023
                f"{race.name}: bcikit evaluate, both forms with statistics": lambda: whole(card, folder, race.decoder),  # noqa: B023
            }
            took, scores = raced(does, seconds / len(RACES))
            if race.kind and race.ends == "npz" and there("moabb"):
                own = f"{race.name}: MOABB's own loop"
                took[own], scores[own] = moabb(folder, race.kind, people)
            elif race is RACES[0]:
                yield "MOABB's own loop is left out: bcikit bench evaluate --setup makes its environment"
            base = np.array(next(iter(took.values())))
            apart = {n: max(abs(scores[n][k] - v) for k, v in next(iter(scores.values())).items()) for n in scores}
            for n, its in took.items():
                each = np.array(its)
                ratio, cpu = np.median(base, axis=0) / np.median(each, axis=0)
                s, cpu_s = np.median(each, axis=0)
                row = {"name": n, "s": float(s), "cpu_s": float(cpu_s), "rounds": len(its), "ratio": float(ratio)}
                yield {**row, "ratio_cpu": float(cpu), "score_apart": apart[n]}
            mine = np.median(base / np.array(took[list(took)[1]]), axis=0)
            yield {
                "bench": "evaluate",
                "method": race.name,
                "people": people,
                "ratio": float(mine[0]),
                "ratio_cpu": float(mine[1]),
                "score_apart": apart[list(took)[1]],
                "simulated": True,
            }


Took = dict[str, list[tuple[float, float]]]


def raced(does: dict[str, Callable[[], dict[str, float]]], seconds: float) -> tuple[Took, dict[str, Any]]:
    """{name: seconds, and seconds of the processor, of each round}, {name: {person: score}}; they take turns, each from a
    cold cache."""
    took: Took = {n: [] for n in does}
    scores: dict[str, Any] = {}
    for do in does.values():  # what is imported on first use is no part of the work
        do()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or min(map(len, took.values())) < LEAST:
        for n, do in does.items():
            sets._read.cache_clear()
            content.cache_clear()  # files are hashed for the cache of results, and that is a part of it
            began, busy = time.perf_counter(), time.process_time()
            scores[n] = do()
            took[n].append((time.perf_counter() - began, time.process_time() - busy))
    return took, scores


def front() -> str:
    return f"bandpass:low={BAND[0]:g},high={BAND[1]:g},order=4"


def ours(card: Path, folder: Path, decoder: str) -> dict[str, float]:
    """The offline form alone, as `bcikit evaluate` does it for one decoder and person after the other."""
    scores = {}
    for who in people_in(runs := trials(card, folder)):
        unit = Unit(decoder, "offline", who)
        mine = tuple(r for r in runs if r.subject == who)
        job = Job((unit,), mine, "within", (front(),), None, use_cache=False, leaky=False)
        answers: Any = work(job)[0][1]
        right = [[np.argmax(p) == a.classes.index(y) for y, p in zip(a.y, a.p, strict=True)] for a in answers]
        scores[who] = float(np.mean([np.mean(r) for r in right]))
    return scores


def whole(card: Path, folder: Path, decoder: str) -> dict[str, float]:
    """All that the command does: offline and causal, with intervals and chance."""
    result = evaluate(str(card), folder, [decoder], "within", stages=[front()], use_cache=False)
    return result["decoders"][decoder]["offline"]["per_subject"]


def people_in(runs: list[sets.Run]) -> list[str]:
    return list(dict.fromkeys(r.subject for r in runs))


def theirs(card: Path, folder: Path, race: Race) -> dict[str, float]:
    """The same from the same files: MNE's filter and epochs, and the method on the same folds."""
    import mne

    level = None if race.kind else (None, None)  # MNE's CSP takes off no means itself
    scores = {}
    for who in people_in(trials(card, folder)):
        X, y, sizes = [], [], []
        for run in range(RUNS):
            if race.ends == "npz":
                with np.load(folder / f"{who}_run{run + 1}.npz") as file:
                    raw = mne.io.RawArray(np.vstack([1e-6 * file["y"].T, file["trig"]]), info(), verbose="error")
            else:
                raw = mne.io.read_raw_fif(folder / f"{who}_run{run + 1}_raw.fif", preload=True, verbose="error")
            events = mne.find_events(raw, shortest_event=0, verbose="error")
            raw.filter(*BAND, method="iir", iir_params={"order": 4, "ftype": "butter", "output": "sos"}, verbose="error")
            epochs = mne.Epochs(
                raw, events, None, 0, LENGTH_S - 1 / RATE, baseline=level, picks="eeg", preload=True, verbose="error"
            )
            X.append(1e6 * epochs.get_data(copy=False))
            y.append(np.where(events[:, 2] == 1, "left", "right"))
            sizes.append(y[-1])
        X_, y_ = np.concatenate(X), np.concatenate(y)
        begins = np.cumsum([0, *map(len, sizes)])
        right = []
        for split in _folds(who, range(RUNS), sizes, shuffled=True):
            train, test = (np.concatenate([begins[i] + k for i, k in part.items()]) for part in (split.train, split.test))
            right.append(float((chain(race.kind).fit(X_[train], y_[train]).predict(X_[test]) == y_[test]).mean()))
        scores[who] = float(np.mean(right))
    return scores


def chain(kind: str) -> Any:
    """The method as others have it: pyRiemann's tangent space of covariances of this kind; without one, MNE's CSP."""
    from sklearn.pipeline import make_pipeline

    if kind:
        from pyriemann.estimation import Covariances
        from pyriemann.tangentspace import TangentSpace
        from sklearn.linear_model import LogisticRegression

        return make_pipeline(Covariances(kind), TangentSpace(), LogisticRegression())
    from mne.decoding import CSP
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    csp = CSP(4, reg=None, log=True, cov_est="epoch", component_order="alternate")
    return make_pipeline(csp, LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


MOABB = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import mne, moabb
import numpy as np
from moabb.datasets.base import BaseDataset
from moabb.evaluations import WithinSessionEvaluation
from moabb.paradigms import LeftRightImagery
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

moabb.set_log_level("error"); mne.set_log_level("error")
folder, kind, people, runs, results = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]


class Shaped(BaseDataset):
    def __init__(self):
        events = {"left_hand": 1, "right_hand": 2}
        super().__init__(list(range(1, people + 1)), 1, events, "Shaped", [0, 3.996], "imagery", doi="")

    def _get_single_subject_data(self, subject):
        found = {}
        for run in range(runs):
            with np.load(f"{folder}/P{subject}_run{run + 1}.npz") as file:
                data, names = np.vstack([1e-6 * file["y"].T, file["trig"]]), [*file["ch_names"], "STI"]
                info = mne.create_info(list(map(str, names)), float(file["fs"]), ["eeg"] * (len(names) - 1) + ["stim"])
            found[str(run)] = mne.io.RawArray(data, info)
        return {"0": found}

    def data_path(self, subject, *a, **k):
        return []


def once():
    paradigm = LeftRightImagery(fmin=8, fmax=32, scorer="accuracy")
    loop = WithinSessionEvaluation(paradigm=paradigm, datasets=[Shaped()], overwrite=True, hdf5_path=results, n_jobs=1)
    found = loop.process({"TS+LR": make_pipeline(Covariances(kind), TangentSpace(), LogisticRegression())})
    return {f"P{s}": float(v) for s, v in zip(found["subject"], found["score"])}


once()
took = []
for _ in range(3):
    began, busy = time.perf_counter(), time.process_time()
    scores = once()
    took.append((time.perf_counter() - began, time.process_time() - busy))
print(json.dumps([took, scores]))
"""


def moabb(folder: Path, kind: str, people: int) -> tuple[list[tuple[float, float]], dict[str, float]]:
    """MOABB's within-session evaluation of the same files, in its own environment; its folds are its own."""
    one = {f"{k}_NUM_THREADS": "1" for k in ("OMP", "OPENBLAS", "MKL")}
    args = [str(folder), kind, str(people), str(RUNS), str(folder / "moabb")]
    done = subprocess.run(
        [str(environment("moabb")), "-c", MOABB, *args],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **one},
    )
    if done.returncode:
        raise DeviceTrouble("MOABB failed.", (done.stderr.strip().splitlines() or ["It said nothing."])[-1][:300])
    took, scores = json.loads(done.stdout.strip().splitlines()[-1])
    return took, scores
