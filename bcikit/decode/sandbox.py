"""A line of parts that nobody vouches for, run in a process that can only compute; this process is the broker.

Tier 2: everything that comes out of the worker passes here, as numbers of the announced shape, with the label of what
went in, and goes to sinks through this process's Gate alone. Neither the parts' modules nor a model's files are read by
the broker.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from struct import error as StructError
from tempfile import gettempdir
from typing import Any

import numpy as np

from ..core.errors import BciError, NotConsented, WrongUse, nearest
from ..core.find import parse
from ..core.grid import Grid
from ..core.parts import Part, Stage
from ..core.pipeline import Pipeline, build
from ..core.stream import Chunk, Event, Stream
from ..ethics import _wire, sandbox
from ..ethics.home import home
from ..preprocess.beside import composed
from ._learner import learns

BUILD, START, STEP, GAP, ADAPT, STATE, LEARNED, RESTORE, FIT, BAD = range(10)
PATIENCE_S = 60.0  # for a worker that does not answer
PACKAGE = Path(__file__).parent.parent
INSIDE: list[bool] = []  # not empty in the worker, where a sandbox within is no second one
MODEL = "model"  # the stage that reads a folder which may be anybody's


class Sandbox(Stage):
    """A line of stages, each `NAME[:key=value,...]` or a recipe, in a sandboxed worker. readable: folders that they may
    read, beside that of a `model`. What was added on top of the least that a sandbox needs, and could not be, stands in
    `missing`.

    Raises BciError where there is no sandbox here, or the worker ends or answers with nonsense; WrongUse as they do."""

    holds = False

    def __init__(self, line: Sequence[str | Mapping[str, Any]], readable: Sequence[str] = ()) -> None:
        self.line, self.readable = tuple(line), tuple(readable)
        self._process: subprocess.Popen | None = None
        self._within = _built(self.line) if INSIDE else None
        about = _about(self._within) if self._within else self._begin_worker()
        self.missing = tuple(str(m) for m in about["missing"])
        self._settle, self._leaky = float(about["settle"]), bool(about["leaky"])
        self.teachers = tuple(str(n) for n in about["teachers"])
        self.learns = bool(about["learns"])

    def _begin_worker(self) -> dict[str, Any]:
        if why := sandbox.available():
            raise BciError("There is no sandboxed worker on this machine.", f"{why[0].upper()}{why[1:]}.")
        place = home().resolve()
        libraries = [
            Path(p).resolve()
            for p in {*sysconfig.get_paths().values(), sys.base_prefix, "/usr/lib", "/lib", "/lib64", "/dev/urandom"}
        ]
        libraries = [PACKAGE, *libraries, *(Path(p) for p in sys.path if "site-packages" in p)]
        models = [str(r["folder"]) for r in self.line if not isinstance(r, str) and r.get("stage") == MODEL]
        readable = [Path(p).expanduser().resolve() for p in (*self.readable, *models)]
        for path in (*libraries, *readable):
            if place == path or place.is_relative_to(path):
                raise NotConsented(f"{path} may not be read in the sandbox: the keys and consents lie in it ({place}).")
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        told = {
            "line": list(self.line),
            "libraries": [str(p) for p in libraries],
            "readable": [str(p) for p in readable],
            "listed": [p for p in sys.path if p] + [str(PACKAGE.parent)],
        }
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import work; work({theirs.fileno()})"
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        one["MPLCONFIGDIR"] = gettempdir()  # a folder that only looks writable: without one matplotlib does not import
        environment = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "OMP_NUM_THREADS", "BCIKIT_PURE")}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**environment, **one},
        )
        theirs.close()
        self._socket = ours
        self._lock = threading.Lock()
        return self._asked(BUILD, _wire.values_out(told))

    @property
    def settle(self) -> float:  # type: ignore[override]
        return self._settle

    @property
    def leaky(self) -> bool:  # type: ignore[override]
        return self._leaky

    @property
    def learns_from(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.teachers

    def recipe(self) -> dict[str, Any]:
        return {"stage": "sandbox", "line": list(self.line), "readable": list(self.readable)}

    @classmethod
    def make(cls, settings: Mapping[str, Any]) -> Sandbox:
        known = ["line", "readable"]
        for name in settings:
            if name not in known:
                raise WrongUse(f"sandbox has no setting {name!r}.", f"It has {', '.join(known)}.", nearest(name, known))
        line, readable = (settings.get(n, ()) for n in known)
        if isinstance(line, str) or not line or isinstance(readable, str):
            what = "sandbox needs a list of the stages that run in it."
            raise WrongUse(what, do='In a session file: line = ["bandpass:low=1,high=40", {stage = "notch"}]')
        return cls(line, readable)

    @classmethod
    def examples(cls) -> Iterator[Part]:
        if not sandbox.available():
            yield cls([{"stage": "bandpass", "low": 8.0, "high": 30.0}, "resample:rate=100"])

    # -- what is asked of the worker

    def _ask(self, kind: int, *parts: Any) -> bytes:
        if self._within:
            return b"".join(_answer(self._within, kind, b"".join(parts)))
        with self._lock:
            if self._process is None:
                raise BciError("The sandboxed worker has ended.", do="Start again.")
            try:
                _wire.send(self._socket.fileno(), kind, *parts)
                answered, raw = _wire.receive(self._socket.fileno())
            except (OSError, BciError) as error:
                self.end()
                raise BciError(
                    "The sandboxed worker has ended.", "A part in it crashed, or tried what it may not."
                ) from error
        if answered == BAD:
            said = _wire.values_in(raw[: _wire.MOST_TEXT])
            words = [_said(w) for w in said[1:4]]
            raise (WrongUse if said[0] == 2 else BciError)(*words)
        if answered != kind:
            self.end()
            raise BciError("The sandboxed worker answered what nobody asked.")
        return raw

    def _asked(self, kind: int, *parts: Any) -> Any:
        try:
            return _wire.values_in(self._ask(kind, *parts))
        except (ValueError, TypeError, KeyError, StructError, RecursionError) as error:
            self.end()
            raise BciError("The sandboxed worker answered with nonsense.", type(error).__name__) from error

    def start(self, s: Stream) -> Stream:
        try:
            told, grid = self._asked(START, _wire.values_out(_wire.stream_out(s)))
            out, self.grid = _wire.stream_in(told, s), Grid(*(int(k) for k in grid))
        except (ValueError, TypeError, KeyError) as error:
            self.end()
            raise BciError("The sandboxed worker announced a stream that is none.", type(error).__name__) from error
        self.into, self.out = s, out
        return out

    def step(self, c: Chunk) -> Chunk:
        raw = self._ask(STEP, *_wire.chunk_out(c))
        try:
            return _wire.chunk_in(raw, self.out)
        except (ValueError, TypeError, KeyError, StructError, RecursionError) as error:
            self.end()
            raise BciError("The sandboxed worker sent a chunk that is none.", type(error).__name__) from error

    def gap(self, seconds: float) -> None:
        self._asked(GAP, _wire.values_out(seconds))

    def adapt(self, event: Event) -> None:
        self._asked(ADAPT, _wire.values_out([event.index, event.name, event.value, event.uncertainty]))

    def state(self) -> dict[str, Any]:
        return {"worker": self._asked(STATE, b"")}

    def learned(self) -> dict[str, Any]:
        return {"worker": self._asked(LEARNED, b"")}

    def restore(self, kept: Mapping[str, Any]) -> None:
        self._asked(RESTORE, _wire.values_out(kept["worker"]))

    def fit(self, X: np.ndarray, y: np.ndarray, groups: np.ndarray, stream: Mapping[str, Any] | None) -> None:
        """Train the decoder that ends the line, as `Decoder.fit`. stream: as `_wire.stream_out` gives it."""
        self._asked(FIT, _wire.values_out([X, y, groups, stream]))

    def end(self) -> None:
        """Kill the worker; final and idempotent."""
        process, self._process = self._process, None
        if process is not None:
            self._socket.close()
            process.kill()
            process.wait()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.end()


def _said(text: Any) -> str:
    """What a worker says of an error: words, cut, and nothing that a terminal would obey."""
    return "".join(ch if ch.isprintable() else " " for ch in str(text))[:200]


def shut_in(doc: dict[str, Any]) -> None:
    """Of a session's tables, each that names a stage which nobody vouches for becomes one of `sandbox`, before anything is
    imported: other packages' stages, and models, whose files may be anybody's."""
    untrusted = {MODEL, *(e.name for e in entry_points(group="bcikit.stages"))}
    moved = set()
    for table in _tables(doc, "stages", "decoder", "mapper"):
        if table.get("use") != "sandbox" and _names(table) & untrusted:
            stage = {"stage": table.pop("use"), **table}
            moved.add(stage["stage"])
            table.clear()
            table.update({"use": "sandbox", "line": [stage]})
    for table in _tables(doc, "effector", "sinks"):
        if table.get("at") in moved:
            table["at"] = "sandbox"


def _tables(doc: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
    found = [doc.get(key, []) for key in keys]
    return [t for its in found for t in (its if isinstance(its, list) else [its]) if isinstance(t, dict)]


def _names(value: Any) -> set[str]:
    """All texts within: among them the names of nested stages."""
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(_names, value)) if isinstance(value, list) else {value} if isinstance(value, str) else set()


# -- the other side


def work(fd: int) -> None:
    """The worker: shuts itself in before anything that nobody vouches for is imported."""
    kind, raw = _wire.receive(fd)
    told = _wire.values_in(raw)
    line: Pipeline | None = None
    while True:
        try:
            if kind == BUILD:
                _prepared()
                missing = sandbox.enter(
                    [Path(p) for p in told["libraries"] + told["readable"]], list(map(Path, told["listed"]))
                )
                INSIDE.append(True)
                line = _built(told["line"])
                parts: tuple[Any, ...] = (_wire.values_out({**_about(line), "missing": missing}),)
            elif line is not None:
                parts = _answer(line, kind, raw)
            _wire.send(fd, kind, *parts)
        except Exception as error:
            what = (
                error if isinstance(error, BciError) else BciError(f"A part in the sandbox failed: {type(error).__name__}.")
            )
            _wire.send(fd, BAD, _wire.values_out([what.exit_code, what.what, what.why, what.do]))
        try:
            kind, raw = _wire.receive(fd)
        except BciError:
            os._exit(0)


def _prepared() -> None:
    """What is trusted, imported while everything can still be read."""
    from .. import kernels  # noqa: F401
    from ..core import find

    for kind in ("board", "stage", "sink"):
        find.where(kind)


def _built(line: Sequence[str | Mapping[str, Any]]) -> Pipeline:
    return Pipeline([parse("stage", r) if isinstance(r, str) else build(r) for r in line])


def _about(line: Pipeline) -> dict[str, Any]:
    teachers = sorted({n for s in line.stages for n in s.learns_from})
    return {"missing": [], "settle": line.settle, "leaky": line.leaky, "teachers": teachers, "learns": learns(line.stages)}


def _grid(line: Pipeline) -> list[int]:
    """Of the whole line; that of its input where two changes of rate do not compose to one."""
    try:
        grid = composed(line)
    except WrongUse:
        grid = Grid()
    return [grid.p, grid.q, grid.off]


def _answer(line: Pipeline, kind: int, raw: bytes) -> tuple[Any, ...]:
    if kind == STEP:
        return _wire.chunk_out(line.step(_wire.chunk_in(raw, line.into)))
    value: Any = _wire.values_in(raw) if raw else None
    if kind == START:
        blank = Stream("", 0.0, ())
        out = line.start(_wire.stream_in(value, blank))
        return (_wire.values_out([_wire.stream_out(out), _grid(line)]),)
    if kind == GAP:
        line.gap(value)
    elif kind == ADAPT:
        line._teach(Event(*value))
    elif kind == STATE:
        return (_wire.values_out(line.state()),)
    elif kind == LEARNED:
        return (_wire.values_out(line.learned()),)
    elif kind == RESTORE:
        line.restore(value)
    elif kind == FIT:
        X, y, groups, stream = value
        its = _wire.stream_in(stream, Stream("", 0.0, ())) if stream else None
        line.stages[-1].fit(X, y, groups=groups, stream=its)  # type: ignore[attr-defined]
    return (_wire.values_out(None),)
