"""Why a command was what it was: the run is replayed to the bit from its trail, and who is responsible is named.

In this order, which is that of the proof: what does not replay is at fault itself; what was not sent was stopped by the
policy or a person; what did not move says why; what came in was bad. Else everything did what its settings say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.errors import FileTrouble, WrongUse
from ..core.find import part
from ..core.parts import Sink, Stage
from ..core.pipeline import Pipeline, build
from ..core.stream import Chunk, Recording
from ..effectors._moved import Moved
from ..effectors._supervisor import Cause
from ..files.read import read
from ..files.sealed import SUFFIX
from .trail import ENDED, acted, can_replay, from_text, replayed

WHO = ("device", "link", "stage", "decoder", "policy", "limiter", "effector", "person", "nobody")
CAUSES = {
    Cause.ESTOP | Cause.DEADMAN: "person",
    Cause.STALE | Cause.LATE: "link",
    Cause.DEVICE: "effector",
    Cause.FORCE | Cause.TORQUE | Cause.WORKSPACE | Cause.DISTANCE | Cause.CAP | Cause.PERSIST: "limiter",
}
PERSONS = ("no grant", "expired", "purpose")  # rules of the Gate that are a person's word
FLAT_N = 12  # samples in a row, the same to the bit, which no amplifier gives
LOUD = 8.0  # times the median deviation of the channel
EXTRA_S = 0.5  # looked back on, beyond what the line says that a fault lasts


@dataclass(frozen=True)
class Verdict:
    """who: of WHO. which: the part, where there is one. exact: whether the command replayed to the bit."""

    command: int
    who: str
    which: str
    why: str
    exact: bool
    value: tuple[float, ...] = ()


@dataclass
class Run:
    """A trail as it was read. places: {place: recording}, 0 being the board's."""

    folder: Path
    places: dict[int, Recording]
    acts: Recording | None
    ended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Raises FileTrouble where the folder is no trail."""
        files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        if not (folder / f"board{SUFFIX}").is_file():
            raise FileTrouble(f"{folder} is no trail.", do="bcikit run SESSION.toml --trail FOLDER leaves one.")
        places, acts = {}, None
        for path in files:
            r = read(path)
            if path.stem == "effector":
                acts = r
            else:
                places[int(r.info["about"].get("place", 0))] = r
        try:
            ended = json.loads((folder / ENDED).read_text())
        except (OSError, ValueError):  # it was killed: the recordings are whole up to then
            ended = {}
        return cls(folder, places, acts, ended)

    @property
    def commands(self) -> np.ndarray:
        """Their numbers: the index of each row behind the last stage."""
        return self.places[max(self.places)].index

    def line(self) -> Pipeline:
        about = self.places[0].info["about"]
        line = build(about["line"])
        if not isinstance(line, Pipeline):
            raise FileTrouble(f"{self.folder} is of no line.")
        line.restore(from_text(about["learned"]))
        return line


@dataclass
class Replay:
    """The whole run once more. first: {place: index of the first row that came out otherwise, or None}."""

    run: Run

    def __post_init__(self) -> None:
        line = self.run.line()
        got: dict[int, list[Chunk]] = {place: [] for place in self.run.places}
        line.start(self.run.places[0].stream)
        line.listen = lambda place, c: got[place].append(c) if place in got and place else None
        for c in self.run.places[0]:
            line.step(c)
        self.stages: list[Stage] = line.stages
        self.settle = line.settle
        self.first = {
            place: _differs(self.run.places[place], Recording(line.streams[place], tuple(chunks)))
            for place, chunks in got.items()
            if place
        }
        self.effector = self._effector()

    def _effector(self) -> dict[int, tuple[str, str]]:
        """{command: (who, why)} of what the limiter or the device did otherwise than they do now."""
        acts, out = self.run.acts, self.run.places[max(self.run.places)]
        if acts is None:
            return {}
        about = acts.info["about"]
        sink: Sink = part("sink", about["sink"]).make(about["settings"])
        if not can_replay(sink):
            return {}
        replayed(sink, out.stream)
        rows, data, found = dict(zip(out.index.tolist(), out.data, strict=True)), acts.data, {}
        for index, was in zip(acts.index.tolist(), data, strict=True):
            first = index - int(was[0]) + 1
            if isinstance(sink, Moved):
                sink.alive = bool(was[1])
                if int(was[2]) & Cause.ESTOP:  # by the person's hand: nothing else presses it
                    sink.stop()
            sink.send(Chunk(np.stack([rows[i] for i in range(first, index + 1)]), first))
            now, told = acted(sink, Chunk(rows[index][None], index)), 3 + about["told"]
            now[0] = was[0]
            if now[:told].tobytes() != was[:told].tobytes():
                found[index] = ("limiter", "what it let through is not what its limits give for these commands")
            elif now.tobytes() != was.tobytes():
                found[index] = ("effector", "it did not do what it was told")
        sink.close()
        return found


def explain(run: Run, command: int, replay: Replay | None = None) -> Verdict:
    """Who is responsible for this command of the run. Raises WrongUse where it had no such command."""
    replay = replay or Replay(run)
    last = max(run.places)
    out, index = run.places[last], run.commands
    row = int(np.searchsorted(index, command))
    if row >= len(index) or index[row] != command:
        said = f"It has {index[0]} to {index[-1]}." if len(index) else "It has none."
        raise WrongUse(f"The run has no command {command}.", said)
    when = out.time[row]
    value = tuple(float(v) for v in np.ravel(out.data[row]))
    bad = {p: f for p, f in replay.first.items() if f is not None and _time(run.places[p], f) <= when + 1e-9}
    exact = last not in bad or index[row] < (bad[last] or 0)

    def verdict(who: str, which: str, why: str) -> Verdict:
        return Verdict(command, who, which, why, exact, value)

    if bad:
        place = min(bad)
        stage = replay.stages[place - 1]
        return verdict(_role(stage), stage.part_name(), f"its output from sample {bad[place]} on does not replay")
    act = _act(run.acts, command)
    if run.acts is not None and act is None:
        rule = run.ended.get("rule", "")
        if rule in PERSONS:
            return verdict("person", "consent", "what was allowed was taken back, so the Gate did not send it")
        return verdict("policy", "gate", f"the Gate did not send it: {rule or 'more than the policy lets decisions tell'}")
    effector = run.acts.info["about"]["sink"] if run.acts else ""
    if act is not None:
        at, cause = act
        first = min((i for i in replay.effector if i <= at), default=None)
        if first is not None:
            return verdict(replay.effector[first][0], effector, replay.effector[first][1])
        for causes, who in CAUSES.items():
            if cause & causes:
                return verdict(who, effector, f"it did not move: {Cause(cause).words()}")
    since = replay.settle + out.stream.delay + EXTRA_S
    if found := _came_badly(run.places[0], when - since, when):
        return verdict(found[0], found[1], found[2])
    if act is not None and act[1] & Cause.NUMBERS:
        return verdict("decoder", replay.stages[-1].part_name(), "it gave no numbers, or absurd ones")
    return verdict("nobody", "", "everything did what its settings say, to the bit")


def _role(stage: Stage) -> str:
    room = type(stage).__module__
    if room == "bcikit.decode.map.limit":
        return "limiter"
    return "decoder" if room.startswith("bcikit.decode.") and ".map." not in room else "stage"


def _differs(was: Recording, now: Recording) -> int | None:
    """The first index at which two recordings are not the same to the bit, as far as the first one goes."""
    a, b = was.index, now.index[: len(was.index)]
    if len(a) != len(b) or not np.array_equal(a, b):
        n = min(len(a), len(b))
        off = np.flatnonzero(a[:n] != b[:n])
        return int(min(a[off[0]], b[off[0]]) if len(off) else [*a[n:], *b[n:]][0])
    x, y = (r.data[: len(a)].reshape(len(a), -1) for r in (was, now))
    off = np.flatnonzero((x.view(np.uint8).reshape(len(a), -1) != y.view(np.uint8).reshape(len(a), -1)).any(axis=1))
    return int(a[off[0]]) if len(off) else None


def _time(r: Recording, index: int) -> float:
    row = min(int(np.searchsorted(r.index, index)), len(r.index) - 1)
    return float(r.time[row])


def _act(acts: Recording | None, command: int) -> tuple[int, int] | None:
    """(index of the chunk that brought it to the effector, cause then), or None where none did."""
    if acts is None or not len(acts.index):
        return None
    row = int(np.searchsorted(acts.index, command))
    if row >= len(acts.index):
        return None
    n, cause = int(acts.data[row, 0]), int(acts.data[row, 2])
    return (int(acts.index[row]), cause) if acts.index[row] - n < command else None


def _came_badly(r: Recording, since: float, until: float) -> tuple[str, str, str] | None:
    """(who, which, why) of what the board gave between two moments."""
    time, index, data = r.time, r.index, r.data.reshape(len(r.index), -1).astype(float)
    rows = np.flatnonzero((time >= since) & (time <= until + 1e-9))
    if not len(rows):
        return ("link", "board", "nothing had come")
    a, b = int(rows[0]), int(rows[-1]) + 1
    steps = np.diff(index[max(a - 1, 0) : b + 1])  # and what came next: a bridge is built when it has come
    if (steps != 1).any():
        lost, back = int((steps[steps > 1] - 1).sum()), int((steps < 1).sum())
        return ("link", "board", f"{lost} samples were lost" if lost else f"the index went back {back} times")
    x, names = data[a:b], r.stream.names
    for column, name in enumerate(names if x.shape[1] == len(names) else [str(i) for i in range(x.shape[1])]):
        y = x[:, column]
        if not np.isfinite(y).all():
            return ("device", name, "it gave no numbers")
        if _longest_flat(y) >= FLAT_N:
            return ("device", name, f"it stayed at {y[_flat_at(y)]:.4g} to the bit")
        good = data[:, column][np.isfinite(data[:, column])]
        spread = float(np.median(np.abs(good - np.median(good))))
        if spread and np.abs(y - np.median(good)).max() > LOUD * 1.4826 * spread:
            return ("device", name, f"it gave {np.abs(y).max():.4g}, {LOUD:g} times its usual range or more")
    return None


def _runs(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(where runs of the same value begin, how long they are)."""
    begins = np.flatnonzero(np.concatenate([[True], y[1:] != y[:-1]]))
    return begins, np.diff(np.append(begins, len(y)))


def _longest_flat(y: np.ndarray) -> int:
    return int(_runs(y)[1].max())


def _flat_at(y: np.ndarray) -> int:
    begins, lengths = _runs(y)
    return int(begins[lengths.argmax()])


__all__ = ["WHO", "Replay", "Run", "Verdict", "explain"]
