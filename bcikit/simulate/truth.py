"""What simulated neurons did: kept for a while, and in a side file where one is wanted.

The file is an .npz that `read` gives back; it grows by a piece every ten seconds and is whole after each, so that what was
written before a crash is there.
"""

from __future__ import annotations

import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FileTrouble

KEPT_S = 10.0
PARTS = ("sample", "unit", "intention_at", "intention")


class Truth:
    """facts: arrays that are true throughout. path: of the side file, or none. Raises FileTrouble where it exists, or cannot
    be written."""

    def __init__(self, rate: float, dims: int, facts: dict[str, Any], path: str | None = None) -> None:
        self.long, self.path, self._piece = round(KEPT_S * rate), Path(path) if path else None, 0
        self._recent: deque[tuple[int, np.ndarray, np.ndarray]] = deque()
        self._new: list[tuple[np.ndarray, np.ndarray]] = []
        self._acts: list[tuple[int, np.ndarray]] = []
        self._written, self._dims = 0, dims
        if self.path:
            if self.path.exists():
                raise FileTrouble(f"{self.path} exists.", "It would be written over.", "Name another file: truth_file=...")
            self._append({"simulated": True, "rate": rate, **facts})

    def spikes(self, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """(sample, unit) of the spikes whose trough lies in these samples, of the last ten seconds; in order of time."""
        some = [(s, u) for _, s, u in tuple(self._recent) if len(s) and s.max() >= first]
        sample = np.concatenate([np.empty(0, np.int64), *(s for s, _ in some)])
        unit = np.concatenate([np.empty(0, np.int64), *(u for _, u in some)])
        order = np.argsort(sample, kind="stable")
        order = order[(sample[order] >= first) & (sample[order] < end)]
        return sample[order], unit[order]

    def add(self, first: int, sample: np.ndarray, unit: np.ndarray) -> None:
        """Spikes of the rows from `first` on."""
        self._recent.append((first, sample, unit))
        while self._recent[0][0] < first - self.long:
            self._recent.popleft()
        if self.path:
            self._new.append((sample, unit))
            if first - self._written >= self.long:
                self._written = first
                self.flush()

    def intend(self, at: int, intention: np.ndarray) -> None:
        """What was intended from a sample on."""
        if self.path:
            self._acts.append((at, np.array(intention, np.float32)))

    def flush(self) -> None:
        """Write what is new; nothing where there is no file."""
        if self.path and (self._new or self._acts):
            spikes, acts, self._new, self._acts = self._new, self._acts, [], []
            columns = (
                np.concatenate([np.empty(0, np.int64), *(s for s, _ in spikes)]),
                np.concatenate([np.empty(0, np.int32), *(u.astype(np.int32) for _, u in spikes)]),
                np.array([at for at, _ in acts], np.int64),
                np.array([v for _, v in acts], np.float32).reshape(-1, self._dims),
            )
            self._append({f"{n}.{self._piece:06d}": a for n, a in zip(PARTS, columns, strict=True)})
            self._piece += 1

    def _append(self, arrays: dict[str, Any]) -> None:
        assert self.path
        try:
            with zipfile.ZipFile(self.path, "a") as file:
                for name, array in arrays.items():
                    with file.open(f"{name}.npy", "w") as place:
                        np.lib.format.write_array(place, np.asarray(array), allow_pickle=False)
        except OSError as error:
            raise FileTrouble(f"{self.path} cannot be written.", str(error), "Name another file: truth_file=...") from error


def read(path: str | Path) -> dict[str, np.ndarray]:
    """Everything in a side file: `sample` and `unit` of the spikes in order of time, `intention_at` (sample) and `intention`
    (acts, dims), and what is true throughout. Raises FileTrouble."""
    try:
        with np.load(path, allow_pickle=False) as file:
            all_ = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise FileTrouble(f"{path} is no side file of a simulated implant.", str(error)) from error
    out = {n: a for n, a in all_.items() if n.partition(".")[0] not in PARTS}
    for part in PARTS:
        pieces = [all_[n] for n in sorted(all_) if n.partition(".")[0] == part]
        out[part] = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    order = np.argsort(out["sample"], kind="stable")
    out["sample"], out["unit"] = out["sample"][order], out["unit"][order]
    return out
