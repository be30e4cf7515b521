"""`bcikit evaluate` beside MNE, pyRiemann and scikit-learn for the same people, filter, folds and method, from the files on.

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
events = ["trig=1:left", "trig=2:right"]
after = 0.0
length = 4.0
[[runs]]
files = "{subject}_run{run}.npz"
"""


def written(folder: Path, people: int) -> Path:
    """Simulated runs of so many people, and their card."""
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
            np.savez(folder / f"P{person + 1}_run{run + 1}.npz", y=data, trig=trigger, fs=RATE, ch_names=np.array(NAMES))
    (card := folder / "shaped.toml").write_text(CARD, encoding="utf-8")
    return card


def evaluation(seconds: float, people: int = 2) -> Iterator[dict[str, Any] | str]:
    """Rounds in turn for about `seconds`, at least three; a line for each contender, then the summary."""
    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory(prefix="bcikit-bench-") as name, warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        folder = Path(name)
        card = written(folder, people)
        for kind in ("scm", "oas"):
            does: dict[str, Callable[[], dict[str, float]]] = {
                f"MNE + pyRiemann + scikit-learn, {kind}": lambda k=kind: theirs(card, folder, k),  # type: ignore[misc]
                f"bcikit, offline form, {kind}": lambda k=kind: ours(card, folder, k),  # type: ignore[misc]
                f"bcikit evaluate, both forms with statistics, {kind}": lambda k=kind: whole(card, folder, k),  # type: ignore[misc]
            }
            took, scores = raced(does, seconds / 2)
            if there("moabb"):
                took["MOABB's own loop"], scores["MOABB's own loop"] = moabb(folder, kind, people)
            else:
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
                "kind": kind,
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
    while time.perf_counter() < end or min(map(len, took.values())) < 3:
        for n, do in does.items():
            sets._read.cache_clear()
            content.cache_clear()  # files are hashed for the cache of results, and that is a part of it
            began, busy = time.perf_counter(), time.process_time()
            scores[n] = do()
            took[n].append((time.perf_counter() - began, time.process_time() - busy))
    return took, scores


def front() -> str:
    return f"bandpass:low={BAND[0]:g},high={BAND[1]:g},order=4"


def ours(card: Path, folder: Path, kind: str) -> dict[str, float]:
    """The offline form alone, as `bcikit evaluate` does it for one decoder and person after the other."""
    scores = {}
    for who in people_in(runs := trials(card, folder)):
        unit = Unit(f"tangent:kind={kind}", "offline", who)
        mine = tuple(r for r in runs if r.subject == who)
        job = Job((unit,), mine, "within", (front(),), None, use_cache=False, leaky=False)
        answers: Any = work(job)[0][1]
        right = [[np.argmax(p) == a.classes.index(y) for y, p in zip(a.y, a.p, strict=True)] for a in answers]
        scores[who] = float(np.mean([np.mean(r) for r in right]))
    return scores


def whole(card: Path, folder: Path, kind: str) -> dict[str, float]:
    """All that the command does: offline and causal, with intervals and chance."""
    name = f"tangent:kind={kind}"
    result = evaluate(str(card), folder, [name], "within", stages=[front()], use_cache=False)
    return result["decoders"][name]["offline"]["per_subject"]


def people_in(runs: list[sets.Run]) -> list[str]:
    return list(dict.fromkeys(r.subject for r in runs))


def theirs(card: Path, folder: Path, kind: str) -> dict[str, float]:
    """The same from the same files: MNE's filter and epochs, pyRiemann's pipeline on the same folds."""
    import mne
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    scores = {}
    for who in people_in(trials(card, folder)):
        X, y, sizes = [], [], []
        for run in range(RUNS):
            with np.load(folder / f"{who}_run{run + 1}.npz") as file:
                data = np.vstack([1e-6 * file["y"].T, file["trig"]])
            info = mne.create_info([*NAMES, "STI"], RATE, ["eeg"] * CHANNELS + ["stim"])
            raw = mne.io.RawArray(data, info, verbose="error")
            events = mne.find_events(raw, shortest_event=0, verbose="error")
            raw.filter(*BAND, method="iir", iir_params={"order": 4, "ftype": "butter", "output": "sos"}, verbose="error")
            epochs = mne.Epochs(
                raw, events, None, 0, LENGTH_S - 1 / RATE, baseline=None, picks="eeg", preload=True, verbose="error"
            )
            X.append(1e6 * epochs.get_data(copy=False))
            y.append(np.where(events[:, 2] == 1, "left", "right"))
            sizes.append(y[-1])
        X_, y_ = np.concatenate(X), np.concatenate(y)
        begins = np.cumsum([0, *map(len, sizes)])
        right = []
        for split in _folds(who, range(RUNS), sizes, shuffled=True):
            train, test = (np.concatenate([begins[i] + k for i, k in part.items()]) for part in (split.train, split.test))
            its = make_pipeline(Covariances(kind), TangentSpace(), LogisticRegression())
            right.append(float((its.fit(X_[train], y_[train]).predict(X_[test]) == y_[test]).mean()))
        scores[who] = float(np.mean(right))
    return scores


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
